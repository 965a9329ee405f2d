/* See dispatch.h. */
#include "coordinator/dispatch.h"

#include "proto/base/clock.h"
#include "proto/wire/cost.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Results are made durable together: at most this long after they came. */
static const double SYNC_PERIOD_S = 0.2;
/* How long children get to save when another rank says that it was told to end. */
static const double DRAIN_S = 20;

/* A piece of work under way. */
typedef struct Running {
    uint64_t work;
    int rank;
    WorkKind kind;
    Id training_id;
    TrainingSpec spec;
    int attempt;
    int64_t first_step, saved_step; /* where this attempt began; what its checkpoint holds, 0: nothing */
    double flops, flops_done;
    double loss;
} Running;

struct Dispatch {
    Channel *channel;
    Schedule *schedule;
    Journal *journal;
    Unfinished *unfinished; /* or NULL */
    DispatchOptions options;
    Notice notice;
    void *notice_context;
    const Roster *roster;
    int *free_places; /* per rank */
    Running *running;
    int n_running, capacity;
    bool dirty, draining, stopping, dropped_model_said;
    double now_s, started_s, last_sync_s, drain_until_s;
    uint64_t work_done, work_failed; /* pieces; failed for good */
    uint64_t in_state[4];            /* trainings of the grid by TrainingState, as the journal has them */
    EndRecord ended;                 /* what this run has appended, counted */
    double flops_done;
    char first_error[512], stop_reason[64];
};

static void say(Dispatch *dispatch, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(Dispatch *dispatch, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dispatch->notice(dispatch->notice_context, text);
}

Status dispatch_create(Channel *channel, const Roster *roster, Schedule *schedule, Journal *journal,
                       Unfinished *unfinished, const DispatchOptions *options, Notice notice, void *context,
                       Dispatch **out, Error *err) {
    Dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (dispatch == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory");
    *dispatch = (Dispatch){.channel = channel,
                           .roster = roster,
                           .schedule = schedule,
                           .journal = journal,
                           .unfinished = unfinished,
                           .options = *options,
                           .notice = notice,
                           .notice_context = context,
                           .started_s = NAN,
                           .last_sync_s = -INFINITY,
                           .drain_until_s = INFINITY};
    const ScheduleTotals *totals = schedule_totals(schedule);
    dispatch->in_state[TRAINING_DONE] = totals->trainings_done;
    dispatch->in_state[TRAINING_DIVERGED] = totals->trainings_diverged;
    dispatch->in_state[TRAINING_FAILED] = totals->trainings_failed;
    dispatch->free_places = calloc((size_t)roster->n_ranks, sizeof *dispatch->free_places);
    if (dispatch->free_places == NULL) {
        dispatch_free(dispatch);
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    for (int rank = 0; rank < roster->n_ranks; rank++)
        dispatch->free_places[rank] = roster->ranks[rank].workers;
    *out = dispatch;
    return STATUS_OK;
}

void dispatch_free(Dispatch *dispatch) {
    if (dispatch == NULL) return;
    free(dispatch->free_places);
    free(dispatch->running);
    free(dispatch);
}

/* --- what comes in ---------------------------------------------------------------------------------------------- */

static Running *find_running(Dispatch *dispatch, uint64_t work) {
    for (int i = 0; i < dispatch->n_running; i++)
        if (dispatch->running[i].work == work) return &dispatch->running[i];
    return NULL;
}

/* Notes that the checkpoint of a training under way holds a step. */
static Status note_saved(Dispatch *dispatch, Running *running, int64_t step, Error *err) {
    if (step <= running->saved_step || dispatch->unfinished == NULL) return STATUS_OK;
    running->saved_step = step;
    return unfinished_saved(dispatch->unfinished, running->training_id, step, err);
}

/* The steps of an attempt that are not lost: it began at first_step and came to last_step. */
static int64_t own_steps(const Running *running, int64_t last_step) {
    return last_step > running->first_step ? last_step - running->first_step : 0;
}

/* Forgets a piece of work and frees its place. */
static Running end_running(Dispatch *dispatch, Running *running) {
    Running ended = *running;
    dispatch->free_places[ended.rank]++;
    *running = dispatch->running[--dispatch->n_running];
    return ended;
}

static Status take_progress(Dispatch *dispatch, const Progress *progress, Error *err) {
    Running *running = find_running(dispatch, progress->work);
    if (running == NULL) return STATUS_OK;
    running->flops_done = fmin(progress->flops_done, running->flops);
    running->first_step = progress->first_step;
    if (!isnan(progress->loss)) running->loss = progress->loss;
    if (progress->notice[0] != '\0') say(dispatch, "%s", progress->notice);
    return note_saved(dispatch, running, progress->saved_step, err);
}

static Status take_paused(Dispatch *dispatch, const WorkPaused *paused, Error *err) {
    Running *running = find_running(dispatch, paused->work);
    if (running == NULL) return STATUS_OK;
    Status status = note_saved(dispatch, running, paused->step, err);
    Running ended = end_running(dispatch, running);
    dispatch->ended.steps_done += own_steps(&ended, ended.saved_step);
    schedule_paused(dispatch->schedule, paused->work);
    return status;
}

/* Counts a record. A training may leave one state for another (failed before, done now); it is still one training. */
static void count_record(Dispatch *dispatch, const Record *record) {
    EndRecord *ended = &dispatch->ended;
    if (record->kind == RECORD_TRAINING) {
        TrainingState before = journal_training(dispatch->journal, record->of.training.training_id);
        dispatch->in_state[before]--;
        dispatch->in_state[journal_state_after(before, record->of.training.outcome)]++;
        ended->trainings_done += record->of.training.outcome == OUTCOME_DONE;
        ended->trainings_diverged += record->of.training.outcome == OUTCOME_DIVERGED;
        ended->trainings_failed += record->of.training.outcome == OUTCOME_FAILED;
    }
    ended->cells_done += record->kind == RECORD_CELL;
    ended->baselines_done += record->kind == RECORD_BASELINE;
}

/* Appends the records of one piece of work. */
static Status append(Dispatch *dispatch, const Record *records, int n_records, Error *err) {
    bool dropped = false;
    Status status = journal_append(dispatch->journal, records, n_records, &dropped, err);
    if (status != STATUS_OK) return status;
    for (int i = 0; i < n_records; i++) {
        count_record(dispatch, &records[i]);
        if (records[i].kind == RECORD_TRAINING && dispatch->unfinished != NULL)
            unfinished_ended(dispatch->unfinished, records[i].of.training.training_id);
    }
    if (dropped && !dispatch->dropped_model_said) {
        dispatch->dropped_model_said = true;
        say(dispatch, "the limit for kept models is reached (--models-limit): further models are not kept, and a job "
                      "extended by critics will train them again");
    }
    dispatch->dirty = true;
    return STATUS_OK;
}

static Status take_done(Dispatch *dispatch, int from, WorkDone *done, Error *err) {
    Running *running = find_running(dispatch, done->work);
    if (running == NULL) return STATUS_OK;
    Running ended = end_running(dispatch, running);
    schedule_completed(dispatch->schedule, done->work);
    dispatch->work_done++;
    dispatch->flops_done += ended.flops;
    for (int i = 0; i < done->n_records; i++)
        if (done->records[i].kind == RECORD_TRAINING) {
            TrainingRecord *training = &done->records[i].of.training;
            training->rank = from;
            dispatch->ended.steps_done += own_steps(&ended, training->steps_done);
            if (training->outcome == OUTCOME_DIVERGED)
                say(dispatch, "training %.8s (seed %u) diverged: %s",
                    id_text(training->training_id, (char[ID_TEXT_BYTES]){0}), training->spec.seed, training->reason);
        }
    return append(dispatch, done->records, done->n_records, err);
}

/* A piece of work that will not be tried again: a training leaves a record, so that a resumed run knows. */
static Status record_failure(Dispatch *dispatch, const Running *running, const WorkFailed *failed, Error *err) {
    dispatch->work_failed++;
    dispatch->flops_done += running->flops;
    if (running->kind != WORK_TRAINING) return STATUS_OK;
    Record record = {.kind = RECORD_TRAINING,
                     .of.training = {.training_id = running->training_id,
                                     .spec = running->spec,
                                     .outcome = OUTCOME_FAILED,
                                     .reason = failed->reason,
                                     .attempts = running->attempt,
                                     .final_loss = NAN,
                                     .fingerprint = dispatch->roster->ranks[failed->rank].fingerprint,
                                     .rank = failed->rank,
                                     .host = failed->host,
                                     .ended_unix_ms = clock_unix_ms()}};
    return append(dispatch, &record, 1, err);
}

static Status take_failed(Dispatch *dispatch, WorkFailed *failed, Error *err) {
    static const char *const kinds[] = {"", "training", "evaluation of training", "baselines for training"};
    Running *running = find_running(dispatch, failed->work);
    if (running == NULL) return STATUS_OK;
    Running ended = end_running(dispatch, running);
    failed->rank = ended.rank; /* a child does not know its rank */
    bool again = schedule_failed(dispatch->schedule, failed->work);
    char text[512], id[ID_TEXT_BYTES];
    snprintf(text, sizeof text, "%s %.8s (seed %u) on rank %d (%s): %s", kinds[ended.kind],
             id_text(ended.training_id, id), ended.spec.seed, failed->rank, failed->host, failed->reason);
    say(dispatch, "%s; %s", text, again ? "trying it again" : "giving it up");
    if (again) {
        dispatch->ended.steps_done += own_steps(&ended, ended.saved_step);
        return STATUS_OK;
    }
    if (dispatch->first_error[0] == '\0') memcpy(dispatch->first_error, text, sizeof text);
    Status status = record_failure(dispatch, &ended, failed, err);
    if (status == STATUS_OK && dispatch->options.max_failures >= 0 &&
        (int64_t)dispatch->work_failed > dispatch->options.max_failures)
        status = dispatch_stop(dispatch, "too many failures", err);
    return status;
}

static Status take_message(Dispatch *dispatch, int from, const Bytes *bytes, Error *err) {
    Message message;
    Status status = message_decode(bytes->data, bytes->size, &message, err);
    if (status != STATUS_OK) return error_prefix(err, status, "a message from rank %d", from);
    switch (message.kind) {
    case MESSAGE_PROGRESS:
        status = take_progress(dispatch, &message.of.progress, err);
        break;
    case MESSAGE_PAUSED:
        status = take_paused(dispatch, &message.of.paused, err);
        break;
    case MESSAGE_DONE:
        status = take_done(dispatch, from, &message.of.done, err);
        break;
    case MESSAGE_FAILED:
        status = take_failed(dispatch, &message.of.failed, err);
        break;
    case MESSAGE_STOP:
        if (!dispatch_ending(dispatch))
            say(dispatch, "rank %d was told to end: saving and stopping; the same command goes on from here", from);
        status = dispatch_drain(dispatch, "interrupted", dispatch->now_s + DRAIN_S, err);
        break;
    default:
        break; /* hellos came before; orders are not for a coordinator */
    }
    message_free(&message);
    return status;
}

static Status receive_all(Dispatch *dispatch, bool *moved, Error *err) {
    for (;;) {
        bool received;
        int from;
        Bytes bytes;
        Status status = channel_receive(dispatch->channel, INBOX_COORDINATOR, &received, &from, &bytes, err);
        if (status != STATUS_OK || !received) return status;
        *moved = true;
        status = take_message(dispatch, from, &bytes, err);
        bytes_free(&bytes);
        if (status != STATUS_OK) return status;
    }
}

/* --- what goes out ---------------------------------------------------------------------------------------------- */

/* Gives an evaluation its kept parameters; when they cannot be read, the training is done again. */
static Status add_parameters(Dispatch *dispatch, WorkItem *item, Error *err) {
    Record record;
    Status status = journal_read_model(dispatch->journal, item->training_id, &record, err);
    if (status == STATUS_NO_MEMORY) return status;
    if (status != STATUS_OK) {
        say(dispatch, "a kept model cannot be read, training it again: %s", err->text);
        item->kind = WORK_TRAINING;
        item->keep_model = true;
        return STATUS_OK;
    }
    item->n_parameters = record.of.model.n_parameters;
    item->parameters = record.of.model.parameters;
    record.of.model.parameters = NULL;
    record_free(&record);
    return STATUS_OK;
}

static Status note_running(Dispatch *dispatch, int rank, const WorkItem *item, Error *err) {
    if (dispatch->n_running == dispatch->capacity) {
        int capacity = dispatch->capacity * 2 + 16;
        Running *more = realloc(dispatch->running, (size_t)capacity * sizeof *more);
        if (more == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory");
        dispatch->running = more;
        dispatch->capacity = capacity;
    }
    dispatch->running[dispatch->n_running++] = (Running){.work = item->work,
                                                         .rank = rank,
                                                         .kind = item->kind,
                                                         .training_id = item->training_id,
                                                         .spec = item->spec,
                                                         .attempt = item->attempt,
                                                         .flops = cost_work_flops(item),
                                                         .loss = NAN};
    dispatch->free_places[rank]--;
    return STATUS_OK;
}

static Status give_one(Dispatch *dispatch, int rank, bool *given, Error *err) {
    WorkItem item;
    Status status = schedule_next(dispatch->schedule, given, &item, err);
    if (status != STATUS_OK || !*given) return status;
    if (isnan(dispatch->started_s)) dispatch->started_s = dispatch->now_s;
    if (item.kind == WORK_EVALUATION) status = add_parameters(dispatch, &item, err);
    if (item.kind == WORK_TRAINING && dispatch->unfinished != NULL && status == STATUS_OK) {
        item.checkpoint_every_s = dispatch->options.checkpoint_every_s;
        status = unfinished_path(dispatch->unfinished, item.training_id, &item.checkpoint, err);
    }
    if (status == STATUS_OK) status = note_running(dispatch, rank, &item, err);
    if (status == STATUS_OK) {
        Message message = {.kind = MESSAGE_WORK, .of.work = item};
        status = channel_send_message(dispatch->channel, rank, INBOX_AGENT, &message, err);
    }
    work_item_free(&item);
    return status;
}

static Status give_out(Dispatch *dispatch, bool *moved, Error *err) {
    bool given = true;
    while (given) { /* one each in turn, so that few pieces spread over many ranks */
        given = false;
        for (int rank = 0; rank < channel_size(dispatch->channel); rank++) {
            if (dispatch->free_places[rank] <= 0) continue;
            bool one;
            Status status = give_one(dispatch, rank, &one, err);
            if (status != STATUS_OK) return status;
            if (!one) return STATUS_OK;
            given = *moved = true;
        }
    }
    return STATUS_OK;
}

/* Only when the records are durable do the checkpoints go that they make superfluous. */
static Status sync_if_due(Dispatch *dispatch, bool now, Error *err) {
    if (!dispatch->dirty || (!now && dispatch->now_s - dispatch->last_sync_s < SYNC_PERIOD_S)) return STATUS_OK;
    dispatch->dirty = false;
    dispatch->last_sync_s = dispatch->now_s;
    Status status = journal_sync(dispatch->journal, err);
    if (status == STATUS_OK && dispatch->unfinished != NULL) unfinished_sweep(dispatch->unfinished);
    return status;
}

/* Stops when nothing is left to do, or nothing is left to wait for. */
static Status stop_if_over(Dispatch *dispatch, Error *err) {
    if (dispatch->stopping) return STATUS_OK;
    if (schedule_finished(dispatch->schedule)) {
        bool limited = schedule_limited(dispatch->schedule);
        return dispatch_stop(dispatch, limited ? "limit" : "done", err);
    }
    if (!dispatch->draining || (dispatch->n_running > 0 && dispatch->now_s < dispatch->drain_until_s)) return STATUS_OK;
    if (dispatch->n_running > 0)
        say(dispatch, "%d piece%s of work did not save and end in time: stopping without", dispatch->n_running,
            dispatch->n_running == 1 ? "" : "s");
    return dispatch_stop(dispatch, dispatch->stop_reason, err);
}

Status dispatch_step(Dispatch *dispatch, double now_s, bool *moved, Error *err) {
    dispatch->now_s = now_s;
    Status status = receive_all(dispatch, moved, err);
    if (status == STATUS_OK && !dispatch_ending(dispatch)) status = give_out(dispatch, moved, err);
    if (status == STATUS_OK) status = stop_if_over(dispatch, err);
    if (status == STATUS_OK) status = sync_if_due(dispatch, dispatch->stopping, err);
    return status;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static Status tell_all(Dispatch *dispatch, MessageKind kind, Error *err) {
    Message message = {.kind = kind};
    Status status = STATUS_OK;
    for (int rank = 0; rank < channel_size(dispatch->channel) && status == STATUS_OK; rank++)
        status = channel_send_message(dispatch->channel, rank, INBOX_AGENT, &message, err);
    return status;
}

static void note_reason(Dispatch *dispatch, const char *reason) {
    if (reason != dispatch->stop_reason) snprintf(dispatch->stop_reason, sizeof dispatch->stop_reason, "%s", reason);
}

Status dispatch_drain(Dispatch *dispatch, const char *reason, double until_s, Error *err) {
    if (dispatch->stopping) return STATUS_OK;
    dispatch->drain_until_s = fmin(dispatch->drain_until_s, until_s);
    if (dispatch->draining) return STATUS_OK;
    dispatch->draining = true;
    note_reason(dispatch, reason);
    return tell_all(dispatch, MESSAGE_DRAIN, err);
}

Status dispatch_stop(Dispatch *dispatch, const char *reason, Error *err) {
    if (dispatch->stopping) return STATUS_OK;
    dispatch->stopping = true;
    dispatch->draining = false;
    note_reason(dispatch, reason);
    return tell_all(dispatch, MESSAGE_STOP, err);
}

bool dispatch_ending(const Dispatch *dispatch) {
    return dispatch->draining || dispatch->stopping;
}

bool dispatch_stopping(const Dispatch *dispatch) {
    return dispatch->stopping;
}

/* --- how far it is ---------------------------------------------------------------------------------------------- */

/* Steps of ended attempts, and those that the trainings under way have saved. */
static int64_t steps_done(const Dispatch *dispatch) {
    int64_t steps = dispatch->ended.steps_done;
    for (int i = 0; i < dispatch->n_running; i++)
        steps += own_steps(&dispatch->running[i], dispatch->running[i].saved_step);
    return steps;
}

void dispatch_view(const Dispatch *dispatch, double now_s, RunView *view) {
    const ScheduleTotals *totals = schedule_totals(dispatch->schedule);
    *view = (RunView){.trainings = totals->trainings,
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
                      .ranks = channel_size(dispatch->channel),
                      .workers = dispatch->roster->n_workers,
                      .running = dispatch->n_running,
                      .draining = dispatch->draining,
                      .first_error = dispatch->first_error,
                      .stop_reason = dispatch->stop_reason};
    for (int i = 0; i < dispatch->n_running; i++) {
        view->flops_done += dispatch->running[i].flops_done;
        if (dispatch->running[i].kind == WORK_TRAINING && view->n_shown < RUNNING_SHOWN)
            view->loss[view->n_shown++] = dispatch->running[i].loss;
    }
    if (isnan(dispatch->started_s)) return;
    view->elapsed_s = now_s - dispatch->started_s;
    if (view->elapsed_s < 0.5 || view->flops_done <= 0) return;
    view->flops_per_s = view->flops_done / view->elapsed_s;
    view->eta_s = fmax(0, view->flops_total - view->flops_done) / view->flops_per_s;
}

Status dispatch_result(const Dispatch *dispatch) {
    if (strcmp(dispatch->stop_reason, "too many failures") == 0) return STATUS_TOO_MANY_FAILURES;
    if (strcmp(dispatch->stop_reason, "done") != 0) return STATUS_INCOMPLETE;
    return dispatch->work_failed > 0 || dispatch->in_state[TRAINING_FAILED] > 0 ? STATUS_FAILED : STATUS_OK;
}

void dispatch_end_record(const Dispatch *dispatch, EndRecord *end) {
    *end = dispatch->ended;
    end->steps_done = steps_done(dispatch);
    end->ended_unix_ms = clock_unix_ms();
    end->reason = (char *)dispatch->stop_reason;
}
