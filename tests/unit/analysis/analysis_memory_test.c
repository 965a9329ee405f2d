/* Every allocation of an analysis, failed in turn: a clean STATUS_NO_MEMORY and nothing lost. */
#include "tests/fixtures/failing_allocations.h"

#include "analysis/report/axis_tables.h"
#include "analysis/report/summary_csv.h"
#include "analysis/report/verdict_tables.h"
#include "analysis/results/completeness.h"
#include "tests/fixtures/fake_results.h"

static Table *table; /* of all tests: made before counting begins */
static const char *folder;

static Table *claimed_table(void) {
    static const int depths[] = {2, 4, 8};
    Table *made = table_create();
    Record header = fake_header();
    free(header.of.header.job_text);
    header.of.header.job_text = strdup(
        "model: {n_layer: [2, 4, 8]}\ntask: {n_points: 8}\nevaluate: {critique_quality: [1, 0.5]}\nseeds: 5\n"
        "claims:\n"
        "- {id: a, test: trend, metric: nmse, over: model.n_layer, direction: increasing, where: "
        "{critique_quality: 1}}\n"
        "- {id: b, test: difference, metric: nmse, a: {predictor: gd}, b: {predictor: mean}, where: "
        "{critique_quality: 1}}\n"
        "- {id: c, test: plateau, metric: nmse, over: model.n_layer, margin: 0.1, where: {critique_quality: 1}}\n"
        "- {id: d, test: regression, metric: kendall_tau, over: critique_quality, on: self_check_accuracy, where: "
        "{model.n_layer: 2}}\n");
    add_fake(made, header);
    for (uint32_t seed = 0; seed < 5; seed++)
        for (int i = 0; i < 3; i++)
            add_fake_training(made, fake_spec(depths[i], seed));
    assert_int_equal(table_finish(made, NULL), STATUS_OK);
    return made;
}

static Status judge(Error *err) {
    Verdicts *verdicts = NULL;
    char warning[256] = "";
    Status status = verdicts_create(table, NULL, 0, NULL, &verdicts, warning, sizeof warning, err);
    if (status == STATUS_OK) {
        assert_int_equal(verdicts->count, 4);
        assert_string_equal(warning, "");
        assert_near(verdicts->items[3].estimate.mean, 1, 1e-9); /* half the quality on half the quality */
        status = verdicts_write_csv(verdicts, folder, err);
    }
    verdicts_free(verdicts);
    return status;
}

static Status sum_up(Error *err) {
    Summary *summary = NULL;
    Completeness *completeness = NULL;
    Families *families = NULL;
    Verdicts none = {0};
    Status status = summary_create(table, AT_DEFAULT, &summary, err);
    if (status == STATUS_OK) status = completeness_create(summary, &completeness, err);
    if (status == STATUS_OK) status = families_create(summary, &families, err);
    if (status == STATUS_OK) status = summary_write_csv(summary, folder, err);
    if (status == STATUS_OK) status = completeness_write_csv(completeness, folder, err);
    if (status == STATUS_OK) status = axis_tables_write(summary, families, &none, folder, err);
    families_free(families);
    completeness_free(completeness);
    summary_free(summary);
    return status;
}

/* A file that cannot be opened for lack of memory is an I/O error. */
static Status lenient(Status (*use)(Error *err), Error *err) {
    Status status = use(err);
    return status == STATUS_IO && strstr(err->text, "Cannot allocate memory") != NULL ? STATUS_NO_MEMORY : status;
}

static Status judge_all(Error *err) {
    return lenient(judge, err);
}
static Status sum_up_all(Error *err) {
    return lenient(sum_up, err);
}

static void run(Status (*use)(Error *err), int least) {
    if (!CAN_REPLACE) skip();
    char dir[] = "/tmp/analysis_memory_XXXXXX", command[64];
    folder = mkdtemp(dir);
    assert_non_null(folder);
    table = claimed_table();
    assert_true(fail_each(use) >= least);
    table_free(table);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void verdicts_survive_every_failed_allocation(void **state) {
    run(judge_all, 50);
}

static void tables_survive_every_failed_allocation(void **state) {
    run(sum_up_all, 30);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_survive_every_failed_allocation),
        cmocka_unit_test(tables_survive_every_failed_allocation),
    };
    return run_tests(tests, argc, argv);
}
