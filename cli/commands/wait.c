/* palinode wait: looks at a folder of results until its job is done.
 *
 * Between two batch jobs no run is there and something is left to do: then it waits for the next one. Nothing is
 * locked and no process is looked for, so that it also works on a login node, which sees the files and Slurm's queue.
 */
#include "cli/commands/commands.h"
#include "cli/shared/job_log.h"
#include "cli/shared/options.h"
#include "cli/shared/terminal.h"
#include "cli/shared/warning.h"
#include "coordinator/batch/slurm.h"
#include "coordinator/journal/run_state.h"
#include "coordinator/journal/segments.h"
#include "proto/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNING_BYTES = 4096, TEXT_BYTES = 512 };

static const char details[] =
    "A run that stopped early (at the end of its walltime, preempted, killed) is not done: wait goes on\n"
    "until a later run has done the rest. A job of palinode submit that is still in the queue is waited\n"
    "for, known by its empty log DIR/slurm-<job>.out. Where Slurm's programs are there, squeue is asked\n"
    "about it: a job that is gone without palinode having begun ends the wait (exit code 1). Where they\n"
    "are not, remove the log of a job that was cancelled.\n"
    "Exit code, as of palinode status --exit-code: 0 all done, 1 done with failed trainings,\n"
    "75 --timeout passed first, else that of a run that ended in an error.";

/* "run 0002 ended, done: 23 of 24 trainings done, 1 diverged, 0 failed"; while a run goes on without numbers, as they
 * change all the time. */
static void describe(const FolderState *state, char text[TEXT_BYTES]) {
    const SegmentState *latest = folder_latest(state);
    const Standing *standing = &state->standing;
    const char *reason = latest != NULL && latest->state == RUN_ENDED ? status_text(latest->status, "reason") : "";
    if (latest != NULL)
        snprintf(text, TEXT_BYTES, "run %s %s%s%s", status_text(latest->status, "segment"),
                 run_state_name(latest->state), reason[0] != '\0' ? ", " : "", reason);
    else
        snprintf(text, TEXT_BYTES, "merged results"); /* or a run in its first moments */
    if (latest != NULL && latest->state == RUN_RUNNING) return;
    bool waiting = state->exit_code == STATUS_INCOMPLETE;
    size_t used = strlen(text);
    if (waiting) used += (size_t)snprintf(text + used, TEXT_BYTES - used, "; waiting for the next");
    if (standing->jobs > 0)
        snprintf(text + used, TEXT_BYTES - used, ": %lld of %lld trainings done, %lld diverged, %lld failed",
                 (long long)standing->done, (long long)standing->trainings, (long long)standing->diverged,
                 (long long)standing->failed);
}

/* Whether a run has told of itself in the folder: its status file is the first that others hear of it. */
static Status run_has_told(const char *dir, bool *told, Error *err) {
    SegmentList list;
    Status status = segments_list(dir, "status", &list, err);
    *told = status == STATUS_OK && list.count > 0;
    segments_free(&list);
    return status;
}

/* A wait, and what it knows of the folder's batch job. */
typedef struct Watch {
    const char *dir;
    char job[JOB_LOG_NAME_BYTES]; /* that Slurm was asked about last */
    double ask_s;                 /* it may be asked again from then on */
    bool gone;                    /* it neither waits nor runs */
} Watch;

/* Whether Slurm says that a job is gone, now and a moment before: its last words take their time over a network. Where
 * there is no Slurm it is never known to be. */
static bool job_is_gone(Watch *watch, const char *job) {
    static const double PERIOD_S = 5, SULK_S = 300;
    double now_s = clock_monotonic_s();
    if (strcmp(watch->job, job) != 0) *watch = (Watch){.dir = watch->dir};
    if (now_s < watch->ask_s) return false;
    bool queued = true, before = watch->gone && watch->job[0] != '\0';
    Status status = slurm_job_queued(job, &queued, NULL);
    snprintf(watch->job, sizeof watch->job, "%s", job);
    watch->gone = status == STATUS_OK && !queued;
    watch->ask_s = now_s + (status != STATUS_OK ? SULK_S : watch->gone ? 1 : PERIOD_S);
    return watch->gone && before;
}

/* No run has told of itself yet: a job waits in the queue, or it failed before palinode began. */
static void look_at_queue(Watch *watch, char text[TEXT_BYTES], int *exit_code) {
    char job[JOB_LOG_NAME_BYTES];
    bool empty, told = true;
    snprintf(text, TEXT_BYTES, "waiting for a run to begin");
    if (!job_log_find(watch->dir, 0, job, &empty) || !job_is_gone(watch, job)) return;
    if (run_has_told(watch->dir, &told, NULL) != STATUS_OK || told) return;
    snprintf(text, TEXT_BYTES,
             "job %s is no longer in Slurm's queue, and palinode did not begin in it: %s/slurm-%s.out%s", job,
             watch->dir, job, empty ? " is empty; it was cancelled there, or Slurm could not start it" : " says why");
    *exit_code = STATUS_FAILED;
}

/* Whether a job was submitted since the last run began or ended and waits in the queue: its log is empty. */
static bool job_is_queued(Watch *watch, const FolderState *state) {
    const SegmentState *latest = folder_latest(state);
    double run_s = latest != NULL ? (double)clock_unix_ms() / 1e3 - latest->age_s : 0;
    char job[JOB_LOG_NAME_BYTES];
    bool empty;
    return job_log_find(watch->dir, run_s, job, &empty) && empty && !job_is_gone(watch, job);
}

/* What the folder says now; *exit_code 75 while there is something to wait for. */
static Status look(Watch *watch, char text[TEXT_BYTES], int *exit_code, Error *err) {
    const char *dir = watch->dir;
    FolderState *state = NULL;
    char warning[WARNING_BYTES] = "";
    bool told;
    Status status = run_has_told(dir, &told, err);
    *exit_code = STATUS_INCOMPLETE;
    if (status != STATUS_OK) return status;
    status = folder_state_read(dir, &state, warning, sizeof warning, err);
    if (status == STATUS_DATA && !told) { /* a job in the queue, or the first moments of a run */
        look_at_queue(watch, text, exit_code);
        return STATUS_OK;
    }
    if (status != STATUS_OK) return status;
    describe(state, text);
    if (state->exit_code != STATUS_INCOMPLETE && job_is_queued(watch, state)) {
        state->exit_code = STATUS_INCOMPLETE;
        snprintf(text, TEXT_BYTES, "a job that was submitted has not begun; waiting for it");
    }
    *exit_code = state->exit_code;
    if (*exit_code != STATUS_INCOMPLETE) print_warnings(warning); /* before, a file may be caught in the making */
    folder_state_free(state);
    return STATUS_OK;
}

static void pause_for(double seconds) {
    struct timespec pause = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - floor(seconds)) * 1e9)};
    nanosleep(&pause, NULL);
}

/* Looks often at first, then every ten seconds, and never more than 5 % of the time. */
static Status wait_until_done(const char *dir, double timeout_s, Terminal *terminal, int *exit_code, Error *err) {
    char text[TEXT_BYTES], said[TEXT_BYTES] = "";
    Watch watch = {.dir = dir};
    double begin_s = clock_monotonic_s();
    for (;;) {
        double look_s = clock_monotonic_s();
        Status status = look(&watch, text, exit_code, err);
        if (status != STATUS_OK) return status;
        double now_s = clock_monotonic_s(), left_s = begin_s + timeout_s - now_s;
        if (strcmp(text, said) != 0 && !terminal->quiet) terminal_say(terminal, text);
        strcpy(said, text);
        if (*exit_code != STATUS_INCOMPLETE) return STATUS_OK;
        if (left_s <= 0) return error_set(err, STATUS_INCOMPLETE, "%s: not done within %g s", dir, timeout_s);
        double pause_s = fmax(fmin(0.2 + (now_s - begin_s) / 20, 10), 20 * (now_s - look_s));
        pause_for(fmin(pause_s, left_s));
    }
}

int command_wait(int argc, char **argv) {
    double timeout_s = INFINITY;
    bool quiet = false;
    const Option table[] = {
        {.name = "timeout",
         .type = OPTION_DURATION,
         .value = &timeout_s,
         .argument = "TIME",
         .summary = "give up after TIME (90s, 15m, 2h), with exit code 75 (default: never)"},
        {.name = "quiet", .letter = 'q', .type = OPTION_FLAG, .value = &quiet, .summary = "say nothing but errors"},
    };
    const Command command = {.name = "wait",
                             .usage = "DIR [--timeout TIME]",
                             .summary = "until a run's job is done, whatever stops it in between",
                             .details = details,
                             .options = table,
                             .n_options = sizeof table / sizeof table[0],
                             .min_operands = 1,
                             .max_operands = 1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    Terminal terminal = terminal_open(quiet);
    terminal.live = false; /* every line has its time */
    Status status = wait_until_done(operands[0], timeout_s, &terminal, &exit_code, &err);
    free((void *)operands);
    return status == STATUS_OK ? exit_code : report_error(status, &err);
}
