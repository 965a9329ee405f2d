/* Two sets of results side by side. */
#include "tests/harness.h"

#include "analysis/results/comparison.h"
#include "tests/fixtures/fake_results.h"

/* A table of one model configuration: value(seed) is its tau at the last number of examples. */
static Table *table_of(int n_layer, uint32_t first_seed, int n_seeds, double (*value)(uint32_t),
                       const char *fingerprint) {
    Table *table = table_create();
    for (uint32_t seed = first_seed; seed < first_seed + (uint32_t)n_seeds; seed++) {
        TrainingSpec spec = fake_spec(n_layer, seed);
        Record cell = fake_cell(&spec, 1);
        cell.of.cell.curves.value[curves_at(&cell.of.cell.curves, METRIC_KENDALL_TAU, FAKE_POINTS - 1)] = value(seed);
        free(cell.of.cell.fingerprint);
        cell.of.cell.fingerprint = strdup(fingerprint);
        add_fake(table, fake_training(&spec, OUTCOME_DONE));
        add_fake(table, cell);
    }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    return table;
}

/* Two tables compared. */
typedef struct Pair {
    Table *tables[2];
    Summary *summaries[2];
    Comparison *comparison;
    char sentence[512];
} Pair;

static Pair *pair_of(Table *a, Table *b) {
    Pair *pair = calloc(1, sizeof *pair);
    pair->tables[0] = a;
    pair->tables[1] = b;
    for (int i = 0; i < 2; i++)
        assert_int_equal(summary_create(pair->tables[i], AT_DEFAULT, &pair->summaries[i], NULL), STATUS_OK);
    assert_int_equal(comparison_create(pair->summaries[0], pair->summaries[1], &pair->comparison, NULL), STATUS_OK);
    comparison_sentence(pair->comparison, pair->sentence, sizeof pair->sentence);
    return pair;
}

static void pair_free(Pair *pair) {
    comparison_free(pair->comparison);
    for (int i = 0; i < 2; i++) {
        summary_free(pair->summaries[i]);
        table_free(pair->tables[i]);
    }
    free(pair);
}

static double base_value(uint32_t seed) {
    return 0.5 + 0.01 * seed;
}
static double other_value(uint32_t seed) {
    static const double shift[] = {0.1, 0.3, 0.2};
    return base_value(seed) + shift[seed % 3];
}
static double one_bit(uint32_t seed) {
    return seed == 1 ? nextafter(base_value(seed), 1) : base_value(seed);
}

static void equal_results_are_identical(void **state) {
    Pair *pair = pair_of(table_of(2, 0, 3, base_value, "f"), table_of(2, 0, 3, base_value, "f"));
    assert_int_equal(comparison_outcome(pair->comparison), COMPARISON_IDENTICAL);
    assert_int_equal(pair->comparison->bits.equal, 3);
    assert_string_equal(pair->sentence, "identical: all 3 results are equal to the bit");
    assert_int_equal(pair->comparison->n_differences, METRIC_COUNT);
    for (int i = 0; i < METRIC_COUNT; i++) {
        assert_near(pair->comparison->differences[i].t, 0, 0);
        assert_near(pair->comparison->differences[i].p, 1, 0);
    }
    pair_free(pair);
}

static void the_paired_difference_has_its_t_p_and_interval(void **state) {
    Pair *pair = pair_of(table_of(2, 0, 3, base_value, "f"), table_of(2, 0, 3, other_value, "f"));
    assert_int_equal(comparison_outcome(pair->comparison), COMPARISON_DIFFERENT);
    const Difference *difference = &pair->comparison->differences[0]; /* the largest |t| first */
    assert_int_equal(difference->measure.metric, METRIC_KENDALL_TAU);
    assert_int_equal(difference->interval.n, 3);
    assert_near(difference->mean_a, 0.51, 1e-12);
    assert_near(difference->mean_b, 0.71, 1e-12);
    assert_near(difference->interval.mean, 0.2, 1e-12);
    assert_near(difference->t, 0.2 / (0.1 / sqrt(3)), 1e-9);
    assert_near(difference->p, 0.0741799002274486, 1e-9);      /* R: t.test(c(.1, .3, .2)) */
    assert_near(difference->p_holm, 0.0741799002274486, 1e-9); /* the other metrics are equal: nothing to correct for */
    assert_near(difference->largest, 0.3, 1e-12);
    assert_non_null(strstr(pair->sentence, "3 of 3 results that both have are not equal to the bit, though"));
    assert_non_null(strstr(pair->sentence, "of 1 means that differ 0 do so significantly"));
    pair_free(pair);
}

static void one_bit_is_a_difference_and_the_fingerprints_say_whether_it_may_be(void **state) {
    Pair *pair = pair_of(table_of(2, 0, 3, base_value, "f"), table_of(2, 0, 3, one_bit, "f"));
    assert_int_equal(comparison_outcome(pair->comparison), COMPARISON_DIFFERENT);
    assert_int_equal(pair->comparison->bits.equal, 2);
    assert_int_equal(pair->comparison->bits.unexplained, 1);
    pair_free(pair);
    pair = pair_of(table_of(2, 0, 3, base_value, "f"), table_of(2, 0, 3, one_bit, "g"));
    assert_int_equal(pair->comparison->bits.unexplained, 0);
    assert_non_null(strstr(pair->sentence, "as their numerics fingerprints are not either"));
    pair_free(pair);
}

static void more_seeds_or_configurations_on_one_side_leave_the_common_ones_unaltered(void **state) {
    Pair *pair = pair_of(table_of(2, 0, 3, base_value, "f"), table_of(2, 1, 4, base_value, "f"));
    assert_int_equal(comparison_outcome(pair->comparison), COMPARISON_EXTENDED);
    assert_int_equal(pair->comparison->bits.common, 2);
    assert_int_equal(pair->comparison->series_only_a, 1);
    assert_int_equal(pair->comparison->series_only_b, 2);
    assert_int_equal(pair->comparison->n_only_a, 0);
    pair_free(pair);
    pair = pair_of(fake_table((int[]){2, 4}, 2, 2), fake_table((int[]){4, 6}, 2, 2));
    assert_int_equal(comparison_outcome(pair->comparison), COMPARISON_EXTENDED);
    assert_int_equal(pair->comparison->n_only_a, 2); /* depth 2 at two qualities */
    char label[64];
    comparison_label(pair->comparison, pair->comparison->only_b[1], label, sizeof label);
    assert_string_equal(label, "n_layer 6, q 0.5, model");
    pair_free(pair);
}

static void nothing_in_common_says_in_which_setting_all_differ(void **state) {
    char text[256];
    Pair *pair = pair_of(table_of(2, 0, 3, base_value, "f"), table_of(3, 0, 3, base_value, "f"));
    assert_int_equal(comparison_outcome(pair->comparison), COMPARISON_NOTHING_COMMON);
    assert_string_equal(comparison_apart(pair->comparison, text, sizeof text), "model.n_layer 2 / 3");
    pair_free(pair);
    pair = pair_of(table_of(2, 0, 3, base_value, "f"), table_of(2, 7, 3, base_value, "f"));
    assert_int_equal(comparison_outcome(pair->comparison), COMPARISON_NOTHING_COMMON); /* other seeds */
    assert_string_equal(comparison_apart(pair->comparison, text, sizeof text), "");
    pair_free(pair);
}

static double elsewhere(uint32_t seed) {
    (void)seed;
    return 0.25;
}

static void what_is_equal_at_every_seed_takes_no_power_from_what_differs(void **state) {
    Pair *pair = pair_of(table_of(2, 0, 3, base_value, "f"), table_of(2, 0, 3, elsewhere, "f"));
    const Comparison *comparison = pair->comparison;
    assert_near(comparison->differences[0].p_holm, comparison->differences[0].p, 0);
    for (int i = 1; i < METRIC_COUNT; i++) {
        assert_near(comparison->differences[i].largest, 0, 0);
        assert_near(comparison->differences[i].p_holm, 1, 0);
    }
    assert_int_equal(comparison->n_significant, 1);
    pair_free(pair);
}

static void one_common_seed_has_a_difference_but_no_test(void **state) {
    Pair *pair = pair_of(table_of(2, 0, 1, base_value, "f"), table_of(2, 0, 1, other_value, "f"));
    assert_true(isnan(pair->comparison->differences[0].t));
    assert_true(isnan(pair->comparison->differences[0].p_holm));
    assert_near(pair->comparison->differences[0].largest, 0.1, 1e-12); /* the largest first */
    assert_non_null(strstr(pair->sentence, "cannot be tested"));
    pair_free(pair);
}

static void trainings_that_ended_otherwise_are_a_difference(void **state) {
    Table *tables[2];
    for (int i = 0; i < 2; i++) {
        TrainingSpec spec = fake_spec(2, 0);
        tables[i] = table_create();
        add_fake(tables[i], fake_training(&spec, i == 0 ? OUTCOME_DONE : OUTCOME_DIVERGED));
        assert_int_equal(table_finish(tables[i], NULL), STATUS_OK);
    }
    Pair *pair = pair_of(tables[0], tables[1]);
    assert_int_equal(comparison_outcome(pair->comparison), COMPARISON_DIFFERENT);
    assert_non_null(strstr(pair->sentence, "1 training ended differently"));
    pair_free(pair);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_results_are_identical),
        cmocka_unit_test(the_paired_difference_has_its_t_p_and_interval),
        cmocka_unit_test(one_bit_is_a_difference_and_the_fingerprints_say_whether_it_may_be),
        cmocka_unit_test(more_seeds_or_configurations_on_one_side_leave_the_common_ones_unaltered),
        cmocka_unit_test(nothing_in_common_says_in_which_setting_all_differ),
        cmocka_unit_test(what_is_equal_at_every_seed_takes_no_power_from_what_differs),
        cmocka_unit_test(one_common_seed_has_a_difference_but_no_test),
        cmocka_unit_test(trainings_that_ended_otherwise_are_a_difference),
    };
    return run_tests(tests, argc, argv);
}
