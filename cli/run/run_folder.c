/* See run_folder.h. */
#include "cli/run/run_folder.h"

#include "cli/shared/job_log.h"
#include "cli/shared/provenance.h"
#include "cli/shared/version.h"
#include "cli/shared/warning.h"
#include "coordinator/batch/slurm.h"
#include "coordinator/journal/run_state.h"
#include "coordinator/journal/segments.h"
#include "jobs/job/job_difference.h"
#include "proto/base/clock.h"
#include "proto/wire/codec.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* DIR/job.yaml and DIR/job.resolved.yaml, or those of a job that ran there before under another name. */
static void job_paths(const char *dir, const char *other, char given[PATH_MAX], char resolved[PATH_MAX]) {
    snprintf(given, PATH_MAX, "%s/job%s%s.yaml", dir, other != NULL ? "." : "", other != NULL ? other : "");
    snprintf(resolved, PATH_MAX, "%s/job%s%s.resolved.yaml", dir, other != NULL ? "." : "", other != NULL ? other : "");
}

static bool moved(const char *from, const char *to) {
    return rename(from, to) == 0 || errno == ENOENT; /* a run beside this one may have been faster */
}

/* Results of another job stay asked for: its files are kept under its name. One of this name is replaced, as this is
 * what it has become; so is one that cannot be read. */
static Status make_way(const char *dir, const Job *job, Error *err) {
    char given[PATH_MAX], resolved[PATH_MAX], kept_given[PATH_MAX], kept_resolved[PATH_MAX];
    Job *before = NULL;
    if (job_read_resolved(dir, &before, NULL) == STATUS_NO_MEMORY)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the job of the last run in %s", dir);
    job_paths(dir, job_name(job), kept_given, kept_resolved);
    unlink(kept_given);
    unlink(kept_resolved);
    bool other = before != NULL && strcmp(job_name(before), job_name(job)) != 0;
    job_paths(dir, NULL, given, resolved);
    if (other) job_paths(dir, job_name(before), kept_given, kept_resolved);
    job_free(before);
    if (!other || (moved(resolved, kept_resolved) && moved(given, kept_given))) return STATUS_OK;
    return error_set(err, STATUS_IO, "%s: cannot be kept as %s: %s", resolved, kept_resolved, strerror(errno));
}

Status run_folder_write_job(const char *dir, const Job *job, Error *err) {
    char path[PATH_MAX];
    Status status = make_way(dir, job, err);
    if (status != STATUS_OK) return status;
    char *resolved = job_resolved(job);
    if (resolved == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the resolved form of the job");
    snprintf(path, sizeof path, "%s/job.yaml", dir);
    status = journal_replace_file(path, job_text(job), err);
    snprintf(path, sizeof path, "%s/job.resolved.yaml", dir);
    if (status == STATUS_OK) status = journal_replace_file(path, resolved, err);
    free(resolved);
    return status;
}

/* --- other runs -------------------------------------------------------------------------------------------------- */

/* Whether runs on these parts of the grid may work at one time: else both would do the same. */
static bool get_along(Shard ours, Shard theirs) {
    return ours.count > 0 && ours.count == theirs.count && ours.index != theirs.index;
}

static json_int_t updated_ms(const char *dir, const char *segment) {
    json_t *status = segment_status(dir, segment);
    json_int_t ms = json_integer_value(json_object_get(status, "updated_unix_ms"));
    json_decref(status);
    return ms;
}

/* A signal that the run blocks until its loop looks for it. */
static bool told_to_end(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && !sigisemptyset(&pending);
}

/* Whether a run that seems to go on does. One whose process cannot be seen from here (another host, a container) is
 * known by its status file alone, which it rewrites every two seconds: when its node has just failed and its batch job
 * comes again elsewhere, the file is still fresh. So the next word of it is waited for, or two minutes of silence,
 * after which it counts as dead, whatever time its file says; or until this run is told to end, and then it counts as
 * going on. */
static bool gives_word(const char *dir, const char *segment, const char *host) {
    enum { PAUSE_MS = 200, SAID_AFTER = 25 };
    char text[PATH_MAX + 512];
    json_int_t last_ms = updated_ms(dir, segment);
    double begin_s = clock_monotonic_s();
    for (int pauses = 0; clock_monotonic_s() - begin_s < SEGMENT_SILENCE_MS / 1e3; pauses++) {
        SegmentLife life = segment_life(dir, segment);
        if (life != SEGMENT_FRESH) return life == SEGMENT_RUNS;
        if (updated_ms(dir, segment) != last_ms || told_to_end()) return true;
        snprintf(text, sizeof text, "%s: run %s on %s has been silent for some seconds: waiting for a sign of life",
                 dir, segment, host);
        if (pauses == SAID_AFTER) print_warnings(text);
        poll(NULL, 0, PAUSE_MS);
    }
    return false;
}

/* Refuses a run of the segment that goes on, unless it does another shard. */
static Status refuse_live_run(const char *dir, const char *segment, Shard shard, Error *err) {
    char part[64] = "", host[256];
    if (!segment_is_alive(dir, segment)) return STATUS_OK;
    json_t *status = segment_status(dir, segment);
    const char *named = json_string_value(json_object_get(status, "host"));
    Shard other = segment_shard(status);
    snprintf(host, sizeof host, "%s", named != NULL ? named : "");
    json_decref(status);
    if (get_along(shard, other) || !gives_word(dir, segment, host)) return STATUS_OK;
    if (other.count > 0) snprintf(part, sizeof part, " on shard %d/%d", other.index, other.count);
    return error_set(err, STATUS_INCOMPLETE,
                     "%s: run %s is going on there%s (palinode status shows it); wait for its end, or, if it is none "
                     "of palinode's processes, remove status-%s.json",
                     dir, segment, part, segment);
}

/* Whether runs on other parts of a grid were or are there. */
static bool has_brothers(const char *dir, const SegmentList *runs, Shard shard, bool *alive) {
    bool found = false;
    *alive = false;
    for (size_t i = 0; i < runs->count; i++) {
        json_t *status = segment_status(dir, runs->names[i]);
        Shard other = segment_shard(status);
        json_decref(status);
        if (other.count == 0 || (other.index == shard.index && other.count == shard.count)) continue;
        found = true;
        *alive = *alive || segment_is_alive(dir, runs->names[i]);
    }
    return found;
}

/* All parts of a grid have to be of one job, or what is left of it is done by none. The parts may begin anew with a job
 * that adds to the one before, not while one of those still runs. */
static Status refuse_other_job(const char *dir, const SegmentList *runs, Shard shard, const Job *job, Error *err) {
    bool alive;
    Job *theirs = NULL;
    JobDifference difference = {0};
    if (shard.count == 0 || !has_brothers(dir, runs, shard, &alive)) return STATUS_OK;
    Status status = job_read_resolved(dir, &theirs, err);
    if (status == STATUS_OK && theirs != NULL) status = job_difference(theirs, job, &difference, err);
    bool same_name = theirs != NULL && strcmp(job_name(theirs), job_name(job)) == 0;
    bool extended = same_name && difference.trainings_dropped == 0, differs = difference.text[0] != '\0';
    if (status == STATUS_OK && differs && extended && alive)
        status = error_set(err, STATUS_INCOMPLETE,
                           "%s: parts of this job as it was before are going on there; wait for their end (%s)", dir,
                           difference.text);
    if (status == STATUS_OK && differs && !extended)
        status = error_set(err, STATUS_USAGE,
                           "%s: the other parts there are of another job%s%s (%s); a folder takes parts of one job and "
                           "of what extends it: give this one a folder of its own (-o), or run it without --shard",
                           dir, same_name ? "" : ", ", same_name ? "" : job_name(theirs), difference.text);
    job_free(theirs);
    return status;
}

/* Takes what there is to know of the latest run on this part of the grid. */
static void look_back(const char *dir, const SegmentList *runs, Shard shard, RunBefore *before) {
    json_int_t latest_ms = -1;
    *before = (RunBefore){0};
    for (size_t i = 0; i < runs->count; i++) {
        json_int_t started_ms, done, failed, steps;
        double drain_s = 0;
        json_t *status = segment_status(dir, runs->names[i]);
        Shard other = segment_shard(status);
        bool known = status != NULL && json_unpack(status, "{s:I, s:{s:I, s:I}, s:I}", "started_unix_ms", &started_ms,
                                                   "work", "done", &done, "failed", &failed, "steps_done", &steps) == 0;
        if (known && other.index == shard.index && other.count == shard.count && started_ms > latest_ms) {
            latest_ms = started_ms;
            json_unpack(status, "{s:F}", "drain_s", &drain_s);
            *before = (RunBefore){.idle = done + failed + steps == 0, .drain_s = drain_s};
        }
        json_decref(status);
    }
}

/* A job that was submitted and waits, other than that of this process: palinode wait waits for it until a run tells
 * that nothing is left to do. */
static bool other_job_waits(const char *dir, const FolderState *state) {
    const SegmentState *latest = folder_latest(state);
    double run_s = latest != NULL ? (double)clock_unix_ms() / 1e3 - latest->age_s : 0;
    char job[JOB_LOG_NAME_BYTES];
    bool empty;
    SlurmJob own;
    if (!job_log_find(dir, run_s, job, &empty) || !empty) return false;
    return !slurm_job(&own) || strcmp(own.name, job) != 0;
}

bool run_folder_says(const char *dir, Status result) {
    FolderState *state;
    Error unreadable;
    char warning[2048]; /* said when the folder was read */
    if (folder_state_read(dir, &state, warning, sizeof warning, &unreadable) != STATUS_OK) return false;
    bool says = state->exit_code == (int)result && !other_job_waits(dir, state);
    folder_state_free(state);
    return says;
}

/* Whether a records file is that of a merge, which has no status file. */
static bool is_merge(const char *path) {
    Record header;
    if (record_file_read_at(path, 0, &header, NULL) != STATUS_OK) return false;
    bool merge = header.kind == RECORD_HEADER && header.of.header.sources[0] != '\0';
    record_free(&header);
    return merge;
}

/* A run that has taken a segment and not yet written its status file is waited for a moment: as long as its records are
 * new by this machine's own clock, whatever time they bear. */
static void await_status(const char *dir, const char *segment) {
    enum { FRESH_S = 5, PAUSE_MS = 50 };
    char status_path[PATH_MAX], records_path[PATH_MAX];
    struct stat state;
    segment_path(dir, "status", segment, status_path);
    segment_path(dir, "records", segment, records_path);
    if (access(status_path, F_OK) == 0 || stat(records_path, &state) != 0) return;
    double age_s = difftime(time(NULL), state.st_mtime), end_s = clock_monotonic_s() + FRESH_S - fmax(age_s, 0);
    if (age_s >= FRESH_S || is_merge(records_path)) return;
    while (access(status_path, F_OK) != 0 && clock_monotonic_s() < end_s && !told_to_end())
        poll(NULL, 0, PAUSE_MS);
}

Status run_folder_claim(const char *dir, const char *segment, Shard shard, Error *err) {
    SegmentList runs;
    char path[PATH_MAX];
    Status status = segments_list(dir, "records", &runs, err); /* in their order */
    for (size_t i = 0; status == STATUS_OK && i < runs.count && strcmp(runs.names[i], segment) != 0; i++) {
        await_status(dir, runs.names[i]);
        status = refuse_live_run(dir, runs.names[i], shard, err);
    }
    segments_free(&runs);
    if (status != STATUS_INCOMPLETE) return status;
    segment_path(dir, "records", segment, path);
    unlink(path);
    segment_path(dir, "status", segment, path);
    unlink(path);
    return status;
}

/* --- the start --------------------------------------------------------------------------------------------------- */

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
                                   .fingerprint = here->fingerprint,
                                   .shard_index = origin->shard.index,
                                   .shard_count = origin->shard.count}};
    Status status = command != NULL && ranks != NULL
                        ? journal_start(journal, &header, models_limit_bytes, err)
                        : error_set(err, STATUS_NO_MEMORY, "no memory for the header of a run");
    free(command);
    free(ranks);
    return status;
}

Status run_folder_read(const char *dir, const Job *job, Shard shard, Journal **out, RunBefore *before, Error *err) {
    char warning[2048] = "";
    SegmentList runs = {0};
    Status status = run_folder_make(dir, err);
    if (status == STATUS_OK) status = segments_list(dir, "status", &runs, err);
    for (size_t i = 0; status == STATUS_OK && i < runs.count; i++)
        status = refuse_live_run(dir, runs.names[i], shard, err);
    if (status == STATUS_OK) status = refuse_other_job(dir, &runs, shard, job, err);
    if (status == STATUS_OK) look_back(dir, &runs, shard, before);
    segments_free(&runs);
    if (status == STATUS_OK) status = journal_open_reader(dir, out, warning, sizeof warning, err);
    print_warnings(warning);
    return status;
}

Status run_folder_begin(const char *dir, const RunOrigin *origin, uint64_t models_limit_bytes, Journal *journal,
                        Error *err) {
    Status status = start_journal(origin, models_limit_bytes, journal, err);
    return status == STATUS_OK ? run_folder_write_job(dir, origin->job, err) : status;
}
