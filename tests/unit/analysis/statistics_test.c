/* Statistics against textbook values and against their own promise. */
#include "tests/harness.h"

#include "analysis/statistics/statistics.h"
#include "proto/base/rng.h"

#include <math.h>

static void a_mean_and_its_t_interval_are_those_of_the_textbook(void **state) {
    double values[] = {1, 2, 3, 4, 5};
    MeanInterval interval = mean_interval(values, 5, 0.95);
    assert_int_equal(interval.n, 5);
    assert_int_equal(interval.undefined, 0);
    assert_near(interval.mean, 3, 1e-12);
    assert_near(interval.standard_deviation, 1.5811388300841898, 1e-12);
    assert_near(interval.high, 3 + 2.7764451051977987 * 0.7071067811865476, 1e-9);
    assert_near(interval.low, 3 - 2.7764451051977987 * 0.7071067811865476, 1e-9);
    assert_near(interval_half_width(&interval), 1.9632431614775, 1e-9);
}

static void more_confidence_makes_a_wider_interval(void **state) {
    double values[] = {1, 2, 4};
    MeanInterval narrow = mean_interval(values, 3, 0.5), wide = mean_interval(values, 3, 0.99);
    assert_near(interval_half_width(&narrow), 0.8164965809277260 * 0.8819171036881969, 1e-9);
    assert_true(wide.high > narrow.high && wide.low < narrow.low);
}

static void undefined_values_are_left_out_and_counted(void **state) {
    double values[] = {NAN, 1, NAN, 3};
    MeanInterval interval = mean_interval(values, 4, 0.95);
    assert_int_equal(interval.n, 2);
    assert_int_equal(interval.undefined, 2);
    assert_near(interval.mean, 2, 0);
    assert_near(interval.standard_deviation, sqrt(2), 1e-12);
}

static void one_value_has_a_mean_and_no_interval(void **state) {
    double value = 0.25;
    MeanInterval interval = mean_interval(&value, 1, 0.95);
    assert_near(interval.mean, 0.25, 0);
    assert_true(isnan(interval.standard_deviation) && isnan(interval.low) && isnan(interval.high));
    assert_true(isnan(interval_half_width(&interval)));
}

static void no_value_has_no_mean(void **state) {
    double values[] = {NAN, NAN};
    MeanInterval interval = mean_interval(values, 2, 0.95);
    assert_int_equal(interval.n, 0);
    assert_true(isnan(interval.mean));
    assert_int_equal(mean_interval(values, 0, 0.95).undefined, 0);
}

static void a_large_mean_does_not_swallow_the_spread(void **state) {
    double values[] = {1e9 + 1, 1e9 + 2, 1e9 + 3};
    assert_near(mean_interval(values, 3, 0.95).standard_deviation, 1, 1e-6);
}

static void the_interval_holds_the_true_mean_as_often_as_it_says(void **state) {
    enum { SAMPLES = 4000, SIZE = 5 };
    int held = 0;
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        float normal[SIZE];
        double values[SIZE];
        rng_normal((RngStream){RNG_BOOTSTRAP, 7, 0, sample}, 0, SIZE, normal);
        for (int i = 0; i < SIZE; i++)
            values[i] = 10 + 3 * (double)normal[i];
        MeanInterval interval = mean_interval(values, SIZE, 0.95);
        held += interval.low <= 10 && 10 <= interval.high;
    }
    assert_near((double)held / SAMPLES, 0.95, 4 * sqrt(0.95 * 0.05 / SAMPLES)); /* 4 standard errors */
}

static void an_infinite_value_is_undefined_and_counted_as_such(void **state) {
    const double values[] = {1, INFINITY, 3, -INFINITY, NAN};
    MeanInterval interval = mean_interval(values, 5, 0.95);
    assert_int_equal(interval.n, 2);
    assert_int_equal(interval.undefined, 3);
    assert_near(interval.mean, 2, 0);
    assert_true(isfinite(interval.low) && isfinite(interval.high));
    double sorted[5];
    Order order = order_of(values, 5, sorted);
    assert_int_equal(order.n, 2);
    assert_near(order.maximum, 3, 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_infinite_value_is_undefined_and_counted_as_such),
        cmocka_unit_test(a_mean_and_its_t_interval_are_those_of_the_textbook),
        cmocka_unit_test(more_confidence_makes_a_wider_interval),
        cmocka_unit_test(undefined_values_are_left_out_and_counted),
        cmocka_unit_test(one_value_has_a_mean_and_no_interval),
        cmocka_unit_test(no_value_has_no_mean),
        cmocka_unit_test(a_large_mean_does_not_swallow_the_spread),
        cmocka_unit_test(the_interval_holds_the_true_mean_as_often_as_it_says),
    };
    return run_tests(tests, argc, argv);
}
