/* palinode submit: a job as a batch job of Slurm, predicted before it waits in the queue. */
#include "cli/commands/commands.h"
#include "cli/plan/prospect.h"
#include "cli/run/run_folder.h"
#include "cli/shared/options.h"
#include "cli/shared/provenance.h"
#include "cli/shared/warning.h"
#include "coordinator/batch/batch_script.h"
#include "coordinator/batch/slurm.h"
#include "coordinator/dispatch/progress.h"
#include "jobs/job/job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct SubmitOptions {
    BatchScript script;
    const char *launcher;
    TextList overrides, sbatch_options;
    double rate_gflops;
    bool chain, once, print, quiet;
} SubmitOptions;

static const char details[] =
    "The job goes on over as many walltimes as it needs: before one ends, or when the job is preempted,\n"
    "the run saves its trainings and puts its job back into the queue. Where requeueing is forbidden,\n"
    "--chain does the same with a next job that waits for the end of the one before. The log is\n"
    "DIR/slurm-<job>.out; palinode status DIR and palinode wait DIR tell how far it is.\n"
    "Standard output is the job's number, or with --print the script, which may be changed and given to\n"
    "sbatch. What the job will take (trainings, core-hours, walltimes) is predicted on standard error.\n"
    "docs/cluster.md leads from a fresh account to merged results.";

/* The program as the nodes of the cluster find it: by its path, or through PATH as this shell did. */
static const char *program_name(char path[PATH_MAX]) {
    return strchr(program_invocation_name, '/') != NULL && realpath("/proc/self/exe", path) != NULL ? path : "palinode";
}

static Status check(const SubmitOptions *options, Error *err) {
    if (options->script.walltime_s == 0)
        return error_set(err, STATUS_USAGE, "--time is missing: how long one job may run (2h, HH:MM:SS, D-HH:MM:SS)");
    if (options->script.walltime_s < 60)
        return error_set(err, STATUS_USAGE, "--time: expected at least 60 s, Slurm's shortest walltime, not %g s",
                         options->script.walltime_s);
    if (options->chain && options->once) return error_set(err, STATUS_USAGE, "--chain and --once exclude each other");
    if (strcmp(options->script.job, "-") == 0)
        return error_set(err, STATUS_USAGE,
                         "the job file must be there when the batch job runs: expected a path, not -");
    return STATUS_OK;
}

/* --- what it will take ------------------------------------------------------------------------------------------ */

/* "that is about 3 walltimes of 4 h 0 m: 2 requeues" */
static void tell_walltimes(const BatchScript *script, const Estimate *estimate) {
    static const char *const sequels[] = {[BATCH_REQUEUE] = "requeue%s",
                                          [BATCH_CHAIN] = "further job%s of the chain",
                                          [BATCH_ONCE] = "further call%s of submit"};
    char walltime[DURATION_BYTES], sequel[64];
    double more = estimate->jobs - 1;
    progress_duration(script->walltime_s, walltime, sizeof walltime);
    snprintf(sequel, sizeof sequel, sequels[script->sequel], more > 1 ? "s" : "");
    if (more > 0)
        fprintf(stderr, "palinode: that is about %.0f walltimes of %s: %.0f %s\n", estimate->jobs, walltime, more,
                sequel);
    else
        fprintf(stderr, "palinode: it %s the walltime of %s\n",
                estimate->outlook.upper_s <= script->walltime_s ? "fits" : "may just fit", walltime);
}

static void tell_time(const BatchScript *script, const Estimate *estimate, int workers) {
    char time[DURATION_BYTES], lower[DURATION_BYTES], upper[DURATION_BYTES], longest[DURATION_BYTES];
    const Outlook *outlook = &estimate->outlook;
    fprintf(stderr, "palinode: %s%d worker%s: about %s (%s to %s), of which the longest training takes %s\n",
            script->shards > 1 ? "each of the array's jobs with " : "", workers, workers == 1 ? "" : "s",
            progress_duration(outlook->end_s, time, sizeof time),
            progress_duration(outlook->lower_s, lower, sizeof lower),
            progress_duration(outlook->upper_s, upper, sizeof upper),
            progress_duration(outlook->longest_s, longest, sizeof longest));
    if (isfinite(estimate->jobs)) tell_walltimes(script, estimate);
}

/* Trainings and core-hours of the whole grid; the time of one job, of an array's the one with the first part. */
static Status predict(const SubmitOptions *options, const Job *job, Error *err) {
    const BatchScript *script = &options->script;
    double workers = (double)(script->nodes * script->tasks_per_node * script->cpus_per_task);
    ScheduleOptions scheduling = {.keep_models = true, .kernels = "", .workers = (int)fmin(workers, 1e6)};
    Prospect prospect;
    Status status =
        prospect_open(job, script->dir, &scheduling, options->rate_gflops * 1e9, script->walltime_s, &prospect, err);
    if (status != STATUS_OK) return status;
    const ScheduleTotals *totals = schedule_totals(prospect.schedule);
    Estimate estimate = prospect.estimate;
    uint64_t pieces = totals->to_train + totals->to_evaluate + totals->baseline_sets;
    fprintf(stderr, "palinode: %s: %llu trainings, %llu done, %llu to train", job_name(job),
            (unsigned long long)totals->trainings, (unsigned long long)totals->trainings_done,
            (unsigned long long)totals->to_train);
    if (pieces > 0)
        fprintf(stderr, ": %.3g core-hours at %.3g GFLOP/s a core (%s)\n", estimate.outlook.work_s / 3600,
                estimate.rate / 1e9, estimate.source);
    else
        fprintf(stderr, "; nothing is left to do\n");
    prospect_close(&prospect);
    if (pieces == 0) return STATUS_OK;
    if (script->shards > 1) {
        scheduling.shard = (Shard){.index = 1, .count = (int)script->shards};
        status = prospect_open(job, script->dir, &scheduling, estimate.rate, script->walltime_s, &prospect, err);
        if (status != STATUS_OK) return status;
        estimate = prospect.estimate;
        prospect_close(&prospect);
    }
    tell_time(script, &estimate, scheduling.workers);
    double cpus = workers * fmax(1, (double)script->shards);
    if (cpus > (double)pieces)
        fprintf(stderr, "palinode: of %.0f CPUs at most %llu will work: there is no more to do at one time\n", cpus,
                (unsigned long long)pieces);
    return STATUS_OK;
}

/* --- submitting ------------------------------------------------------------------------------------------------- */

/* Slurm replaces patterns also in the folder that a relative path of the log starts from. */
static Status check_place(const char *dir, Error *err) {
    char place[PATH_MAX];
    if (dir[0] == '/' || getcwd(place, sizeof place) == NULL || strpbrk(place, "%\\") == NULL) return STATUS_OK;
    return error_set(err, STATUS_USAGE,
                     "-o: Slurm takes no '%%' or backslash in the path of the log: expected an absolute path or "
                     "another working folder than %s",
                     place);
}

/* The log, still empty, tells palinode wait that a job is in the queue; Slurm appends to it. Without it wait knows
 * less, and the job is submitted, whatever becomes of its log. */
static void open_log(const BatchScript *script, const char *id) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/slurm-%s%s.out", script->dir, id, script->shards > 0 ? "_1" : "");
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (log >= 0) close(log);
}

static Status submit(const BatchScript *batch, const char *script, Error *err) {
    char id[64];
    const char *dir = batch->dir;
    Status status = check_place(dir, err);
    if (status == STATUS_OK) status = run_folder_make(dir, err); /* Slurm does not make the folder of the log */
    if (status == STATUS_OK) status = slurm_submit(script, id, sizeof id, err);
    if (status != STATUS_OK) return status;
    open_log(batch, id);
    printf("%s\n", id);
    return STATUS_OK;
}

static Status write_and_submit(SubmitOptions *options, Error *err) {
    BatchScript *script = &options->script;
    Job *job = NULL;
    char dir[PATH_MAX - 64], program[PATH_MAX], *text = NULL;
    Status status = check(options, err);
    if (status == STATUS_OK)
        status = job_read(script->job, options->overrides.items, options->overrides.count, &job, err);
    if (status != STATUS_OK) return status;
    print_warnings(job_warnings(job));
    int length = snprintf(dir, sizeof dir, "%s%s", script->dir != NULL ? "" : "results/",
                          script->dir != NULL ? script->dir : job_name(job));
    if (length >= (int)sizeof dir)
        status =
            error_set(err, STATUS_USAGE, "-o: expected a path of at most %zu bytes, not %d", sizeof dir - 1, length);
    script->dir = dir;
    script->name = job_name(job);
    script->program = program_name(program);
    if (status == STATUS_OK) status = batch_script_write(script, &text, err);
    if (status == STATUS_OK && !options->quiet) status = predict(options, job, err);
    if (status == STATUS_OK && options->print) fputs(text, stdout);
    if (status == STATUS_OK && !options->print) status = submit(script, text, err);
    free(text);
    job_free(job);
    return status;
}

int command_submit(int argc, char **argv) {
    SubmitOptions options = {.script = {.nodes = 1, .tasks_per_node = 1, .cpus_per_task = 1}, .launcher = "mpirun"};
    BatchScript *script = &options.script;
    const Option table[] = {
        {.name = "output",
         .letter = 'o',
         .type = OPTION_TEXT,
         .value = &script->dir,
         .argument = "DIR",
         .summary = "folder of the results and the log (default results/<job name>)"},
        {.name = "set",
         .type = OPTION_LIST,
         .value = &options.overrides,
         .argument = "KEY=VALUES",
         .summary = "override a setting of the job file (repeatable)"},
        {.name = "nodes",
         .type = OPTION_INTEGER,
         .value = &script->nodes,
         .argument = "N",
         .minimum = 1,
         .maximum = 1e5,
         .summary = "nodes of a job (default 1)"},
        {.name = "ntasks-per-node",
         .type = OPTION_INTEGER,
         .value = &script->tasks_per_node,
         .argument = "T",
         .minimum = 1,
         .maximum = 1e4,
         .summary = "ranks on each node (default 1)"},
        {.name = "cpus-per-task",
         .type = OPTION_INTEGER,
         .value = &script->cpus_per_task,
         .argument = "C",
         .minimum = 1,
         .maximum = 1024,
         .summary = "CPUs of each rank, and so trainings at a time (default 1)"},
        {.name = "time",
         .type = OPTION_DURATION,
         .value = &script->walltime_s,
         .argument = "TIME",
         .summary = "walltime of a job: 4h, HH:MM:SS or D-HH:MM:SS; a bare number is in seconds"},
        {.name = "partition",
         .letter = 'p',
         .type = OPTION_TEXT,
         .value = &script->partition,
         .argument = "P",
         .summary = "partition of the cluster (default: the cluster's)"},
        {.name = "account",
         .letter = 'A',
         .type = OPTION_TEXT,
         .value = &script->account,
         .argument = "A",
         .summary = "account to charge (default: yours)"},
        {.name = "mem",
         .type = OPTION_TEXT,
         .value = &script->mem,
         .argument = "M",
         .summary = "memory of each node, 16G or 4000M (default: the cluster's)"},
        {.name = "array",
         .type = OPTION_INTEGER,
         .value = &script->shards,
         .argument = "K",
         .minimum = 1,
         .maximum = 1e5,
         .summary = "K jobs of this size, each with a part of the grid of its own, into one folder"},
        {.name = "chain",
         .type = OPTION_FLAG,
         .value = &options.chain,
         .summary = "go on by a next job that waits for this one's end, not by requeueing"},
        {.name = "once",
         .type = OPTION_FLAG,
         .value = &options.once,
         .summary = "one walltime only: what is left waits for another submit"},
        {.name = "launcher",
         .type = OPTION_TEXT,
         .value = &options.launcher,
         .argument = "PROGRAM",
         .choices = "mpirun|srun",
         .summary = "what starts the ranks: mpirun or srun --mpi=pmix (default mpirun)"},
        {.name = "sbatch",
         .type = OPTION_LIST,
         .value = &options.sbatch_options,
         .argument = "OPTION",
         .summary = "a further option of sbatch, e.g. --sbatch --qos=long (repeatable)"},
        {.name = "rate",
         .type = OPTION_REAL,
         .value = &options.rate_gflops,
         .argument = "GFLOPS",
         .minimum = 1e-3,
         .maximum = 1e6,
         .summary = "GFLOP/s of one core of the cluster, to predict with (default: learned from the folder, else "
                    "measured here)"},
        {.name = "quiet", .letter = 'q', .type = OPTION_FLAG, .value = &options.quiet, .summary = "predict nothing"},
        {.name = "print", .type = OPTION_FLAG, .value = &options.print, .summary = "print the script, submit nothing"},
    };
    const Command command = {.name = "submit",
                             .usage = "JOB.yaml --time TIME [-o DIR] [options]",
                             .summary = "a job as a batch job of Slurm",
                             .details = details,
                             .options = table,
                             .n_options = sizeof table / sizeof table[0],
                             .min_operands = 1,
                             .max_operands = 1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    char *typed = provenance_command_line(argc, argv);
    script->command = typed;
    script->job = operands[0];
    script->overrides = options.overrides.items;
    script->n_overrides = options.overrides.count;
    script->options = options.sbatch_options.items;
    script->n_options = options.sbatch_options.count;
    script->sequel = options.chain ? BATCH_CHAIN : options.once ? BATCH_ONCE : BATCH_REQUEUE;
    script->launcher = options.launcher[0] == 's' ? BATCH_SRUN : BATCH_MPIRUN;
    Status status = typed != NULL ? write_and_submit(&options, &err)
                                  : error_set(&err, STATUS_NO_MEMORY, "no memory for the command line in the script");
    free(typed);
    free((void *)operands);
    free((void *)options.overrides.items);
    free((void *)options.sbatch_options.items);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}
