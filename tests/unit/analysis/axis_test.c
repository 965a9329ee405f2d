/* What each axis does: families of configurations, paired differences, trends. */
#include "tests/harness.h"

#include "analysis/claims/axis_trend.h"
#include "analysis/report/axis_tables.h"
#include "tests/fixtures/fake_results.h"

#include <unistd.h>

/* As fake_table's models, but the metric also grows with log2 of the depth up to 4 and then stays. */
static double depth_value(int n_layer, double quality, uint32_t seed, int examples) {
    double depth = n_layer < 4 ? n_layer : 4;
    return fake_value(quality, seed, examples) + 0.1 * log2(depth) + 0.0001 * ((7 * seed + 3 * (uint32_t)n_layer) % 11);
}

/* linked: the width moves with the depth, as by zip. */
static Table *deep_table(int n_seeds, bool linked) {
    static const int depths[] = {1, 2, 4, 8, 16};
    Table *table = table_create();
    for (uint32_t seed = 0; seed < (uint32_t)n_seeds; seed++)
        for (int i = 0; i < 5; i++)
            for (int quality = 1; quality <= 2; quality++) {
                TrainingSpec spec = fake_spec(depths[i], seed);
                if (linked) spec.model.n_embd = 24 * depths[i];
                if (quality == 1) add_fake(table, fake_training(&spec, OUTCOME_DONE));
                Record cell = fake_cell(&spec, quality / 2.0);
                Curves *curves = &cell.of.cell.curves;
                for (Metric metric = 0; metric < METRIC_COUNT; metric++)
                    for (int k = 2; k < FAKE_POINTS; k++)
                        curves->value[curves_at(curves, metric, k)] = depth_value(depths[i], quality / 2.0, seed, k);
                add_fake(table, cell);
            }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    return table;
}

typedef struct Results {
    Table *table;
    Summary *summary;
    Families *families;
} Results;

static Results results_of(Table *table) {
    Results results = {.table = table};
    assert_int_equal(summary_create(table, AT_DEFAULT, &results.summary, NULL), STATUS_OK);
    assert_int_equal(families_create(results.summary, &results.families, NULL), STATUS_OK);
    return results;
}

static void results_free(Results *results) {
    families_free(results->families);
    summary_free(results->summary);
    table_free(results->table);
}

static void a_family_agrees_in_everything_but_its_axis(void **state) {
    Results results = results_of(deep_table(3, false));
    const Families *families = results.families;
    assert_int_equal(families->count, 2 + 5); /* depths under two qualities; qualities at five depths */
    assert_int_equal(families->items[0].n, 5);
    assert_string_equal(families->items[0].axis->key, "model.n_layer");
    for (int i = 0; i < 5; i++)
        assert_near(family_level(&families->items[0], i), 1 << i, 0);
    assert_near(families->items[0].members[0]->series->settings.critic.quality,
                families->items[0].members[4]->series->settings.critic.quality, 0);
    assert_string_equal(families->items[6].axis->key, "evaluate.critique_quality");
    assert_int_equal(families->items[6].n, 2);
    results_free(&results);
}

static void axes_that_move_together_are_one(void **state) {
    Results results = results_of(deep_table(2, true));
    assert_int_equal(results.table->n_axes, 3);
    assert_int_equal(results.families->count, 2 + 5);
    assert_string_equal(results.families->items[0].axis->key, "model.n_layer");
    assert_string_equal(results.families->items[2].axis->key, "evaluate.critique_quality");
    results_free(&results);
}

static double read_measure(const Series *series, const void *context) {
    return measure_of(series, *(const Measure *)context);
}

static void a_trend_over_an_axis_has_slope_plateau_and_knee_where_they_are(void **state) {
    Results results = results_of(deep_table(8, false));
    const Family *family = &results.families->items[1]; /* quality 1 */
    Measure measure = {MEASURE_EXAMPLES, METRIC_KENDALL_TAU, 7};
    Pairing *pairing = NULL;
    Resamples *resamples = NULL;
    AxisTrend trend;
    assert_int_equal(
        pairing_of_configurations(results.table, family->members, family->n, read_measure, &measure, &pairing, NULL),
        STATUS_OK);
    assert_int_equal(resamples_create(8, 399, &resamples, NULL), STATUS_OK);
    assert_int_equal(axis_trend(family, pairing, measure, 0.01, resamples, &trend, NULL), STATUS_OK);
    assert_true(trend.log2_scale);
    assert_int_equal(trend.n_seeds, 8);
    assert_near(trend.slope.mean, 0.05, 0.001); /* least squares of 0, 1, 2, 2, 2 tenths on 0 .. 4 */
    assert_near(trend.slope_p, pow(2, -7), 1e-12);
    assert_true(trend.page.exact && trend.page.p_increasing < 1e-3);
    assert_near(trend.plateau, 4, 0);
    assert_near(trend.plateau_p, pow(2, -8), 1e-12);
    assert_true(trend.knee.found);
    assert_near(exp2(trend.knee.at), 4, 0.1);
    assert_true(trend.knee.slope_before > 0.09 && trend.knee.slope_after < 0.01);
    for (int i = 0; i + 1 < 5; i++)
        assert_true(trend.isotonic[i] <= trend.isotonic[i + 1]);
    pairing_free(pairing);
    resamples_free(resamples);
    results_free(&results);
}

static void a_straight_line_has_no_knee(void **state) {
    static const double x[] = {0, 1, 2, 3, 4};
    double values[40];
    Resamples *resamples = NULL;
    assert_int_equal(resamples_create(8, 199, &resamples, NULL), STATUS_OK);
    for (int i = 0; i < 40; i++)
        values[i] = 0.1 * (i % 5) + 0.01 * sin(i * i);
    Knee knee = find_knee(values, x, 5, resamples);
    assert_false(knee.found);
    assert_true(knee.p_straight > 0.05 && isnan(knee.at));
    assert_true(isnan(find_knee(values, x, 3, resamples).p_straight)); /* too few levels to tell */
    resamples_free(resamples);
}

/* Line number i of a file in dir; the file is removed when last. */
static const char *line_of(const char *dir, const char *name, int number, bool last) {
    static char line[8192];
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (int i = 0; i <= number; i++)
        assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    if (last) unlink(path);
    return line;
}

static void every_pair_and_every_trend_is_a_row(void **state) {
    char dir[] = "/tmp/axis_test_XXXXXX";
    Results results = results_of(deep_table(6, false));
    Verdicts none = {0};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(axis_tables_write(results.summary, results.families, &none, dir, NULL), STATUS_OK);
    assert_non_null(strstr(line_of(dir, "paired.csv", 0, false), ",axis,value,reference,metric,kind,index,seeds,"));
    assert_non_null(strstr(line_of(dir, "paired.csv", 1, false), ",model,model.n_layer,2,1,nmse,examples,7,6,0,"));
    line_of(dir, "paired.csv", (2 * 4 + 5) * METRIC_COUNT, true);
    assert_non_null(strstr(line_of(dir, "trends.csv", 1, false), ",model,model.n_layer,nmse,examples,7,6,1;2;4;8;16,"));
    line_of(dir, "trends.csv", 2 * METRIC_COUNT, true);
    rmdir(dir);
    results_free(&results);
}

static void the_sheet_tells_each_axis_from_its_first_value_to_its_last(void **state) {
    Results results = results_of(deep_table(6, false));
    Sheet *sheet = axis_sheet(results.summary, results.families);
    assert_int_equal(sheet->n_rows, 3);
    assert_string_equal(sheet->cells[7], "n_layer");
    assert_string_equal(sheet->cells[8], "1");
    assert_string_equal(sheet->cells[9], "16");
    assert_memory_equal(sheet->cells[10], "+0.200 [", 8);
    assert_string_equal(sheet->cells[11], "0.031");
    assert_string_equal(sheet->cells[14], "q");
    assert_memory_equal(sheet->cells[17], "+0.250 [", 8);
    sheet_free(sheet);
    results_free(&results);
}

static void the_sheet_names_the_axes_that_move_with_one(void **state) {
    Results results = results_of(deep_table(6, true));
    Sheet *sheet = axis_sheet(results.summary, results.families);
    assert_string_equal(sheet->cells[7], "n_layer with n_embd");
    assert_string_equal(sheet->cells[14], "q");
    sheet_free(sheet);
    results_free(&results);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_agrees_in_everything_but_its_axis),
        cmocka_unit_test(axes_that_move_together_are_one),
        cmocka_unit_test(a_trend_over_an_axis_has_slope_plateau_and_knee_where_they_are),
        cmocka_unit_test(a_straight_line_has_no_knee),
        cmocka_unit_test(every_pair_and_every_trend_is_a_row),
        cmocka_unit_test(the_sheet_tells_each_axis_from_its_first_value_to_its_last),
        cmocka_unit_test(the_sheet_names_the_axes_that_move_with_one),
    };
    return run_tests(tests, argc, argv);
}
