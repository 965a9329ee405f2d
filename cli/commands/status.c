/* palinode status: how far the runs of a folder are, also while one goes on. */
#include "cli/commands/commands.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "cli/shared/warning.h"
#include "coordinator/dispatch/progress.h"
#include "coordinator/journal/run_state.h"
#include "coordinator/journal/segments.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNING_BYTES = 4096 };

/* "12" or "?" */
static const char *count_text(double count, char text[32]) {
    if (isfinite(count))
        snprintf(text, 32, "%.0f", count);
    else
        snprintf(text, 32, "?");
    return text;
}

static void print_trainings(const json_t *status) {
    static const char *const words[] = {"done", "diverged", "failed", "running"};
    char text[32];
    printf("  trainings  %s", count_text(status_number(status, "trainings", "total"), text));
    for (int i = 0; i < 4; i++)
        printf("%s%s %s", i == 0 ? ": " : ", ", count_text(status_number(status, "trainings", words[i]), text),
               words[i]);
    printf("\n");
}

/* When a run will end, and when it has to. */
static void print_end(const SegmentState *segment) {
    char text[DURATION_BYTES], lower_text[DURATION_BYTES], upper_text[DURATION_BYTES];
    double eta = status_number(segment->status, "eta_s", NULL),
           lower = status_number(segment->status, "eta_lower_s", NULL),
           upper = status_number(segment->status, "eta_upper_s", NULL),
           deadline_ms = status_number(segment->status, "deadline_unix_ms", NULL);
    if (isfinite(eta)) printf(", ETA %s", progress_duration(eta, text, sizeof text));
    if (isfinite(eta) && isfinite(upper))
        printf(" (%s to %s)", progress_duration(lower, lower_text, sizeof lower_text),
               progress_duration(upper, upper_text, sizeof upper_text));
    if (json_is_true(json_object_get(segment->status, "draining"))) printf(", saving to stop");
    if (isfinite(deadline_ms))
        printf(", time limit in %s",
               progress_duration(fmax(0, (deadline_ms - (double)clock_unix_ms()) / 1e3), text, sizeof text));
}

static void print_work(const SegmentState *segment) {
    double total = status_number(segment->status, "flops", "total"),
           done = status_number(segment->status, "flops", "done");
    double rate = status_number(segment->status, "rate_gflops", NULL);
    if (!(total > 0)) return;
    printf("  work       %.0f %% of this run's operations", 100 * done / total);
    if (rate > 0) printf(", %.3g GFLOP/s", rate);
    if (segment->state == RUN_RUNNING) print_end(segment);
    printf("\n");
}

static void print_segment(const SegmentState *segment) {
    char age[DURATION_BYTES], code[32];
    const json_t *status = segment->status;
    const char *reason = status_text(status, "reason"), *error = status_text(status, "first_error");
    printf("run %s on %s, process %s", TEXT_SHOWN(status_text(status, "segment")),
           TEXT_SHOWN(status_text(status, "host")), count_text(status_number(status, "pid", NULL), code));
    Shard shard = segment_shard(status);
    if (shard.count > 0) printf(", shard %d/%d", shard.index, shard.count);
    printf(": ");
    progress_duration(segment->age_s, age, sizeof age);
    if (segment->state == RUN_ENDED)
        printf("ended %s ago%s%s, exit code %s\n", age, reason[0] != '\0' ? ", " : "", TEXT_SHOWN(reason),
               count_text(status_number(status, "exit_code", NULL), code));
    else if (segment->state == RUN_DIED)
        printf("died: last heard of %s ago; run the same command again to go on\n", age);
    else
        printf("running, last heard of %s ago\n", age);
    print_trainings(status);
    print_work(segment);
    if (error[0] != '\0') printf("  first error %s\n", TEXT_SHOWN(error));
}

/* What the folder's jobs ask for, and what of it is missing. */
static void print_standing(const Standing *standing) {
    if (standing->jobs == 0) return;
    printf("asked for by %s\n  trainings  %lld: %lld done, %lld diverged, %lld failed, %lld missing\n",
           standing->jobs == 1 ? "the job" : "the jobs", (long long)standing->trainings, (long long)standing->done,
           (long long)standing->diverged, (long long)standing->failed, (long long)standing_missing(standing));
    if (standing->cells_missing + standing->baselines_missing > 0)
        printf("  measured   %lld cells and %lld baselines are missing\n", (long long)standing->cells_missing,
               (long long)standing->baselines_missing);
    if (standing->cells_failed + standing->baselines_failed > 0)
        printf("  failed     %lld cells and %lld baselines could not be measured (run --rerun failed)\n",
               (long long)standing->cells_failed, (long long)standing->baselines_failed);
}

/* null: no job is known. */
static json_t *standing_json(const Standing *standing) {
    if (standing->jobs == 0) return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "trainings", (json_int_t)standing->trainings,
                     "done", (json_int_t)standing->done, "diverged", (json_int_t)standing->diverged, "failed",
                     (json_int_t)standing->failed, "missing", (json_int_t)standing_missing(standing), "cells_missing",
                     (json_int_t)standing->cells_missing, "baselines_missing", (json_int_t)standing->baselines_missing,
                     "cells_failed", (json_int_t)standing->cells_failed, "baselines_failed",
                     (json_int_t)standing->baselines_failed);
}

/* Runs that ended are history once a later one did the same part of the grid: only living ones and the latest of every
 * shard are shown. */
static void print_text(const char *dir, const FolderState *state) {
    const Census *census = &state->census;
    for (int i = 0; i < state->n_segments; i++)
        if (state->segments[i].state == RUN_RUNNING || folder_segment_counts(state, &state->segments[i]))
            print_segment(&state->segments[i]);
    printf(
        "records in %s\n  trainings  %lld done, %lld diverged, %lld failed\n  measured   %lld cells, %lld baselines\n",
        dir, (long long)census->trainings_done, (long long)census->trainings_diverged,
        (long long)census->trainings_failed, (long long)census->cells, (long long)census->baselines);
    if (census->first_failure[0] != '\0') printf("  failed     %s\n", TEXT_SHOWN(census->first_failure));
    print_standing(&state->standing);
}

static Status print_json(const char *dir, const FolderState *state, Error *err) {
    const Census *census = &state->census;
    json_t *runs = json_array();
    for (int i = 0; i < state->n_segments; i++) {
        json_t *run = json_copy(state->segments[i].status);
        json_object_set_new(run, "state", json_string(run_state_name(state->segments[i].state)));
        json_object_set_new(run, "age_s", json_real(state->segments[i].age_s));
        json_array_append_new(runs, run);
    }
    const SegmentState *latest = folder_latest(state);
    json_t *root = json_pack("{s:o, s:s, s:i, s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:o}", "dir", text_json(dir), "state",
                             latest != NULL ? run_state_name(latest->state) : "unknown", "exit_code", state->exit_code,
                             "records", "trainings_done", (json_int_t)census->trainings_done, "trainings_diverged",
                             (json_int_t)census->trainings_diverged, "trainings_failed",
                             (json_int_t)census->trainings_failed, "cells", (json_int_t)census->cells, "baselines",
                             (json_int_t)census->baselines, "asked_for", standing_json(&state->standing), "runs", runs);
    return json_output(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9), err);
}

int command_status(int argc, char **argv) {
    bool json = false, exit_code_wanted = false;
    const Option table[] = {
        {.name = "json", .type = OPTION_FLAG, .value = &json, .summary = "one JSON value on stdout"},
        {.name = "exit-code",
         .type = OPTION_FLAG,
         .value = &exit_code_wanted,
         .summary =
             "exit with 0 when all is done, 75 while something is left to do, 1 when trainings failed, or as the "
             "last run did"},
    };
    const Command command = {.name = "status",
                             .usage = "DIR [--json] [--exit-code]",
                             .summary = "how far a run is, also while it goes on",
                             .options = table,
                             .n_options = sizeof table / sizeof table[0],
                             .min_operands = 1,
                             .max_operands = 1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    char warning[WARNING_BYTES] = "";
    FolderState *state = NULL;
    Status status = folder_state_read(operands[0], &state, warning, sizeof warning, &err);
    print_warnings(warning);
    if (status == STATUS_OK && json) status = print_json(operands[0], state, &err);
    if (status == STATUS_OK && !json) print_text(operands[0], state);
    exit_code = status != STATUS_OK ? report_error(status, &err) : exit_code_wanted ? state->exit_code : STATUS_OK;
    folder_state_free(state);
    free((void *)operands);
    return exit_code;
}
