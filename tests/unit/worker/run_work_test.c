/* A piece of work from its order to its records. */
#include "tests/harness.h"

#include "proto/wire/codec.h"
#include "proto/wire/cost.h"
#include "worker/model/shape.h"
#include "worker/work/run_work.h"

#include <math.h>
#include <stdlib.h>

enum { ORDERS = 2, STEPS = 20 };

static CriticOrder orders[ORDERS];

/* A training of a few milliseconds, evaluated under a perfect critic and one of quality 0.5. */
static WorkItem tiny_work(void) {
    static char kernels[] = "";
    for (int k = 0; k < ORDERS; k++)
        orders[k] = (CriticOrder){.id = {{(uint8_t)(k + 1)}}, .critic = {.quality = k == 0 ? 1 : 0.5}};
    return (WorkItem){
        .work = 77,
        .kind = WORK_TRAINING,
        .training_id = {{9}},
        .spec = {.model = {.n_layer = 1, .n_head = 2, .n_embd = 8, .ffn = true, .causal = true},
                 .task = {.n_dims = 2, .n_points = 4},
                 .train = {.steps = STEPS,
                           .batch_size = 4,
                           .gradient_shards = 2,
                           .learning_rate = 1e-3,
                           .critic_quality = 1},
                 .seed = 6},
        .evaluation = {.prompts = 30, .gd_steps = 5},
        .attempt = 2,
        .n_orders = ORDERS,
        .orders = orders,
        .keep_model = true,
        .kernels = kernels,
    };
}

static WorkDone done_of(const WorkItem *item) {
    WorkDone done;
    Error err;
    if (run_work(item, 3, "here", NULL, NULL, &done, &err) != STATUS_OK) fail_msg("%s", err.text);
    return done;
}

static void free_done(WorkDone *done) {
    Message message = {.kind = MESSAGE_DONE, .of.done = *done};
    message_free(&message);
}

static void assert_curves_equal(const Curves *a, const Curves *b) {
    size_t bytes = METRIC_COUNT * (size_t)a->n_points * sizeof(double);
    assert_int_equal(a->n_points, b->n_points);
    assert_memory_equal(a->value, b->value, bytes);
    assert_memory_equal(a->standard_error, b->standard_error, bytes);
}

static void a_training_returns_its_record_its_model_and_a_cell_an_order(void **state) {
    (void)state;
    WorkItem item = tiny_work();
    WorkDone done = done_of(&item);
    assert_int_equal(done.work, 77);
    assert_int_equal(done.n_records, 2 + ORDERS);

    assert_int_equal(done.records[0].kind, RECORD_TRAINING);
    const TrainingRecord *training = &done.records[0].of.training;
    assert_true(id_equal(training->training_id, item.training_id));
    assert_int_equal(training->outcome, OUTCOME_DONE);
    assert_string_equal(training->reason, "");
    assert_int_equal(training->attempts, 2);
    assert_int_equal(training->steps_done, STEPS);
    assert_int_equal(training->n_loss, STEPS);
    assert_true(isfinite(training->final_loss));
    assert_string_equal(training->host, "here");
    assert_int_equal(training->rank, 3);
    assert_near(training->flops / (STEPS * cost_step_flops(&item.spec)), 1, 1e-12);
    assert_true(training->wall_s > 0 && training->cpu_s > 0 && training->peak_memory_bytes > 100000);
    assert_true(training->ended_unix_ms > 1600000000000);
    assert_non_null(strstr(training->fingerprint, "kernels"));

    assert_int_equal(done.records[1].kind, RECORD_MODEL);
    assert_true(id_equal(done.records[1].of.model.training_id, item.training_id));
    for (int k = 0; k < ORDERS; k++) {
        assert_int_equal(done.records[2 + k].kind, RECORD_CELL);
        const CellRecord *cell = &done.records[2 + k].of.cell;
        assert_true(id_equal(cell->cell_id, orders[k].id));
        assert_true(id_equal(cell->training_id, item.training_id));
        assert_near(cell->critic.quality, orders[k].critic.quality, 0);
        assert_int_equal(cell->prompts, 30);
        assert_int_equal(cell->curves.n_points, 4);
        assert_true(k == 0 ? cell->self_check_accuracy == 1 : cell->self_check_accuracy < 0.9);
        assert_true(isfinite(cell->curves.value[curves_at(&cell->curves, METRIC_KENDALL_TAU, 3)]));
        assert_string_equal(cell->fingerprint, training->fingerprint);
    }
    free_done(&done);
}

static void a_training_in_bfloat16_is_measured_in_float32(void **state) {
    (void)state;
    WorkItem item = tiny_work(), again = tiny_work();
    item.spec.train.precision = PRECISION_BF16;
    WorkDone done = done_of(&item);
    const ModelRecord *model = &done.records[1].of.model;
    assert_non_null(strstr(done.records[0].of.training.fingerprint, "bf16"));
    assert_non_null(strstr(model->fingerprint, "bf16"));
    again.kind = WORK_EVALUATION; /* of the same parameters, as if float32 had trained them */
    again.parameters = model->parameters;
    again.n_parameters = model->n_parameters;
    WorkDone evaluated = done_of(&again);
    for (int k = 0; k < ORDERS; k++) {
        assert_null(strstr(done.records[2 + k].of.cell.fingerprint, "bf16"));
        assert_curves_equal(&evaluated.records[k].of.cell.curves, &done.records[2 + k].of.cell.curves);
    }
    free_done(&evaluated);
    free_done(&done);
}

static void a_model_that_is_not_kept_is_not_returned(void **state) {
    (void)state;
    WorkItem item = tiny_work();
    item.keep_model = false;
    WorkDone done = done_of(&item);
    assert_int_equal(done.n_records, 1 + ORDERS);
    assert_int_equal(done.records[1].kind, RECORD_CELL);
    free_done(&done);
}

static void a_kept_model_gives_the_same_cells_without_training(void **state) {
    (void)state;
    WorkItem item = tiny_work(), again = tiny_work();
    WorkDone done = done_of(&item);
    const ModelRecord *model = &done.records[1].of.model;
    again.kind = WORK_EVALUATION;
    again.parameters = model->parameters;
    again.n_parameters = model->n_parameters;
    WorkDone evaluated = done_of(&again);
    assert_int_equal(evaluated.n_records, ORDERS);
    for (int k = 0; k < ORDERS; k++) {
        assert_int_equal(evaluated.records[k].kind, RECORD_CELL);
        assert_curves_equal(&evaluated.records[k].of.cell.curves, &done.records[2 + k].of.cell.curves);
    }
    free_done(&evaluated);
    free_done(&done);
}

static void a_cell_holds_as_many_rounds_as_the_evaluation_has(void **state) {
    (void)state;
    WorkItem item = tiny_work();
    WorkDone without = done_of(&item);
    item.evaluation.rounds = 2;
    item.evaluation.initial_responses = 1;
    item.evaluation.right_cosine = 0.9;
    WorkDone with = done_of(&item);
    for (int k = 2; k < 2 + ORDERS; k++) {
        const CellRecord *cell = &with.records[k].of.cell;
        assert_int_equal(without.records[k].of.cell.rounds.count, 0);
        assert_int_equal(cell->rounds.count, 3);
        assert_int_equal(cell->rounds.initial_responses, 1);
        for (int round = 0; round <= 2; round++)
            assert_true(isfinite(cell->rounds.value[round_curves_at(&cell->rounds, ROUND_NMSE, round)]));
        assert_curves_equal(&cell->curves, &without.records[k].of.cell.curves);
    }
    assert_memory_not_equal(with.records[2].of.cell.rounds.value, with.records[3].of.cell.rounds.value,
                            3 * sizeof(double));
    free_done(&without);
    free_done(&with);
}

static void the_same_work_gives_the_same_bits(void **state) {
    (void)state;
    WorkItem item = tiny_work();
    WorkDone first = done_of(&item), second = done_of(&item);
    const TrainingRecord *a = &first.records[0].of.training, *b = &second.records[0].of.training;
    const ModelRecord *model = &first.records[1].of.model;
    assert_memory_equal(a->loss, b->loss, STEPS * sizeof(double));
    assert_memory_equal(model->parameters, second.records[1].of.model.parameters,
                        (size_t)model->n_parameters * sizeof(float));
    for (int k = 2; k < 2 + ORDERS; k++)
        assert_curves_equal(&first.records[k].of.cell.curves, &second.records[k].of.cell.curves);
    free_done(&first);
    free_done(&second);
}

static void baselines_are_measured_one_an_order(void **state) {
    (void)state;
    WorkItem item = tiny_work();
    item.kind = WORK_BASELINES;
    orders[0].predictor = PREDICTOR_GD;
    orders[1].predictor = PREDICTOR_EXACT;
    orders[1].critic.quality = 1;
    WorkDone done = done_of(&item);
    assert_int_equal(done.n_records, ORDERS);
    for (int k = 0; k < ORDERS; k++) {
        assert_int_equal(done.records[k].kind, RECORD_BASELINE);
        const BaselineRecord *baseline = &done.records[k].of.baseline;
        assert_true(id_equal(baseline->baseline_id, orders[k].id));
        assert_int_equal(baseline->predictor, orders[k].predictor);
        assert_int_equal(baseline->gd_steps, k == 0 ? 5 : 0);
        assert_int_equal(baseline->seed, 6);
        assert_int_equal(baseline->prompts, 30);
    }
    const Curves *exact = &done.records[1].of.baseline.curves;
    assert_near(exact->value[curves_at(exact, METRIC_NMSE, 3)], 0, 1e-5);
    assert_true(isnan(exact->value[curves_at(exact, METRIC_NMSE, 1)]));
    free_done(&done);
}

static void a_diverged_training_is_a_result_without_cells(void **state) {
    (void)state;
    WorkItem item = tiny_work();
    item.spec.train.learning_rate = 1e30;
    WorkDone done = done_of(&item);
    assert_int_equal(done.n_records, 1);
    const TrainingRecord *training = &done.records[0].of.training;
    assert_int_equal(training->outcome, OUTCOME_DIVERGED);
    char expected[64];
    snprintf(expected, sizeof expected, "was not finite at step %d", (int)training->steps_done + 1);
    assert_non_null(strstr(training->reason, expected));
    free_done(&done);
}

static void parameters_that_do_not_fit_are_an_error(void **state) {
    (void)state;
    float parameters[3] = {0};
    WorkItem item = tiny_work();
    item.kind = WORK_EVALUATION;
    item.parameters = parameters;
    item.n_parameters = 3;
    WorkDone done;
    Error err;
    assert_int_equal(run_work(&item, 0, "here", NULL, NULL, &done, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "3 parameters"));
    assert_int_equal(done.n_records, 0);
    assert_null(done.records);
}

static void unknown_kernels_are_an_error(void **state) {
    (void)state;
    char kernels[] = "abacus";
    WorkItem item = tiny_work();
    item.kernels = kernels;
    WorkDone done;
    Error err;
    assert_int_equal(run_work(&item, 0, "here", NULL, NULL, &done, &err), STATUS_USAGE);
    assert_non_null(strstr(err.text, "abacus"));
    assert_int_equal(done.n_records, 0);
}

typedef struct Told {
    int times;
    Progress last;
} Told;

static void keep_progress(void *context, const Progress *progress) {
    Told *told = context;
    assert_int_equal(progress->work, 77);
    assert_true(progress->flops_done > told->last.flops_done);
    assert_true(isfinite(progress->loss));
    told->last = *progress;
    told->times++;
}

static void progress_grows_and_is_told_rarely(void **state) {
    (void)state;
    Told told = {0};
    WorkItem item = tiny_work();
    item.n_orders = 0;
    item.spec.train.steps = 200;
    WorkDone done;
    assert_int_equal(run_work(&item, 0, "here", keep_progress, &told, &done, NULL), STATUS_OK);
    double wall_s = done.records[0].of.training.wall_s;
    assert_true(told.times >= 2 && told.times <= 2 + (int)(wall_s / 0.1));
    assert_int_equal(told.last.step, 200);
    assert_near(told.last.flops_done / cost_work_flops(&item), 1, 1e-9);
    free_done(&done);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_training_returns_its_record_its_model_and_a_cell_an_order),
        cmocka_unit_test(a_training_in_bfloat16_is_measured_in_float32),
        cmocka_unit_test(a_model_that_is_not_kept_is_not_returned),
        cmocka_unit_test(a_kept_model_gives_the_same_cells_without_training),
        cmocka_unit_test(a_cell_holds_as_many_rounds_as_the_evaluation_has),
        cmocka_unit_test(the_same_work_gives_the_same_bits),
        cmocka_unit_test(baselines_are_measured_one_an_order),
        cmocka_unit_test(a_diverged_training_is_a_result_without_cells),
        cmocka_unit_test(parameters_that_do_not_fit_are_an_error),
        cmocka_unit_test(unknown_kernels_are_an_error),
        cmocka_unit_test(progress_grows_and_is_told_rarely),
    };
    return run_tests(tests, argc, argv);
}
