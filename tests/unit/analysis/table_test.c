/* The table of results and what the summary says of it. */
#include "tests/harness.h"

#include "analysis/report/summary_tables.h"
#include "analysis/results/measure.h"
#include "analysis/results/summary.h"
#include "tests/fixtures/fake_results.h"

static void series_of_one_configuration_lie_side_by_side_with_the_best_critic_first(void **state) {
    Table *table = fake_table((int[]){4, 2}, 2, 3);
    assert_int_equal(table->n_series, 2 * 3 * 2 + 2 * 3 * 2); /* models, baselines: shared by the depths */
    static const struct {
        double quality;
        Predictor predictor;
        int n_layer;
    } expected[] = {{1, PREDICTOR_MODEL, 2}, {1, PREDICTOR_MODEL, 4},   {1, PREDICTOR_GD, 0},
                    {1, PREDICTOR_MEAN, 0},  {0.5, PREDICTOR_MODEL, 2}, {0.5, PREDICTOR_MODEL, 4},
                    {0.5, PREDICTOR_GD, 0},  {0.5, PREDICTOR_MEAN, 0}};
    for (int i = 0; i < table->n_series; i++) {
        const Series *series = &table->series[i];
        assert_near(series->settings.critic.quality, expected[i / 3].quality, 0);
        assert_int_equal(series->predictor, expected[i / 3].predictor);
        if (series->predictor == PREDICTOR_MODEL)
            assert_int_equal(series->settings.training.model.n_layer, expected[i / 3].n_layer);
        assert_int_equal(series->settings.training.seed, i % 3);
    }
    table_free(table);
}

static void only_settings_that_vary_are_axes_and_labels_name_only_those(void **state) {
    Table *table = fake_table((int[]){4, 2}, 2, 2);
    char text[128];
    assert_int_equal(table->n_axes, 2);
    assert_string_equal(table->axes[0]->key, "model.n_layer");
    assert_string_equal(table->axes[1]->key, "evaluate.critique_quality");
    assert_string_equal(series_label(table, &table->series[0], NULL, text, sizeof text), "n_layer 2, q 1");
    assert_string_equal(series_label(table, &table->series[0], table->axes[0], text, sizeof text), "q 1");
    assert_string_equal(series_label(table, &table->series[4], NULL, text, sizeof text), "q 1"); /* gd has no depth */
    assert_string_equal(setting_label(settings_find("task.noise"), text, sizeof text), "task.noise");
    table_free(table);
}

static void of_records_with_the_same_id_the_last_read_wins(void **state) {
    Table *table = table_create();
    TrainingSpec spec = fake_spec(2, 0);
    add_fake(table, fake_training(&spec, OUTCOME_FAILED));
    add_fake(table, fake_cell(&spec, 1));
    Record again = fake_cell(&spec, 1);
    again.of.cell.self_check_accuracy = 0.125;
    add_fake(table, again);
    add_fake(table, fake_training(&spec, OUTCOME_DONE));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(table->n_trainings, 1);
    assert_int_equal(table->trainings[0].record.outcome, OUTCOME_DONE);
    assert_int_equal(table->n_series, 1);
    assert_near(table->series[0].self_check_accuracy, 0.125, 0);
    table_free(table);
}

static void a_cell_read_before_its_training_gets_its_settings_all_the_same(void **state) {
    Table *table = table_create();
    TrainingSpec spec = fake_spec(7, 3);
    add_fake(table, fake_cell(&spec, 1));
    add_fake(table, fake_training(&spec, OUTCOME_DONE));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(table->series[0].settings.training.model.n_layer, 7);
    assert_int_equal(table->series[0].settings.training.seed, 3);
    table_free(table);
}

static void settings_that_a_training_did_not_depend_on_make_no_axis(void **state) {
    Table *table = table_create();
    TrainingSpec spec = fake_spec(2, 0), old = fake_spec(3, 0);
    old.train.exploration = old.train.on_policy_share = 0; /* as a version that did not have them wrote it */
    add_fake(table, fake_training(&spec, OUTCOME_DONE));
    add_fake(table, fake_training(&old, OUTCOME_DONE));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(table->n_axes, 1);
    assert_string_equal(table->axes[0]->key, "model.n_layer");
    table_free(table);
}

static void of_cells_that_differ_in_their_number_of_rounds_the_one_with_most_stands_for_all(void **state) {
    Table *table = table_create();
    TrainingSpec spec = fake_spec(2, 5);
    char text[128];
    add_fake_training(table, spec); /* without rounds, at qualities 1 and 0.5, and two baselines of each */
    add_fake(table, fake_cell_with_rounds(&spec, 1, 2));
    add_fake(table, fake_cell_with_rounds(&spec, 1, 4));
    add_fake(table, fake_cell_with_rounds(&spec, 1, 3));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(table->n_series, 2 + 4);
    const Series *with = &table->series[0], *without = &table->series[3];
    assert_int_equal(with->rounds.count, 5);
    assert_int_equal(with->settings.evaluation.rounds, 4);
    assert_int_equal(with->settings.evaluation.initial_responses, 3);
    assert_near(with->settings.evaluation.right_cosine, 0.75, 0);
    assert_near(with->rounds.self_check_accuracy, 0.75, 0);
    assert_near(with->rounds.value[round_curves_at(&with->rounds, ROUND_GAIN, 4)], fake_round_value(1, 5, 4), 0);
    assert_int_equal(without->predictor, PREDICTOR_MODEL);
    assert_near(without->settings.critic.quality, 0.5, 0);
    assert_int_equal(without->rounds.count, 0);
    assert_string_equal(series_label(table, &table->series[1], NULL, text, sizeof text), "q 1"); /* a baseline */
    table_free(table);
}

static void rounds_that_begin_or_are_judged_otherwise_are_another_configuration(void **state) {
    Table *table = table_create();
    TrainingSpec spec = fake_spec(2, 5);
    char text[128];
    Record other = fake_cell_with_rounds(&spec, 1, 2);
    other.of.cell.rounds.right_cosine = 0.5;
    other.of.cell.cell_id.bytes[0] ^= 1;
    add_fake_training(table, spec);
    add_fake(table, other);
    add_fake(table, fake_cell_with_rounds(&spec, 1, 4));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(table->n_series, 3 + 4);
    assert_true(series_compare_configuration(&table->series[0], &table->series[1]) < 0);
    assert_true(series_same_task(&table->series[0], &table->series[1])); /* the baselines are those of both */
    assert_string_equal(series_label(table, &table->series[1], NULL, text, sizeof text),
                        "q 1, rounds 4, initial_responses 3, right_cosine 0.75");
    table_free(table);
}

static void a_cell_without_its_training_is_left_out_and_counted(void **state) {
    Table *table = table_create();
    TrainingSpec spec = fake_spec(2, 0);
    add_fake(table, fake_cell(&spec, 1));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(table->n_series, 0);
    assert_int_equal(table->orphans, 1);
    table_free(table);
}

static void rounds_are_a_table_of_their_own_with_the_first_and_the_last_answer(void **state) {
    Table *table = table_create();
    Summary *summary = NULL;
    char *text = NULL;
    size_t size;
    for (uint32_t seed = 0; seed < 2; seed++) {
        TrainingSpec spec = fake_spec(2, 3 * seed);
        add_fake_training(table, spec);
        add_fake(table, fake_cell_with_rounds(&spec, 1, 4));
    }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(summary_create(table, AT_DEFAULT, &summary, NULL), STATUS_OK);
    Sheet *sheet = rounds_sheet(summary);
    assert_non_null(sheet);
    FILE *out = open_memstream(&text, &size);
    sheet_print(sheet, out);
    fclose(out);
    assert_string_equal(text,
                        "q  initial_responses  right_cosine  self-check  seeds  rounds  first nmse     last nmse  "
                        "    gain\n\n1  3                  0.75          0.750       2      4       0.251 ± 0.019  "
                        "0.751 ± 0.019  0.751 ± 0.019\n");
    free(text);
    sheet_free(sheet);
    summary_free(summary);
    table_free(table);
}

static void an_empty_table_can_be_summed_up(void **state) {
    Table *table = table_create();
    Summary *summary = NULL;
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(summary_create(table, AT_DEFAULT, &summary, NULL), STATUS_OK);
    Sheet *sheet = summary_sheet(summary);
    assert_int_equal(sheet->n_rows, 1);
    sheet_free(sheet);
    summary_free(summary);
    table_free(table);
}

static void a_configuration_is_the_mean_over_its_seeds_at_the_chosen_number_of_examples(void **state) {
    Table *table = fake_table((int[]){2}, 1, 3);
    Summary *summary = NULL;
    assert_int_equal(summary_create(table, AT_DEFAULT, &summary, NULL), STATUS_OK);
    assert_int_equal(summary->at, FAKE_POINTS - 1); /* less than 15 */
    assert_int_equal(summary->n_configurations, 6);
    MeanInterval interval = measure_interval(&summary->configurations[0], (Measure){MEASURE_EXAMPLES, METRIC_NMSE, 5});
    assert_int_equal(interval.n, 3);
    assert_near(interval.mean, fake_value(1, 1, 5), 1e-12);
    assert_near(interval.standard_deviation, 0.001, 1e-12);
    assert_near(configuration_self_check(&summary->configurations[3]), 0.75, 1e-12);
    const Configuration *gd = configuration_beside(summary, &summary->configurations[3], PREDICTOR_GD);
    assert_ptr_equal(gd, &summary->configurations[4]);
    assert_null(configuration_beside(summary, &summary->configurations[3], PREDICTOR_EXACT));
    summary_free(summary);
    Error err;
    assert_int_equal(summary_create(table, FAKE_POINTS, &summary, &err), STATUS_USAGE);
    assert_non_null(strstr(err.text, "0 to 7"));
    table_free(table);
}

/* Three seeds whose every value of a metric is this. */
static Table *table_with(Metric metric, const double values[3]) {
    Table *table = table_create();
    for (uint32_t seed = 0; seed < 3; seed++) {
        TrainingSpec spec = fake_spec(2, seed);
        add_fake(table, fake_training(&spec, OUTCOME_DONE));
        Record cell = fake_cell(&spec, 1);
        for (int examples = 0; examples < FAKE_POINTS; examples++)
            cell.of.cell.curves.value[curves_at(&cell.of.cell.curves, metric, examples)] = values[seed];
        add_fake(table, cell);
    }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    return table;
}

static void an_interval_is_shown_as_far_as_its_metric_can_be_and_then_by_its_ends(void **state) {
    static const struct {
        Metric metric;
        double values[3], low, high;
        const char *text;
    } cases[] = {
        {METRIC_KENDALL_TAU, {1, 1, 0.9}, 0.823244909, 1, "0.967 [0.823, 1]"},
        {METRIC_KENDALL_TAU, {-1, -1, -0.9}, -1, -0.823244909, "-0.967 [-1, -0.823]"},
        {METRIC_NMSE, {0, 0, 0.1}, 0, 0.176755091, "0.033 [0, 0.177]"},
        {METRIC_NMSE, {2, 2, 1.9}, 1.823244909, 2, "1.967 [1.823, 2]"},
        {METRIC_ALIGNMENT_LOSS, {0, 0, 0.1}, 0, 0.176755091, "0.033 [0, 0.177]"},
        {METRIC_ALIGNMENT_LOSS, {24, 24, 24.1}, 23.889911575, 24.176755091, "24.033 ± 0.143"},
        {METRIC_KENDALL_TAU, {1, 1, 0.9999}, 0.999823245, 1, "1.000 ± 0.000"}, /* cut off, but nothing to see of it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Table *table = table_with(cases[i].metric, cases[i].values);
        Summary *summary = NULL;
        assert_int_equal(summary_create(table, AT_DEFAULT, &summary, NULL), STATUS_OK);
        Sheet *sheet = summary_sheet(summary);
        assert_string_equal(sheet->cells[sheet->n_columns + 3 + (int)cases[i].metric], cases[i].text);
        sheet_free(sheet);
        json_t *json = summary_json(summary);
        const json_t *told =
            json_object_get(json_array_get(json_object_get(json, "configurations"), 0), metric_name(cases[i].metric));
        assert_near(json_real_value(json_object_get(told, "low")), cases[i].low, 1e-6);
        assert_near(json_real_value(json_object_get(told, "high")), cases[i].high, 1e-6);
        json_decref(json);
        summary_free(summary);
        table_free(table);
    }
}

static void what_is_missing_is_named_by_configuration_and_seed(void **state) {
    Table *table = table_create();
    for (uint32_t seed = 0; seed < 6; seed++)
        add_fake_training(table, fake_spec(2, seed));
    TrainingSpec failed = fake_spec(4, 1), diverged = fake_spec(4, 3);
    add_fake_training(table, fake_spec(4, 0));
    add_fake(table, fake_training(&failed, OUTCOME_FAILED));
    add_fake(table, fake_training(&diverged, OUTCOME_DIVERGED));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Summary *summary = NULL;
    assert_int_equal(summary_create(table, AT_DEFAULT, &summary, NULL), STATUS_OK);
    assert_false(summary_is_complete(summary));
    char *remarks = summary_remarks(summary);
    assert_non_null(strstr(remarks, "2 configurations x 6 seeds: 7 of 9 trainings done, 1 diverged, 1 failed\n"));
    assert_non_null(
        strstr(remarks, "n_layer 4: 1 of 6 seeds; diverged: seed 3; failed: seed 1; not asked for: seeds 2, 4, 5"));
    assert_null(strstr(remarks, "n_layer 2:"));
    assert_non_null(strstr(remarks, "one seed only"));
    free(remarks);
    summary_free(summary);
    table_free(table);
}

static void trainings_that_the_job_asks_for_and_no_record_holds_count_as_not_finished(void **state) {
    Job *job = NULL;
    Error err = {{0}};
    const char *text = "model: {n_layer: [2, 4]}\ntask: {n_points: 8}\nseeds: {first: 0, count: 2}\n";
    if (job_parse("test.yaml", text, NULL, 0, &job, &err) != STATUS_OK) fail_msg("%s", err.text);
    Table *table = table_create();
    add_fake_training(table, fake_spec(2, 0));
    add_fake_training(table, fake_spec(2, 1));
    assert_int_equal(table_expect(table, job, &err), STATUS_OK);
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    assert_int_equal(table->n_trainings, 4);
    Summary *summary = NULL;
    assert_int_equal(summary_create(table, AT_DEFAULT, &summary, NULL), STATUS_OK);
    char *remarks = summary_remarks(summary);
    assert_non_null(strstr(remarks, "2 of 4 trainings done"));
    assert_non_null(strstr(remarks, "n_layer 4: 0 of 2 seeds; not finished: seeds 0, 1"));
    assert_non_null(strstr(remarks, "only 2 seeds"));
    free(remarks);
    summary_free(summary);
    table_free(table);
    job_free(job);
}

static void the_printed_table_is_aligned_and_at_most_100_columns_wide(void **state) {
    Table *table = fake_table((int[]){4, 2}, 2, 5);
    Summary *summary = NULL;
    assert_int_equal(summary_create(table, 5, &summary, NULL), STATUS_OK);
    Sheet *sheet = summary_sheet(summary);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    sheet_print(sheet, out);
    fclose(out);
    assert_non_null(strstr(text, "0.552 ± 0.002")); /* mean of fake_value(1, seed, 5), half of its interval */
    int lines = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        lines++;
        assert_true(text_letters(line) <= SHEET_WIDTH);
        assert_true(line[strlen(line) - 1] != ' ');
    }
    assert_int_equal(lines, 1 + 8);
    free(text);
    sheet_free(sheet);
    sheet = trainings_sheet(summary);
    assert_int_equal(sheet->n_rows, 3);
    assert_string_equal(sheet->cells[sheet->n_columns + 1], "5 of 5");
    assert_string_equal(sheet->cells[sheet->n_columns + 2], "14.500 ± 0.000");
    sheet_free(sheet);
    summary_free(summary);
    table_free(table);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_of_one_configuration_lie_side_by_side_with_the_best_critic_first),
        cmocka_unit_test(only_settings_that_vary_are_axes_and_labels_name_only_those),
        cmocka_unit_test(of_records_with_the_same_id_the_last_read_wins),
        cmocka_unit_test(a_cell_read_before_its_training_gets_its_settings_all_the_same),
        cmocka_unit_test(settings_that_a_training_did_not_depend_on_make_no_axis),
        cmocka_unit_test(of_cells_that_differ_in_their_number_of_rounds_the_one_with_most_stands_for_all),
        cmocka_unit_test(rounds_that_begin_or_are_judged_otherwise_are_another_configuration),
        cmocka_unit_test(a_cell_without_its_training_is_left_out_and_counted),
        cmocka_unit_test(rounds_are_a_table_of_their_own_with_the_first_and_the_last_answer),
        cmocka_unit_test(an_empty_table_can_be_summed_up),
        cmocka_unit_test(a_configuration_is_the_mean_over_its_seeds_at_the_chosen_number_of_examples),
        cmocka_unit_test(an_interval_is_shown_as_far_as_its_metric_can_be_and_then_by_its_ends),
        cmocka_unit_test(what_is_missing_is_named_by_configuration_and_seed),
        cmocka_unit_test(trainings_that_the_job_asks_for_and_no_record_holds_count_as_not_finished),
        cmocka_unit_test(the_printed_table_is_aligned_and_at_most_100_columns_wide),
    };
    return run_tests(tests, argc, argv);
}
