/* See run_folder.h. */
#include "cli/run_folder.h"

#include "cli/provenance.h"
#include "cli/version.h"
#include "cli/warning.h"
#include "coordinator/segments.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

Status run_folder_make(const char *path, Error *err) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != '\0') continue;
        char separator = *at;
        *at = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return error_set(err, STATUS_IO, "cannot make the folder %s: %s", part, strerror(errno));
        if (separator == '\0') return STATUS_OK;
        *at = separator;
    }
}

static Status write_job_files(const char *dir, const Job *job, Error *err) {
    char path[PATH_MAX];
    char *resolved = job_resolved(job);
    if (resolved == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory");
    snprintf(path, sizeof path, "%s/job.yaml", dir);
    Status status = journal_replace_file(path, job_text(job), err);
    snprintf(path, sizeof path, "%s/job.resolved.yaml", dir);
    if (status == STATUS_OK) status = journal_replace_file(path, resolved, err);
    free(resolved);
    return status;
}

/* A folder takes one run at a time: two would both do all that is missing. */
static Status refuse_live_dir(const char *dir, Error *err) {
    SegmentList runs;
    Status status = segments_list(dir, "status", &runs, err);
    for (size_t i = 0; status == STATUS_OK && i < runs.count; i++)
        if (segment_is_alive(dir, runs.names[i]))
            status =
                error_set(err, STATUS_INCOMPLETE,
                          "%s: run %s is going on there (palinode status shows it); wait for its end, or, if it is "
                          "none of palinode's processes, remove status-%s.json",
                          dir, runs.names[i], runs.names[i]);
    segments_free(&runs);
    return status;
}

/* NAME=value lines of the batch system's variables that identify a job. */
static void describe_scheduler(char *text, size_t size) {
    static const char *const names[] = {"SLURM_JOB_ID",        "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID",
                                        "SLURM_RESTART_COUNT", "PBS_JOBID",          "LSB_JOBID"};
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s=%s\n", names[i], value);
    }
}

static Status start_journal(const RunOrigin *origin, uint64_t models_limit_bytes, Journal *journal, Error *err) {
    char scheduler[512];
    const Roster *roster = origin->roster;
    const Hello *here = &roster->ranks[0];
    char *command = provenance_command_line(origin->argc, origin->argv), *ranks = roster_describe(roster);
    describe_scheduler(scheduler, sizeof scheduler);
    Record header = {.kind = RECORD_HEADER,
                     .of.header = {.schema = SCHEMA_VERSION,
                                   .content = "records",
                                   .version = PALINODE_VERSION,
                                   .commit = PALINODE_COMMIT,
                                   .build = PALINODE_BUILD,
                                   .mpi = (char *)origin->mpi,
                                   .blas = here->fingerprint,
                                   .cpu = here->cpu,
                                   .host = here->host,
                                   .rank_hosts = ranks,
                                   .scheduler = scheduler,
                                   .command_line = command,
                                   .job_name = (char *)job_name(origin->job),
                                   .job_text = (char *)job_text(origin->job),
                                   .n_ranks = roster->n_ranks,
                                   .n_workers = roster->n_workers,
                                   .started_unix_ms = origin->started_unix_ms,
                                   .fingerprint = here->fingerprint}};
    Status status = command != NULL && ranks != NULL ? journal_start(journal, &header, models_limit_bytes, err)
                                                     : error_set(err, STATUS_NO_MEMORY, "out of memory");
    free(command);
    free(ranks);
    return status;
}

Status run_folder_read(const char *dir, Journal **out, Error *err) {
    char warning[2048] = "";
    Status status = run_folder_make(dir, err);
    if (status == STATUS_OK) status = refuse_live_dir(dir, err);
    if (status == STATUS_OK) status = journal_open_reader(dir, out, warning, sizeof warning, err);
    print_warnings(warning);
    return status;
}

Status run_folder_begin(const char *dir, const RunOrigin *origin, uint64_t models_limit_bytes, Journal *journal,
                        Error *err) {
    Status status = start_journal(origin, models_limit_bytes, journal, err);
    return status == STATUS_OK ? write_job_files(dir, origin->job, err) : status;
}
