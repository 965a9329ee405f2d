/* Prompts follow their equations whatever slice of a batch is drawn; critics corrupt as much as they say. */
#include "tests/harness.h"

#include "worker/task/prompts.h"

#include <math.h>

static const TaskSettings TASK = {.n_dims = 3, .n_points = 6, .noise = TASK_NOISE_SHARED};

/* Draws prompts first .. first + n of (RNG_TRAIN_PROMPTS, seed 4, step 9) into an arena created here. */
static Prompts draw(Arena *arena, const TaskSettings *task, uint32_t first, int n) {
    *arena = (Arena){0};
    prompts_take(arena, task, n);
    assert_int_equal(arena_create(arena, arena->used_bytes, NULL), STATUS_OK);
    Prompts prompts = prompts_take(arena, task, n);
    prompts_draw(&prompts, task, RNG_TRAIN_PROMPTS, 4, 9, first);
    return prompts;
}

static void x_and_y_star_are_repeated_and_seen_is_clean(void **state) {
    (void)state;
    Arena arena;
    Prompts prompts = draw(&arena, &TASK, 0, 5);
    int row = prompts.N * prompts.d;
    for (int p = 0; p < 5; p++)
        for (int at = 0; at < row; at++) {
            assert_true(prompts.xs[p * row + at] == prompts.xs[p * row + at % prompts.d]);
            assert_true(prompts.y_star[p * row + at] == prompts.y_star[p * row + at % prompts.d]);
        }
    assert_memory_equal(prompts.seen, prompts.rs, 5 * (size_t)prompts.N * sizeof(float));
    arena_destroy(&arena);
}

/* y (d) = x W, W the normals of the stream from an element on. */
static void answer(RngStream stream, uint32_t first, const float *x, double y[3]) {
    float w[9];
    rng_normal(stream, first, 9, w);
    for (int k = 0; k < 3; k++)
        y[k] = (double)x[0] * w[k] + (double)x[1] * w[3 + k] + (double)x[2] * w[6 + k];
}

static void check_equations(TaskNoise noise) {
    TaskSettings task = TASK;
    task.noise = noise;
    Arena arena;
    Prompts prompts = draw(&arena, &task, 20, 3);
    for (uint32_t p = 0; p < 3; p++) {
        RngStream stream = {.purpose = RNG_TRAIN_PROMPTS, .seed = 4, .step = 9, .unit = 20 + p};
        float x[3], r[6];
        double y_star[3], y_minus[3];
        rng_normal(stream, PROMPT_X, 3, x);
        rng_uniform(stream, PROMPT_REWARDS, 6, r);
        answer(stream, PROMPT_W_STAR, x, y_star);
        for (uint32_t i = 0; i < 6; i++) {
            answer(stream, PROMPT_W_NOISE + (noise == TASK_NOISE_SHARED ? 0 : i * PROMPT_REGION), x, y_minus);
            assert_true(prompts.rs[p * 6 + i] == r[i]);
            for (int k = 0; k < 3; k++) {
                int at = (int)(p * 6 + i) * 3 + k;
                assert_true(prompts.xs[at] == x[k]);
                assert_near(prompts.y_star[at], y_star[k], 1e-6);
                assert_near(prompts.ys[at], r[i] * y_star[k] + (1 - r[i]) * y_minus[k], 1e-6);
            }
        }
    }
    arena_destroy(&arena);
}

static void responses_mix_the_answer_with_one_shared_noise(void **state) {
    (void)state;
    check_equations(TASK_NOISE_SHARED);
}

static void independent_noise_is_drawn_for_every_response(void **state) {
    (void)state;
    check_equations(TASK_NOISE_INDEPENDENT);
}

static void a_prompt_is_the_same_in_every_slice_of_a_batch(void **state) {
    (void)state;
    Arena whole_arena, part_arena;
    Prompts whole = draw(&whole_arena, &TASK, 0, 12);
    size_t vectors = (size_t)TASK.n_points * (size_t)TASK.n_dims * sizeof(float);
    for (int first = 0; first < 12; first += 5) {
        int n = first + 5 <= 12 ? 5 : 12 - first;
        Prompts part = draw(&part_arena, &TASK, (uint32_t)first, n), slice = prompts_slice(&whole, first, n);
        assert_memory_equal(part.xs, slice.xs, (size_t)n * vectors);
        assert_memory_equal(part.ys, slice.ys, (size_t)n * vectors);
        assert_memory_equal(part.y_star, slice.y_star, (size_t)n * vectors);
        assert_memory_equal(part.rs, slice.rs, (size_t)n * vectors / 3);
        assert_memory_equal(part.seen, slice.seen, (size_t)n * vectors / 3);
        arena_destroy(&part_arena);
    }
    arena_destroy(&whole_arena);
}

static void a_longer_prompt_begins_as_the_shorter_one(void **state) {
    (void)state;
    Arena short_arena, long_arena;
    TaskSettings longer = TASK;
    longer.n_points = 11;
    for (int noise = 0; noise < 2; noise++) {
        TaskSettings shorter = TASK;
        shorter.noise = longer.noise = (TaskNoise)noise;
        Prompts some = draw(&short_arena, &shorter, 3, 1), more = draw(&long_arena, &longer, 3, 1);
        assert_memory_equal(some.rs, more.rs, 6 * sizeof(float));
        assert_memory_equal(some.ys, more.ys, 18 * sizeof(float));
        assert_memory_equal(some.y_star, more.y_star, 18 * sizeof(float));
        arena_destroy(&short_arena);
        arena_destroy(&long_arena);
    }
}

static void apply(Prompts *prompts, double quality, CriticNoise noise, CriticFeedback feedback) {
    CriticSettings critic = {.quality = quality, .noise = noise, .feedback = feedback};
    critic_apply(prompts, &critic, RNG_EVALUATION_CRITIC, 4, 0, 0);
}

enum { MANY = 2000, REWARDS = MANY * 6 };

static void a_perfect_critic_changes_nothing(void **state) {
    (void)state;
    Arena arena;
    Prompts prompts = draw(&arena, &TASK, 0, MANY);
    for (int noise = CRITIC_REPLACE; noise <= CRITIC_GAUSSIAN; noise++) {
        apply(&prompts, 1, (CriticNoise)noise, FEEDBACK_SCALAR);
        assert_memory_equal(prompts.seen, prompts.rs, REWARDS * sizeof(float));
    }
    arena_destroy(&arena);
}

static void corruption_has_the_right_share_and_is_nested_over_qualities(void **state) {
    (void)state;
    static float better[REWARDS];
    Arena arena;
    Prompts prompts = draw(&arena, &TASK, 0, MANY);
    const double qualities[] = {1, 0.75, 0.5, 0.25, 0};
    memcpy(better, prompts.rs, sizeof better);
    for (int q = 0; q < 5; q++) {
        int corrupted = 0, not_nested = 0;
        apply(&prompts, qualities[q], CRITIC_REPLACE, FEEDBACK_SCALAR);
        for (int k = 0; k < REWARDS; k++) {
            int bad = prompts.seen[k] != prompts.rs[k], was_bad = better[k] != prompts.rs[k];
            corrupted += bad;
            not_nested += was_bad && prompts.seen[k] != better[k];
        }
        double p = 1 - qualities[q];
        assert_int_equal(not_nested, 0);
        assert_near((double)corrupted / REWARDS, p, 4 * sqrt(p * (1 - p) / REWARDS) + 1e-3);
        memcpy(better, prompts.seen, sizeof better);
    }
    arena_destroy(&arena);
}

static void replaced_rewards_are_uniform_and_independent_of_the_clean_ones(void **state) {
    (void)state;
    Arena arena;
    Prompts prompts = draw(&arena, &TASK, 0, MANY);
    apply(&prompts, 0, CRITIC_REPLACE, FEEDBACK_SCALAR);
    double mean = 0, square = 0, product = 0;
    for (int k = 0; k < REWARDS; k++) {
        mean += prompts.seen[k] / REWARDS;
        square += (double)prompts.seen[k] * prompts.seen[k] / REWARDS;
        product += (prompts.seen[k] - 0.5) * (prompts.rs[k] - 0.5) / REWARDS;
    }
    assert_near(mean, 0.5, 5 * sqrt(1.0 / 12 / REWARDS));
    assert_near(square, 1.0 / 3, 5 * sqrt(4.0 / 45 / REWARDS));
    assert_near(product, 0, 5.0 / 12 / sqrt(REWARDS));
    arena_destroy(&arena);
}

static void a_flipping_critic_of_quality_0_ranks_backwards(void **state) {
    (void)state;
    Arena arena;
    Prompts prompts = draw(&arena, &TASK, 0, MANY);
    apply(&prompts, 0, CRITIC_FLIP, FEEDBACK_SCALAR);
    for (int k = 0; k < REWARDS; k++)
        assert_near(prompts.seen[k], 1 - prompts.rs[k], 1e-7);
    assert_near(critic_self_check_accuracy(&prompts, prompts.N), 0, 1e-4);
    arena_destroy(&arena);
}

static void gaussian_noise_is_added_with_its_deviation_and_clipped(void **state) {
    (void)state;
    Arena arena;
    Prompts prompts = draw(&arena, &TASK, 0, MANY);
    apply(&prompts, 0.9, CRITIC_GAUSSIAN, FEEDBACK_SCALAR);
    double square = 0;
    int counted = 0, outside = 0;
    for (int k = 0; k < REWARDS; k++) {
        outside += !(prompts.seen[k] >= 0 && prompts.seen[k] <= 1);
        if (!(fabs(prompts.rs[k] - 0.5) < 0.05)) continue; /* 4.5 deviations from clipping */
        square += pow(prompts.seen[k] - prompts.rs[k], 2);
        counted++;
    }
    assert_int_equal(outside, 0);
    assert_true(counted > 500);
    assert_near(sqrt(square / counted), 0.1, 5 * 0.1 / sqrt(2.0 * counted));
    arena_destroy(&arena);
}

static void binary_feedback_is_right_or_wrong_only(void **state) {
    (void)state;
    Arena arena;
    Prompts prompts = draw(&arena, &TASK, 0, MANY);
    apply(&prompts, 1, CRITIC_REPLACE, FEEDBACK_BINARY);
    for (int k = 0; k < REWARDS; k++)
        assert_true(prompts.seen[k] == (prompts.rs[k] > 0.5F ? 1 : 0));
    arena_destroy(&arena);
}

static void self_check_accuracy_is_that_of_the_theory(void **state) {
    (void)state;
    Arena arena;
    Prompts prompts = draw(&arena, &TASK, 0, MANY);
    const double tolerance = 0.02;
    apply(&prompts, 1, CRITIC_REPLACE, FEEDBACK_SCALAR);
    assert_near(critic_self_check_accuracy(&prompts, prompts.N), 1, 0);
    apply(&prompts, 0, CRITIC_REPLACE, FEEDBACK_SCALAR);
    assert_near(critic_self_check_accuracy(&prompts, prompts.N), 0.5, tolerance);
    apply(&prompts, 1, CRITIC_REPLACE, FEEDBACK_BINARY);
    assert_near(critic_self_check_accuracy(&prompts, prompts.N), 0.75, tolerance);
    apply(&prompts, 0.5, CRITIC_REPLACE, FEEDBACK_SCALAR);
    /* both clean: 1; one replaced: a uniform agrees with probability 2/3; both: 1/2 */
    assert_near(critic_self_check_accuracy(&prompts, prompts.N), 0.25 + 0.5 * 2 / 3 + 0.25 * 0.5, tolerance);
    arena_destroy(&arena);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x_and_y_star_are_repeated_and_seen_is_clean),
        cmocka_unit_test(responses_mix_the_answer_with_one_shared_noise),
        cmocka_unit_test(independent_noise_is_drawn_for_every_response),
        cmocka_unit_test(a_prompt_is_the_same_in_every_slice_of_a_batch),
        cmocka_unit_test(a_longer_prompt_begins_as_the_shorter_one),
        cmocka_unit_test(a_perfect_critic_changes_nothing),
        cmocka_unit_test(corruption_has_the_right_share_and_is_nested_over_qualities),
        cmocka_unit_test(replaced_rewards_are_uniform_and_independent_of_the_clean_ones),
        cmocka_unit_test(a_flipping_critic_of_quality_0_ranks_backwards),
        cmocka_unit_test(gaussian_noise_is_added_with_its_deviation_and_clipped),
        cmocka_unit_test(binary_feedback_is_right_or_wrong_only),
        cmocka_unit_test(self_check_accuracy_is_that_of_the_theory),
    };
    return run_tests(tests, argc, argv);
}
