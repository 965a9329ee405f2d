/* Predicted times: learned from what was seen, borrowed where little was seen, honest about what is not known. */
#include "coordinator/forecast/cost_model.h"

#include "coordinator/forecast/makespan.h"
#include "tests/harness.h"

#include <math.h>

static TrainingSpec spec_of(int n_layer) {
    return (TrainingSpec){.model = {.n_layer = n_layer, .n_head = 1, .n_embd = 16, .ffn = true, .causal = true},
                          .task = {.n_dims = 3, .n_points = 8},
                          .train = {.steps = 100, .batch_size = 8}};
}

static CostModel *create(void) {
    CostModel *model = NULL;
    Error err = {{0}};
    if (cost_model_create(&model, &err) != STATUS_OK) fail_msg("%s", err.text);
    return model;
}

static int rate_of(CostModel *model, WorkKind kind, int n_layer) {
    TrainingSpec spec = spec_of(n_layer);
    int rate;
    Error err = {{0}};
    if (cost_model_rate(model, kind, &spec, &rate, &err) != STATUS_OK) fail_msg("%s", err.text);
    return rate;
}

/* One whole piece of work. */
static void see(CostModel *model, int rate, double flops, double seconds) {
    cost_model_observe(model, rate, flops, seconds, 1);
    cost_model_completed(model, rate, flops, seconds);
}

/* A standard normal number by its index. */
static double normal(int index) {
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)((index * 12 + i) * 2654435761u) / 4294967296.0;
    return sum;
}

static void settings_of_one_speed_share_a_class_and_others_do_not(void **state) {
    CostModel *model = create();
    int one = rate_of(model, WORK_TRAINING, 1), two = rate_of(model, WORK_TRAINING, 2);
    assert_int_not_equal(one, two);
    assert_int_not_equal(one, rate_of(model, WORK_EVALUATION, 1));
    TrainingSpec other = spec_of(1);
    int rate;
    Error err;
    other.seed = 7;
    other.train.learning_rate = 0.5;
    other.train.steps = 9;
    assert_int_equal(cost_model_rate(model, WORK_TRAINING, &other, &rate, &err), STATUS_OK);
    assert_int_equal(rate, one);
    other.train.batch_size = 9;
    assert_int_equal(cost_model_rate(model, WORK_TRAINING, &other, &rate, &err), STATUS_OK);
    assert_int_not_equal(rate, one);
    cost_model_free(model);
}

static void nothing_is_predicted_before_anything_is_known_and_what_is_assumed_then(void **state) {
    CostModel *model = create();
    int rate = rate_of(model, WORK_TRAINING, 1);
    assert_true(isnan(cost_model_forecast(model, rate, 1e9).expected_s));
    assert_false(cost_model_knows(model));
    cost_model_assume(model, 2e9); /* also after it was asked */
    Forecast forecast = cost_model_forecast(model, rate, 1e10);
    assert_near(forecast.expected_s, 5, 1e-9);
    assert_true(forecast.lower_s < 4.5 && forecast.upper_s > 5.5);
    assert_false(cost_model_knows(model));
    cost_model_free(model);
}

static void a_class_that_was_not_seen_borrows_from_the_others_with_more_doubt(void **state) {
    CostModel *model = create();
    int seen = rate_of(model, WORK_TRAINING, 1), unseen = rate_of(model, WORK_TRAINING, 2);
    for (int i = 0; i < 20; i++)
        see(model, seen, 1e10, 10 * exp(0.05 * normal(i)));
    Forecast known = cost_model_forecast(model, seen, 1e10), borrowed = cost_model_forecast(model, unseen, 1e10);
    assert_near(known.expected_s, 10, 0.5);
    assert_near(borrowed.expected_s, 10, 0.5);
    assert_true(known.upper_s < 12 && known.lower_s > 8);
    assert_true(borrowed.upper_s > 15 && borrowed.lower_s < 7);
    see(model, unseen, 1e10, 30); /* three times slower: one whole piece outweighs what others do */
    assert_true(cost_model_forecast(model, unseen, 1e10).expected_s > 20);
    assert_near(cost_model_forecast(model, seen, 1e10).expected_s, 10, 0.6);
    cost_model_free(model);
}

static void parts_of_a_piece_that_still_runs_already_teach_its_rate(void **state) {
    CostModel *model = create();
    int rate = rate_of(model, WORK_TRAINING, 1);
    cost_model_observe(model, rate, 1e9, 2, 0.01);
    cost_model_observe(model, rate, 1e9, 2, 0.01);
    cost_model_observe(model, rate, 0, 5, 0); /* nothing was done: nothing is learned */
    assert_near(cost_model_forecast(model, rate, 1e11).expected_s, 200, 2);
    cost_model_free(model);
}

static void nine_of_ten_pieces_end_before_the_upper_quantile(void **state) {
    CostModel *model = create();
    int rate = rate_of(model, WORK_TRAINING, 1), early = 0, late = 0, n = 0;
    for (int i = 0; i < 400; i++) {
        double seconds = 10 * exp(0.3 * normal(i));
        if (i >= 20) {
            Forecast forecast = cost_model_forecast(model, rate, 1e9);
            late += seconds > forecast.upper_s;
            early += seconds < forecast.lower_s;
            n++;
        }
        see(model, rate, 1e9, seconds);
    }
    print_message("outside: %d early, %d late of %d\n", early, late, n);
    assert_true(late > n * 5 / 100 && late < n * 15 / 100);
    assert_true(early > n * 5 / 100 && early < n * 15 / 100);
    cost_model_free(model);
}

static double makespan(Batch *batches, int n, const double *busy_s, int workers) {
    double seconds;
    Error err = {{0}};
    if (makespan_longest_first(batches, n, busy_s, workers, &seconds, &err) != STATUS_OK) fail_msg("%s", err.text);
    return seconds;
}

static void the_makespan_is_that_of_whoever_is_free_takes_the_longest(void **state) {
    Batch few[] = {{.seconds = 2, .count = 3}, {.seconds = 5, .count = 1}};
    assert_near(makespan(few, 2, NULL, 1), 11, 1e-12);
    assert_near(makespan(few, 2, NULL, 2), 6, 1e-12); /* 5 | 2 2 2 */
    assert_near(makespan(few, 2, NULL, 9), 5, 1e-12);
    double busy_s[] = {4, 0};
    assert_near(makespan(few, 2, busy_s, 2), 8, 1e-12); /* 4 2 2 | 5 2 */
    assert_near(makespan(few, 0, busy_s, 2), 4, 1e-12);
    Batch unknown[] = {{.seconds = NAN, .count = 1}};
    assert_true(isnan(makespan(unknown, 1, NULL, 2)));
    Batch many[] = {{.seconds = 1, .count = 1000000000}, {.seconds = 7, .count = 3}};
    assert_near(makespan(many, 2, NULL, 100), 1e7, 1);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_of_one_speed_share_a_class_and_others_do_not),
        cmocka_unit_test(nothing_is_predicted_before_anything_is_known_and_what_is_assumed_then),
        cmocka_unit_test(a_class_that_was_not_seen_borrows_from_the_others_with_more_doubt),
        cmocka_unit_test(parts_of_a_piece_that_still_runs_already_teach_its_rate),
        cmocka_unit_test(nine_of_ten_pieces_end_before_the_upper_quantile),
        cmocka_unit_test(the_makespan_is_that_of_whoever_is_free_takes_the_longest),
    };
    return run_tests(tests, argc, argv);
}
