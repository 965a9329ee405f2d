/* In which order work goes out: played with many workers, dealt to shards, and before a time limit. */
#include "coordinator/schedule/outlook.h"
#include "coordinator/schedule/schedule.h"

#include "jobs/settings/identity.h"
#include "proto/wire/cost.h"
#include "tests/harness.h"

#include <math.h>
#include <stdlib.h>

typedef struct Bench {
    Job *job;
    Journal *journal;
    CostModel *costs;
    Schedule *schedule;
} Bench;

static Bench open_bench(const char *text, ScheduleOptions options) {
    Bench bench = {0};
    Error err = {{0}};
    char warning[256];
    if (job_parse("test.yaml", text, NULL, 0, &bench.job, &err) != STATUS_OK ||
        journal_open_reader("/nonexistent", &bench.journal, warning, sizeof warning, &err) != STATUS_OK ||
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

/* The next piece of work; item.kind 0: none now. */
static Assignment next(Bench *bench, double left_s) {
    Assignment assignment;
    bool found;
    Error err = {{0}};
    if (schedule_next(bench->schedule, left_s, &found, &assignment, &err) != STATUS_OK) fail_msg("%s", err.text);
    return assignment;
}

/* --- the longest first ------------------------------------------------------------------------------------------ */

/* The true seconds of a piece: small models are slow for their size, and no two pieces take the same time. */
static double true_seconds(const WorkItem *item, uint64_t draw) {
    double rate = 1e9 * (item->kind == WORK_TRAINING ? 1 + item->spec.model.n_embd / 8.0 : 0.4);
    double noise = 0;
    for (int i = 0; i < 4; i++)
        noise += (double)((draw * 4 + (uint64_t)i) * 0x9e3779b97f4a7c15u >> 40) / 0x1p24 - 0.5;
    return cost_work_flops(item) / rate * exp(0.1 * noise);
}

/* What was predicted at a moment of a run. */
typedef struct Prediction {
    double at_s;
    Outlook outlook;
} Prediction;

enum { PREDICTIONS = 40 };

typedef struct Played {
    double makespan_s, total_s, longest_s;
    int pieces;
    Prediction predictions[PREDICTIONS]; /* after every tenth piece */
    int n_predictions;
} Played;

typedef struct Worker {
    double free_at;
    Assignment work;
    double seconds;
} Worker;

enum { WORKERS = 16 };

static void predict(Bench *bench, const Worker *workers, double now_s, Played *played) {
    Underway underway[WORKERS];
    int n = 0;
    Error err = {{0}};
    for (int i = 0; i < WORKERS; i++) {
        const Worker *worker = &workers[i];
        if (worker->work.item.kind == 0) continue;
        double left = (worker->free_at - now_s) / worker->seconds;
        underway[n++] = (Underway){.rate = worker->work.rate, .flops_left = left * cost_work_flops(&worker->work.item)};
    }
    Prediction *prediction = &played->predictions[played->n_predictions++];
    prediction->at_s = now_s;
    if (outlook_of(bench->schedule, bench->costs, underway, n, WORKERS, &prediction->outlook, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

/* Plays a run: whoever is free first gets what the schedule gives next, and the cost model learns from what is done. */
static Played play(Bench *bench) {
    static Worker workers[WORKERS];
    Played played = {0};
    memset(workers, 0, sizeof workers);
    for (;;) {
        int first = 0;
        for (int i = 1; i < WORKERS; i++)
            if (workers[i].free_at < workers[first].free_at) first = i;
        Worker *worker = &workers[first];
        if (worker->work.item.kind != 0) {
            double flops = cost_work_flops(&worker->work.item);
            cost_model_observe(bench->costs, worker->work.rate, flops, worker->seconds, 1);
            cost_model_completed(bench->costs, worker->work.rate, flops, worker->seconds);
            schedule_completed(bench->schedule, worker->work.item.work);
            work_item_free(&worker->work.item);
            worker->work = (Assignment){0};
        }
        Assignment given = next(bench, INFINITY);
        if (given.item.kind == 0) {
            worker->free_at = INFINITY;
            if (schedule_finished(bench->schedule)) return played;
            continue;
        }
        if (played.pieces > WORKERS && played.pieces % 10 == 0 && played.n_predictions < PREDICTIONS) {
            worker->work = given;
            worker->seconds = true_seconds(&given.item, given.item.work);
            worker->free_at += worker->seconds; /* as it begins: all of it is left */
            predict(bench, workers, worker->free_at - worker->seconds, &played);
            worker->free_at -= worker->seconds;
        }
        worker->work = given;
        worker->seconds = true_seconds(&given.item, given.item.work);
        worker->free_at += worker->seconds;
        played.makespan_s = fmax(played.makespan_s, worker->free_at);
        played.longest_s = fmax(played.longest_s, worker->seconds);
        played.total_s += worker->seconds;
        played.pieces++;
    }
}

/* The same grid, in the order of its points. */
static double first_in_first_out(Bench *bench) {
    double free_at[WORKERS] = {0}, makespan_s = 0;
    uint64_t draw = 1;
    for (uint64_t point = 0; point < job_grid_points(bench->job); point++) {
        WorkItem item = {.kind = WORK_TRAINING, .evaluation = job_evaluation(bench->job)};
        int first = 0;
        if (!job_training(bench->job, point, &item.spec)) continue;
        for (int i = 1; i < WORKERS; i++)
            if (free_at[i] < free_at[first]) first = i;
        free_at[first] += true_seconds(&item, draw++);
        makespan_s = fmax(makespan_s, free_at[first]);
    }
    return makespan_s;
}

static void with_ten_trainings_a_worker_the_makespan_is_within_5_percent_of_the_best_possible(void **state) {
    static const char *const grids[] = {
        "model: {n_layer: [1, 2, 4, 8, 16], n_head: 1, n_embd: [8, 16, 32, 64]}\nseeds: {count: 10}\n",
        "model: {n_layer: 2, n_head: 1, n_embd: 8}\ntrain: {steps: [100, 200, 400, 3000]}\nseeds: {count: 40}\n",
        "model: {n_layer: [1, 24], n_head: 1, n_embd: [8, 48]}\nseeds: {count: 40}\n",
        "model: {n_layer: 3, n_head: 1, n_embd: 16}\nseeds: {count: 160}\n", /* equal ones that share evenly: of 165,
                                                                               no order can be within 5 percent */
        "model: {n_layer: [1, 2, 3, 5, 7, 9, 12, 20], n_head: [1, 2], n_embd: [8, 32], attention: [softmax, linear]}\n"
        "train: {steps: [500, 1000, 2500]}\nseeds: {count: 3}\n",
    };
    for (size_t i = 0; i < sizeof grids / sizeof grids[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%sevaluate: {baselines: []}\n", grids[i]);
        Bench bench = open_bench(text, (ScheduleOptions){.workers = WORKERS});
        Played played = play(&bench);
        double bound_s = fmax(played.longest_s, played.total_s / WORKERS);
        assert_true(played.pieces >= 10 * WORKERS);
        assert_true(played.longest_s < played.total_s / WORKERS / 2);
        double ratio = played.makespan_s / bound_s, fifo = first_in_first_out(&bench) / bound_s;
        print_message("grid %zu: %d trainings, makespan %.4f of the bound; in the order of the grid %.4f\n", i,
                      played.pieces, ratio, fifo);
        assert_true(ratio < 1.05);
        close_bench(&bench);
    }
}

/* Each time is a little off from the last, so what is counted are the predictions of many runs. */
static void the_end_is_predicted_and_the_interval_holds_it_in_most_cases(void **state) {
    static const char *const grids[] = {
        "model: {n_layer: [1, 2, 4, 8], n_head: 1, n_embd: [8, 16, 32, 64]}\nseeds: {count: 25}\n",
        "model: {n_layer: 2, n_head: 1, n_embd: 8}\ntrain: {steps: [100, 200, 400, 3000]}\nseeds: {count: 100}\n",
        "model: {n_layer: 3, n_head: 1, n_embd: 16}\nseeds: {count: 400}\n",
    };
    int n = 0, inside = 0;
    double error = 0;
    for (size_t i = 0; i < sizeof grids / sizeof grids[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%sevaluate: {baselines: []}\n", grids[i]);
        Bench bench = open_bench(text, (ScheduleOptions){.workers = WORKERS});
        Played played = play(&bench);
        for (int k = 0; k < played.n_predictions; k++) {
            const Outlook *outlook = &played.predictions[k].outlook;
            double left_s = played.makespan_s - played.predictions[k].at_s;
            inside += outlook->lower_s <= left_s && left_s <= outlook->upper_s;
            error += fabs(outlook->end_s / left_s - 1);
            n++;
        }
        close_bench(&bench);
    }
    print_message("%d predictions: off by %.3f on average, %d in their interval\n", n, error / n, inside);
    assert_true(n > 80);
    assert_true(error / n < 0.1);
    assert_true(inside > n * 6 / 10);
}

static void the_order_follows_what_is_learned_and_not_the_operations_alone(void **state) {
    /* By operations the wide model is the longer one; but it turns out to be a hundred times faster. */
    Bench bench = open_bench("model: {n_layer: 1, n_head: 1, n_embd: [8, 64]}\nevaluate: {baselines: []}\n"
                             "seeds: {count: 9}\n",
                             (ScheduleOptions){.workers = 1});
    Assignment first = next(&bench, INFINITY);
    assert_int_equal(first.item.spec.model.n_embd, 64);
    cost_model_observe(bench.costs, first.rate, 100e9, 1, 1);
    Assignment second = next(&bench, INFINITY);
    assert_int_equal(second.item.spec.model.n_embd, 64); /* of the narrow one nothing else is known */
    TrainingSpec narrow = second.item.spec;
    narrow.model.n_embd = 8;
    int rate;
    Error err;
    assert_int_equal(cost_model_rate(bench.costs, WORK_TRAINING, &narrow, &rate, &err), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        cost_model_observe(bench.costs, first.rate, 100e9, 1, 1);
        cost_model_observe(bench.costs, rate, 1e9, 1, 1);
    }
    Assignment third = next(&bench, INFINITY);
    assert_int_equal(third.item.spec.model.n_embd, 8);
    work_item_free(&first.item);
    work_item_free(&second.item);
    work_item_free(&third.item);
    close_bench(&bench);
}

/* --- before a time limit ---------------------------------------------------------------------------------------- */

/* Two depths, of which the deep one takes ten times as long; seconds: of the shallow one. */
static Bench open_timed_bench(double seconds) {
    Bench bench = open_bench("model: {n_layer: [1, 10], n_head: 1, n_embd: 8}\nevaluate: {baselines: []}\n"
                             "seeds: {count: 2}\n",
                             (ScheduleOptions){.workers = 1, .retries = 1});
    TrainingSpec spec;
    for (uint64_t point = 0; point < 2; point++) {
        int rate;
        Error err;
        assert_true(job_training(bench.job, point, &spec));
        WorkItem item = {.kind = WORK_TRAINING, .spec = spec, .evaluation = job_evaluation(bench.job)};
        double flops = cost_work_flops(&item), takes_s = spec.model.n_layer * seconds;
        assert_int_equal(cost_model_rate(bench.costs, WORK_TRAINING, &spec, &rate, &err), STATUS_OK);
        for (int i = 0; i < 50; i++) {
            cost_model_observe(bench.costs, rate, flops, takes_s, 1);
            cost_model_completed(bench.costs, rate, flops, takes_s);
        }
    }
    return bench;
}

static void before_a_time_limit_the_longest_that_fits_goes_out(void **state) {
    Bench bench = open_timed_bench(10);
    static const struct {
        double left_s;
        int n_layer;
    } turns[] = {{200, 10}, {80, 1}, {200, 10}, {80, 1}, {200, 0}};
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        Assignment given = next(&bench, turns[i].left_s);
        assert_int_equal(given.item.spec.model.n_layer, turns[i].n_layer);
        work_item_free(&given.item);
    }
    close_bench(&bench);
}

static void when_nothing_fits_what_was_begun_goes_on_and_a_limit_that_is_no_time_at_all_begins_nothing(void **state) {
    Bench bench = open_timed_bench(1000);
    Assignment deep = next(&bench, 500); /* 10000 s, but it gets some steps done */
    assert_int_equal(deep.item.spec.model.n_layer, 10);
    assert_int_equal(deep.item.attempt, 1);
    schedule_paused(bench.schedule, deep.item.work, 150);
    Assignment again = next(&bench, 500);
    assert_true(id_equal(again.item.training_id, deep.item.training_id));
    assert_int_equal(again.item.attempt, 1);
    assert_near(again.flops_before, 150 * cost_step_flops(&again.item.spec), 1);
    schedule_paused(bench.schedule, again.item.work, 0); /* nothing new was saved: what there was still counts */
    Assignment third = next(&bench, 500);
    assert_near(third.flops_before, again.flops_before, 0);
    assert_int_equal(next(&bench, 0.1).item.kind, 0);
    assert_false(schedule_finished(bench.schedule));
    work_item_free(&deep.item);
    work_item_free(&again.item);
    work_item_free(&third.item);
    close_bench(&bench);
}

static void what_was_begun_goes_before_its_equals_but_longer_work_first_near_the_end(void **state) {
    Bench bench = open_timed_bench(10);
    Assignment deep = next(&bench, INFINITY);
    schedule_paused(bench.schedule, deep.item.work, 2990); /* hardly anything left */
    Assignment other = next(&bench, INFINITY);             /* one worker, 100 s of 120 wait: near the end */
    assert_int_equal(other.item.spec.model.n_layer, 10);
    assert_false(id_equal(other.item.training_id, deep.item.training_id));
    work_item_free(&deep.item);
    work_item_free(&other.item);
    close_bench(&bench);
    bench = open_bench("model: {n_layer: 1, n_head: 1, n_embd: 8}\nevaluate: {baselines: []}\nseeds: {count: 50}\n",
                       (ScheduleOptions){.workers = 2});
    deep = next(&bench, INFINITY);
    schedule_paused(bench.schedule, deep.item.work, 10);
    other = next(&bench, INFINITY);
    assert_true(id_equal(other.item.training_id, deep.item.training_id));
    work_item_free(&deep.item);
    work_item_free(&other.item);
    close_bench(&bench);
}

static void a_machine_that_fails_burns_no_attempt_and_is_not_asked_for_ever(void **state) {
    Bench bench = open_bench("seeds: 0\nevaluate: {baselines: []}\n", (ScheduleOptions){.retries = 0});
    bool back = true;
    for (int i = 0; back; i++) {
        Assignment given = next(&bench, INFINITY);
        assert_int_equal(given.item.kind, WORK_TRAINING);
        assert_int_equal(given.item.attempt, 1);
        back = schedule_put_back(bench.schedule, given.item.work, 0);
        work_item_free(&given.item);
        assert_true(i < 20);
    }
    assert_true(schedule_finished(bench.schedule));
    close_bench(&bench);
}

/* --- shards ----------------------------------------------------------------------------------------------------- */

static const char sharded_text[] = "model: {n_layer: [1, 2, 5], n_head: 1, n_embd: [8, 24]}\n"
                                   "task: {n_dims: 3, n_points: [6, 10]}\n"
                                   "train: {steps: [10, 50], batch_size: 8}\n"
                                   "exclude: [{model.n_layer: 5, model.n_embd: 24}]\n"
                                   "evaluate: {prompts: 8, critique_quality: [1, 0], baselines: [gd, mean]}\n"
                                   "seeds: {count: 11}\n";

static int compare_ids(const void *a, const void *b) {
    return memcmp(a, b, sizeof(Id));
}

static void shards_are_disjoint_together_the_grid_and_even_within_one_training(void **state) {
    static const int counts[] = {1, 2, 3, 7, 50};
    enum { MOST = 1000 };
    static Id whole[MOST], parts[MOST];
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        int n_whole = 0, n_parts = 0, baselines_whole = 0, baselines_parts = 0;
        double least = INFINITY, most = 0, largest = 0;
        for (int index = 0; index <= counts[c]; index++) { /* 0: all of it */
            Shard shard = {.index = index, .count = index == 0 ? 0 : counts[c]};
            Bench bench = open_bench(sharded_text, (ScheduleOptions){.shard = shard});
            const ScheduleTotals *totals = schedule_totals(bench.schedule);
            if (index == 0) largest = totals->longest_flops;
            if (index > 0) {
                least = fmin(least, totals->flops);
                most = fmax(most, totals->flops);
            }
            assert_near(totals->flops, totals->grid_flops, 1);
            for (Assignment given = next(&bench, INFINITY); given.item.kind != 0; given = next(&bench, INFINITY)) {
                /* an order's id is that of a cell or baseline: no other piece of work has it */
                if (index == 0) whole[n_whole++] = given.item.orders[0].id;
                if (index > 0) parts[n_parts++] = given.item.orders[0].id;
                assert_true(n_whole < MOST && n_parts < MOST);
                *(index == 0 ? &baselines_whole : &baselines_parts) += given.item.kind == WORK_BASELINES;
                schedule_completed(bench.schedule, given.item.work);
                work_item_free(&given.item);
            }
            close_bench(&bench);
        }
        qsort(whole, (size_t)n_whole, sizeof *whole, compare_ids);
        qsort(parts, (size_t)n_parts, sizeof *parts, compare_ids);
        assert_int_equal(n_whole, 11 * (20 + 2)); /* 5 x 2 x 2 trainings and 2 baseline sets a seed */
        assert_int_equal(n_parts, n_whole);
        assert_memory_equal(whole, parts, (size_t)n_whole * sizeof *whole);
        assert_int_equal(baselines_whole, 22);
        assert_int_equal(baselines_parts, 22);
        assert_true(most - least <= largest);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_ten_trainings_a_worker_the_makespan_is_within_5_percent_of_the_best_possible),
        cmocka_unit_test(the_end_is_predicted_and_the_interval_holds_it_in_most_cases),
        cmocka_unit_test(the_order_follows_what_is_learned_and_not_the_operations_alone),
        cmocka_unit_test(before_a_time_limit_the_longest_that_fits_goes_out),
        cmocka_unit_test(when_nothing_fits_what_was_begun_goes_on_and_a_limit_that_is_no_time_at_all_begins_nothing),
        cmocka_unit_test(what_was_begun_goes_before_its_equals_but_longer_work_first_near_the_end),
        cmocka_unit_test(a_machine_that_fails_burns_no_attempt_and_is_not_asked_for_ever),
        cmocka_unit_test(shards_are_disjoint_together_the_grid_and_even_within_one_training),
    };
    return run_tests(tests, argc, argv);
}
