/* Every statistic against R or SciPy: tests/reference/statistics.txt, made by make_statistics.py beside it. */
#include "tests/harness.h"

#include "analysis/statistics/effect.h"
#include "analysis/statistics/ordered.h"
#include "analysis/statistics/page_trend.h"
#include "analysis/statistics/permutation.h"
#include "analysis/statistics/regression.h"
#include "analysis/statistics/statistics.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBERS_MAX = 4000 };

/* One line of the file. */
typedef struct Numbers {
    int count;
    double of[NUMBERS_MAX];
} Numbers;

static Numbers reference(const char *name) {
    Numbers numbers = {0};
    char word[64];
    FILE *file = fopen(TESTS_DIR "/reference/statistics.txt", "r");
    assert_non_null(file);
    int c;
    while ((c = fgetc(file)) == '#')
        while ((c = fgetc(file)) != '\n')
            assert_int_not_equal(c, EOF);
    ungetc(c, file);
    while (fscanf(file, "%63s %d", word, &numbers.count) == 2) {
        assert_true(numbers.count <= NUMBERS_MAX);
        for (int i = 0; i < numbers.count; i++)
            assert_int_equal(fscanf(file, "%lf", &numbers.of[i]), 1);
        if (strcmp(word, name) != 0) continue;
        fclose(file);
        return numbers;
    }
    fail_msg("%s is not in the reference file", name);
    return numbers;
}

static Numbers reference_of(const char *name, const char *what) {
    char whole[64];
    snprintf(whole, sizeof whole, "%s.%s", name, what);
    return reference(whole);
}

/* Resamples as the reference drew them. */
static Resamples *given_resamples(const char *name, int n) {
    Numbers index = reference(name);
    Resamples *resamples = NULL;
    assert_int_equal(resamples_create(n, index.count / n, &resamples, NULL), STATUS_OK);
    for (int i = 0; i < index.count; i++)
        resamples->index[i] = (uint32_t)index.of[i];
    return resamples;
}

static void means_medians_and_intervals_are_those_of_SciPy(void **state) {
    static const char *const names[] = {"describe.ten", "describe.seven"};
    for (int i = 0; i < 2; i++) {
        Numbers x = reference(names[i]), expected = reference_of(names[i], "expected");
        double sorted[16];
        MeanInterval interval = mean_interval(x.of, x.count, 0.95);
        Order order = order_of(x.of, x.count, sorted);
        double found[] = {
            interval.mean, interval.standard_deviation, interval.low, interval.high, order.median, order.minimum,
            order.maximum, order.interquartile_mean};
        for (int k = 0; k < 8; k++)
            assert_near(found[k], expected.of[k], 1e-8);
    }
}

static void corrected_p_values_are_those_of_R(void **state) {
    Numbers p = reference("holm"), expected = reference("holm.expected");
    double adjusted[8];
    holm_adjust(p.of, p.count, adjusted);
    for (int i = 0; i < p.count; i++)
        assert_near(adjusted[i], expected.of[i], 1e-12);
    double with_hole[] = {p.of[0], NAN, p.of[1]};
    holm_adjust(with_hole, 3, adjusted);
    assert_near(adjusted[0], 2 * p.of[0], 1e-15);
    assert_true(isnan(adjusted[1]));
    assert_near(adjusted[2], p.of[1], 1e-15);
}

static void a_bootstrap_t_interval_is_that_of_the_textbook_over_the_same_resamples(void **state) {
    Numbers x = reference("bootstrap"), expected = reference("bootstrap.expected");
    Resamples *resamples = given_resamples("bootstrap.index", x.count);
    Interval interval = bootstrap_t(x.of, resamples, 0.95);
    assert_near(interval.low, expected.of[0], 1e-9);
    assert_near(interval.high, expected.of[1], 1e-9);
    resamples_free(resamples);
}

static void sign_flip_tests_are_those_of_SciPy(void **state) {
    static const char *const names[] = {"signs.five", "signs.nine", "signs.tied", "signs.twelve"};
    for (int i = 0; i < 4; i++) {
        Numbers x = reference(names[i]), expected = reference_of(names[i], "expected");
        SignFlip test = sign_flip(x.of, x.count);
        assert_true(test.exact);
        assert_near(test.p_greater, expected.of[0], 1e-12);
        assert_near(test.p_less, expected.of[1], 1e-12);
        assert_near(test.p_two_sided, expected.of[2], 1e-12);
        assert_near(equivalence_p(x.of, x.count, 0.5), reference_of(names[i], "equivalence").of[0], 1e-12);
        assert_near(beyond_margin_p(x.of, x.count, 0.5), reference_of(names[i], "beyond").of[0], 1e-12);
    }
}

static void pages_test_is_that_of_SciPy_and_counts_ties_exactly(void **state) {
    static const char *const names[] = {"page.4x3", "page.5x5", "page.3x7", "page.2x3", "page.tied"};
    static const int levels[] = {3, 5, 7, 3, 4};
    for (int i = 0; i < 5; i++) {
        Numbers x = reference(names[i]), expected = reference_of(names[i], "expected");
        PageTrend trend;
        assert_int_equal(page_trend(x.of, x.count / levels[i], levels[i], &trend, NULL), STATUS_OK);
        assert_true(trend.exact);
        assert_near(trend.statistic, expected.of[0], 1e-12);
        assert_near(trend.p_increasing, expected.of[1], 1e-12);
        assert_near(trend.p_decreasing, expected.of[2], 1e-12);
        assert_near(trend.mean_rank_correlation, expected.of[3], 1e-12);
    }
    Numbers x = reference("page.6x15"), expected = reference("page.6x15.expected");
    PageTrend trend;
    assert_int_equal(page_trend(x.of, 6, 15, &trend, NULL), STATUS_OK);
    assert_false(trend.exact);
    assert_near(trend.statistic, expected.of[0], 1e-9);
    assert_near(trend.p_increasing, expected.of[1], 1e-9);
}

static void the_noncentral_t_distribution_is_that_of_R(void **state) {
    Numbers cases = reference("noncentral"), expected = reference("noncentral.expected");
    for (int i = 0; i < expected.count; i++)
        assert_near(noncentral_t_cdf(cases.of[3 * i], cases.of[3 * i + 1], cases.of[3 * i + 2]), expected.of[i], 1e-9);
}

static void effect_sizes_have_the_intervals_of_R(void **state) {
    Numbers x = reference("effect"), expected = reference("effect.expected");
    MeanInterval of = mean_interval(x.of, x.count, 0.95);
    EffectSize effect = effect_size(of.mean, of.standard_deviation, x.count, 0.95);
    assert_near(effect.d_z, expected.of[0], 1e-12);
    assert_near(effect.interval.low, expected.of[1], 1e-7);
    assert_near(effect.interval.high, expected.of[2], 1e-7);

    Numbers bounds = reference("improvement.expected");
    static const int positive[] = {7, 0, 10};
    for (int i = 0; i < 3; i++) {
        double differences[10];
        for (int k = 0; k < 10; k++)
            differences[k] = k < positive[i] ? 1 : -1;
        Improvement found = improvement(differences, 10, 0.95);
        assert_near(found.share, positive[i] / 10.0, 1e-12);
        assert_near(found.interval.low, bounds.of[2 * i], 1e-9);
        assert_near(found.interval.high, bounds.of[2 * i + 1], 1e-9);
    }
}

static void power_and_the_seeds_that_it_takes_are_those_of_R(void **state) {
    Numbers cases = reference("power"), one = reference("power.one.sided"), two = reference("power.two.sided");
    for (int i = 0; i < one.count; i++) {
        double d_z = cases.of[3 * i], alpha = cases.of[3 * i + 2];
        int n = (int)cases.of[3 * i + 1];
        assert_near(paired_power(d_z, n, alpha, false), one.of[i], 1e-8);
        assert_near(paired_power(d_z, n, alpha, true), two.of[i], 1e-8);
    }
    static const double effects[] = {0.3, 0.7, 1.1};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seeds_needed(effects[i], 0.8, 0.05, false), reference("needed.one.sided").of[i]);
        assert_int_equal(seeds_needed(-effects[i], 0.8, 0.05, true), reference("needed.two.sided").of[i]);
    }
    assert_int_equal(seeds_needed(0, 0.8, 0.05, true), 0);
    assert_int_equal(seeds_needed(NAN, 0.8, 0.05, true), 0);
    assert_int_equal(seeds_needed(1e-6, 0.8, 0.05, true), 0);
}

static void isotonic_fits_are_those_of_R(void **state) {
    Numbers y = reference("isotonic"), rising = reference("isotonic.rising"), falling = reference("isotonic.falling");
    double fit[16];
    isotonic_fit(y.of, y.count, true, fit);
    for (int i = 0; i < y.count; i++)
        assert_near(fit[i], rising.of[i], 1e-12);
    isotonic_fit(y.of, y.count, false, fit);
    for (int i = 0; i < y.count; i++)
        assert_near(fit[i], falling.of[i], 1e-12);
}

static void a_broken_stick_is_that_of_least_squares(void **state) {
    Numbers x = reference("knee.x"), values = reference("knee.values"), expected = reference("knee.expected");
    Resamples *resamples = NULL;
    assert_int_equal(resamples_create(6, 199, &resamples, NULL), STATUS_OK);
    Knee knee = find_knee(values.of, x.of, x.count, resamples);
    assert_true(knee.found);
    assert_near(knee.at, expected.of[0], 1e-9);
    assert_near(knee.slope_before, expected.of[1], 1e-9);
    assert_near(knee.slope_after, expected.of[2], 1e-9);
    assert_near(knee.p_straight, expected.of[3], 1e-12);
    assert_true(knee.interval.low <= knee.at && knee.at <= knee.interval.high);
    assert_near(knee.at, 5.5, 0.3); /* where it was bent */
    resamples_free(resamples);
}

static void a_regression_over_seeds_is_that_of_R_and_of_cluster_robust_algebra(void **state) {
    Numbers x = reference("regression.x"), y = reference("regression.y"), expected = reference("regression.expected");
    Resamples *resamples = given_resamples("regression.index", 7);
    Regression found = regress(x.of, y.of, x.count / 7, resamples);
    double numbers[] = {found.slope, found.intercept,    found.r_squared,
                        found.error, found.interval.low, found.interval.high};
    for (int i = 0; i < 6; i++)
        assert_near(numbers[i], expected.of[i], 1e-9);
    resamples_free(resamples);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_medians_and_intervals_are_those_of_SciPy),
        cmocka_unit_test(corrected_p_values_are_those_of_R),
        cmocka_unit_test(a_bootstrap_t_interval_is_that_of_the_textbook_over_the_same_resamples),
        cmocka_unit_test(sign_flip_tests_are_those_of_SciPy),
        cmocka_unit_test(pages_test_is_that_of_SciPy_and_counts_ties_exactly),
        cmocka_unit_test(the_noncentral_t_distribution_is_that_of_R),
        cmocka_unit_test(effect_sizes_have_the_intervals_of_R),
        cmocka_unit_test(power_and_the_seeds_that_it_takes_are_those_of_R),
        cmocka_unit_test(isotonic_fits_are_those_of_R),
        cmocka_unit_test(a_broken_stick_is_that_of_least_squares),
        cmocka_unit_test(a_regression_over_seeds_is_that_of_R_and_of_cluster_robust_algebra),
    };
    return run_tests(tests, argc, argv);
}
