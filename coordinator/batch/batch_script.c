/* See batch_script.h. sbatch reads the #SBATCH lines itself, before any shell: there a value is literal within double
 * quotes, but for %, which starts a pattern in file names, and for the backslash, which switches patterns off. */
#include "coordinator/batch/batch_script.h"

#include "jobs/settings/words.h"
#include "proto/base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,=+@-";

/* --- what may stand in a script --------------------------------------------------------------------------------- */

/* A value of an #SBATCH line that has no place for blanks or quotes. */
static Status check_plain(const char *option, const char *value, Error *err) {
    char quoted[QUOTED_BYTES];
    if (value == NULL || (value[0] != '\0' && value[0] != '-' && value[strspn(value, plain)] == '\0')) return STATUS_OK;
    return error_set(err, STATUS_USAGE, "%s: expected letters, digits and any of _./:,=+@-, not %s", option,
                     words_quote(value, quoted));
}

static Status check_memory(const char *value, Error *err) {
    char quoted[QUOTED_BYTES];
    size_t digits = value != NULL ? strspn(value, "0123456789") : 0;
    if (value == NULL) return STATUS_OK;
    if (digits > 0 && digits < 12 && (value[digits] == '\0' || (strchr("KMGT", value[digits]) && !value[digits + 1])))
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "--mem: expected memory of a node as 4000M or 16G, not %s",
                     words_quote(value, quoted));
}

static Status check_sbatch_option(const char *option, Error *err) {
    char quoted[QUOTED_BYTES];
    if (strncmp(option, "--", 2) == 0 && islower((unsigned char)option[2]) && option[strspn(option, plain)] == '\0')
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "--sbatch: expected an option of sbatch as --qos=long, not %s",
                     words_quote(option, quoted));
}

static Status check_dir(const char *dir, Error *err) {
    char quoted[QUOTED_BYTES];
    for (const char *at = dir; *at != '\0'; at++)
        if (*at == '%' || *at == '\\' || iscntrl((unsigned char)*at))
            return error_set(err, STATUS_USAGE,
                             "-o: the log goes to the folder of results, but Slurm takes no '%%', backslash or line "
                             "end in its path: %s",
                             words_quote(dir, quoted));
    return STATUS_OK;
}

static Status check(const BatchScript *script, Error *err) {
    Status status = check_plain("--partition", script->partition, err);
    if (status == STATUS_OK) status = check_plain("--account", script->account, err);
    if (status == STATUS_OK) status = check_memory(script->mem, err);
    for (int i = 0; i < script->n_options && status == STATUS_OK; i++)
        status = check_sbatch_option(script->options[i], err);
    if (status == STATUS_OK) status = check_dir(script->dir, err);
    return status;
}

/* --- quoting ---------------------------------------------------------------------------------------------------- */

/* A path, which no command shall take for an option. */
static void put_path(FILE *out, const char *path) {
    if (path[0] == '-') fputs("./", out);
    text_print_word(out, path);
}

/* Text on one line of a comment. */
static void put_comment(FILE *out, const char *text) {
    for (; *text != '\0'; text++)
        fputc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

/* A name for the queue: what is not plain becomes '_'. */
static void put_name(FILE *out, const char *name) {
    for (; *name != '\0'; name++)
        fputc(strchr(plain, *name) != NULL && *name != '/' ? *name : '_', out);
}

/* The path of the log between double quotes of sbatch. */
static void put_log(FILE *out, const BatchScript *script) {
    bool quoted = script->dir[strspn(script->dir, plain)] != '\0';
    fputs(quoted ? "#SBATCH --output=\"" : "#SBATCH --output=", out);
    if (script->dir[0] == '-') fputs("./", out);
    for (const char *at = script->dir; *at != '\0'; at++)
        fprintf(out, *at == '"' ? "\\%c" : "%c", *at);
    fprintf(out, "/slurm-%s.out%s\n", script->shards > 0 ? "%A_%a" : "%j", quoted ? "\"" : "");
}

/* --- the parts of a script -------------------------------------------------------------------------------------- */

double batch_script_warning_s(double walltime_s) {
    return fmin(120, floor(walltime_s / 5));
}

static void put_introduction(FILE *out, const BatchScript *script) {
    static const char *const sequels[] = {
        [BATCH_REQUEUE] = "# One submission runs to completion: before its walltime ends, or when it is preempted, the "
                          "run saves what it has and\n"
                          "# puts this job back into the queue. It ends when all is done, or when going on gains "
                          "nothing.\n",
        [BATCH_CHAIN] = "# One submission runs to completion: a next job waits for the end of this one, whatever ended "
                        "it, and goes on from there.\n"
                        "# The run that leaves nothing to do cancels the next job. To end it all: scancel --name.\n",
        [BATCH_ONCE] = "# One job: it saves what it has before its walltime ends and exits with 75 where something is "
                       "left; sbatch it again to go on.\n"};
    fputs("#!/bin/bash\n# ", out);
    put_comment(out, script->command);
    fprintf(out, "\n%s", sequels[script->sequel]);
    if (script->shards > 0)
        fprintf(out, "# %lld such jobs share the folder, each with a part of the grid of its own.\n",
                (long long)script->shards);
}

static void put_resources(FILE *out, const BatchScript *script) {
    long long minutes = (long long)ceil(script->walltime_s / 60); /* as Slurm rounds it */
    fputs("\n#SBATCH --job-name=", out);
    put_name(out, script->name);
    fputc('\n', out);
    if (script->partition != NULL) fprintf(out, "#SBATCH --partition=%s\n", script->partition);
    if (script->account != NULL) fprintf(out, "#SBATCH --account=%s\n", script->account);
    fprintf(out, "#SBATCH --nodes=%lld\n#SBATCH --ntasks-per-node=%lld\n#SBATCH --cpus-per-task=%lld\n",
            (long long)script->nodes, (long long)script->tasks_per_node, (long long)script->cpus_per_task);
    if (script->mem != NULL) fprintf(out, "#SBATCH --mem=%s\n", script->mem);
    fprintf(out, "#SBATCH --time=%lld-%02lld:%02lld:00\n", minutes / 1440, minutes / 60 % 24, minutes % 60);
    if (script->shards > 0) fprintf(out, "#SBATCH --array=1-%lld\n", (long long)script->shards);
    for (int i = 0; i < script->n_options; i++)
        fprintf(out, "#SBATCH %s\n", script->options[i]);
}

static void put_behaviour(FILE *out, const BatchScript *script) {
    fputs("\n# The log, one for all runs of this job. Its folder must exist when the job starts.\n", out);
    put_log(out, script);
    fprintf(out,
            "#SBATCH --open-mode=append\n"
            "# The warning that the time is up or that another job comes first goes to this shell, which is %s by "
            "then and passes it on.\n"
            "#SBATCH --signal=B:USR1@%.0f\n#SBATCH %s\n",
            script->launcher == BATCH_SRUN ? "srun" : "mpirun", batch_script_warning_s(script->walltime_s),
            script->sequel == BATCH_REQUEUE ? "--requeue" : "--no-requeue");
}

/* The next job is held until this one's run has begun: a script that cannot even start has no successors. */
static void put_next(FILE *out, const BatchScript *script) {
    bool array = script->shards > 0;
    fprintf(out,
            "\n# The next job is held; the run releases it when it has begun, and cancels it when nothing is left.\n"
            "this=%s\n"
            "next=$(sbatch --parsable --hold --dependency=\"afterany:$this\"%s \"$0\")\n",
            array ? "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" : "$SLURM_JOB_ID",
            array ? " --array=\"$SLURM_ARRAY_TASK_ID\"" : "");
}

static void put_run(FILE *out, const BatchScript *script) {
    fputs("\n# One worker (a training at a time) for each CPU of a task.\n", out);
    if (script->launcher == BATCH_SRUN)
        fprintf(out, "exec srun --mpi=pmix --cpus-per-task=%lld ", (long long)script->cpus_per_task);
    else
        fputs("exec mpirun --bind-to none ", out);
    put_path(out, script->program);
    fputs(" run ", out);
    put_path(out, script->job);
    fputs(" -o ", out);
    put_path(out, script->dir);
    for (int i = 0; i < script->n_overrides; i++) {
        fputs(" --set ", out);
        text_print_word(out, script->overrides[i]);
    }
    fprintf(out, " \\\n    --workers-per-rank %lld", (long long)script->cpus_per_task);
    if (script->shards > 0) fprintf(out, " --shard \"$SLURM_ARRAY_TASK_ID/%lld\"", (long long)script->shards);
    if (script->sequel == BATCH_REQUEUE) fputs(" --requeue", out);
    if (script->sequel == BATCH_CHAIN) fputs(" ${next:+--successor \"${next%%;*}\"}", out);
    fputc('\n', out);
}

Status batch_script_write(const BatchScript *script, char **out, Error *err) {
    size_t size;
    Status status = check(script, err);
    if (status != STATUS_OK) return status;
    FILE *text = open_memstream(out, &size);
    if (text == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a batch script");
    put_introduction(text, script);
    put_resources(text, script);
    put_behaviour(text, script);
    if (script->sequel == BATCH_CHAIN) put_next(text, script);
    put_run(text, script);
    bool written = !ferror(text);
    if (fclose(text) == 0 && written) return STATUS_OK;
    free(*out);
    *out = NULL;
    return error_set(err, STATUS_NO_MEMORY, "no memory for a batch script");
}
