/* How far a dispatch is. See dispatch.h. */
#include "coordinator/dispatch/dispatch_state.h"

#include "proto/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Steps of ended attempts, and those that the trainings under way have saved. */
static int64_t steps_done(const Dispatch *dispatch) {
    int64_t steps = dispatch->ended.steps_done;
    for (int i = 0; i < dispatch->running.count; i++)
        steps += running_own_steps(&dispatch->running.items[i], dispatch->running.items[i].saved_step);
    return steps;
}

/* What is left, as last looked at: no oftener than twice a second, since with many pieces it takes some milliseconds.
 * Without memory it stays as it was. */
static void look_ahead(Dispatch *dispatch, double now_s) {
    static const double PERIOD_S = 0.5;
    int count = dispatch->running.count;
    if (now_s - dispatch->outlook_s < PERIOD_S) return;
    Underway *underway = calloc((size_t)count + 1, sizeof *underway);
    if (underway == NULL) return;
    for (int i = 0; i < count; i++) {
        const Running *running = &dispatch->running.items[i];
        underway[i] =
            (Underway){.rate = running->rate_class, .flops_left = fmax(0, running->flops - running->flops_done)};
    }
    outlook_of(dispatch->schedule, dispatch->costs, underway, count, dispatch->roster->n_workers, &dispatch->outlook,
               NULL);
    dispatch->outlook_s = now_s;
    free(underway);
}

void dispatch_view(Dispatch *dispatch, double now_s, RunView *view) {
    const ScheduleTotals *totals = schedule_totals(dispatch->schedule);
    *view = (RunView){.shard = totals->shard,
                      .trainings = totals->trainings,
                      .trainings_done = dispatch->in_state[TRAINING_DONE],
                      .trainings_diverged = dispatch->in_state[TRAINING_DIVERGED],
                      .trainings_failed = dispatch->in_state[TRAINING_FAILED],
                      .trained = (uint64_t)(dispatch->ended.trainings_done + dispatch->ended.trainings_diverged),
                      .cells_done = (uint64_t)dispatch->ended.cells_done,
                      .baselines_done = (uint64_t)dispatch->ended.baselines_done,
                      .work_total = totals->to_train + totals->to_evaluate + totals->baseline_sets,
                      .work_done = dispatch->work_done,
                      .work_failed = dispatch->work_failed,
                      .steps_done = steps_done(dispatch),
                      .flops_total = totals->flops,
                      .flops_done = dispatch->flops_done,
                      .eta_s = NAN,
                      .eta_lower_s = NAN,
                      .eta_upper_s = NAN,
                      .deadline_s = dispatch->options.deadline.end_s - now_s,
                      .drain_took_s = dispatch->drain_took_s,
                      .ranks = channel_size(dispatch->channel),
                      .workers = dispatch->roster->n_workers,
                      .running = dispatch->running.count,
                      .draining = dispatch->draining,
                      .first_error = dispatch->first_error,
                      .stop_reason = dispatch->stop_reason};
    for (int i = 0; i < dispatch->running.count; i++) {
        view->flops_done += fmax(0, dispatch->running.items[i].flops_done - dispatch->running.items[i].flops_before);
        if (dispatch->running.items[i].kind == WORK_TRAINING && view->n_shown < RUNNING_SHOWN)
            view->loss[view->n_shown++] = dispatch->running.items[i].loss;
    }
    if (isnan(dispatch->started_s)) return;
    view->elapsed_s = now_s - dispatch->started_s;
    if (view->elapsed_s < 0.5 || view->flops_done <= 0) return;
    view->flops_per_s = view->flops_done / view->elapsed_s;
    if (dispatch->stopping) return;
    look_ahead(dispatch, now_s);
    view->eta_s = dispatch->outlook.end_s;
    view->eta_lower_s = dispatch->outlook.lower_s;
    view->eta_upper_s = dispatch->outlook.upper_s;
}

Status dispatch_result(const Dispatch *dispatch) {
    if (strcmp(dispatch->stop_reason, TOO_MANY_FAILURES) == 0) return STATUS_TOO_MANY_FAILURES;
    if (strcmp(dispatch->stop_reason, MACHINE_FAILED) == 0) return STATUS_IO;
    if (strcmp(dispatch->stop_reason, "done") != 0) return STATUS_INCOMPLETE;
    uint64_t failed = dispatch->work_failed + dispatch->in_state[TRAINING_FAILED] +
                      schedule_totals(dispatch->schedule)->results_failed;
    return failed > 0 ? STATUS_FAILED : STATUS_OK;
}

void dispatch_end_record(const Dispatch *dispatch, EndRecord *end) {
    *end = dispatch->ended;
    end->steps_done = steps_done(dispatch);
    end->ended_unix_ms = clock_unix_ms();
    end->reason = (char *)dispatch->stop_reason;
}
