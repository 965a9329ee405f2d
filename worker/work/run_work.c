/* See run_work.h. */
#include "worker/work/run_work.h"

#include "proto/base/clock.h"
#include "proto/wire/codec.h"
#include "proto/wire/cost.h"
#include "worker/measure/evaluate.h"
#include "worker/measure/predictors.h"
#include "worker/train/train.h"
#include "worker/work/saver.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Progress is told on at most so often; within a step only when there was none for a while. */
static const double REPORT_EVERY_S = 0.1, PULSE_EVERY_S = 1;

/* How far the work has come. */
typedef struct Teller {
    ProgressReporter report;
    void *context;
    Progress progress;
    double told_s;
    double loss_sum; /* of the steps since then */
    int64_t loss_count;
    double flops_a_step;
} Teller;

/* What all parts of the recipe need. */
typedef struct Work {
    const WorkItem *item;
    int rank;
    const char *host;
    Shape shape;
    const Kernels *kernels; /* of evaluation, and of training in float32 */
    char fingerprint[512], training_fingerprint[256];
    const WorkWatch *watch;
    Teller teller;
    Saver saver;
    bool paused;
    double stretch_from, stretch_flops; /* of the evaluation under way: done before it, and its own */
    WorkDone *done;                     /* with room for every record */
} Work;

/* Tells, unless it did so less than every_s ago. */
static void tell(Teller *teller, double every_s) {
    double now_s = clock_monotonic_s();
    if (teller->report == NULL || now_s - teller->told_s < every_s) return;
    if (teller->loss_count > 0) teller->progress.loss = teller->loss_sum / (double)teller->loss_count;
    teller->report(teller->context, &teller->progress);
    teller->told_s = now_s;
    teller->loss_sum = 0;
    teller->loss_count = 0;
}

/* What the saver has to say goes out at once. */
static void tell_saved(Work *work) {
    Progress *progress = &work->teller.progress;
    bool news = work->saver.notice[0] != '\0' || progress->saved_step != work->saver.saved_step;
    progress->saved_step = work->saver.saved_step;
    progress->notice = work->saver.notice;
    if (news) tell(&work->teller, 0);
    work->saver.notice[0] = '\0';
}

static bool told_to_pause(const Work *work) {
    return work->watch->told_to_pause != NULL && work->watch->told_to_pause(work->watch->context);
}

static void tell_step(void *context, int64_t step, double loss) {
    Teller *teller = &((Work *)context)->teller;
    teller->progress.step = step;
    teller->progress.flops_done = (double)step * teller->flops_a_step;
    teller->loss_sum += loss;
    teller->loss_count++;
    tell(teller, REPORT_EVERY_S);
}

/* A long step lives. */
static void tell_share(void *context, double share) {
    Teller *teller = &((Work *)context)->teller;
    teller->progress.flops_done = ((double)teller->progress.step + share) * teller->flops_a_step;
    tell(teller, PULSE_EVERY_S);
}

/* The next record; counted at once, so that a failure frees what it holds by then. */
static Record *next_record(Work *work, RecordKind kind) {
    Record *record = &work->done->records[work->done->n_records++];
    record->kind = kind;
    return record;
}

static Status copy_text(const char *text, char **copy, Error *err) {
    *copy = strdup(text);
    return *copy != NULL ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "cannot allocate a record's text");
}

/* --- training ------------------------------------------------------------------------------------------------- */

/* Moves the loss curve out of result. */
static Status fill_training_record(const Work *work, TrainResult *result, double wall_s, double cpu_s,
                                   TrainingRecord *record, Error *err) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    *record = (TrainingRecord){
        .training_id = work->item->training_id,
        .spec = work->item->spec,
        .outcome = result->diverged ? OUTCOME_DIVERGED : OUTCOME_DONE,
        .attempts = work->item->attempt,
        .steps_done = result->steps_done,
        .final_loss = result->final_loss,
        .n_loss = result->n_loss,
        .loss_step = result->loss_step,
        .loss = result->loss,
        .flops = (double)result->steps_done * work->teller.flops_a_step,
        .wall_s = wall_s,
        .cpu_s = cpu_s,
        .peak_memory_bytes = (int64_t)usage.ru_maxrss * 1024,
        .rank = work->rank,
        .ended_unix_ms = clock_unix_ms(),
    };
    result->loss_step = NULL;
    result->loss = NULL;
    char reason[128] = "";
    if (result->diverged)
        snprintf(reason, sizeof reason, "%s was not finite at step %lld", result->diverged_what,
                 (long long)result->diverged_step);
    Status status = copy_text(reason, &record->reason, err);
    if (status == STATUS_OK) status = copy_text(work->training_fingerprint, &record->fingerprint, err);
    if (status == STATUS_OK) status = copy_text(work->host, &record->host, err);
    return status;
}

/* Between two steps; false: the training is left here. */
static bool keep_step(void *context, const TrainState *state) {
    Work *work = context;
    if (state->step == work->item->spec.train.steps) { /* saved when it is due before it is measured */
        saver_finish(&work->saver, state);
        return true;
    }
    bool leave = told_to_pause(work);
    if (leave || saver_due(&work->saver)) saver_save(&work->saver, state);
    tell_saved(work);
    return !leave;
}

/* Trains from fresh parameters, or from those of the checkpoint, in place. */
static Status train_model(Work *work, float *parameters, TrainResult *result, Error *err) {
    const TrainingSpec *spec = &work->item->spec;
    Record from = {.kind = RECORD_CHECKPOINT};
    TrainWatch watch = {.pulse = tell_share, .report = tell_step, .keep = keep_step, .context = work};
    saver_start(&work->saver, work->item, work->training_fingerprint);
    bool resumed = saver_load(&work->saver, &from.of.checkpoint);
    if (!resumed) tensors_init(&work->shape, spec->seed, parameters);
    Progress *progress = &work->teller.progress;
    progress->step = progress->first_step = work->saver.first_step;
    progress->flops_done = (double)work->saver.first_step * work->teller.flops_a_step;
    tell_saved(work);
    Status status = STATUS_OK;
    if (work->saver.first_step < spec->train.steps && told_to_pause(work))
        *result = (TrainResult){.paused = true};
    else
        status = train_resumable(spec, work->kernels, resumed ? &from.of.checkpoint.state : NULL, parameters, &watch,
                                 result, err);
    if (resumed) record_free(&from);
    return status;
}

/* Trains and records it, unless it is told to pause. */
static Status train_and_record(Work *work, float *parameters, bool *trained, Error *err) {
    TrainResult result;
    Status status = train_model(work, parameters, &result, err);
    if (status != STATUS_OK) return status;
    work->paused = result.paused;
    *trained = !result.paused && !result.diverged;
    if (!result.paused) {
        double wall_s, cpu_s;
        tell(&work->teller, 0);
        saver_times(&work->saver, &wall_s, &cpu_s);
        status =
            fill_training_record(work, &result, wall_s, cpu_s, &next_record(work, RECORD_TRAINING)->of.training, err);
    }
    train_result_free(&result);
    return status;
}

static Status keep_model(Work *work, const float *parameters, Error *err) {
    size_t count = tensors_parameters(&work->shape);
    ModelRecord *record = &next_record(work, RECORD_MODEL)->of.model;
    *record = (ModelRecord){.training_id = work->item->training_id, .spec = work->item->spec};
    record->parameters = malloc(count * sizeof *record->parameters);
    if (record->parameters == NULL) return error_set(err, STATUS_NO_MEMORY, "cannot allocate a model record");
    record->n_parameters = (int64_t)count;
    memcpy(record->parameters, parameters, count * sizeof *record->parameters);
    return copy_text(work->training_fingerprint, &record->fingerprint, err);
}

/* --- evaluation ----------------------------------------------------------------------------------------------- */

/* Saves what an evaluation must not lose, when it is due; false: the work is to be left. */
static bool may_go_on(Work *work) {
    work->paused = told_to_pause(work);
    if (work->paused || saver_due(&work->saver)) saver_save_finished(&work->saver);
    tell_saved(work);
    return !work->paused;
}

static void begin_stretch(Work *work, double flops) {
    work->stretch_from = work->teller.progress.flops_done;
    work->stretch_flops = flops;
}

static bool tell_pulse(void *context, double share) {
    Work *work = context;
    work->teller.progress.flops_done = work->stretch_from + share * work->stretch_flops;
    tell(&work->teller, REPORT_EVERY_S);
    return share == 1 || may_go_on(work);
}

static Status measure_cell(Work *work, const CriticOrder *order, Evaluation *evaluation, Model *model, int micro_batch,
                           const float *parameters, Error *err) {
    double start_s = clock_monotonic_s();
    CellRecord *record = &next_record(work, RECORD_CELL)->of.cell;
    *record = (CellRecord){.cell_id = order->id,
                           .training_id = work->item->training_id,
                           .critic = order->critic,
                           .prompts = work->item->evaluation.prompts,
                           .self_check_accuracy = evaluation_set_critic(evaluation, &order->critic)};
    double rounds_flops = cost_rounds_flops(&work->item->spec.model, &work->item->evaluation);
    begin_stretch(work, cost_order_flops(work->item, order) - rounds_flops);
    Status status = evaluation_of_model(evaluation, model, micro_batch, parameters, &record->curves, err);
    begin_stretch(work, rounds_flops);
    if (status == STATUS_OK && work->item->evaluation.rounds > 0)
        status = evaluation_of_rounds(evaluation, model, parameters, &record->rounds, err);
    if (status == STATUS_OK) status = copy_text(work->fingerprint, &record->fingerprint, err);
    if (status == STATUS_OK) status = copy_text("", &record->failure, err);
    record->wall_s = clock_monotonic_s() - start_s;
    return status;
}

static Status measure_baseline(Work *work, const CriticOrder *order, Evaluation *evaluation, Error *err) {
    double start_s = clock_monotonic_s();
    const WorkItem *item = work->item;
    int gd_steps = order->predictor == PREDICTOR_GD ? gd_steps_under(item->evaluation.gd_steps, &order->critic) : 0;
    BaselineRecord *record = &next_record(work, RECORD_BASELINE)->of.baseline;
    *record = (BaselineRecord){.baseline_id = order->id,
                               .task = item->spec.task,
                               .seed = item->spec.seed,
                               .critic = order->critic,
                               .prompts = item->evaluation.prompts,
                               .predictor = order->predictor,
                               .gd_steps = gd_steps,
                               .self_check_accuracy = evaluation_set_critic(evaluation, &order->critic)};
    begin_stretch(work, cost_order_flops(item, order));
    Status status = evaluation_of_baseline(evaluation, order->predictor, gd_steps, &record->curves, err);
    if (status == STATUS_OK) status = copy_text(work->fingerprint, &record->fingerprint, err);
    if (status == STATUS_OK) status = copy_text("", &record->failure, err);
    record->wall_s = clock_monotonic_s() - start_s;
    return status;
}

/* Measures what every order asks for; parameters NULL: baselines only. */
static Status measure(Work *work, const float *parameters, Error *err) {
    const WorkItem *item = work->item;
    Evaluation *evaluation = NULL;
    Model *model = NULL;
    int micro_batch = model_best_micro_batch(&work->shape);
    Status status = evaluation_create(&item->spec.task, item->spec.seed, item->evaluation.prompts, &evaluation, err);
    if (status == STATUS_OK && parameters != NULL)
        status = model_create(&work->shape, work->kernels, micro_batch, false, &model, err);
    if (status == STATUS_OK && parameters != NULL && item->evaluation.rounds > 0)
        status = evaluation_prepare_rounds(evaluation, &work->shape, &item->evaluation, err);
    if (status == STATUS_OK) evaluation_on_pulse(evaluation, tell_pulse, work);
    for (int k = 0; k < item->n_orders && status == STATUS_OK && may_go_on(work); k++) {
        const CriticOrder *order = &item->orders[k];
        assert((order->predictor == PREDICTOR_MODEL) == (parameters != NULL));
        if (order->predictor == PREDICTOR_MODEL)
            status = measure_cell(work, order, evaluation, model, micro_batch, parameters, err);
        else
            status = measure_baseline(work, order, evaluation, err);
    }
    model_free(model);
    evaluation_free(evaluation);
    return status == STATUS_INCOMPLETE && work->paused ? STATUS_OK : status;
}

/* --- the recipe ----------------------------------------------------------------------------------------------- */

static Status train_and_measure(Work *work, Error *err) {
    float *parameters = malloc(tensors_parameters(&work->shape) * sizeof *parameters);
    if (parameters == NULL) return error_set(err, STATUS_NO_MEMORY, "cannot allocate the parameters of a model");
    bool trained = false;
    Status status = train_and_record(work, parameters, &trained, err);
    if (status == STATUS_OK && trained) {
        if (work->item->keep_model) status = keep_model(work, parameters, err);
        if (status == STATUS_OK) status = measure(work, parameters, err);
    }
    free(parameters);
    return status;
}

static Status measure_given(Work *work, Error *err) {
    size_t expected = tensors_parameters(&work->shape);
    if ((size_t)work->item->n_parameters != expected)
        return error_set(err, STATUS_DATA, "the model has %lld parameters, expected %zu by its settings",
                         (long long)work->item->n_parameters, expected);
    /* What is measured depends on the numerics of the training too. */
    const char *trained = work->item->model_fingerprint;
    if (trained != NULL && trained[0] != '\0' && strcmp(trained, work->training_fingerprint) != 0) {
        size_t used = strlen(work->fingerprint);
        snprintf(work->fingerprint + used, sizeof work->fingerprint - used, "; model of '%s'", trained);
    }
    return measure(work, work->item->parameters, err);
}

static Status run_recipe(Work *work, Error *err) {
    const WorkItem *item = work->item;
    Status status = kernels_select(item->kernels, &work->kernels, err);
    if (status != STATUS_OK) return status;
    kernels_fingerprint(work->kernels, work->fingerprint, sizeof work->fingerprint);
    kernels_fingerprint(kernels_with_precision(work->kernels, item->spec.train.precision), work->training_fingerprint,
                        sizeof work->training_fingerprint);
    work->done->records = calloc(2 + (size_t)item->n_orders, sizeof *work->done->records);
    if (work->done->records == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate the records of a work item");
    switch (item->kind) {
    case WORK_TRAINING:
        return train_and_measure(work, err);
    case WORK_EVALUATION:
        return measure_given(work, err);
    case WORK_BASELINES:
        return measure(work, NULL, err);
    }
    return STATUS_OK;
}

Status run_work_watched(const WorkItem *item, int rank, const char *host, const WorkWatch *watch, Message *answer,
                        Error *err) {
    *answer = (Message){.kind = MESSAGE_DONE, .of.done.work = item->work};
    Work work = {.item = item,
                 .rank = rank,
                 .host = host,
                 .shape = shape_of(&item->spec.model, &item->spec.task),
                 .watch = watch,
                 .saver = {.item = item},
                 .teller = {.report = watch->report,
                            .context = watch->context,
                            .progress = {.work = item->work, .loss = NAN, .notice = ""},
                            .told_s = clock_monotonic_s() - REPORT_EVERY_S,
                            .flops_a_step = cost_step_flops(&item->spec)},
                 .done = &answer->of.done};
    Status status = run_recipe(&work, err);
    if (status != STATUS_OK || work.paused) message_free(answer);
    if (status == STATUS_OK && work.paused)
        *answer = (Message){.kind = MESSAGE_PAUSED, .of.paused = {.work = item->work, .step = work.saver.saved_step}};
    return status;
}

Status run_work(const WorkItem *item, int rank, const char *host, ProgressReporter report, void *context,
                WorkDone *done, Error *err) {
    Message answer;
    Status status =
        run_work_watched(item, rank, host, &(WorkWatch){.report = report, .context = context}, &answer, err);
    *done = status == STATUS_OK ? answer.of.done : (WorkDone){.work = item->work};
    return status;
}
