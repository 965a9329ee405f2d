/* The tables that bind messages.h to palinode.proto, and the public functions over them.
 *
 * Members are listed in the order of their field numbers. A member that is missing here, or of another type than its
 * field, is found by tests/unit/proto/codec_test.c. */
#include "proto/wire/codec.h"

#include "proto/schema/palinode.pb-c.h"
#include "proto/wire/binding.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Counts beyond these are damage. */
enum { MOST_POINTS = 1 << 20, MOST_ELEMENTS = 1 << 24 };

/* --- settings --------------------------------------------------------------------------------------------------- */

static const Member model_settings_members[] = {
    VALUE(ModelSettings, n_layer),   VALUE(ModelSettings, n_head), VALUE(ModelSettings, n_embd),
    VALUE(ModelSettings, attention), VALUE(ModelSettings, ffn),    VALUE(ModelSettings, causal),
};
static const Binding model_settings_binding = {
    .proto = &palinode__model_settings__descriptor,
    .struct_bytes = sizeof(ModelSettings),
    MEMBERS(model_settings_members),
};

static const Member task_settings_members[] = {
    VALUE(TaskSettings, n_dims),
    VALUE(TaskSettings, n_points),
    VALUE(TaskSettings, noise),
};
static const Binding task_settings_binding = {
    .proto = &palinode__task_settings__descriptor,
    .struct_bytes = sizeof(TaskSettings),
    MEMBERS(task_settings_members),
};

static const Member train_settings_members[] = {
    VALUE(TrainSettings, steps),          VALUE(TrainSettings, batch_size), VALUE(TrainSettings, gradient_shards),
    VALUE(TrainSettings, learning_rate),  VALUE(TrainSettings, objective),  VALUE(TrainSettings, context),
    VALUE(TrainSettings, critic_quality), VALUE(TrainSettings, clip_norm),  VALUE(TrainSettings, warmup_steps),
    VALUE(TrainSettings, decay),          VALUE(TrainSettings, precision),  VALUE(TrainSettings, on_policy_share),
    VALUE(TrainSettings, exploration),
};
static const Binding train_settings_binding = {
    .proto = &palinode__train_settings__descriptor,
    .struct_bytes = sizeof(TrainSettings),
    MEMBERS(train_settings_members),
};

static const Member critic_settings_members[] = {
    VALUE(CriticSettings, quality),
    VALUE(CriticSettings, noise),
    VALUE(CriticSettings, feedback),
};
static const Binding critic_settings_binding = {
    .proto = &palinode__critic_settings__descriptor,
    .struct_bytes = sizeof(CriticSettings),
    MEMBERS(critic_settings_members),
};

static const Member training_spec_members[] = {
    STRUCT(TrainingSpec, model, model_settings_binding),
    STRUCT(TrainingSpec, task, task_settings_binding),
    STRUCT(TrainingSpec, train, train_settings_binding),
    VALUE(TrainingSpec, seed),
};
static const Binding training_spec_binding = {
    .proto = &palinode__training_spec__descriptor,
    .struct_bytes = sizeof(TrainingSpec),
    MEMBERS(training_spec_members),
};

static const Member evaluation_settings_members[] = {
    VALUE(EvaluationSettings, prompts),           VALUE(EvaluationSettings, gd_steps),
    VALUE(EvaluationSettings, baselines),         VALUE(EvaluationSettings, rounds),
    VALUE(EvaluationSettings, initial_responses), VALUE(EvaluationSettings, right_cosine),
};
static const Binding evaluation_settings_binding = {
    .proto = &palinode__evaluation_settings__descriptor,
    .struct_bytes = sizeof(EvaluationSettings),
    MEMBERS(evaluation_settings_members),
};

/* --- records ---------------------------------------------------------------------------------------------------- */

static const Member curves_members[] = {
    VALUE(Curves, n_points),
    ARRAY_OF_ROWS(Curves, value, n_points, METRIC_COUNT, more_metrics, true, MOST_POINTS),
    ARRAY_OF_ROWS(Curves, standard_error, n_points, METRIC_COUNT, more_metrics, false, MOST_POINTS),
};
static const Binding curves_binding = {
    .proto = &palinode__curves__descriptor,
    .struct_bytes = sizeof(Curves),
    MEMBERS(curves_members),
};

static const Member round_curves_members[] = {
    VALUE(RoundCurves, count),
    ARRAY_OF_ROWS(RoundCurves, value, count, ROUND_METRIC_COUNT, more_metrics, true, MOST_POINTS),
    ARRAY_OF_ROWS(RoundCurves, standard_error, count, ROUND_METRIC_COUNT, more_metrics, false, MOST_POINTS),
    VALUE(RoundCurves, self_check_accuracy),
    VALUE(RoundCurves, initial_responses),
    VALUE(RoundCurves, right_cosine),
};
static const Binding round_curves_binding = {
    .proto = &palinode__round_curves__descriptor,
    .struct_bytes = sizeof(RoundCurves),
    MEMBERS(round_curves_members),
};

static const Member training_record_members[] = {
    VALUE(TrainingRecord, training_id),
    STRUCT(TrainingRecord, spec, training_spec_binding),
    VALUE(TrainingRecord, outcome),
    VALUE(TrainingRecord, reason),
    VALUE(TrainingRecord, attempts),
    VALUE(TrainingRecord, steps_done),
    VALUE(TrainingRecord, final_loss),
    ARRAY(TrainingRecord, loss_step, n_loss, LOSS_CURVE_POINTS),
    ARRAY_AGREEING(TrainingRecord, loss, n_loss, 1, LOSS_CURVE_POINTS),
    VALUE(TrainingRecord, fingerprint),
    VALUE(TrainingRecord, flops),
    VALUE(TrainingRecord, wall_s),
    VALUE(TrainingRecord, cpu_s),
    VALUE(TrainingRecord, peak_memory_bytes),
    VALUE(TrainingRecord, rank),
    VALUE(TrainingRecord, host),
    VALUE(TrainingRecord, ended_unix_ms),
};
static const Binding training_record_binding = {
    .proto = &palinode__training_record__descriptor,
    .struct_bytes = sizeof(TrainingRecord),
    MEMBERS(training_record_members),
};

static const Member cell_record_members[] = {
    VALUE(CellRecord, cell_id),
    VALUE(CellRecord, training_id),
    STRUCT(CellRecord, critic, critic_settings_binding),
    VALUE(CellRecord, prompts),
    VALUE(CellRecord, self_check_accuracy),
    STRUCT(CellRecord, curves, curves_binding),
    VALUE(CellRecord, fingerprint),
    VALUE(CellRecord, wall_s),
    STRUCT_OR_NOTHING(CellRecord, rounds, round_curves_binding),
    VALUE(CellRecord, failure),
};
static const Binding cell_record_binding = {
    .proto = &palinode__cell_record__descriptor,
    .struct_bytes = sizeof(CellRecord),
    MEMBERS(cell_record_members),
};

static const Member baseline_record_members[] = {
    VALUE(BaselineRecord, baseline_id),
    STRUCT(BaselineRecord, task, task_settings_binding),
    VALUE(BaselineRecord, seed),
    STRUCT(BaselineRecord, critic, critic_settings_binding),
    VALUE(BaselineRecord, prompts),
    VALUE(BaselineRecord, predictor),
    VALUE(BaselineRecord, gd_steps),
    VALUE(BaselineRecord, self_check_accuracy),
    STRUCT(BaselineRecord, curves, curves_binding),
    VALUE(BaselineRecord, fingerprint),
    VALUE(BaselineRecord, wall_s),
    VALUE(BaselineRecord, failure),
};
static const Binding baseline_record_binding = {
    .proto = &palinode__baseline_record__descriptor,
    .struct_bytes = sizeof(BaselineRecord),
    MEMBERS(baseline_record_members),
};

static const Member model_record_members[] = {
    VALUE(ModelRecord, training_id),
    STRUCT(ModelRecord, spec, training_spec_binding),
    ARRAY(ModelRecord, parameters, n_parameters, INT32_MAX),
    VALUE(ModelRecord, fingerprint),
};
static const Binding model_record_binding = {
    .proto = &palinode__model_record__descriptor,
    .struct_bytes = sizeof(ModelRecord),
    MEMBERS(model_record_members),
};

static const Member header_record_members[] = {
    VALUE(HeaderRecord, schema),
    VALUE(HeaderRecord, content),
    VALUE(HeaderRecord, version),
    VALUE(HeaderRecord, commit),
    VALUE(HeaderRecord, build),
    VALUE(HeaderRecord, mpi),
    VALUE(HeaderRecord, blas),
    VALUE(HeaderRecord, cpu),
    VALUE(HeaderRecord, host),
    VALUE(HeaderRecord, rank_hosts),
    VALUE(HeaderRecord, scheduler),
    VALUE(HeaderRecord, command_line),
    VALUE(HeaderRecord, job_name),
    VALUE(HeaderRecord, job_text),
    VALUE(HeaderRecord, n_ranks),
    VALUE(HeaderRecord, n_workers),
    VALUE(HeaderRecord, started_unix_ms),
    VALUE(HeaderRecord, fingerprint),
    VALUE(HeaderRecord, shard_index),
    VALUE(HeaderRecord, shard_count),
    VALUE(HeaderRecord, sources),
};
static const Binding header_record_binding = {
    .proto = &palinode__header_record__descriptor,
    .struct_bytes = sizeof(HeaderRecord),
    MEMBERS(header_record_members),
};

static const Member end_record_members[] = {
    VALUE(EndRecord, ended_unix_ms),    VALUE(EndRecord, trainings_done),
    VALUE(EndRecord, trainings_failed), VALUE(EndRecord, trainings_diverged),
    VALUE(EndRecord, cells_done),       VALUE(EndRecord, baselines_done),
    VALUE(EndRecord, reason),           VALUE(EndRecord, steps_done),
};
static const Binding end_record_binding = {
    .proto = &palinode__end_record__descriptor,
    .struct_bytes = sizeof(EndRecord),
    MEMBERS(end_record_members),
};

static const Member train_state_members[] = {
    VALUE(TrainState, step),
    ARRAY(TrainState, loss_step, n_loss, LOSS_CURVE_POINTS),
    ARRAY_AGREEING(TrainState, loss, n_loss, 1, LOSS_CURVE_POINTS),
    VALUE(TrainState, stretch_sum),
    VALUE(TrainState, tenth_sum),
    ARRAY(TrainState, parameters, n_parameters, INT32_MAX),
    ARRAY(TrainState, m, n_moments, INT32_MAX),
    ARRAY_AGREEING(TrainState, v, n_moments, 1, INT32_MAX),
};
static const Binding train_state_binding = {
    .proto = &palinode__train_state__descriptor,
    .struct_bytes = sizeof(TrainState),
    MEMBERS(train_state_members),
};

static const Member checkpoint_record_members[] = {
    VALUE(CheckpointRecord, training_id), STRUCT(CheckpointRecord, spec, training_spec_binding),
    VALUE(CheckpointRecord, fingerprint), STRUCT(CheckpointRecord, state, train_state_binding),
    VALUE(CheckpointRecord, wall_s),      VALUE(CheckpointRecord, cpu_s),
};
static const Binding checkpoint_record_binding = {
    .proto = &palinode__checkpoint_record__descriptor,
    .struct_bytes = sizeof(CheckpointRecord),
    MEMBERS(checkpoint_record_members),
};

static const Member record_kinds[] = {
    KIND(Record, header, header_record_binding),
    KIND(Record, training, training_record_binding),
    KIND(Record, cell, cell_record_binding),
    KIND(Record, baseline, baseline_record_binding),
    KIND(Record, model, model_record_binding),
    KIND(Record, end, end_record_binding),
    KIND(Record, checkpoint, checkpoint_record_binding),
};
const Binding record_binding = {
    .proto = &palinode__record__descriptor,
    .struct_bytes = sizeof(Record),
    .is_union = true,
    MEMBERS(record_kinds),
};

/* --- messages --------------------------------------------------------------------------------------------------- */

static const Member critic_order_members[] = {
    VALUE(CriticOrder, id),
    STRUCT(CriticOrder, critic, critic_settings_binding),
    VALUE(CriticOrder, predictor),
};
static const Binding critic_order_binding = {
    .proto = &palinode__critic_order__descriptor,
    .struct_bytes = sizeof(CriticOrder),
    MEMBERS(critic_order_members),
};

static const Member work_item_members[] = {
    VALUE(WorkItem, work),
    VALUE(WorkItem, kind),
    VALUE(WorkItem, training_id),
    STRUCT(WorkItem, spec, training_spec_binding),
    STRUCT(WorkItem, evaluation, evaluation_settings_binding),
    VALUE(WorkItem, attempt),
    STRUCTS(WorkItem, orders, n_orders, MOST_ELEMENTS, critic_order_binding),
    ARRAY(WorkItem, parameters, n_parameters, INT32_MAX),
    VALUE(WorkItem, keep_model),
    VALUE(WorkItem, kernels),
    VALUE(WorkItem, checkpoint),
    VALUE(WorkItem, checkpoint_every_s),
    VALUE(WorkItem, model_fingerprint),
};
static const Binding work_item_binding = {
    .proto = &palinode__work_item__descriptor,
    .struct_bytes = sizeof(WorkItem),
    MEMBERS(work_item_members),
};

static const Member hello_members[] = {
    VALUE(Hello, rank), VALUE(Hello, workers),     VALUE(Hello, host),
    VALUE(Hello, cpu),  VALUE(Hello, fingerprint), VALUE(Hello, free_memory_bytes),
};
static const Binding hello_binding = {
    .proto = &palinode__hello__descriptor,
    .struct_bytes = sizeof(Hello),
    MEMBERS(hello_members),
};

static const Member progress_members[] = {
    VALUE(Progress, work),       VALUE(Progress, step),       VALUE(Progress, loss),   VALUE(Progress, flops_done),
    VALUE(Progress, saved_step), VALUE(Progress, first_step), VALUE(Progress, notice),
};
static const Binding progress_binding = {
    .proto = &palinode__progress__descriptor,
    .struct_bytes = sizeof(Progress),
    MEMBERS(progress_members),
};

static const Member work_done_members[] = {
    VALUE(WorkDone, work),
    STRUCTS(WorkDone, records, n_records, MOST_ELEMENTS, record_binding),
};
static const Binding work_done_binding = {
    .proto = &palinode__work_done__descriptor,
    .struct_bytes = sizeof(WorkDone),
    MEMBERS(work_done_members),
};

static const Member work_failed_members[] = {
    VALUE(WorkFailed, work),   VALUE(WorkFailed, rank),  VALUE(WorkFailed, host),
    VALUE(WorkFailed, reason), VALUE(WorkFailed, cause),
};
static const Binding work_failed_binding = {
    .proto = &palinode__work_failed__descriptor,
    .struct_bytes = sizeof(WorkFailed),
    MEMBERS(work_failed_members),
};

static const Member work_paused_members[] = {
    VALUE(WorkPaused, work),
    VALUE(WorkPaused, step),
};
static const Binding work_paused_binding = {
    .proto = &palinode__work_paused__descriptor,
    .struct_bytes = sizeof(WorkPaused),
    MEMBERS(work_paused_members),
};

static const Binding stop_binding = {.proto = &palinode__stop__descriptor};
static const Binding drain_binding = {.proto = &palinode__drain__descriptor};

static const Member message_kinds[] = {
    KIND(Message, hello, hello_binding),        KIND(Message, work, work_item_binding),
    KIND(Message, progress, progress_binding),  KIND(Message, done, work_done_binding),
    KIND(Message, failed, work_failed_binding), KIND(Message, stop, stop_binding),
    KIND(Message, drain, drain_binding),        KIND(Message, paused, work_paused_binding),
};
const Binding message_binding = {
    .proto = &palinode__message__descriptor,
    .struct_bytes = sizeof(Message),
    .is_union = true,
    MEMBERS(message_kinds),
};

/* --- public ----------------------------------------------------------------------------------------------------- */

void bytes_free(Bytes *bytes) {
    free(bytes->data);
    *bytes = (Bytes){0};
}

Status message_encode(const Message *message, Bytes *out, Error *err) {
    return binding_encode(&message_binding, message, &out->data, &out->size, err);
}

Status record_encode(const Record *record, Bytes *out, Error *err) {
    return binding_encode(&record_binding, record, &out->data, &out->size, err);
}

Status message_decode(const uint8_t *data, size_t size, Message *out, Error *err) {
    return binding_decode(&message_binding, data, size, out, err);
}

/* Files of before there were rollouts lack both settings of them; a share is never 0 else. What a training without
 * rollouts has there is the default in jobs/settings/settings.c: old and new ones are then of one configuration. */
static void complete_settings(TrainSettings *train) {
    if (train->on_policy_share != 0) return;
    train->on_policy_share = 0.5;
    train->exploration = 1;
}

/* Lengthens values by rows of NaN to known rows of count each; they lack -more. */
static bool add_rows(double **values, int32_t count, int known, int32_t more) {
    size_t wanted = (size_t)known * (size_t)count, have = (size_t)(known + more) * (size_t)count;
    if (have >= wanted) return true;
    double *longer = realloc(*values, wanted * sizeof *longer);
    if (longer == NULL) return false;
    for (size_t i = have; i < wanted; i++)
        longer[i] = NAN;
    *values = longer;
    return true;
}

/* Metrics that the version which wrote a record did not have are undefined in it. */
static Status complete_curves(Curves *curves, RoundCurves *rounds, Error *err) {
    bool done = add_rows(&curves->value, curves->n_points, METRIC_COUNT, curves->more_metrics) &&
                add_rows(&curves->standard_error, curves->n_points, METRIC_COUNT, curves->more_metrics);
    if (curves->more_metrics < 0) curves->more_metrics = 0;
    if (rounds != NULL) {
        done = done && add_rows(&rounds->value, rounds->count, ROUND_METRIC_COUNT, rounds->more_metrics) &&
               add_rows(&rounds->standard_error, rounds->count, ROUND_METRIC_COUNT, rounds->more_metrics);
        if (rounds->more_metrics < 0) rounds->more_metrics = 0;
    }
    return done ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for the metrics of a record");
}

/* What records of older versions lack. */
static Status complete_record(Record *record, Error *err) {
    switch (record->kind) {
    case RECORD_TRAINING:
        complete_settings(&record->of.training.spec.train);
        return STATUS_OK;
    case RECORD_MODEL:
        complete_settings(&record->of.model.spec.train);
        return STATUS_OK;
    case RECORD_CELL:
        return complete_curves(&record->of.cell.curves, &record->of.cell.rounds, err);
    case RECORD_BASELINE:
        return complete_curves(&record->of.baseline.curves, NULL, err);
    case RECORD_HEADER:
    case RECORD_END:
    case RECORD_CHECKPOINT:
        return STATUS_OK;
    }
    return STATUS_OK;
}

Status record_decode(const uint8_t *data, size_t size, Record *out, Error *err) {
    Status status = binding_decode(&record_binding, data, size, out, err);
    if (status == STATUS_OK) status = complete_record(out, err);
    if (status != STATUS_OK) record_free(out);
    return status;
}

void message_free(Message *message) {
    binding_free(&message_binding, message);
}

void record_free(Record *record) {
    binding_free(&record_binding, record);
}

Status curves_create(Curves *curves, int n_points, Error *err) {
    assert(n_points >= 0 && n_points <= MOST_POINTS);
    size_t count = (size_t)METRIC_COUNT * (size_t)n_points;
    *curves = (Curves){.n_points = n_points,
                       .value = malloc(count * sizeof(double)),
                       .standard_error = malloc(count * sizeof(double))};
    if (count > 0 && (curves->value == NULL || curves->standard_error == NULL)) {
        curves_free(curves);
        return error_set(err, STATUS_NO_MEMORY, "no memory for curves of %d points", n_points);
    }
    for (size_t i = 0; i < count; i++)
        curves->value[i] = curves->standard_error[i] = NAN;
    return STATUS_OK;
}

Status round_curves_create(RoundCurves *curves, int count, Error *err) {
    assert(count >= 0 && count <= MOST_POINTS);
    size_t values = (size_t)ROUND_METRIC_COUNT * (size_t)count;
    *curves = (RoundCurves){.count = count,
                            .value = malloc(values * sizeof(double)),
                            .standard_error = malloc(values * sizeof(double)),
                            .self_check_accuracy = NAN};
    if (values > 0 && (curves->value == NULL || curves->standard_error == NULL)) {
        round_curves_free(curves);
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d rounds", count - 1);
    }
    for (size_t i = 0; i < values; i++)
        curves->value[i] = curves->standard_error[i] = NAN;
    return STATUS_OK;
}

void round_curves_free(RoundCurves *curves) {
    free(curves->value);
    free(curves->standard_error);
    *curves = (RoundCurves){0};
}

void curves_free(Curves *curves) {
    free(curves->value);
    free(curves->standard_error);
    *curves = (Curves){0};
}

const char *id_text(Id id, char text[ID_TEXT_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        text[2 * i] = digits[id.bytes[i] >> 4];
        text[2 * i + 1] = digits[id.bytes[i] & 15];
    }
    text[ID_TEXT_BYTES - 1] = '\0';
    return text;
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool id_from_text(const char *text, Id *id) {
    if (strlen(text) != ID_TEXT_BYTES - 1) return false;
    Id result;
    for (size_t i = 0; i < sizeof result.bytes; i++) {
        int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        result.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *id = result;
    return true;
}
