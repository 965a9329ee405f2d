/* Nominal costs: the figures that plan, ETA and rates are made of. */
#include "proto/wire/cost.h"

#include "tests/harness.h"
#include "worker/model/tensors.h"

static TrainingSpec paper_scale(void) {
    return (TrainingSpec){.model = {.n_layer = 20, .n_head = 3, .n_embd = 96, .ffn = true, .causal = true},
                          .task = {.n_dims = 5, .n_points = 20},
                          .train = {.steps = 3000, .batch_size = 256}};
}

static void a_step_at_paper_scale_costs_227_gigaflop(void **state) {
    TrainingSpec spec = paper_scale();
    assert_near(cost_step_flops(&spec) / 1e9, 227.4, 0.05);
}

static void parameters_are_those_of_the_tensor_list(void **state) {
    for (int ffn = 0; ffn <= 1; ffn++)
        for (int layers = 1; layers <= 3; layers++) {
            TrainingSpec spec = paper_scale();
            spec.model.ffn = ffn;
            spec.model.n_layer = layers;
            Shape shape = shape_of(&spec.model, &spec.task);
            assert_int_equal(cost_parameters(&spec.model, &spec.task), tensors_parameters(&shape));
        }
}

static void an_evaluated_prompt_costs_a_third_of_a_trained_one(void **state) {
    CriticOrder orders[2] = {{.predictor = PREDICTOR_MODEL}, {.predictor = PREDICTOR_MODEL}};
    WorkItem item = {.kind = WORK_EVALUATION,
                     .spec = paper_scale(),
                     .evaluation = {.prompts = 256},
                     .n_orders = 2,
                     .orders = orders};
    double step = cost_step_flops(&item.spec);
    assert_near(cost_work_flops(&item), 2 * step / 3, 1);
    item.kind = WORK_TRAINING;
    assert_near(cost_work_flops(&item), 3000 * step + 2 * step / 3, 1e3);
}

static void a_rollout_costs_half_of_a_trained_prompt(void **state) {
    TrainingSpec spec = paper_scale();
    spec.train.on_policy_share = 0.25;
    double offline = cost_step_flops(&spec);
    assert_int_equal(rollouts_of_batch(&spec.train), 0);
    spec.train.context = CONTEXT_ON_POLICY;
    assert_int_equal(rollouts_of_batch(&spec.train), 256);
    assert_near(cost_step_flops(&spec) / offline, 1.5, 1e-12);
    spec.train.context = CONTEXT_MIXED;
    assert_int_equal(rollouts_of_batch(&spec.train), 64);
    assert_near(cost_step_flops(&spec) / offline, 1.125, 1e-12);
}

static void a_mixed_batch_has_the_share_of_rollouts_nearest_to_what_is_asked_and_at_least_one(void **state) {
    TrainSettings train = {.context = CONTEXT_MIXED, .batch_size = 10, .on_policy_share = 0.24};
    assert_int_equal(rollouts_of_batch(&train), 2);
    train.on_policy_share = 0.26;
    assert_int_equal(rollouts_of_batch(&train), 3);
    train.on_policy_share = 0.01;
    assert_int_equal(rollouts_of_batch(&train), 1);
    train.on_policy_share = 1;
    assert_int_equal(rollouts_of_batch(&train), 10);
}

static void rounds_cost_three_tokens_each_and_are_part_of_an_order(void **state) {
    CriticOrder order = {.predictor = PREDICTOR_MODEL};
    WorkItem item = {.kind = WORK_EVALUATION,
                     .spec = paper_scale(),
                     .evaluation = {.prompts = 256, .initial_responses = 2},
                     .n_orders = 1,
                     .orders = &order};
    double without = cost_work_flops(&item), tokens = 3 * (2 + 17) + 1;
    double parameters = (double)cost_block_parameters(&item.spec.model);
    item.evaluation.rounds = 17;
    assert_near(cost_work_flops(&item) - without, 256 * (2 * parameters * tokens + 2 * 20 * tokens * tokens * 96), 1);
    assert_near((cost_work_flops(&item) - without) / without, 58 / 60.0, 0.05); /* nearly all tokens of a prompt */
    order.predictor = PREDICTOR_MEAN;
    double mean = cost_work_flops(&item);
    item.evaluation.rounds = 0;
    assert_near(cost_work_flops(&item), mean, 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_at_paper_scale_costs_227_gigaflop),
        cmocka_unit_test(parameters_are_those_of_the_tensor_list),
        cmocka_unit_test(an_evaluated_prompt_costs_a_third_of_a_trained_one),
        cmocka_unit_test(a_rollout_costs_half_of_a_trained_prompt),
        cmocka_unit_test(a_mixed_batch_has_the_share_of_rollouts_nearest_to_what_is_asked_and_at_least_one),
        cmocka_unit_test(rounds_cost_three_tokens_each_and_are_part_of_an_order),
    };
    return run_tests(tests, argc, argv);
}
