/* Every allocation of reading a job, failed in turn: a clean STATUS_NO_MEMORY and nothing lost. */
#include "jobs/job/job_difference.h"

#include "tests/fixtures/failing_allocations.h"

static const char text[] =
    "name: memory\nmodel: {n_layer: [1, 2, 3], ffn: [true, false]}\n"
    "evaluate: {critique_quality: [1, 0.5], baselines: [gd, mean]}\nseeds: [1, 2]\n"
    "zip: [{model.n_head: 1, model.n_embd: 32}, {model.n_head: 3, model.n_embd: 96}]\n"
    "exclude: [{seed: 1, model.n_layer: 1}, {model.n_layer: 2, model.n_head: 3}]\n"
    "claims: [{id: a, test: trend, metric: nmse, over: critique_quality, direction: increasing,\n"
    "  where: {model: {n_layer: 3, n_head: 1, ffn: true}, train.steps: 10}},\n"
    "  {id: b, test: difference, metric: nmse, a: {predictor: gd}, b: {predictor: mean},\n"
    "  where: {critique_quality: 1}},\n"
    "  {id: c, test: plateau, metric: nmse, at: [2, 9], over: model.n_layer, margin: 0.1,\n"
    "  where: {critique_quality: 1, model.n_head: 1, model.ffn: true, train.steps: 10}},\n"
    "  {id: d, test: equivalence, metric: nmse, a: {predictor: model}, b: {predictor: gd}, margin: 0.05,\n"
    "  where: {critique_quality: 1, model.n_layer: 3, model.n_head: 1, model.ffn: true, train.steps: 10}},\n"
    "  {id: e, test: regression, metric: kendall_tau, at: 9, on: self_check_accuracy,\n"
    "  over: critique_quality, where: {model.n_layer: 3, model.n_head: 1, model.ffn: true, train.steps: 10}}]\n";

static Status parse_job(Error *err) {
    const char *const overrides[] = {"train.steps=10,20", "evaluate.gd_steps=released"};
    Job *job = NULL;
    Status status = job_parse("j", text, overrides, 2, &job, err);
    if (status == STATUS_OK)
        assert_int_equal(job_trainings(job), 2 * 2 * 3 * 2 * 2 - 2 * 2 * 2 - 2 * 2 * 2);
    else
        assert_true(job == NULL && strstr(err->text, "out of memory") != NULL);
    job_free(job);
    return status;
}

static Status refuse_job(Error *err) {
    Job *job = NULL;
    Status status = job_parse("j", "model: {n_layer: [1, 2], n_head: 5}", NULL, 0, &job, err);
    assert_null(job);
    return status == STATUS_DATA ? STATUS_OK : status;
}

static Status read_job(Error *err) {
    Job *job = NULL;
    Status status = job_read(PROJECT_DIR "/jobs/quick/quality.yaml", NULL, 0, &job, err);
    char *resolved = status == STATUS_OK ? job_resolved(job) : NULL;
    if (status == STATUS_OK && resolved == NULL) status = STATUS_NO_MEMORY;
    if (resolved != NULL) assert_non_null(strstr(resolved, "baselines: [gd, mean, best, contrast, exact]\n"));
    if (resolved != NULL) assert_non_null(strstr(resolved, "claims:\n"));
    free(resolved);
    job_free(job);
    return status;
}

static Status compare_jobs(Error *err) {
    const char *const old[] = {"train.steps=10,30"}, *const new[] = {"train.steps=10,20"};
    Job *before = NULL, *after = NULL;
    JobDifference difference;
    Status status = job_parse("j", text, old, 1, &before, err);
    if (status == STATUS_OK) status = job_parse("j", text, new, 1, &after, err);
    if (status == STATUS_OK) status = job_difference(before, after, &difference, err);
    if (status == STATUS_OK) assert_non_null(strstr(difference.text, "train.steps: 10, 30 -> 10, 20; "));
    job_free(before);
    job_free(after);
    return status;
}

static Status write_pages(Error *err) {
    char *reference = settings_reference(), *help = settings_help();
    bool whole = reference != NULL && help != NULL;
    if (whole) assert_non_null(strstr(reference, "## Checked together"));
    free(reference);
    free(help);
    return whole ? STATUS_OK : STATUS_NO_MEMORY;
}

static void every_failed_allocation_of_a_job_is_a_clean_error(void **state) {
    if (!CAN_REPLACE) skip();
    assert_in_range(fail_each(parse_job), 100, 10000);
    assert_in_range(fail_each(refuse_job), 30, 10000);
    assert_in_range(fail_each(read_job), 50, 10000);
    assert_in_range(fail_each(compare_jobs), 200, 20000);
}

static void every_failed_allocation_of_the_pages_is_a_clean_error(void **state) {
    if (!CAN_REPLACE) skip();
    assert_in_range(fail_each(write_pages), 4, 1000);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failed_allocation_of_a_job_is_a_clean_error),
        cmocka_unit_test(every_failed_allocation_of_the_pages_is_a_clean_error),
    };
    return run_tests(tests, argc, argv);
}
