/* The schedule: everything once, baselines shared, failures retried, what is known left out. */
#include "coordinator/schedule/schedule.h"

#include "jobs/settings/identity.h"
#include "tests/harness.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const char job_text_2x3[] = "model: {n_layer: [1, 2], n_head: 1, n_embd: 4}\n"
                                   "train: {steps: 5, batch_size: 8}\n"
                                   "evaluate: {prompts: 4, critique_quality: [1, 0], baselines: [gd, mean]}\n"
                                   "seeds: {first: 0, count: 3}\n";

typedef struct Bench {
    Job *job;
    Journal *journal;
    CostModel *costs;
    Schedule *schedule;
} Bench;

static Bench open_bench(const char *text, const char *dir, ScheduleOptions options) {
    Bench bench = {0};
    Error err = {{0}};
    char warning[256];
    options.kernels = "";
    if (job_parse("test.yaml", text, NULL, 0, &bench.job, &err) != STATUS_OK ||
        journal_open_reader(dir, &bench.journal, warning, sizeof warning, &err) != STATUS_OK ||
        cost_model_create(&bench.costs, &err) != STATUS_OK ||
        schedule_create(bench.job, bench.journal, bench.costs, &options, &bench.schedule, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return bench;
}

static void close_bench(Bench *bench) {
    schedule_free(bench->schedule);
    cost_model_free(bench->costs);
    assert_int_equal(journal_close(bench->journal, NULL, NULL), STATUS_OK);
    job_free(bench->job);
}

/* The next piece of work; kind 0 when there is none now. */
static WorkItem next(Schedule *schedule) {
    Assignment assignment = {0};
    bool found;
    Error err = {{0}};
    if (schedule_next(schedule, INFINITY, &found, &assignment, &err) != STATUS_OK) fail_msg("%s", err.text);
    return found ? assignment.item : (WorkItem){0};
}

static void every_training_is_handed_out_once_and_baselines_once_per_seed(void **state) {
    Bench bench = open_bench(job_text_2x3, "/nonexistent", (ScheduleOptions){.keep_models = true});
    int trainings = 0, baselines = 0;
    Id seen[6];
    for (WorkItem item = next(bench.schedule); item.kind != 0; item = next(bench.schedule)) {
        if (item.kind == WORK_TRAINING) {
            for (int i = 0; i < trainings; i++)
                assert_false(id_equal(seen[i], item.training_id));
            seen[trainings++] = item.training_id;
            assert_int_equal(item.n_orders, 2);
            assert_true(item.keep_model);
        } else {
            assert_int_equal(item.kind, WORK_BASELINES);
            assert_int_equal(item.n_orders, 4);
            baselines++;
        }
        assert_false(schedule_finished(bench.schedule));
        schedule_completed(bench.schedule, item.work);
        work_item_free(&item);
    }
    assert_int_equal(trainings, 6);
    assert_int_equal(baselines, 3);
    assert_true(schedule_finished(bench.schedule));
    assert_int_equal(schedule_totals(bench.schedule)->to_train, 6);
    assert_int_equal(schedule_totals(bench.schedule)->baseline_sets, 3);
    assert_int_equal(schedule_totals(bench.schedule)->cells, 12);
    close_bench(&bench);
}

static void failed_work_comes_back_as_often_as_retries_allow(void **state) {
    Bench bench = open_bench("seeds: 0\nevaluate: {baselines: []}\n", "/nonexistent", (ScheduleOptions){.retries = 2});
    for (int attempt = 1; attempt <= 3; attempt++) {
        WorkItem item = next(bench.schedule);
        assert_int_equal(item.kind, WORK_TRAINING);
        assert_int_equal(item.attempt, attempt);
        assert_int_equal(schedule_failed(bench.schedule, item.work, 0), attempt < 3);
        work_item_free(&item);
    }
    assert_int_equal(next(bench.schedule).kind, 0);
    assert_true(schedule_finished(bench.schedule));
    close_bench(&bench);
}

static void a_limit_stops_after_that_many_trainings(void **state) {
    Bench bench = open_bench(job_text_2x3, "/nonexistent", (ScheduleOptions){.limit = 2});
    int trainings = 0;
    for (WorkItem item = next(bench.schedule); item.kind != 0; item = next(bench.schedule)) {
        trainings += item.kind == WORK_TRAINING;
        schedule_completed(bench.schedule, item.work);
        work_item_free(&item);
    }
    assert_int_equal(trainings, 2);
    assert_int_equal(schedule_totals(bench.schedule)->to_train, 2); /* what an ETA is made of */
    assert_true(schedule_limited(bench.schedule));
    assert_true(schedule_finished(bench.schedule));
    close_bench(&bench);
}

/* Such a run is done, not incomplete. */
static void a_limit_that_the_grid_does_not_pass_does_not_limit(void **state) {
    Bench bench = open_bench(job_text_2x3, "/nonexistent", (ScheduleOptions){.limit = 6});
    int trainings = 0;
    for (WorkItem item = next(bench.schedule); item.kind != 0; item = next(bench.schedule)) {
        trainings += item.kind == WORK_TRAINING;
        schedule_completed(bench.schedule, item.work);
        work_item_free(&item);
    }
    assert_int_equal(trainings, 6);
    assert_false(schedule_limited(bench.schedule));
    assert_true(schedule_finished(bench.schedule));
    close_bench(&bench);
}

/* Writes a folder in which the trainings of the job have the given outcome, without models and cells. */
static void make_results(const char *dir, const char *text, Outcome outcome) {
    Job *job;
    Journal *journal;
    Error err = {{0}};
    char warning[256];
    Record header = {.kind = RECORD_HEADER, .of.header = {.schema = SCHEMA_VERSION, .content = "records"}};
    Record end = {.kind = RECORD_END};
    assert_int_equal(job_parse("test.yaml", text, NULL, 0, &job, &err), STATUS_OK);
    assert_int_equal(journal_open(dir, &header, 1 << 20, &journal, warning, sizeof warning, &err), STATUS_OK);
    for (uint64_t i = 0; i < job_grid_points(job); i++) {
        Record record = {.kind = RECORD_TRAINING, .of.training = {.outcome = outcome}};
        assert_true(job_training(job, i, &record.of.training.spec));
        record.of.training.training_id = training_id(&record.of.training.spec);
        assert_int_equal(journal_append(journal, &record, 1, NULL, &err), STATUS_OK);
    }
    assert_int_equal(journal_close(journal, &end, &err), STATUS_OK);
    job_free(job);
}

static int to_train_after(Outcome outcome, Rerun rerun) {
    char dir[] = "/tmp/palinode-schedule-XXXXXX", command[128];
    assert_non_null(mkdtemp(dir));
    make_results(dir, job_text_2x3, outcome);
    Bench bench = open_bench(job_text_2x3, dir, (ScheduleOptions){.rerun = rerun});
    int to_train = (int)schedule_totals(bench.schedule)->to_train;
    close_bench(&bench);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    return to_train;
}

static void what_failed_or_diverged_is_left_alone_unless_asked_for(void **state) {
    assert_int_equal(to_train_after(OUTCOME_FAILED, RERUN_MISSING), 0);
    assert_int_equal(to_train_after(OUTCOME_FAILED, RERUN_FAILED), 6);
    assert_int_equal(to_train_after(OUTCOME_DIVERGED, RERUN_MISSING), 0);
    assert_int_equal(to_train_after(OUTCOME_DIVERGED, RERUN_FAILED), 0);
    assert_int_equal(to_train_after(OUTCOME_DIVERGED, RERUN_ALL), 6);
    assert_int_equal(to_train_after(OUTCOME_DONE, RERUN_MISSING), 6); /* cells are missing and no model was kept */
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_training_is_handed_out_once_and_baselines_once_per_seed),
        cmocka_unit_test(failed_work_comes_back_as_often_as_retries_allow),
        cmocka_unit_test(a_limit_stops_after_that_many_trainings),
        cmocka_unit_test(a_limit_that_the_grid_does_not_pass_does_not_limit),
        cmocka_unit_test(what_failed_or_diverged_is_left_alone_unless_asked_for),
    };
    return run_tests(tests, argc, argv);
}
