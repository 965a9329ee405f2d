/* When a silent child is given up, on clocks that the test sets. */
#include "worker/process/vigil.h"

#include "tests/harness.h"

#include <math.h>

/* A training whose step takes 3e9 FLOPs: it may need 30 s on the slowest machine. */
static WorkItem some_work(void) {
    return (WorkItem){.kind = WORK_TRAINING,
                      .spec = {.model = {.n_layer = 1, .n_head = 1, .n_embd = 100, .ffn = true},
                               .task = {.n_dims = 5, .n_points = 20},
                               .train = {.steps = 100, .batch_size = 64}}};
}

static Vigil vigil_of(double patience_s) {
    WorkItem item = some_work();
    return vigil_start(&item, patience_s, 1000);
}

static void come_on(Vigil *vigil, int64_t step, double cpu_s, double awake_s) {
    vigil_progress(vigil, &(Progress){.step = step, .flops_done = (double)step}, cpu_s, awake_s);
}

static void a_child_that_computes_is_judged_by_its_cpu_time_alone(void **state) {
    Vigil vigil = vigil_of(60);
    double silent_s;
    come_on(&vigil, 1, 5, 1005);
    come_on(&vigil, 2, 6, 1006);
    assert_int_equal(vigil_judge(&vigil, 66, 1007, &silent_s), SILENCE_NONE);
    assert_int_equal(vigil_judge(&vigil, 66.1, 1008, &silent_s), SILENCE_BUSY);
    assert_near(silent_s, 60.1, 1e-9);
    vigil = vigil_of(60);
    come_on(&vigil, 1, 5, 1005);
    come_on(&vigil, 2, 6, 1006);
    for (int k = 1; k <= 50; k++) /* an hour of the world's time for each second of it */
        assert_int_equal(vigil_judge(&vigil, 6 + k, 1006 + 500.0 * k, &silent_s), SILENCE_NONE);
}

static void a_child_that_does_not_compute_is_judged_by_awake_time(void **state) {
    Vigil vigil = vigil_of(60);
    double silent_s;
    come_on(&vigil, 1, 5, 1005);
    assert_int_equal(vigil_judge(&vigil, 5, 1605, &silent_s), SILENCE_NONE);
    assert_int_equal(vigil_judge(&vigil, 5, 1605.1, &silent_s), SILENCE_IDLE);
    assert_near(silent_s, 600.1, 1e-9);
    assert_int_equal(vigil_judge(&vigil, 5.1, 1606, &silent_s), SILENCE_NONE); /* it lives after all */
    assert_int_equal(vigil_judge(&vigil, 5.1, 2205, &silent_s), SILENCE_NONE);
    assert_int_equal(vigil_judge(&vigil, 5.1, 2207, &silent_s), SILENCE_IDLE);
}

static void patience_is_learned_from_the_childs_own_steps(void **state) {
    Vigil vigil = vigil_of(60);
    double silent_s;
    come_on(&vigil, 1, 10, 1010);
    come_on(&vigil, 2, 20, 1020);
    come_on(&vigil, 3, 21, 1021); /* the longest counts */
    assert_int_equal(vigil_judge(&vigil, 220, 1022, &silent_s), SILENCE_NONE);
    assert_int_equal(vigil_judge(&vigil, 222, 1023, &silent_s), SILENCE_BUSY);
}

static void before_two_signs_the_nominal_cost_decides(void **state) {
    Vigil vigil = vigil_of(1);
    double silent_s, step_s = vigil.first_s;
    assert_true(step_s > 10 && step_s < 200);
    assert_int_equal(vigil_judge(&vigil, step_s - 1, 1001, &silent_s), SILENCE_NONE);
    come_on(&vigil, 50, 0.1, 1002); /* went on from a checkpoint: no step done yet */
    assert_int_equal(vigil_judge(&vigil, step_s - 1, 1003, &silent_s), SILENCE_NONE);
    assert_int_equal(vigil_judge(&vigil, step_s + 1, 1004, &silent_s), SILENCE_BUSY);
    come_on(&vigil, 51, 0.3, 1005);
    assert_int_equal(vigil_judge(&vigil, 4.2, 1006, &silent_s), SILENCE_NONE); /* 20 times 0.2 s */
    assert_int_equal(vigil_judge(&vigil, 4.4, 1007, &silent_s), SILENCE_BUSY);
}

static void reports_that_repeat_themselves_are_no_progress(void **state) {
    Vigil vigil = vigil_of(60);
    double silent_s;
    come_on(&vigil, 1, 1, 1001);
    come_on(&vigil, 2, 2, 1002);
    for (int k = 0; k < 100; k++)
        come_on(&vigil, 2 - k % 2, 3 + k, 1003 + k);
    assert_int_equal(vigil_judge(&vigil, 63, 1200, &silent_s), SILENCE_BUSY);
    vigil_progress(&vigil, &(Progress){.step = 2, .flops_done = 3}, 64, 1201); /* an evaluation goes on */
    assert_int_equal(vigil_judge(&vigil, 65, 1202, &silent_s), SILENCE_NONE);
}

static void an_evaluation_may_be_quiet_for_a_costly_piece(void **state) {
    double silent_s;
    CriticOrder orders[2] = {{.predictor = PREDICTOR_MEAN}, {.predictor = PREDICTOR_GD}};
    WorkItem item = {.kind = WORK_BASELINES,
                     .spec.task = {.n_dims = 5, .n_points = 256},
                     .evaluation = {.prompts = 1000, .gd_steps = 10000},
                     .n_orders = 2,
                     .orders = orders};
    Vigil slow = vigil_start(&item, 60, 0);
    item.evaluation.gd_steps = 10;
    Vigil fast = vigil_start(&item, 60, 0);
    for (int k = 1; k <= 3; k++) { /* the mean of all was quick, and teaches nothing about gradient descent */
        vigil_progress(&slow, &(Progress){.flops_done = k}, 0.1 * k, k);
        vigil_progress(&fast, &(Progress){.flops_done = k}, 0.1 * k, k);
    }
    assert_int_equal(vigil_judge(&fast, 62, 100, &silent_s), SILENCE_BUSY);
    assert_int_equal(vigil_judge(&slow, 1000, 100, &silent_s), SILENCE_NONE);
    assert_int_equal(vigil_judge(&slow, 100000, 200, &silent_s), SILENCE_BUSY);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_computes_is_judged_by_its_cpu_time_alone),
        cmocka_unit_test(a_child_that_does_not_compute_is_judged_by_awake_time),
        cmocka_unit_test(patience_is_learned_from_the_childs_own_steps),
        cmocka_unit_test(before_two_signs_the_nominal_cost_decides),
        cmocka_unit_test(an_evaluation_may_be_quiet_for_a_costly_piece),
        cmocka_unit_test(reports_that_repeat_themselves_are_no_progress),
    };
    return run_tests(tests, argc, argv);
}
