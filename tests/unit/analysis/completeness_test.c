/* What is missing from results is seen before any number is believed. */
#include "tests/harness.h"

#include "analysis/report/summary_csv.h"
#include "analysis/results/completeness.h"
#include "tests/fixtures/fake_results.h"

#include <unistd.h>

/* Depth 2 whole for 4 seeds; of depth 4 seed 1 failed, 2 diverged, 3 was not asked for, and seed 0 lacks a cell. */
static Table *gappy(void) {
    Table *table = table_create();
    for (uint32_t seed = 0; seed < 4; seed++)
        add_fake_training(table, fake_spec(2, seed));
    TrainingSpec part = fake_spec(4, 0), failed = fake_spec(4, 1), diverged = fake_spec(4, 2);
    add_fake(table, fake_training(&part, OUTCOME_DONE));
    add_fake(table, fake_cell(&part, 1));
    add_fake(table, fake_training(&failed, OUTCOME_FAILED));
    add_fake(table, fake_training(&diverged, OUTCOME_DIVERGED));
    TrainingSpec other = fake_spec(4, 5);
    Record odd = fake_cell(&other, 0.5), training = fake_training(&other, OUTCOME_DONE);
    free(odd.of.cell.fingerprint);
    odd.of.cell.fingerprint = strdup("fake 2");
    add_fake(table, training);
    add_fake(table, odd);
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    return table;
}

static Completeness *complete(Table *table, Summary **summary) {
    Completeness *completeness = NULL;
    assert_int_equal(summary_create(table, AT_DEFAULT, summary, NULL), STATUS_OK);
    assert_int_equal(completeness_create(*summary, &completeness, NULL), STATUS_OK);
    return completeness;
}

static void every_seed_of_every_configuration_has_a_letter(void **state) {
    Table *table = gappy();
    Summary *summary = NULL;
    Completeness *completeness = complete(table, &summary);
    assert_int_equal(completeness->n_groups, 2);
    assert_int_equal(completeness->n_seeds, 5); /* 0 to 3 and 5 */
    assert_int_equal(completeness->missing_cells, 2);
    assert_int_equal(completeness->n_fingerprints, 2);
    Sheet *sheet = completeness_sheet(completeness);
    assert_string_equal(sheet->cells[4], "n_layer 2");
    assert_string_equal(sheet->cells[5], "4 of 5");
    assert_string_equal(sheet->cells[6], "8 of 10");
    assert_string_equal(sheet->cells[7], "++++ ");
    assert_string_equal(sheet->cells[11], "cfd c");
    sheet_free(sheet);
    completeness_free(completeness);
    summary_free(summary);
    table_free(table);
}

static void a_row_a_seed_says_what_became_of_it_and_why(void **state) {
    char dir[] = "/tmp/completeness_test_XXXXXX", path[64], line[2048];
    Table *table = gappy();
    Summary *summary = NULL;
    Completeness *completeness = complete(table, &summary);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(completeness_write_csv(completeness, dir, NULL), STATUS_OK);
    snprintf(path, sizeof path, "%s/completeness.csv", dir);
    FILE *file = fopen(path, "r");
    static const char *const expected[] = {"seed,state,reason,cells,cells_expected,fingerprint,mixed_fingerprints",
                                           "0,done,,2,2,fake 1,false",
                                           "1,done,,2,2,fake 1,false",
                                           "2,done,,2,2,fake 1,false",
                                           "3,done,,2,2,fake 1,false",
                                           "5,not asked for,,0,0,,false",
                                           "0,done,,1,2,fake 1,false",
                                           "1,failed,\"killed by signal 9, \"\"why\"\"\",0,2,fake 1,false",
                                           "2,diverged,\"killed by signal 9, \"\"why\"\"\",0,2,fake 1,false",
                                           "3,not asked for,,0,0,,false",
                                           "5,done,,1,2,fake 1,true"};
    for (int i = 0; i < 11; i++) {
        assert_non_null(fgets(line, sizeof line, file));
        line[strcspn(line, "\n")] = '\0';
        size_t length = strlen(line), tail = strlen(expected[i]);
        assert_true(length > tail);
        assert_string_equal(line + length - tail, expected[i]);
    }
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    unlink(path);
    rmdir(dir);
    completeness_free(completeness);
    summary_free(summary);
    table_free(table);
}

static char *printed(const Completeness *completeness) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    completeness_print(completeness, out);
    fclose(out);
    return text;
}

static void the_matrix_is_printed_only_when_something_is_missing(void **state) {
    Table *whole = fake_table((int[]){2, 4}, 2, 3), *part = gappy();
    Summary *of_whole = NULL, *of_part = NULL;
    Completeness *complete_whole = complete(whole, &of_whole), *complete_part = complete(part, &of_part);
    char *nothing = printed(complete_whole), *something = printed(complete_part);
    assert_string_equal(nothing, "");
    assert_non_null(strstr(something, "2 cells of finished trainings not measured"));
    assert_non_null(strstr(something, "cfd c"));
    free(nothing);
    free(something);
    completeness_free(complete_whole);
    completeness_free(complete_part);
    summary_free(of_whole);
    summary_free(of_part);
    table_free(whole);
    table_free(part);
}

static void nothing_can_be_complete(void **state) {
    Table *table = table_create();
    Summary *summary = NULL;
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Completeness *completeness = complete(table, &summary);
    Sheet *sheet = completeness_sheet(completeness);
    assert_int_equal(sheet->n_rows, 1);
    sheet_free(sheet);
    completeness_free(completeness);
    summary_free(summary);
    table_free(table);
}

static void the_summary_has_every_statistic_and_bootstrap_where_it_is_read(void **state) {
    char dir[] = "/tmp/completeness_test_XXXXXX", path[64], line[4096];
    Table *table = fake_table((int[]){2}, 1, 5);
    Summary *summary = NULL;
    assert_int_equal(summary_create(table, AT_DEFAULT, &summary, NULL), STATUS_OK);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(summary_write_csv(summary, dir, NULL), STATUS_OK);
    snprintf(path, sizeof path, "%s/summary.csv", dir);
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    assert_non_null(strstr(line, ",metric,kind,index,seeds,undefined,mean,median,standard_deviation,interquartile_mean,"
                                 "minimum,maximum,low,high,interval,bootstrap_low,bootstrap_high\n"));
    int rows = 0, studentised = 0, checked = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        rows++;
        size_t length = strlen(line);
        bool empty = strcmp(line + length - 3, ",,\n") == 0;
        studentised += !empty;
        if (!empty) assert_non_null(strstr(line, ",7,5,0,")); /* index 7, 5 seeds, none undefined */
        const char *found = strstr(line, ",kendall_tau,examples,7,5,0,");
        if (found == NULL || checked++ > 0) continue;
        double mean, median, deviation, middle, least, most;
        assert_int_equal(
            sscanf(found + 28, "%lf,%lf,%lf,%lf,%lf,%lf", &mean, &median, &deviation, &middle, &least, &most), 6);
        assert_near(mean, fake_value(1, 2, 7), 1e-12);
        assert_near(median, fake_value(1, 2, 7), 1e-12);
        assert_near(deviation, 0.001 * sqrt(2.5), 1e-12);
        assert_near(middle, fake_value(1, 2, 7), 1e-12);
        assert_near(most - least, 0.004, 1e-12);
    }
    assert_int_equal(rows, 6 * METRIC_COUNT * FAKE_POINTS);
    assert_int_equal(studentised, 6 * METRIC_COUNT);
    assert_int_equal(checked, 6);
    fclose(file);
    unlink(path);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, i == 0 ? "seeds.csv" : "trainings.csv");
        unlink(path);
    }
    rmdir(dir);
    summary_free(summary);
    table_free(table);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_seed_of_every_configuration_has_a_letter),
        cmocka_unit_test(a_row_a_seed_says_what_became_of_it_and_why),
        cmocka_unit_test(the_matrix_is_printed_only_when_something_is_missing),
        cmocka_unit_test(nothing_can_be_complete),
        cmocka_unit_test(the_summary_has_every_statistic_and_bootstrap_where_it_is_read),
    };
    return run_tests(tests, argc, argv);
}
