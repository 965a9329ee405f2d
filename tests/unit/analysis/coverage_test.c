/* Statistics held to their own promise, by simulation: how often intervals hold the truth, how often tests reject it.
 */
#include "tests/harness.h"

#include "analysis/statistics/bootstrap.h"
#include "analysis/statistics/page_trend.h"
#include "analysis/statistics/permutation.h"
#include "analysis/statistics/statistics.h"
#include "proto/base/rng.h"

#include <math.h>
#include <stdlib.h>

enum { SAMPLES = 4000, SEEDS = 10 };

/* Sample number sample of n values: normal around 0, or exponential minus its mean of 1. */
static void draw(uint32_t sample, int n, bool skewed, double *values) {
    float numbers[64];
    RngStream stream = {RNG_BOOTSTRAP, 7, 1, sample};
    assert_true(n <= 64);
    if (skewed)
        rng_uniform(stream, 0, (uint32_t)n, numbers);
    else
        rng_normal(stream, 0, (uint32_t)n, numbers);
    for (int i = 0; i < n; i++)
        values[i] = skewed ? -log1p(-(double)numbers[i]) - 1 : (double)numbers[i];
}

/* How often the t and the bootstrap-t interval hold the mean, 0. */
static void coverage(bool skewed, double *of_t, double *of_bootstrap) {
    Resamples *resamples = NULL;
    assert_int_equal(resamples_create(SEEDS, 999, &resamples, NULL), STATUS_OK);
    int t = 0, bootstrap = 0;
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        double values[SEEDS];
        draw(sample, SEEDS, skewed, values);
        MeanInterval interval = mean_interval(values, SEEDS, CONFIDENCE_95);
        Interval studentised = bootstrap_t(values, resamples, CONFIDENCE_95);
        t += interval.low <= 0 && 0 <= interval.high;
        bootstrap += studentised.low <= 0 && 0 <= studentised.high;
    }
    *of_t = (double)t / SAMPLES;
    *of_bootstrap = (double)bootstrap / SAMPLES;
    print_message("%s, n = %d: t %.3f, bootstrap-t %.3f\n", skewed ? "exponential" : "normal", SEEDS, *of_t,
                  *of_bootstrap);
    resamples_free(resamples);
}

static void of_ten_normal_seeds_both_intervals_hold_the_mean_in_93_to_97_percent(void **state) {
    double t, bootstrap;
    coverage(false, &t, &bootstrap);
    assert_near(t, 0.95, 0.02);
    assert_near(bootstrap, 0.95, 0.02);
}

/* Known for ten exponential values: t about 90 % (two-sided 95 %), bootstrap-t about 94 to 95 % (P. Hall, "The
 * bootstrap and Edgeworth expansion", 1992: errors of order 1/n against n^-2 in the one-sided limits). */
static void under_skew_the_bootstrap_t_interval_keeps_what_the_t_interval_loses(void **state) {
    double t, bootstrap;
    coverage(true, &t, &bootstrap);
    assert_near(t, 0.90, 0.02);
    assert_near(bootstrap, 0.945, 0.02);
    assert_true(bootstrap > t + 0.02);
}

/* Rejections at 5 % may be this many of SAMPLES: 5 % and four standard errors. */
static double most_rejections(void) {
    return SAMPLES * 0.05 + 4 * sqrt(SAMPLES * 0.05 * 0.95);
}

static void sign_flip_tests_keep_their_level_and_nearly_reach_it(void **state) {
    int greater = 0, two_sided = 0;
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        double values[SEEDS];
        draw(sample, SEEDS, false, values);
        SignFlip test = sign_flip(values, SEEDS);
        greater += test.p_greater <= 0.05;
        two_sided += test.p_two_sided <= 0.05;
    }
    assert_true(greater <= most_rejections() && two_sided <= most_rejections());
    assert_true(greater >= 0.04 * SAMPLES && two_sided >= 0.04 * SAMPLES);
}

static void equivalence_is_not_found_more_often_than_promised_at_the_margin_itself(void **state) {
    int found = 0;
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        double values[SEEDS];
        draw(sample, SEEDS, false, values);
        for (int i = 0; i < SEEDS; i++)
            values[i] = 0.5 + 0.1 * values[i];
        found += equivalence_p(values, SEEDS, 0.5) <= 0.05;
    }
    assert_true(found <= most_rejections());
    assert_true(found >= 0.04 * SAMPLES);
}

static void pages_test_keeps_its_level_in_both_directions(void **state) {
    enum { LEVELS = 4, BLOCKS = 6, TESTS = 1000 };
    int up = 0, down = 0;
    for (uint32_t sample = 0; sample < TESTS; sample++) {
        double values[BLOCKS * LEVELS];
        PageTrend trend;
        draw(sample, BLOCKS * LEVELS, false, values);
        assert_int_equal(page_trend(values, BLOCKS, LEVELS, &trend, NULL), STATUS_OK);
        up += trend.p_increasing <= 0.05;
        down += trend.p_decreasing <= 0.05;
    }
    double most = TESTS * 0.05 + 4 * sqrt(TESTS * 0.05 * 0.95);
    assert_true(up <= most && down <= most);
    assert_true(up >= 0.02 * TESTS && down >= 0.02 * TESTS);
}

static void beyond_exact_counting_random_signs_give_the_same_p_within_their_error(void **state) {
    double values[SIGN_FLIP_EXACT_MAX + 1];
    for (int i = 0; i <= SIGN_FLIP_EXACT_MAX; i++)
        values[i] = sin(i * i) + 0.2;
    values[SIGN_FLIP_EXACT_MAX] = 1e-13; /* of no weight: the p of the others, nearly */
    SignFlip exact = sign_flip(values, SIGN_FLIP_EXACT_MAX), sampled = sign_flip(values, SIGN_FLIP_EXACT_MAX + 1);
    assert_true(exact.exact && !sampled.exact);
    assert_near(sampled.p_greater, exact.p_greater, 4 * sqrt(exact.p_greater / SIGN_FLIP_SAMPLES));
    assert_near(sampled.p_two_sided, exact.p_two_sided, 4 * sqrt(exact.p_two_sided / SIGN_FLIP_SAMPLES));
    for (int i = 0; i <= SIGN_FLIP_EXACT_MAX; i++)
        values[i] = 1;
    assert_near(sign_flip(values, SIGN_FLIP_EXACT_MAX).p_greater, pow(2, -SIGN_FLIP_EXACT_MAX), 1e-20);
    assert_near(sign_flip(values, SIGN_FLIP_EXACT_MAX + 1).p_greater, 1.0 / (SIGN_FLIP_SAMPLES + 1), 1e-15);
}

static void resamples_are_the_same_each_time_and_even(void **state) {
    Resamples *one = NULL, *other = NULL;
    assert_int_equal(resamples_create(SEEDS, BOOTSTRAP_RESAMPLES, &one, NULL), STATUS_OK);
    assert_int_equal(resamples_create(SEEDS, BOOTSTRAP_RESAMPLES, &other, NULL), STATUS_OK);
    int counts[SEEDS] = {0};
    for (int i = 0; i < SEEDS * BOOTSTRAP_RESAMPLES; i++) {
        assert_int_equal(one->index[i], other->index[i]);
        counts[one->index[i]]++;
    }
    double expected = BOOTSTRAP_RESAMPLES, chi = 0;
    for (int i = 0; i < SEEDS; i++)
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    assert_true(chi < 27.9); /* the 0.999 quantile for 9 degrees of freedom */
    resamples_free(one);
    resamples_free(other);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_ten_normal_seeds_both_intervals_hold_the_mean_in_93_to_97_percent),
        cmocka_unit_test(under_skew_the_bootstrap_t_interval_keeps_what_the_t_interval_loses),
        cmocka_unit_test(sign_flip_tests_keep_their_level_and_nearly_reach_it),
        cmocka_unit_test(equivalence_is_not_found_more_often_than_promised_at_the_margin_itself),
        cmocka_unit_test(pages_test_keeps_its_level_in_both_directions),
        cmocka_unit_test(beyond_exact_counting_random_signs_give_the_same_p_within_their_error),
        cmocka_unit_test(resamples_are_the_same_each_time_and_even),
    };
    return run_tests(tests, argc, argv);
}
