/* See dispatch.h. */
#include "coordinator/dispatch/dispatch_state.h"

#include "proto/base/clock.h"
#include "proto/wire/cost.h"
#include "proto/wire/record_content.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Results are made durable together: at most this long after they came. */
static const double SYNC_PERIOD_S = 0.2;
/* How long children get to save when another rank says that it was told to end. */
static const double DRAIN_S = 20;
/* How long they get at least, even if that is a moment past a time limit of seconds. */
static const double LEAST_DRAIN_S = 2;

/* A rank that fails so often in a row to do anything gets no more work; it is left alone for a while after each time,
 * at first for this long, then twice as long. */
enum { MACHINE_FAILURES_MAX = 5 };
static const double MACHINE_PAUSE_S = 0.5;

static void say(Dispatch *dispatch, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(Dispatch *dispatch, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dispatch->notice(dispatch->notice_context, text);
}

Status dispatch_create(Channel *channel, const Roster *roster, Schedule *schedule, Journal *journal, CostModel *costs,
                       Unfinished *unfinished, const DispatchOptions *options, Notice notice, void *context,
                       Dispatch **out, Error *err) {
    Dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (dispatch == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the coordinator");
    *dispatch = (Dispatch){.channel = channel,
                           .roster = roster,
                           .schedule = schedule,
                           .journal = journal,
                           .costs = costs,
                           .unfinished = unfinished,
                           .options = *options,
                           .notice = notice,
                           .notice_context = context,
                           .started_s = NAN,
                           .last_sync_s = -INFINITY,
                           .save_seen_s = -INFINITY,
                           .drain_until_s = INFINITY,
                           .drain_took_s = NAN,
                           .outlook = {.end_s = NAN, .lower_s = NAN, .upper_s = NAN},
                           .outlook_s = -INFINITY};
    const ScheduleTotals *totals = schedule_totals(schedule);
    dispatch->in_state[TRAINING_DONE] = totals->trainings_done;
    dispatch->in_state[TRAINING_DIVERGED] = totals->trainings_diverged;
    dispatch->in_state[TRAINING_FAILED] = totals->trainings_failed;
    dispatch->posts = calloc((size_t)roster->n_ranks, sizeof *dispatch->posts);
    if (dispatch->posts == NULL) {
        dispatch_free(dispatch);
        return error_set(err, STATUS_NO_MEMORY, "no memory for what %d ranks do", roster->n_ranks);
    }
    for (int rank = 0; rank < roster->n_ranks; rank++)
        dispatch->posts[rank] = (Post){.free_places = roster->ranks[rank].workers, .paused_until_s = -INFINITY};
    *out = dispatch;
    return STATUS_OK;
}

void dispatch_free(Dispatch *dispatch) {
    if (dispatch == NULL) return;
    free(dispatch->posts);
    running_free(&dispatch->running);
    free(dispatch);
}

/* --- what comes in ---------------------------------------------------------------------------------------------- */

/* Notes that the checkpoint of a training under way holds a step. */
static Status note_saved(Dispatch *dispatch, Running *running, int64_t step, Error *err) {
    if (step <= running->saved_step || dispatch->unfinished == NULL) return STATUS_OK;
    running->saved_step = step;
    return unfinished_saved(dispatch->unfinished, running->training_id, step, err);
}

/* Forgets a piece of work and frees its place. */
static Running end_running(Dispatch *dispatch, Running *running) {
    dispatch->posts[running->rank].free_places++;
    return running_take_out(&dispatch->running, running);
}

static Status take_progress(Dispatch *dispatch, const Progress *progress, Error *err) {
    Running *running = running_find(&dispatch->running, progress->work);
    if (running == NULL) return STATUS_OK;
    running_progressed(running, progress, dispatch->now_s, dispatch->costs);
    if (progress->notice[0] != '\0') say(dispatch, "%s", progress->notice);
    return note_saved(dispatch, running, progress->saved_step, err);
}

static Status take_paused(Dispatch *dispatch, const WorkPaused *paused, Error *err) {
    Running *running = running_find(&dispatch->running, paused->work);
    if (running == NULL) return STATUS_OK;
    Status status = note_saved(dispatch, running, paused->step, err);
    Running ended = end_running(dispatch, running);
    int64_t own_steps = running_own_steps(&ended, ended.saved_step);
    dispatch->ended.steps_done += own_steps;
    dispatch->flops_done += ended.step_flops * (double)own_steps;
    running_release(&ended);
    schedule_paused(dispatch->schedule, paused->work, ended.saved_step);
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
    if (record_is_failure(record)) return;
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
    Running *running = running_find(&dispatch->running, done->work);
    if (running == NULL) return STATUS_OK;
    running_completed(running, dispatch->now_s, dispatch->costs);
    Running ended = end_running(dispatch, running);
    running_release(&ended);
    dispatch->posts[ended.rank].machine_failures = 0;
    schedule_completed(dispatch->schedule, done->work);
    dispatch->work_done++;
    dispatch->flops_done += ended.flops - ended.flops_before;
    for (int i = 0; i < done->n_records; i++)
        if (done->records[i].kind == RECORD_TRAINING) {
            TrainingRecord *training = &done->records[i].of.training;
            training->rank = from;
            dispatch->ended.steps_done += running_own_steps(&ended, training->steps_done);
            if (training->outcome == OUTCOME_DIVERGED)
                say(dispatch, "training %.8s (seed %u) diverged: %s",
                    id_text(training->training_id, (char[ID_TEXT_BYTES]){0}), training->spec.seed, training->reason);
        }
    return append(dispatch, done->records, done->n_records, err);
}

static Status record_failed_training(Dispatch *dispatch, const Running *running, const WorkFailed *failed, Error *err) {
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

/* The record of a cell or a baseline that could not be measured; it borrows all texts. */
static Record failed_result(const Running *running, const CriticOrder *order, char *reason, char *fingerprint) {
    if (running->kind == WORK_EVALUATION)
        return (Record){.kind = RECORD_CELL,
                        .of.cell = {.cell_id = order->id,
                                    .training_id = running->training_id,
                                    .critic = order->critic,
                                    .prompts = running->evaluation.prompts,
                                    .self_check_accuracy = NAN,
                                    .fingerprint = fingerprint,
                                    .failure = reason}};
    return (Record){.kind = RECORD_BASELINE,
                    .of.baseline = {.baseline_id = order->id,
                                    .task = running->spec.task,
                                    .seed = running->spec.seed,
                                    .critic = order->critic,
                                    .prompts = running->evaluation.prompts,
                                    .predictor = order->predictor,
                                    .gd_steps = order->predictor == PREDICTOR_GD ? running->evaluation.gd_steps : 0,
                                    .self_check_accuracy = NAN,
                                    .fingerprint = fingerprint,
                                    .failure = reason}};
}

/* A piece of work that will not be tried again leaves a record of each thing that it was about, so that a resumed run
 * knows. */
static Status record_failure(Dispatch *dispatch, const Running *running, const WorkFailed *failed, Error *err) {
    dispatch->work_failed++;
    dispatch->flops_done += running->flops - running->flops_before;
    if (running->kind == WORK_TRAINING) return record_failed_training(dispatch, running, failed, err);
    Status status = STATUS_OK;
    for (int i = 0; i < running->n_orders && status == STATUS_OK; i++) {
        Record record = failed_result(running, &running->orders[i], failed->reason,
                                      dispatch->roster->ranks[failed->rank].fingerprint);
        status = append(dispatch, &record, 1, err);
    }
    return status;
}

/* The machine failed under a piece of work, which is none of its fault: it goes back, and the rank rests a while. All
 * that fail while it rests are one failure of the rank, said once: its places were filled together. */
static Status take_machine_failure(Dispatch *dispatch, const Running *ended, const char *text, Error *err) {
    Post *post = &dispatch->posts[ended->rank];
    bool back = schedule_put_back(dispatch->schedule, ended->work, ended->saved_step);
    bool counts = dispatch->now_s >= post->paused_until_s && !post->given_up;
    dispatch->work_left_out += !back;
    if (dispatch->first_error[0] == '\0' && !back)
        snprintf(dispatch->first_error, sizeof dispatch->first_error, "%s", text);
    if (counts || !back)
        say(dispatch, "%s; the machine's fault, not counted against its retries: %s", text,
            back ? "it is tried again later" : "it is left to a later run");
    if (!counts) return STATUS_OK;
    post->paused_until_s = dispatch->now_s + ldexp(MACHINE_PAUSE_S, post->machine_failures++);
    post->given_up = post->machine_failures >= MACHINE_FAILURES_MAX;
    if (!post->given_up) return STATUS_OK;
    if (dispatch->first_error[0] == '\0') snprintf(dispatch->first_error, sizeof dispatch->first_error, "%s", text);
    say(dispatch, "rank %d failed %d times in a row to do anything: it gets no more work", ended->rank,
        post->machine_failures);
    for (int rank = 0; rank < dispatch->roster->n_ranks; rank++)
        if (!dispatch->posts[rank].given_up) return STATUS_OK;
    say(dispatch, "no rank is left that can work: saving and stopping; what failed them is above");
    return dispatch_drain(dispatch, MACHINE_FAILED, dispatch->now_s + DRAIN_S, err);
}

/* A piece of work failed by its own fault: it is tried again or given up. */
static Status take_own_failure(Dispatch *dispatch, const Running *ended, const WorkFailed *failed, const char *text,
                               Error *err) {
    dispatch->posts[ended->rank].machine_failures = 0; /* it did start it */
    bool again = schedule_failed(dispatch->schedule, failed->work, ended->saved_step);
    say(dispatch, "%s; %s", text, again ? "trying it again" : "giving it up");
    if (again) {
        dispatch->ended.steps_done += running_own_steps(ended, ended->saved_step);
        return STATUS_OK;
    }
    if (dispatch->first_error[0] == '\0') snprintf(dispatch->first_error, sizeof dispatch->first_error, "%s", text);
    Status status = record_failure(dispatch, ended, failed, err);
    if (status == STATUS_OK && dispatch->options.max_failures >= 0 &&
        (int64_t)dispatch->work_failed > dispatch->options.max_failures)
        status = dispatch_stop(dispatch, TOO_MANY_FAILURES, err);
    return status;
}

static Status take_failed(Dispatch *dispatch, WorkFailed *failed, Error *err) {
    static const char *const kinds[] = {"", "training", "evaluation of training", "baselines for training"};
    Running *running = running_find(&dispatch->running, failed->work);
    if (running == NULL) return STATUS_OK;
    Running ended = end_running(dispatch, running);
    failed->rank = ended.rank; /* a child does not know its rank */
    char text[512], id[ID_TEXT_BYTES];
    snprintf(text, sizeof text, "%s %.8s (seed %u) on rank %d (%s): %s", kinds[ended.kind],
             id_text(ended.training_id, id), ended.spec.seed, failed->rank, failed->host, failed->reason);
    Status status;
    if (failed->cause == FAILURE_INFRASTRUCTURE) {
        dispatch->ended.steps_done += running_own_steps(&ended, ended.saved_step);
        status = take_machine_failure(dispatch, &ended, text, err);
    } else {
        status = take_own_failure(dispatch, &ended, failed, text, err);
    }
    running_release(&ended);
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
    item->model_fingerprint = record.of.model.fingerprint;
    record.of.model.fingerprint = NULL;
    record_free(&record);
    return STATUS_OK;
}

/* When the draining has to begin, INFINITY: never. How long it takes is looked at once a second. */
static double drain_at(Dispatch *dispatch) {
    static const double PERIOD_S = 1;
    const Deadline *deadline = &dispatch->options.deadline;
    if (isinf(deadline->end_s)) return INFINITY;
    if (dispatch->now_s - dispatch->save_seen_s >= PERIOD_S) {
        double longest_step_s = 0, bytes = 0;
        for (int i = 0; i < dispatch->running.count; i++) {
            const Running *running = &dispatch->running.items[i];
            double step_s = running->step_flops / cost_model_belief(dispatch->costs, running->rate_class).rate;
            longest_step_s = fmax(longest_step_s, step_s);
            bytes += running_checkpoint_bytes(running);
        }
        dispatch->save_s = deadline_save_s(longest_step_s, bytes, dispatch->options.earlier_drain_s);
        dispatch->save_seen_s = dispatch->now_s;
    }
    return deadline_drain_at(deadline, dispatch->save_s);
}

static Status give_one(Dispatch *dispatch, int rank, double left_s, bool *given, Error *err) {
    Assignment assignment;
    WorkItem *item = &assignment.item;
    Status status = schedule_next(dispatch->schedule, left_s, given, &assignment, err);
    if (status != STATUS_OK || !*given) return status;
    if (isnan(dispatch->started_s)) dispatch->started_s = dispatch->now_s;
    if (item->kind == WORK_EVALUATION) status = add_parameters(dispatch, item, err);
    if (item->kind == WORK_TRAINING && dispatch->unfinished != NULL && status == STATUS_OK) {
        item->checkpoint_every_s = dispatch->options.checkpoint_every_s;
        status = unfinished_path(dispatch->unfinished, item->training_id, &item->checkpoint, err);
    }
    if (status == STATUS_OK) status = running_add(&dispatch->running, rank, &assignment, dispatch->now_s, err);
    if (status == STATUS_OK) {
        Message message = {.kind = MESSAGE_WORK, .of.work = *item};
        dispatch->posts[rank].free_places--;
        status = channel_send_message(dispatch->channel, rank, INBOX_AGENT, &message, err);
    }
    work_item_free(item);
    return status;
}

/* The time is over, or nothing that waits can still be begun in it and nothing runs. */
static Status drain_for_deadline(Dispatch *dispatch, bool idle, Error *err) {
    const Deadline *deadline = &dispatch->options.deadline;
    say(dispatch, "%s: saving what runs and stopping; the same command goes on from here",
        idle ? "nothing that is left can be begun in the time that is left" : "the time limit is near");
    double until_s = fmax(deadline->end_s - deadline->slack_s / 2, dispatch->now_s + LEAST_DRAIN_S);
    return dispatch_drain(dispatch, "deadline", until_s, err);
}

/* One each in turn, so that few pieces spread over many ranks. */
static Status give_out(Dispatch *dispatch, bool *moved, Error *err) {
    double left_s = drain_at(dispatch) - dispatch->now_s;
    bool given = true, one = true, resting = false;
    if (left_s <= 0) return drain_for_deadline(dispatch, false, err);
    while (given) {
        given = false;
        for (int rank = 0; rank < channel_size(dispatch->channel) && one; rank++) {
            Post *post = &dispatch->posts[rank];
            resting = resting || (!post->given_up && dispatch->now_s < post->paused_until_s);
            if (post->free_places <= 0 || post->given_up || dispatch->now_s < post->paused_until_s) continue;
            Status status = give_one(dispatch, rank, left_s, &one, err);
            if (status != STATUS_OK) return status;
            if (one) given = *moved = true;
        }
    }
    bool idle = dispatch->running.count == 0 && !one && !resting && !schedule_finished(dispatch->schedule);
    return idle && !isinf(left_s) ? drain_for_deadline(dispatch, true, err) : STATUS_OK;
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
    int n_running = dispatch->running.count;
    if (dispatch->stopping) return STATUS_OK;
    if (schedule_finished(dispatch->schedule)) {
        const char *reason = dispatch->work_left_out > 0            ? MACHINE_FAILED
                             : schedule_limited(dispatch->schedule) ? "limit"
                                                                    : "done";
        return dispatch_stop(dispatch, reason, err);
    }
    if (!dispatch->draining || (n_running > 0 && dispatch->now_s < dispatch->drain_until_s)) return STATUS_OK;
    if (n_running > 0)
        say(dispatch, "%d piece%s of work did not save and end in time: stopping without", n_running,
            n_running == 1 ? "" : "s");
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
    dispatch->drain_began_s = dispatch->now_s;
    note_reason(dispatch, reason);
    return tell_all(dispatch, MESSAGE_DRAIN, err);
}

Status dispatch_stop(Dispatch *dispatch, const char *reason, Error *err) {
    if (dispatch->stopping) return STATUS_OK;
    dispatch->stopping = true;
    if (dispatch->draining) dispatch->drain_took_s = dispatch->now_s - dispatch->drain_began_s;
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
