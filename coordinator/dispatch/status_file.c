/* See status_file.h. */
#include "coordinator/dispatch/status_file.h"

#include "coordinator/journal/process_identity.h"

#include "proto/base/clock.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *real_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* Null for what is no UTF-8. */
static json_t *text_or_null(const char *text) {
    json_t *value = json_string(text);
    return value != NULL ? value : json_null();
}

static json_t *losses_of(const RunView *view) {
    json_t *losses = json_array();
    for (int i = 0; i < view->n_shown; i++)
        json_array_append_new(losses, real_or_null(view->loss[i]));
    return losses;
}

/* When it will end, and when it has to. */
static json_t *time_of(const RunView *view) {
    json_t *deadline =
        isfinite(view->deadline_s) ? json_integer(clock_unix_ms() + (json_int_t)(view->deadline_s * 1e3)) : json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o}", "eta_s", real_or_null(view->eta_s), "eta_lower_s",
                     real_or_null(view->eta_lower_s), "eta_upper_s", real_or_null(view->eta_upper_s),
                     "deadline_unix_ms", deadline, "draining", (int)view->draining, "drain_s",
                     real_or_null(view->drain_took_s));
}

Status status_file_write(const char *dir, const char *segment, const RunView *view, int64_t started_unix_ms,
                         int exit_code, Error *err) {
    char host[256] = "", path[4096];
    gethostname(host, sizeof host - 1);
    json_t *root = json_pack("{s:s, s:s, s:s, s:o, s:i, s:o, s:I, s:I, s:i, s:i}", "segment", segment, "state",
                             exit_code < 0 ? "running" : "ended", "reason", view->stop_reason, "exit_code",
                             exit_code < 0 ? json_null() : json_integer(exit_code), "pid", (int)getpid(), "host",
                             text_or_null(host), "started_unix_ms", (json_int_t)started_unix_ms, "updated_unix_ms",
                             (json_int_t)clock_unix_ms(), "ranks", view->ranks, "workers", view->workers);
    json_t *trainings =
        json_pack("{s:I, s:I, s:I, s:I, s:i}", "total", (json_int_t)view->trainings, "done",
                  (json_int_t)view->trainings_done, "diverged", (json_int_t)view->trainings_diverged, "failed",
                  (json_int_t)view->trainings_failed, "running", exit_code < 0 ? view->running : 0);
    json_t *work = json_pack("{s:I, s:I, s:I}", "total", (json_int_t)view->work_total, "done",
                             (json_int_t)view->work_done, "failed", (json_int_t)view->work_failed);
    json_t *rest = json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:{s:f, s:f}, s:o, s:o, s:o, s:o}", "trainings", trainings, "work", work,
        "cells_done", (json_int_t)view->cells_done, "baselines_done", (json_int_t)view->baselines_done, "steps_done",
        (json_int_t)view->steps_done, "flops", "total", view->flops_total, "done", view->flops_done, "rate_gflops",
        view->flops_per_s > 0 ? json_real(view->flops_per_s / 1e9) : json_null(), "shard",
        view->shard.count > 0 ? json_pack("{s:i, s:i}", "index", view->shard.index, "count", view->shard.count)
                              : json_null(),
        "losses", losses_of(view), "first_error", text_or_null(view->first_error));
    if (root != NULL) json_object_set_new(root, "process", process_identity());
    json_t *time = time_of(view);
    char *text = NULL;
    if (root != NULL && rest != NULL && time != NULL && json_object_update(root, rest) == 0 &&
        json_object_update(root, time) == 0)
        text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    json_decref(rest);
    json_decref(time);
    if (text == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory for the status file");
    snprintf(path, sizeof path, "%s/status-%s.json", dir, segment);
    Status status = journal_replace_file(path, text, err);
    free(text);
    return status;
}
