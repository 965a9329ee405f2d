/* The codec: nothing is forgotten, nothing is changed, and damaged bytes are refused with the place named. */
#include "tests/fixtures/wire_samples.h"

#include "proto/schema/palinode.pb-c.h"

#include <ctype.h>
#include <math.h>

static const Binding *const roots[] = {&record_binding, &message_binding};

/* --- the tables ------------------------------------------------------------------------------------------------- */

static void check_agreement(const Binding *binding) {
    const ProtobufCMessageDescriptor *proto = binding->proto;
    assert_int_equal(binding->n_members, proto->n_fields);
    for (size_t i = 0; i < binding->n_members; i++) {
        const Member *member = &binding->members[i];
        const ProtobufCFieldDescriptor *field = &proto->fields[i];
        assert_string_equal(member->name, field->name);
        bool is_enum = field->type == PROTOBUF_C_TYPE_ENUM;
        assert_int_equal(member->type, is_enum ? PROTOBUF_C_TYPE_UINT32 : field->type);
        assert_int_equal(member->count_bytes > 0, field->label == PROTOBUF_C_LABEL_REPEATED);
        assert_int_equal(binding->is_union, (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0);
        if (member->of != NULL) {
            assert_ptr_equal(member->of->proto, field->descriptor);
            check_agreement(member->of);
        } else if (member->count_bytes > 0) {
            assert_true(field->flags & PROTOBUF_C_FIELD_FLAG_PACKED);
        }
    }
}

static void every_member_agrees_with_its_field_in_name_type_and_order(void **state) {
    for (size_t i = 0; i < 2; i++)
        check_agreement(roots[i]);
}

static size_t alignment_of(const Binding *binding) {
    size_t most = binding->is_union ? 8 : 1;
    for (size_t i = 0; i < binding->n_members; i++) {
        const Member *member = &binding->members[i];
        bool is_struct = member->of != NULL && member->count_bytes == 0;
        size_t own = is_struct ? alignment_of(member->of) : member->type == PROTOBUF_C_TYPE_BYTES ? 1 : member->bytes;
        if (own > most) most = own;
    }
    return most;
}

/* Every byte of the struct belongs to a listed member or a count, or is padding that the next member needs. */
static void check_coverage(const Binding *binding) {
    char *owner_of = calloc(binding->struct_bytes + 1, 1); /* alignment of the member that starts here; -1: inside */
    for (size_t i = 0; i < binding->n_members; i++) {
        const Member *member = &binding->members[i];
        bool is_struct = member->of != NULL && member->count_bytes == 0;
        size_t own = is_struct ? alignment_of(member->of) : member->type == PROTOBUF_C_TYPE_BYTES ? 1 : member->bytes;
        memset(owner_of + member->offset, -1, is_struct ? member->of->struct_bytes : member->bytes);
        owner_of[member->offset] = (char)own;
        if (member->count_bytes > 0) {
            memset(owner_of + member->count_offset, -1, member->count_bytes);
            owner_of[member->count_offset] = (char)member->count_bytes;
            if (member->has_rows) {
                memset(owner_of + member->more_offset, -1, sizeof(int32_t));
                owner_of[member->more_offset] = sizeof(int32_t);
            }
        }
        if (member->of != NULL && !member->of->is_union) check_coverage(member->of);
    }
    owner_of[binding->struct_bytes] = (char)alignment_of(binding);
    for (size_t i = 0, end; i < binding->struct_bytes; i = end + 1) {
        for (end = i; owner_of[end] == 0;)
            end++;
        size_t alignment = (size_t)owner_of[end];
        if (end > i && (i + alignment - 1) / alignment * alignment != end)
            fail_msg("%s: bytes %zu to %zu belong to no field", binding->proto->name, i, end);
    }
    free(owner_of);
}

static void no_member_of_a_struct_is_forgotten(void **state) {
    for (size_t i = 0; i < record_binding.n_members; i++)
        check_coverage(record_binding.members[i].of);
    for (size_t i = 0; i < message_binding.n_members; i++)
        check_coverage(message_binding.members[i].of);
}

/* Names in job files are those of the schema in lower case without the prefix. */
#define check_names(descriptor, prefix, name_of)                                                                       \
    for (unsigned i = 0; i < (descriptor).n_values; i++) {                                                             \
        char expected[64];                                                                                             \
        snprintf(expected, sizeof expected, "%s", (descriptor).values[i].name + strlen(prefix));                       \
        for (char *c = expected; *c != '\0'; c++)                                                                      \
            *c = (char)tolower(*c);                                                                                    \
        assert_string_equal(name_of((descriptor).values[i].value), expected);                                          \
    }                                                                                                                  \
    assert_string_equal(name_of((descriptor).n_values), "?")

static void enumerations_have_the_same_values_in_schema_and_settings(void **state) {
    check_names(palinode__attention__descriptor, "ATTENTION_", attention_name);
    check_names(palinode__task_noise__descriptor, "TASK_NOISE_", task_noise_name);
    check_names(palinode__objective__descriptor, "OBJECTIVE_", objective_name);
    check_names(palinode__train_context__descriptor, "CONTEXT_", train_context_name);
    check_names(palinode__rate_decay__descriptor, "RATE_", rate_decay_name);
    check_names(palinode__precision__descriptor, "PRECISION_", precision_name);
    check_names(palinode__critic_noise__descriptor, "CRITIC_", critic_noise_name);
    check_names(palinode__critic_feedback__descriptor, "FEEDBACK_", critic_feedback_name);
    check_names(palinode__predictor__descriptor, "PREDICTOR_", predictor_name);
    check_names(palinode__metric__descriptor, "METRIC_", metric_name);
    assert_int_equal(PALINODE__OUTCOME__OUTCOME_DONE, OUTCOME_DONE);
    assert_int_equal(PALINODE__OUTCOME__OUTCOME_DIVERGED, OUTCOME_DIVERGED);
    assert_int_equal(PALINODE__OUTCOME__OUTCOME_FAILED, OUTCOME_FAILED);
    assert_int_equal(PALINODE__WORK_KIND__WORK_TRAINING, WORK_TRAINING);
    assert_int_equal(PALINODE__WORK_KIND__WORK_EVALUATION, WORK_EVALUATION);
    assert_int_equal(PALINODE__WORK_KIND__WORK_BASELINES, WORK_BASELINES);
    assert_int_equal(PALINODE__RECORD__OF_HEADER, RECORD_HEADER);
    assert_int_equal(PALINODE__RECORD__OF_TRAINING, RECORD_TRAINING);
    assert_int_equal(PALINODE__RECORD__OF_CELL, RECORD_CELL);
    assert_int_equal(PALINODE__RECORD__OF_BASELINE, RECORD_BASELINE);
    assert_int_equal(PALINODE__RECORD__OF_MODEL, RECORD_MODEL);
    assert_int_equal(PALINODE__RECORD__OF_END, RECORD_END);
    assert_int_equal(PALINODE__RECORD__OF_CHECKPOINT, RECORD_CHECKPOINT);
    assert_int_equal(PALINODE__MESSAGE__OF_HELLO, MESSAGE_HELLO);
    assert_int_equal(PALINODE__MESSAGE__OF_WORK, MESSAGE_WORK);
    assert_int_equal(PALINODE__MESSAGE__OF_PROGRESS, MESSAGE_PROGRESS);
    assert_int_equal(PALINODE__MESSAGE__OF_DONE, MESSAGE_DONE);
    assert_int_equal(PALINODE__MESSAGE__OF_FAILED, MESSAGE_FAILED);
    assert_int_equal(PALINODE__MESSAGE__OF_STOP, MESSAGE_STOP);
}

/* --- round trips ------------------------------------------------------------------------------------------------ */

static void every_kind_of_record_survives_with_every_field_set(void **state) {
    for (int kind = 1; kind <= RECORD_KINDS; kind++) {
        Record record = sample_record((RecordKind)kind, 1), back;
        Bytes bytes;
        Error err = {""};
        assert_int_equal(record_encode(&record, &bytes, &err), STATUS_OK);
        if (record_decode(bytes.data, bytes.size, &back, &err) != STATUS_OK) fail_msg("%s", err.text);
        assert_true(sample_equal(&record_binding, &record, &back));
        bytes_free(&bytes);
        record_free(&record);
        record_free(&back);
        assert_int_equal(back.kind, 0);
    }
}

static void every_kind_of_message_survives_with_every_field_set(void **state) {
    for (int kind = 1; kind <= MESSAGE_KINDS; kind++) {
        Message message = sample_message((MessageKind)kind, 1), back;
        Bytes bytes;
        Error err = {""};
        assert_int_equal(message_encode(&message, &bytes, &err), STATUS_OK);
        if (message_decode(bytes.data, bytes.size, &back, &err) != STATUS_OK) fail_msg("%s", err.text);
        assert_true(sample_equal(&message_binding, &message, &back));
        bytes_free(&bytes);
        message_free(&message);
        message_free(&back);
    }
}

static void sample_comparison_can_fail(void **state) {
    Record a = sample_record(RECORD_CELL, 1), b = sample_record(RECORD_CELL, 1);
    assert_true(sample_equal(&record_binding, &a, &b));
    b.of.cell.curves.standard_error[5] += 1;
    assert_false(sample_equal(&record_binding, &a, &b));
    record_free(&a);
    record_free(&b);
}

/* Fills a message of protobuf-c by its descriptor alone, as another program would. Numbers only: settings. */
static void fill_by_descriptor(ProtobufCMessage *message, int *next) {
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        void *place = (char *)message + field->offset;
        int number = (*next)++;
        if (field->type == PROTOBUF_C_TYPE_DOUBLE)
            *(double *)place = number + 0.5;
        else if (field->type == PROTOBUF_C_TYPE_INT64)
            *(int64_t *)place = (5ll << 33) + number;
        else if (field->type == PROTOBUF_C_TYPE_BOOL)
            *(protobuf_c_boolean *)place = 1;
        else if (field->type == PROTOBUF_C_TYPE_ENUM)
            *(int *)place = (int)((const ProtobufCEnumDescriptor *)field->descriptor)->n_values - 1;
        else if (field->type == PROTOBUF_C_TYPE_INT32 || field->type == PROTOBUF_C_TYPE_UINT32)
            *(int32_t *)place = number;
        else
            fail_msg("%s.%s: a type that settings did not have before", message->descriptor->name, field->name);
    }
}

static void check_same_fields(const ProtobufCMessage *a, const ProtobufCMessage *b) {
    uint8_t first[512], second[512];
    size_t size = protobuf_c_message_pack(a, first);
    assert_int_equal(protobuf_c_message_pack(b, second), size);
    assert_memory_equal(first, second, size);
}

static void every_field_of_the_settings_survives_by_reflection(void **state) {
    Palinode__ModelSettings model = PALINODE__MODEL_SETTINGS__INIT;
    Palinode__TaskSettings task = PALINODE__TASK_SETTINGS__INIT;
    Palinode__TrainSettings train = PALINODE__TRAIN_SETTINGS__INIT;
    Palinode__CriticSettings critic = PALINODE__CRITIC_SETTINGS__INIT;
    Palinode__EvaluationSettings evaluation = PALINODE__EVALUATION_SETTINGS__INIT;
    int next = 1;
    fill_by_descriptor(&model.base, &next);
    fill_by_descriptor(&task.base, &next);
    fill_by_descriptor(&train.base, &next);
    fill_by_descriptor(&critic.base, &next);
    fill_by_descriptor(&evaluation.base, &next);
    uint8_t id[16] = {1};
    Palinode__TrainingSpec spec = PALINODE__TRAINING_SPEC__INIT;
    spec.model = &model, spec.task = &task, spec.train = &train, spec.seed = 4000000000u;
    Palinode__CriticOrder order = PALINODE__CRITIC_ORDER__INIT, *orders = &order;
    order.id.data = id, order.id.len = sizeof id, order.critic = &critic;
    Palinode__WorkItem work = PALINODE__WORK_ITEM__INIT;
    work.kind = PALINODE__WORK_KIND__WORK_TRAINING, work.training_id = order.id, work.spec = &spec;
    work.evaluation = &evaluation, work.n_orders = 1, work.orders = &orders;
    Palinode__Message message = PALINODE__MESSAGE__INIT;
    message.of_case = PALINODE__MESSAGE__OF_WORK, message.work = &work;
    uint8_t packed[1024];
    size_t size = palinode__message__pack(&message, packed);

    Message ours;
    Bytes again;
    Error err = {""};
    if (message_decode(packed, size, &ours, &err) != STATUS_OK) fail_msg("%s", err.text);
    assert_int_equal(ours.of.work.spec.seed, 4000000000u);
    assert_int_equal(ours.of.work.spec.model.n_layer, 1);
    assert_near(ours.of.work.orders[0].critic.quality, critic.quality, 0);
    assert_int_equal(message_encode(&ours, &again, &err), STATUS_OK);
    Palinode__Message *back = palinode__message__unpack(NULL, again.size, again.data);
    assert_non_null(back);
    check_same_fields(&back->work->spec->model->base, &model.base);
    check_same_fields(&back->work->spec->task->base, &task.base);
    check_same_fields(&back->work->spec->train->base, &train.base);
    check_same_fields(&back->work->orders[0]->critic->base, &critic.base);
    check_same_fields(&back->work->evaluation->base, &evaluation.base);
    palinode__message__free_unpacked(back, NULL);
    bytes_free(&again);
    message_free(&ours);
}

static void undefined_numbers_stay_undefined_and_empty_arrays_empty(void **state) {
    Record record = {.kind = RECORD_CELL}, back;
    Bytes bytes;
    assert_int_equal(curves_create(&record.of.cell.curves, 4, NULL), STATUS_OK);
    record.of.cell.self_check_accuracy = NAN;
    record.of.cell.curves.value[curves_at(&record.of.cell.curves, METRIC_KENDALL_TAU, 3)] = 0.25;
    assert_int_equal(record_encode(&record, &bytes, NULL), STATUS_OK);
    assert_int_equal(record_decode(bytes.data, bytes.size, &back, NULL), STATUS_OK);
    assert_true(isnan(back.of.cell.self_check_accuracy));
    for (int i = 0; i < 4 * METRIC_COUNT; i++) {
        if (i == 1 * 4 + 3)
            assert_near(back.of.cell.curves.value[i], 0.25, 0);
        else
            assert_true(isnan(back.of.cell.curves.value[i]));
        assert_true(isnan(back.of.cell.curves.standard_error[i]));
    }
    bytes_free(&bytes);
    record_free(&record);
    record_free(&back);
    Message done = {.kind = MESSAGE_DONE}, none;
    assert_int_equal(message_encode(&done, &bytes, NULL), STATUS_OK);
    assert_int_equal(message_decode(bytes.data, bytes.size, &none, NULL), STATUS_OK);
    assert_int_equal(none.of.done.n_records, 0);
    bytes_free(&bytes);
    message_free(&none);
}

/* Numbers that are 0 are absent on the wire. */
static void a_record_of_before_rollouts_has_the_defaults_of_their_settings(void **state) {
    const RecordKind kinds[] = {RECORD_TRAINING, RECORD_MODEL};
    for (int i = 0; i < 4; i++) {
        Record record = {.kind = kinds[i / 2]}, back;
        TrainingSpec *spec = i / 2 == 0 ? &record.of.training.spec : &record.of.model.spec,
                     *decoded = i / 2 == 0 ? &back.of.training.spec : &back.of.model.spec;
        spec->train.on_policy_share = i % 2 == 0 ? 0 : 0.25;
        Bytes bytes;
        assert_int_equal(record_encode(&record, &bytes, NULL), STATUS_OK);
        assert_int_equal(record_decode(bytes.data, bytes.size, &back, NULL), STATUS_OK);
        assert_true(decoded->train.on_policy_share == (i % 2 == 0 ? 0.5 : 0.25));
        assert_true(decoded->train.exploration == (i % 2 == 0 ? 1 : 0));
        bytes_free(&bytes);
        record_free(&back);
    }
}

static void absent_text_travels_as_empty_and_bad_utf8_as_question_marks(void **state) {
    Message message = {.kind = MESSAGE_FAILED, .of.failed.reason = "d\xc3\xa9j\xc3 \xed\xa0\x80\xf0\x9f\x8e\xb2"}, back;
    Bytes bytes;
    assert_int_equal(message_encode(&message, &bytes, NULL), STATUS_OK);
    assert_int_equal(message_decode(bytes.data, bytes.size, &back, NULL), STATUS_OK);
    assert_string_equal(back.of.failed.host, "");
    assert_string_equal(back.of.failed.reason, "d\xc3\xa9j? ???\xf0\x9f\x8e\xb2");
    bytes_free(&bytes);
    message_free(&back);
}

static void ids_become_text_and_back(void **state) {
    Id id, back;
    char text[ID_TEXT_BYTES];
    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)(17 * i + 3);
    assert_string_equal(id_text(id, text), "03142536475869"
                                           "7a8b9cadbecfe0f102");
    assert_true(id_from_text(text, &back));
    assert_true(id_equal(id, back));
    assert_true(id_from_text("03142536475869"
                             "7A8B9CADBECFE0F102",
                             &back));
    assert_true(id_equal(id, back));
    assert_false(id_from_text("", &back));
    assert_false(id_from_text("0314253647586", &back));
    assert_false(id_from_text("031425364758697a8b9cadbecfe0f1020", &back));
    assert_false(id_from_text("031425364758697a8b9cadbecfe0f10g", &back));
    back.bytes[15] ^= 1;
    assert_false(id_equal(id, back));
}

/* --- damage ----------------------------------------------------------------------------------------------------- */

/* Encodes record as protobuf-c's struct, lets change spoil it, and expects the decoder's refusal to contain words. */
static void check_refused(RecordKind kind, void (*change)(Palinode__Record *record), const char *words) {
    Record record = sample_record(kind, 1), out;
    Bytes bytes;
    Error err = {""};
    assert_int_equal(record_encode(&record, &bytes, NULL), STATUS_OK);
    Palinode__Record *message = palinode__record__unpack(NULL, bytes.size, bytes.data);
    change(message);
    uint8_t *packed = malloc(palinode__record__get_packed_size(message));
    size_t size = palinode__record__pack(message, packed);
    assert_int_equal(record_decode(packed, size, &out, &err), STATUS_DATA);
    if (strstr(err.text, words) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    free(packed);
    palinode__record__free_unpacked(message, NULL);
    bytes_free(&bytes);
    record_free(&record);
}

static void unknown_objective(Palinode__Record *record) {
    record->training->spec->train->objective = (Palinode__Objective)9;
}
static void unknown_predictor(Palinode__Record *record) {
    record->baseline->predictor = (Palinode__Predictor)-1;
}
static void short_id(Palinode__Record *record) {
    record->cell->training_id.len = 15;
}
static void short_curve(Palinode__Record *record) {
    record->cell->curves->n_standard_error--;
}
static void negative_points(Palinode__Record *record) {
    record->cell->curves->n_points = -1;
}
static void unequal_loss(Palinode__Record *record) {
    record->training->n_loss--;
}
static void long_loss(Palinode__Record *record) {
    record->training->loss_step = realloc(record->training->loss_step, 501 * sizeof(int64_t));
    memset(record->training->loss_step, 1, 501 * sizeof(int64_t));
    record->training->n_loss_step = 501;
}
static void without_spec(Palinode__Record *record) {
    palinode__training_spec__free_unpacked(record->model->spec, NULL);
    record->model->spec = NULL;
}
static void without_curves(Palinode__Record *record) {
    palinode__curves__free_unpacked(record->cell->curves, NULL);
    record->cell->curves = NULL;
}
static void without_kind(Palinode__Record *record) {
    palinode__end_record__free_unpacked(record->end, NULL);
    record->end = NULL;
    record->of_case = PALINODE__RECORD__OF__NOT_SET;
}

/* Rows of n values each: 0, 1, 2, .. */
static void set_rows(Palinode__Curves *curves, size_t rows, size_t n) {
    double **arrays[] = {&curves->value, &curves->standard_error};
    for (int k = 0; k < 2; k++) {
        *arrays[k] = realloc(*arrays[k], rows * n * sizeof(double));
        for (size_t i = 0; i < rows * n; i++)
            (*arrays[k])[i] = (double)i;
    }
    curves->n_points = (int32_t)n;
    curves->n_value = curves->n_standard_error = rows * n;
}

static void no_rows(Palinode__Record *record) {
    record->cell->curves->n_value = 0;
}
static void half_a_row(Palinode__Record *record) {
    record->cell->curves->n_value--;
}
static void too_many_rows(Palinode__Record *record) {
    set_rows(record->cell->curves, 1001, 1);
}

static void what_does_not_fit_is_refused_with_the_field_named(void **state) {
    check_refused(RECORD_TRAINING, unknown_objective, "training: spec: train: objective: 9 is no Objective");
    check_refused(RECORD_BASELINE, unknown_predictor, "baseline: predictor: -1 is no Predictor");
    check_refused(RECORD_CELL, short_id, "cell: training_id: has 15 bytes, expected 16");
    check_refused(RECORD_CELL, short_curve, "cell: curves: standard_error: has ");
    check_refused(RECORD_CELL, half_a_row, "cell: curves: value: has ");
    check_refused(RECORD_CELL, no_rows, "cell: curves: value: has 0 rows, expected 1 to 1000");
    check_refused(RECORD_CELL, too_many_rows, "cell: curves: value: has 1001 rows, expected 1 to 1000");
    check_refused(RECORD_CELL, negative_points, "cell: curves: value: a count of -1 is outside");
    check_refused(RECORD_TRAINING, unequal_loss, "training: loss: has 2 elements, expected 3");
    check_refused(RECORD_TRAINING, long_loss, "training: loss_step: has 501 elements, expected at most 500");
    check_refused(RECORD_MODEL, without_spec, "model: spec: is missing");
    check_refused(RECORD_CELL, without_curves, "cell: curves: is missing");
    check_refused(RECORD_END, without_kind, "the kind of Record is none that this version knows");
}

static void a_cell_of_a_version_without_rounds_has_none(void **state) {
    Record record = sample_record(RECORD_CELL, 1), back;
    Bytes bytes;
    Error err = {""};
    assert_int_equal(record_encode(&record, &bytes, NULL), STATUS_OK);
    Palinode__Record *message = palinode__record__unpack(NULL, bytes.size, bytes.data);
    palinode__round_curves__free_unpacked(message->cell->rounds, NULL);
    message->cell->rounds = NULL;
    bytes.size = palinode__record__pack(message, bytes.data); /* shorter than before */
    if (record_decode(bytes.data, bytes.size, &back, &err) != STATUS_OK) fail_msg("%s", err.text);
    const RoundCurves none = {0};
    assert_memory_equal(&back.of.cell.rounds, &none, sizeof none);
    round_curves_free(&record.of.cell.rounds);
    assert_true(sample_equal(&record_binding, &record, &back));
    palinode__record__free_unpacked(message, NULL);
    bytes_free(&bytes);
    record_free(&record);
    record_free(&back);
}

/* A cell as a version with so many metrics writes it. */
static Record cell_of_metrics(size_t rows, size_t n) {
    Record record = sample_record(RECORD_CELL, 1), back;
    Bytes bytes;
    Error err = {""};
    assert_int_equal(record_encode(&record, &bytes, NULL), STATUS_OK);
    Palinode__Record *message = palinode__record__unpack(NULL, bytes.size, bytes.data);
    set_rows(message->cell->curves, rows, n);
    uint8_t *packed = malloc(palinode__record__get_packed_size(message));
    size_t size = palinode__record__pack(message, packed);
    if (record_decode(packed, size, &back, &err) != STATUS_OK) fail_msg("%s", err.text);
    free(packed);
    palinode__record__free_unpacked(message, NULL);
    bytes_free(&bytes);
    record_free(&record);
    return back;
}

static void a_record_of_a_version_with_fewer_metrics_has_the_others_undefined(void **state) {
    Record record = cell_of_metrics(METRIC_COUNT - 1, 4);
    const Curves *curves = &record.of.cell.curves;
    assert_int_equal(curves->more_metrics, 0);
    for (int i = 0; i < 4 * METRIC_COUNT; i++) {
        double known = i < 4 * (METRIC_COUNT - 1) ? i : NAN;
        assert_memory_equal(&curves->value[i], &known, sizeof known);
        assert_memory_equal(&curves->standard_error[i], &known, sizeof known);
    }
    record_free(&record);
}

static void metrics_of_a_newer_version_are_kept_when_a_record_is_written_again(void **state) {
    Record record = cell_of_metrics(METRIC_COUNT + 2, 4), again;
    Bytes bytes;
    assert_int_equal(record.of.cell.curves.more_metrics, 2);
    assert_int_equal(record_encode(&record, &bytes, NULL), STATUS_OK);
    assert_int_equal(record_decode(bytes.data, bytes.size, &again, NULL), STATUS_OK);
    for (int i = 0; i < 4 * (METRIC_COUNT + 2); i++)
        assert_near(again.of.cell.curves.value[i], i, 0);
    bytes_free(&bytes);
    record_free(&record);
    record_free(&again);
}

static void work_of_an_unspecified_kind_is_refused(void **state) {
    Message message = sample_message(MESSAGE_WORK, 1), out;
    Bytes bytes;
    Error err = {""};
    assert_int_equal(message_encode(&message, &bytes, NULL), STATUS_OK);
    Palinode__Message *changed = palinode__message__unpack(NULL, bytes.size, bytes.data);
    changed->work->kind = PALINODE__WORK_KIND__WORK_UNSPECIFIED;
    bytes.size = palinode__message__pack(changed, bytes.data); /* shorter than before */
    assert_int_equal(message_decode(bytes.data, bytes.size, &out, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "work: kind: 0 is no WorkKind"));
    palinode__message__free_unpacked(changed, NULL);
    bytes_free(&bytes);
    message_free(&message);
}

static void fields_of_the_future_are_ignored(void **state) {
    Record record = sample_record(RECORD_END, 1), back;
    Bytes bytes;
    assert_int_equal(record_encode(&record, &bytes, NULL), STATUS_OK);
    uint8_t *longer = malloc(bytes.size + 3);
    memcpy(longer, bytes.data, bytes.size);
    memcpy(longer + bytes.size, (uint8_t[]){0xa0, 0x06, 0x05}, 3); /* field 100, number 5 */
    assert_int_equal(record_decode(longer, bytes.size + 3, &back, NULL), STATUS_OK);
    assert_true(sample_equal(&record_binding, &record, &back));
    free(longer);
    bytes_free(&bytes);
    record_free(&record);
    record_free(&back);
}

static uint32_t draw(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Decodes the start of bytes, which may be anything, and expects a result or a refusal. */
static bool survives(bool is_message, const uint8_t *data, size_t size) {
    uint8_t *exact = malloc(size + (size == 0)); /* so that a read beyond is seen by AddressSanitizer */
    memcpy(exact, data, size);
    Record record;
    Message message;
    Status status =
        is_message ? message_decode(exact, size, &message, NULL) : record_decode(exact, size, &record, NULL);
    if (status == STATUS_OK && is_message) message_free(&message);
    if (status == STATUS_OK && !is_message) record_free(&record);
    free(exact);
    assert_true(status == STATUS_OK || status == STATUS_DATA);
    return status == STATUS_OK;
}

static void damaged_bytes_never_do_harm(void **state) {
    uint32_t seed = 1;
    int refused = 0;
    for (int k = 0; k < RECORD_KINDS + MESSAGE_KINDS; k++) {
        bool is_message = k >= RECORD_KINDS;
        Record record = sample_record((RecordKind)(is_message ? 1 : k + 1), 1);
        Message message = sample_message((MessageKind)(is_message ? k - RECORD_KINDS + 1 : 1), 1);
        Bytes bytes;
        Status status = is_message ? message_encode(&message, &bytes, NULL) : record_encode(&record, &bytes, NULL);
        assert_int_equal(status, STATUS_OK);
        for (size_t size = 0; size < bytes.size; size += 1 + size / 200)
            survives(is_message, bytes.data, size);
        uint8_t *spoilt = malloc(bytes.size);
        for (int round = 0; round < 3000; round++) {
            memcpy(spoilt, bytes.data, bytes.size);
            for (uint32_t changes = 1 + draw(&seed) % 4; changes > 0; changes--) {
                size_t reach = draw(&seed) % 2 && bytes.size > 64 ? 64 : bytes.size; /* more often where lengths are */
                spoilt[draw(&seed) % reach] = (uint8_t)draw(&seed);
            }
            refused += !survives(is_message, spoilt, bytes.size);
        }
        free(spoilt);
        bytes_free(&bytes);
        record_free(&record);
        message_free(&message);
    }
    assert_in_range(refused, 3000, 3000 * (RECORD_KINDS + MESSAGE_KINDS) - 1);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_agrees_with_its_field_in_name_type_and_order),
        cmocka_unit_test(no_member_of_a_struct_is_forgotten),
        cmocka_unit_test(enumerations_have_the_same_values_in_schema_and_settings),
        cmocka_unit_test(every_kind_of_record_survives_with_every_field_set),
        cmocka_unit_test(every_kind_of_message_survives_with_every_field_set),
        cmocka_unit_test(sample_comparison_can_fail),
        cmocka_unit_test(every_field_of_the_settings_survives_by_reflection),
        cmocka_unit_test(undefined_numbers_stay_undefined_and_empty_arrays_empty),
        cmocka_unit_test(a_record_of_before_rollouts_has_the_defaults_of_their_settings),
        cmocka_unit_test(absent_text_travels_as_empty_and_bad_utf8_as_question_marks),
        cmocka_unit_test(ids_become_text_and_back),
        cmocka_unit_test(what_does_not_fit_is_refused_with_the_field_named),
        cmocka_unit_test(a_cell_of_a_version_without_rounds_has_none),
        cmocka_unit_test(a_record_of_a_version_with_fewer_metrics_has_the_others_undefined),
        cmocka_unit_test(metrics_of_a_newer_version_are_kept_when_a_record_is_written_again),
        cmocka_unit_test(work_of_an_unspecified_kind_is_refused),
        cmocka_unit_test(fields_of_the_future_are_ignored),
        cmocka_unit_test(damaged_bytes_never_do_harm),
    };
    return run_tests(tests, argc, argv);
}
