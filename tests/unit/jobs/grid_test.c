/* The grid of a job: order, linked axes, exclusion, counting; compared with walking every combination. */
#include "jobs/job/job.h"

#include "tests/harness.h"

#include <stdlib.h>
#include <time.h>

static Job *parse(const char *text) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("j", text, NULL, 0, &job, &err) != STATUS_OK) fail_msg("%s", err.text);
    return job;
}

static TrainingSpec at(const Job *job, uint64_t index) {
    TrainingSpec spec;
    job_training(job, index, &spec);
    return spec;
}

static void the_last_axis_varies_fastest_and_seeds_slowest(void **state) {
    Job *job = parse("train: {steps: [10, 20]}\nmodel: {ffn: [true, false], n_layer: [7, 5, 6]}\nseeds: [4, 3]");
    assert_int_equal(job_grid_points(job), 24);
    const int layers[] = {7, 5, 6};
    uint64_t index = 0;
    for (uint32_t seed = 4; seed >= 3; seed--)
        for (int layer = 0; layer < 3; layer++)
            for (int ffn = 1; ffn >= 0; ffn--)
                for (int steps = 10; steps <= 20; steps += 10) {
                    TrainingSpec spec = at(job, index++);
                    assert_int_equal(spec.seed, seed);
                    assert_int_equal(spec.model.n_layer, layers[layer]);
                    assert_int_equal(spec.model.ffn, ffn);
                    assert_int_equal(spec.train.steps, steps);
                }
    assert_int_equal(index, job_grid_points(job));
    job_free(job);
}

static void linked_axes_move_together_at_the_place_of_the_first(void **state) {
    Job *job = parse("zip: [{train.steps: 10, model.n_head: 1}, {model.n_head: 2, train.steps: 20}]\n"
                     "model: {n_layer: [5, 6], n_embd: [32, 64]}\n");
    assert_int_equal(job_grid_points(job), 8);
    for (uint64_t i = 0; i < 8; i++) {
        TrainingSpec spec = at(job, i);
        assert_int_equal(spec.model.n_layer, i < 4 ? 5 : 6);
        assert_int_equal(spec.model.n_head, i / 2 % 2 == 0 ? 1 : 2);
        assert_int_equal(spec.train.steps, 10 * spec.model.n_head);
        assert_int_equal(spec.model.n_embd, i % 2 == 0 ? 32 : 64);
    }
    job_free(job);
}

static void critics_are_the_product_of_the_evaluated_axes(void **state) {
    Job *job = parse("evaluate: {critic: {feedback: [binary, scalar], noise: gaussian}, critique_quality: [1, 0.5]}\n"
                     "seeds: {count: 3}");
    assert_int_equal(job_critics(job), 4);
    assert_int_equal(job_trainings(job), 3);
    for (int i = 0; i < 4; i++) {
        CriticSettings critic = job_critic(job, i);
        assert_near(critic.quality, i < 2 ? 1 : 0.5, 0);
        assert_int_equal(critic.feedback, i % 2 == 0 ? FEEDBACK_BINARY : FEEDBACK_SCALAR);
        assert_int_equal(critic.noise, CRITIC_GAUSSIAN);
    }
    job_free(job);
}

static uint64_t count_by_walking(const Job *job) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < job_grid_points(job); i++) {
        TrainingSpec spec;
        count += job_training(job, i, &spec);
    }
    return count;
}

static void excluded_trainings_are_those_that_meet_every_condition(void **state) {
    Job *job = parse("model: {n_layer: [5, 6], ffn: [true, false]}\nseeds: {first: 1, count: 2}\n"
                     "exclude: [{model.n_layer: 5, model.ffn: false}, {seed: 2, model: {n_layer: 6}}]");
    const bool included[] = {true, false, true, true, true, false, false, false};
    for (uint64_t i = 0; i < 8; i++) {
        TrainingSpec spec;
        assert_int_equal(job_training(job, i, &spec), included[i]);
    }
    assert_int_equal(job_trainings(job), 4);
    job_free(job);
}

static void trainings_are_counted_as_walking_the_grid_does(void **state) {
    const char *const exclusions[] = {
        "{seed: 3}",
        "{seed: 3}, {seed: 4}, {seed: 3, model.n_layer: 5}",
        "{model.n_layer: 5}, {model.ffn: true}",
        "{model.n_layer: 5, train.steps: 30}, {model.ffn: true, train.steps: 10}, {seed: 9, model.n_layer: 6}",
        "{model.n_head: 1}, {train.batch_size: 8, seed: 2}",
        "{model.n_embd: 96, train.steps: 10}, {model.n_embd: 96, train.steps: 20}, {model.n_head: 6}",
        "{task.n_dims: 5, model.n_layer: 7}, {model.n_layer: 7}, {model.n_layer: 7, seed: 1}",
        "{model.n_head: 3, model.n_embd: 96, seed: 5}, {model.n_layer: 7, model.ffn: false, train.steps: 20}",
    };
    for (size_t i = 0; i < sizeof exclusions / sizeof exclusions[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "model: {n_layer: [5, 6, 7], ffn: [true, false]}\ntrain: {steps: [10, 20, 30]}\n"
                 "seeds: {first: 1, count: 10}\n"
                 "zip:\n  - {model.n_head: 1, train.batch_size: 8, model.n_embd: 32}\n"
                 "  - {model.n_head: 3, train.batch_size: 8, model.n_embd: 96}\n"
                 "  - {model.n_head: 6, train.batch_size: 16, model.n_embd: 96}\nexclude: [%s]\n",
                 exclusions[i]);
        Job *job = parse(text);
        assert_int_equal(job_grid_points(job), 540);
        assert_in_range(job_trainings(job), 1, 539);
        assert_int_equal(job_trainings(job), count_by_walking(job));
        job_free(job);
    }
}

static double cpu_seconds(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}

static void a_million_trainings_are_counted_without_walking(void **state) {
    double start = cpu_seconds();
    Job *job = parse(
        "model: {n_layer: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], n_head: [1, 3]}\ntrain: {steps: [10, 20, 30, 40, 50]}\n"
        "seeds: {count: 10000}\nexclude: [{seed: 17, model.n_layer: 3}, {model.n_head: 3, seed: 9999}]");
    assert_int_equal(job_grid_points(job), 1000000);
    assert_int_equal(job_trainings(job), 1000000 - 10 - 50);
    assert_true(cpu_seconds() - start < 0.5);
    job_free(job);

    job = parse("seeds: {count: 10000}\nmodel: {n_head: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32], n_layer: [1, 2, 3, 4, 5]}\n"
                "train.steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\ntask.noise: [shared, independent]");
    assert_int_equal(job_trainings(job), 10000000);
    TrainingSpec last = at(job, 9999999);
    assert_int_equal(last.seed, 9999);
    assert_int_equal(last.model.n_head, 32);
    assert_int_equal(last.model.n_layer, 5);
    assert_int_equal(last.train.steps, 10);
    assert_int_equal(last.task.noise, TASK_NOISE_INDEPENDENT);
    job_free(job);
}

/* What the grid says of every combination, against looking at every condition of every exclusion. */
static void exclusions_found_by_their_keys_are_those_that_a_look_at_all_of_them_finds(void **state) {
    uint32_t seed = 7;
    for (int turn = 0; turn < 60; turn++) {
        char text[8192] = "model: {n_layer: [1, 2, 3], n_embd: [3, 6]}\ntrain: {steps: [5, 6, 7, 8]}\n"
                          "zip: [{model.ffn: true, train.decay: constant}, {model.ffn: false, train.decay: cosine}]\n";
        strcat(text, turn % 2 ? "seeds: {first: 5, count: 9}\n" : "seeds: [5, 9, 7, 13, 11]\n");
        strcat(text, "exclude:\n");
        uint32_t chosen[40][5];
        int n = 1 + turn % 40;
        for (int e = 0; e < n; e++) {
            uint32_t *c = chosen[e];
            for (int k = 0; k < 5; k++) {
                seed = seed * 1664525 + 1013904223;
                c[k] = seed >> 16;
            }
            uint32_t which = 1 + c[4] % 15; /* which conditions it has, at least one */
            const char *comma = "- {";
            if (which & 1) sprintf(text + strlen(text), "%sseed: %u", comma, 5 + c[0] % 5 * 2), comma = ", ";
            if (which & 2) sprintf(text + strlen(text), "%smodel.n_layer: %u", comma, 1 + c[1] % 3), comma = ", ";
            if (which & 4) sprintf(text + strlen(text), "%strain.steps: %u", comma, 5 + c[2] % 4), comma = ", ";
            if (which & 8)
                sprintf(text + strlen(text), "%smodel.ffn: %s", comma, c[3] % 2 ? "true" : "false"), comma = ", ";
            strcat(text, "}\n");
            c[4] = which;
        }
        Job *job = NULL;
        Error err;
        if (job_parse("j", text, NULL, 0, &job, &err) != STATUS_OK) {
            assert_non_null(strstr(err.text, "every training is excluded"));
            continue;
        }
        uint64_t included = 0;
        for (uint64_t point = 0; point < job_grid_points(job); point++) {
            TrainingSpec spec;
            bool wanted = true, found = job_training(job, point, &spec);
            for (int e = 0; e < n; e++) {
                const uint32_t *c = chosen[e];
                bool met = (!(c[4] & 1) || spec.seed == 5 + c[0] % 5 * 2) &&
                           (!(c[4] & 2) || spec.model.n_layer == (int)(1 + c[1] % 3)) &&
                           (!(c[4] & 4) || spec.train.steps == 5 + c[2] % 4) &&
                           (!(c[4] & 8) || spec.model.ffn == (c[3] % 2 == 1));
                wanted = wanted && !met;
            }
            assert_int_equal(found, wanted);
            included += found;
        }
        assert_int_equal(included, job_trainings(job));
        job_free(job);
    }
}

static void a_million_seeds_with_a_thousand_exclusions_take_no_time(void **state) {
    char *text = malloc(40000);
    strcpy(text, "seeds: {count: 1000000}\nexclude: [");
    for (int i = 0; i < 1000; i++)
        sprintf(text + strlen(text), "%s{seed: %d}", i > 0 ? ", " : "", 999 * i);
    strcat(text, "]\n");
    struct timespec begin, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    Job *job = parse(text);
    assert_int_equal(job_trainings(job), 999000);
    uint64_t found = 0;
    for (uint64_t point = 0; point < job_grid_points(job); point++) {
        TrainingSpec spec;
        found += job_training(job, point, &spec);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(found, 999000);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    if (!(seconds < 3)) fail_msg("%.1f s", seconds);
    job_free(job);
    free(text);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exclusions_found_by_their_keys_are_those_that_a_look_at_all_of_them_finds),
        cmocka_unit_test(a_million_seeds_with_a_thousand_exclusions_take_no_time),
        cmocka_unit_test(the_last_axis_varies_fastest_and_seeds_slowest),
        cmocka_unit_test(linked_axes_move_together_at_the_place_of_the_first),
        cmocka_unit_test(critics_are_the_product_of_the_evaluated_axes),
        cmocka_unit_test(excluded_trainings_are_those_that_meet_every_condition),
        cmocka_unit_test(trainings_are_counted_as_walking_the_grid_does),
        cmocka_unit_test(a_million_trainings_are_counted_without_walking),
    };
    return run_tests(tests, argc, argv);
}
