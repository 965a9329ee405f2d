/* palinode wait: looks at a folder of results until its job is done.
 *
 * Between two batch jobs no run is there and something is left to do: then it waits for the next one. Nothing is locked
 * and no process is asked, so that it also works on a login node, which sees no more than the files. */
#include "analysis/run_state.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cli/warning.h"
#include "coordinator/segments.h"
#include "proto/base/clock.h"

#include <dirent.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WARNING_BYTES = 4096, TEXT_BYTES = 512 };

static const char details[] =
    "A run that stopped early (at the end of its walltime, preempted, killed) is not done: wait goes on\n"
    "until a later run has done the rest. A job of palinode submit that is still in the queue is waited\n"
    "for, known by its empty log DIR/slurm-<job>.out; was it cancelled there, remove that file.\n"
    "Exit code, as of palinode status --exit-code: 0 all done, 1 done with failed trainings,\n"
    "75 --timeout passed first, else that of a run that ended in an error.";

/* A number of trainings, over the parts of the grid. */
static double trainings(const FolderState *state, const char *which) {
    double sum = 0;
    for (int i = 0; i < state->n_segments; i++)
        if (folder_segment_counts(state, &state->segments[i]))
            sum += status_number(state->segments[i].status, "trainings", which);
    return sum;
}

/* "run 0002 ended, done: 23 of 24 trainings done, 1 diverged, 0 failed"; no numbers before, as they change all the
 * time. */
static void describe(const FolderState *state, char text[TEXT_BYTES]) {
    const SegmentState *latest = folder_latest(state);
    if (latest == NULL) { /* results that were merged, or a run in its first moments */
        snprintf(text, TEXT_BYTES, "%lld trainings done", (long long)state->census.trainings_done);
        return;
    }
    const char *reason = status_text(latest->status, "reason");
    double total = trainings(state, "total");
    snprintf(text, TEXT_BYTES, "run %s %s%s%s%s", status_text(latest->status, "segment"), run_state_name(latest->state),
             latest->state == RUN_ENDED && reason[0] != '\0' ? ", " : "", latest->state == RUN_ENDED ? reason : "",
             latest->state != RUN_RUNNING && state->exit_code == STATUS_INCOMPLETE ? "; waiting for the next" : "");
    if (state->exit_code != STATUS_INCOMPLETE && isfinite(total)) {
        size_t used = strlen(text);
        snprintf(text + used, TEXT_BYTES - used, ": %.0f of %.0f trainings done, %.0f diverged, %.0f failed",
                 trainings(state, "done"), total, trainings(state, "diverged"), trainings(state, "failed"));
    }
}

/* Whether a run has told of itself in the folder: its status file is the first that others hear of it. */
static Status run_has_told(const char *dir, bool *told, Error *err) {
    SegmentList list;
    Status status = segments_list(dir, "status", &list, err);
    *told = status == STATUS_OK && list.count > 0;
    segments_free(&list);
    return status;
}

/* Whether a job was submitted since the last run began or ended and waits in the queue: its log is empty. */
static bool job_is_queued(const char *dir, const FolderState *state) {
    const SegmentState *latest = folder_latest(state);
    double run_age_s = latest != NULL ? latest->age_s : INFINITY, now_s = (double)clock_unix_ms() / 1e3;
    DIR *folder = opendir(dir);
    struct dirent *entry;
    bool queued = false;
    while (folder != NULL && !queued && (entry = readdir(folder)) != NULL) {
        struct stat log;
        if (fnmatch("slurm-*.out", entry->d_name, 0) != 0) continue;
        if (fstatat(dirfd(folder), entry->d_name, &log, 0) != 0 || log.st_size > 0) continue;
        queued = now_s - (double)log.st_mtim.tv_sec - (double)log.st_mtim.tv_nsec / 1e9 < run_age_s;
    }
    if (folder != NULL) closedir(folder);
    return queued;
}

/* What the folder says now; *exit_code 75 while there is something to wait for. */
static Status look(const char *dir, char text[TEXT_BYTES], int *exit_code, Error *err) {
    FolderState *state = NULL;
    char warning[WARNING_BYTES] = "";
    bool told;
    Status status = run_has_told(dir, &told, err);
    *exit_code = STATUS_INCOMPLETE;
    if (status != STATUS_OK) return status;
    status = folder_state_read(dir, &state, warning, sizeof warning, err);
    if (status == STATUS_DATA && !told) { /* a job in the queue, or the first moments of a run */
        snprintf(text, TEXT_BYTES, "waiting for a run to begin");
        return STATUS_OK;
    }
    if (status != STATUS_OK) return status;
    describe(state, text);
    if (state->exit_code != STATUS_INCOMPLETE && job_is_queued(dir, state)) {
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
    double begin_s = clock_monotonic_s();
    for (;;) {
        double look_s = clock_monotonic_s();
        Status status = look(dir, text, exit_code, err);
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
