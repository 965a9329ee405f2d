/* Rounds of self-correction: the loop over cached keys and values against one whole forward pass a round, what a critic
 * does in it, and what is told of it. */
#include "tests/harness.h"
#include "worker/measure/evaluate.h"
#include "worker/measure/rounds.h"

#include <math.h>
#include <stdlib.h>

enum { PROMPTS = 11, N = 8, D = 4, FIRST = 2, ROUNDS = 5, ANSWERS = ROUNDS + 1, SEED = 6 };
static const double TOLERANCE = 1e-5; /* reached: below 1e-6 */

/* A model that is far from trained, prompts with their initial responses, and room for answers. */
typedef struct Case {
    Shape shape;
    const Kernels *kernels;
    float *parameters;
    Model *model;
    ModelCache *cache;
    Arena arena;
    Prompts prompts;
    float answers[PROMPTS * ANSWERS * D];
} Case;

static void case_create(Case *test, Attention attention, int at_once) {
    const ModelSettings model = {
        .n_layer = 2, .n_head = 2, .n_embd = 8, .attention = attention, .ffn = true, .causal = true};
    const TaskSettings task = {.n_dims = D, .n_points = N};
    *test = (Case){.shape = shape_of(&model, &task)};
    test->parameters = calloc(tensors_parameters(&test->shape), sizeof(float));
    tensors_init(&test->shape, SEED, test->parameters);
    for (size_t k = 0; k < tensors_parameters(&test->shape); k++)
        if (test->parameters[k] != 1) test->parameters[k] *= 6; /* small ones make answers that ignore the prompt */
    assert_int_equal(kernels_select(NULL, &test->kernels, NULL), STATUS_OK);
    assert_int_equal(model_create(&test->shape, test->kernels, PROMPTS, false, &test->model, NULL), STATUS_OK);
    assert_int_equal(model_cache_create(&test->shape, at_once, &test->cache, NULL), STATUS_OK);
    model_set_parameters(test->model, test->parameters);
    Arena measure = {0};
    prompts_take(&measure, &task, PROMPTS);
    assert_int_equal(arena_create(&test->arena, measure.used_bytes, NULL), STATUS_OK);
    test->prompts = prompts_take(&test->arena, &task, PROMPTS);
    prompts_draw(&test->prompts, &task, RNG_EVALUATION_PROMPTS, SEED, 0, 0);
    initial_responses_draw(&test->prompts, FIRST, SEED, 0, 0);
}

static void case_free(Case *test) {
    model_free(test->model);
    model_cache_free(test->cache);
    free(test->parameters);
    arena_destroy(&test->arena);
}

static ClosedLoop loop_under(double quality, CriticNoise noise, CriticFeedback feedback) {
    return (ClosedLoop){.initial_responses = FIRST,
                        .rounds = ROUNDS,
                        .critic = {.quality = quality, .noise = noise, .feedback = feedback},
                        .stream = {.purpose = RNG_EVALUATION_CRITIC, .seed = SEED}};
}

static double cosine(const float *a, const float *b) {
    double ab = 0, aa = 0, bb = 0;
    for (int k = 0; k < D; k++) {
        ab += (double)a[k] * b[k];
        aa += (double)a[k] * a[k];
        bb += (double)b[k] * b[k];
    }
    return ab / sqrt(aa * bb);
}

static double length(const float *a) {
    double aa = 0;
    for (int k = 0; k < D; k++)
        aa += (double)a[k] * a[k];
    return sqrt(aa);
}

/* The closed loop as section 6 of the design says it, each answer from a whole pass over whole prompts. */
static void loop_by_whole_passes(Case *test, const ClosedLoop *loop) {
    Prompts *prompts = &test->prompts;
    static float pred[PROMPTS * N * D];
    for (int p = 0; p < PROMPTS; p++)
        for (int i = 0; i < N; i++) {
            double c = cosine(prompts->ys + (p * N + i) * D, prompts->y_star + p * N * D);
            prompts->rs[p * N + i] = i < FIRST && c > 0 ? (float)(c / (c + sqrt(1 - c * c))) : 0;
        }
    for (int t = 0; t <= loop->rounds; t++) {
        critic_apply(prompts, &loop->critic, RNG_EVALUATION_CRITIC, SEED, 0, 0);
        model_forward(test->model, PROMPTS, prompts->xs, prompts->ys, prompts->seen, pred);
        for (int p = 0; p < PROMPTS; p++) {
            int row = p * N + FIRST + t;
            const float *answer = pred + row * D, *y_star = prompts->y_star + p * N * D;
            memcpy(test->answers + (p * ANSWERS + t) * D, answer, D * sizeof(float));
            if (t == loop->rounds) continue;
            for (int k = 0; k < D; k++)
                prompts->ys[row * D + k] = (float)(length(y_star) * answer[k] / length(answer));
            double c = cosine(answer, y_star);
            prompts->rs[row] = c > 0 ? (float)(c / (c + sqrt(1 - c * c))) : 0;
        }
    }
}

static void check_against_whole_passes(Attention attention, const ClosedLoop *loop) {
    Case cached, whole;
    case_create(&cached, attention, 4);
    case_create(&whole, attention, 4);
    closed_loop_run(cached.model, cached.cache, loop, &cached.prompts, cached.answers);
    loop_by_whole_passes(&whole, loop);
    for (int k = 0; k < PROMPTS * ANSWERS * D; k++)
        assert_near(cached.answers[k], whole.answers[k], TOLERANCE);
    for (int row = 0; row < PROMPTS * N; row++) {
        if (row % N >= FIRST + ROUNDS) continue;
        assert_near(cached.prompts.rs[row], whole.prompts.rs[row], TOLERANCE);
        assert_near(cached.prompts.seen[row], whole.prompts.seen[row], TOLERANCE);
        for (int k = 0; k < D; k++)
            assert_near(cached.prompts.ys[row * D + k], whole.prompts.ys[row * D + k], TOLERANCE);
    }
    case_free(&cached);
    case_free(&whole);
}

static void a_loop_with_cache_is_the_loop_by_whole_passes(void **state) {
    (void)state;
    const ClosedLoop clean = loop_under(1, CRITIC_REPLACE, FEEDBACK_SCALAR);
    check_against_whole_passes(ATTENTION_SOFTMAX, &clean);
    check_against_whole_passes(ATTENTION_LINEAR, &clean);
}

static void a_noisy_critic_says_the_same_in_both_loops(void **state) {
    (void)state;
    for (int noise = 0; noise < 3; noise++) {
        const ClosedLoop noisy = loop_under(0.4, (CriticNoise)noise, FEEDBACK_SCALAR);
        check_against_whole_passes(ATTENTION_SOFTMAX, &noisy);
    }
    const ClosedLoop binary = loop_under(0.7, CRITIC_REPLACE, FEEDBACK_BINARY);
    check_against_whole_passes(ATTENTION_SOFTMAX, &binary);
}

static void scalar_feedback_of_quality_1_is_the_clean_score_for_every_noise(void **state) {
    (void)state;
    static float answers[3][PROMPTS * ANSWERS * D];
    for (int noise = 0; noise < 3; noise++) {
        Case test;
        case_create(&test, ATTENTION_SOFTMAX, 4);
        const ClosedLoop loop = loop_under(1, (CriticNoise)noise, FEEDBACK_SCALAR);
        closed_loop_run(test.model, test.cache, &loop, &test.prompts, test.answers);
        assert_memory_equal(test.prompts.seen, test.prompts.rs, PROMPTS * N * sizeof(float));
        memcpy(answers[noise], test.answers, sizeof test.answers);
        assert_memory_equal(answers[noise], answers[0], sizeof test.answers);
        case_free(&test);
    }
}

static void a_critic_of_quality_0_changes_what_is_answered(void **state) {
    (void)state;
    Case clean, random;
    case_create(&clean, ATTENTION_SOFTMAX, 4);
    case_create(&random, ATTENTION_SOFTMAX, 4);
    ClosedLoop loop = loop_under(1, CRITIC_REPLACE, FEEDBACK_SCALAR);
    closed_loop_run(clean.model, clean.cache, &loop, &clean.prompts, clean.answers);
    loop.critic.quality = 0;
    closed_loop_run(random.model, random.cache, &loop, &random.prompts, random.answers);
    for (int p = 0; p < PROMPTS; p++)
        assert_memory_not_equal(clean.answers + p * ANSWERS * D, random.answers + p * ANSWERS * D, D * sizeof(float));
    case_free(&clean);
    case_free(&random);
}

static void responses_are_answers_as_long_as_the_aligned_one(void **state) {
    (void)state;
    Case test;
    case_create(&test, ATTENTION_SOFTMAX, 4);
    const ClosedLoop loop = loop_under(1, CRITIC_REPLACE, FEEDBACK_SCALAR);
    float last[D];
    memcpy(last, test.prompts.ys + (N - 1) * D, sizeof last);
    closed_loop_run(test.model, test.cache, &loop, &test.prompts, test.answers);
    for (int p = 0; p < PROMPTS; p++)
        for (int t = 0; t < ROUNDS; t++) {
            const float *response = test.prompts.ys + (p * N + FIRST + t) * D,
                        *y_star = test.prompts.y_star + p * N * D;
            assert_near(length(response) / length(y_star), 1, 1e-6);
            assert_near(cosine(response, test.answers + (p * ANSWERS + t) * D), 1, 1e-6);
            assert_near(test.prompts.rs[p * N + FIRST + t], clean_score(D, response, y_star), 1e-7);
        }
    assert_memory_equal(last, test.prompts.ys + (N - 1) * D, sizeof last);
    assert_true(test.prompts.rs[N - 1] == 0);
    case_free(&test);
}

static void later_prompts_alone_give_the_same_bits(void **state) {
    (void)state;
    enum { AT_ONCE = 4, LATER = 2 * AT_ONCE };
    Case all, later;
    case_create(&all, ATTENTION_SOFTMAX, AT_ONCE);
    case_create(&later, ATTENTION_SOFTMAX, AT_ONCE);
    ClosedLoop loop = loop_under(0.5, CRITIC_REPLACE, FEEDBACK_SCALAR);
    closed_loop_run(all.model, all.cache, &loop, &all.prompts, all.answers);
    Prompts some = prompts_slice(&later.prompts, LATER, PROMPTS - LATER);
    initial_responses_draw(&some, FIRST, SEED, 0, LATER);
    loop.stream.unit = LATER;
    closed_loop_run(later.model, later.cache, &loop, &some, later.answers);
    assert_memory_equal(later.answers, all.answers + LATER * ANSWERS * D,
                        (PROMPTS - LATER) * ANSWERS * D * sizeof(float));
    case_free(&all);
    case_free(&later);
}

static void initial_responses_are_random_directions_as_long_as_the_aligned_answer(void **state) {
    (void)state;
    Case test, more;
    case_create(&test, ATTENTION_SOFTMAX, 4);
    case_create(&more, ATTENTION_SOFTMAX, 4);
    initial_responses_draw(&more.prompts, FIRST + 2, SEED, 0, 0);
    double sum = 0;
    for (int p = 0; p < PROMPTS; p++) {
        const float *ys = test.prompts.ys + p * N * D, *y_star = test.prompts.y_star + p * N * D;
        assert_memory_equal(ys, more.prompts.ys + p * N * D, FIRST * D * sizeof(float));
        for (int i = 0; i < FIRST; i++) {
            assert_near(length(ys + i * D) / length(y_star), 1, 1e-6);
            sum += cosine(ys + i * D, y_star) / (PROMPTS * FIRST);
        }
    }
    assert_near(sum, 0, 4 * 0.5 / sqrt(PROMPTS * FIRST)); /* a cosine in 4 dimensions has standard deviation 1/2 */
    initial_responses_draw(&more.prompts, FIRST, SEED, 1, 0);
    assert_memory_not_equal(test.prompts.ys, more.prompts.ys, FIRST * D * sizeof(float));
    case_free(&test);
    case_free(&more);
}

static void a_score_is_the_weight_of_the_aligned_answer_in_an_orthogonal_mixture(void **state) {
    (void)state;
    const float y_star[D] = {0, 2, 0, 0}, other[D] = {0, 0, 0, 2};
    for (int tenth = 0; tenth <= 10; tenth++) {
        double r = tenth / 10.0;
        float mixture[D];
        for (int k = 0; k < D; k++)
            mixture[k] = (float)(r * y_star[k] + (1 - r) * other[k]);
        assert_near(clean_score(D, mixture, y_star), r, 1e-7);
    }
    const float opposite[D] = {1, -0.1F, 0, 0}, broken[D] = {NAN, 1, 0, 0};
    assert_true(clean_score(D, opposite, y_star) == 0);
    assert_true(isnan(clean_score(D, broken, y_star)));
}

static void shares_and_flips_are_of_the_last_round(void **state) {
    (void)state;
    /* Three prompts with y* = (1, 0): angles of their answers; 0.2 is right, 0.5 and 1 are wrong. */
    const double angle[3][3] = {{1, 0.5, 0.2}, {0.2, 1, 1}, {0.5, 0.2, 1}};
    float answers[3][3][2], y_star[3][1][2];
    for (int p = 0; p < 3; p++) {
        y_star[p][0][0] = 1;
        y_star[p][0][1] = 0;
        for (int t = 0; t < 3; t++) {
            answers[p][t][0] = (float)(5 * cos(angle[p][t]));
            answers[p][t][1] = (float)(5 * sin(angle[p][t]));
        }
    }
    const Prompts prompts = {.n = 3, .N = 1, .d = 2, .y_star = &y_star[0][0][0]};
    const double expected[ROUND_METRIC_COUNT][3] = {
        [ROUND_NMSE] = {1 - (cos(1) + cos(0.2) + cos(0.5)) / 3, 1 - (cos(0.5) + cos(1) + cos(0.2)) / 3,
                        1 - (cos(0.2) + 2 * cos(1)) / 3},
        [ROUND_GAIN] = {0, 0, (cos(0.2) + 2 * cos(1) - cos(1) - cos(0.2) - cos(0.5)) / 3},
        [ROUND_IMPROVED] = {NAN, 2.0 / 3, 1.0 / 3},
        [ROUND_WORSENED] = {NAN, 1.0 / 3, 1.0 / 3}, /* prompt 1 stays */
        [ROUND_RIGHT_TO_WRONG] = {NAN, 1.0 / 3, 1.0 / 3},
        [ROUND_WRONG_TO_RIGHT] = {NAN, 1.0 / 3, 1.0 / 3},
    };
    RoundCurves curves = {0};
    assert_int_equal(round_curves_of(&prompts, 3, &answers[0][0][0], 0.9, &curves, NULL), STATUS_OK);
    assert_int_equal(curves.count, 3);
    for (int metric = 0; metric < ROUND_METRIC_COUNT; metric++)
        for (int t = 0; t < 3; t++)
            if (isnan(expected[metric][t]))
                assert_true(isnan(curves.value[metric * 3 + t]) && isnan(curves.standard_error[metric * 3 + t]));
            else
                assert_near(curves.value[metric * 3 + t], expected[metric][t], 1e-7);
    assert_near(curves.standard_error[round_curves_at(&curves, ROUND_IMPROVED, 1)], 1.0 / 3,
                1e-7); /* of 1, 0, 1: sqrt(1/3 / 3) */
    assert_true(curves.standard_error[round_curves_at(&curves, ROUND_GAIN, 0)] == 0);
    round_curves_free(&curves);
}

/* --- rounds of an evaluation ------------------------------------------------------------------------------------ */

static const EvaluationSettings measured = {
    .prompts = PROMPTS, .rounds = ROUNDS, .initial_responses = FIRST, .right_cosine = 0.3};
static const CriticSettings half_right = {.quality = 0.5}, inverted = {.quality = 0.25, .noise = CRITIC_FLIP};

/* The rounds of the model of test under a list of critics, one after the other, by calls of at most micro_batch
 * prompts; those of the last are kept. */
static RoundCurves evaluated(const Case *test, int micro_batch, const CriticSettings *const *critics, int n_critics) {
    const TaskSettings task = {.n_dims = D, .n_points = N};
    Evaluation *evaluation = NULL;
    Model *model = NULL;
    RoundCurves rounds = {0};
    assert_int_equal(evaluation_create(&task, SEED, PROMPTS, &evaluation, NULL), STATUS_OK);
    assert_int_equal(model_create(&test->shape, test->kernels, micro_batch, false, &model, NULL), STATUS_OK);
    assert_int_equal(evaluation_prepare_rounds(evaluation, &test->shape, &measured, NULL), STATUS_OK);
    for (int i = 0; i < n_critics; i++) {
        Curves curves;
        round_curves_free(&rounds);
        evaluation_set_critic(evaluation, critics[i]);
        assert_int_equal(evaluation_of_model(evaluation, model, micro_batch, test->parameters, &curves, NULL),
                         STATUS_OK);
        assert_int_equal(evaluation_of_rounds(evaluation, model, test->parameters, &rounds, NULL), STATUS_OK);
        curves_free(&curves);
    }
    model_free(model);
    evaluation_free(evaluation);
    return rounds;
}

static void assert_rounds_equal(const RoundCurves *a, const RoundCurves *b) {
    assert_int_equal(a->count, b->count);
    size_t bytes = ROUND_METRIC_COUNT * (size_t)a->count * sizeof(double);
    assert_memory_equal(a->value, b->value, bytes);
    assert_memory_equal(a->standard_error, b->standard_error, bytes);
}

static void an_evaluations_rounds_are_the_loop_over_its_prompts(void **state) {
    (void)state;
    Case test;
    case_create(&test, ATTENTION_SOFTMAX, MODEL_CACHE_PROMPTS);
    ClosedLoop loop = loop_under(half_right.quality, CRITIC_REPLACE, FEEDBACK_SCALAR);
    closed_loop_run(test.model, test.cache, &loop, &test.prompts, test.answers);
    RoundCurves expected;
    assert_int_equal(round_curves_of(&test.prompts, ANSWERS, test.answers, 0.3, &expected, NULL), STATUS_OK);
    const CriticSettings *critic = &half_right;
    RoundCurves actual = evaluated(&test, PROMPTS, &critic, 1);
    assert_rounds_equal(&actual, &expected);
    assert_int_equal(actual.count, ROUNDS + 1);
    assert_int_equal(actual.initial_responses, FIRST);
    assert_near(actual.right_cosine, 0.3, 0);
    assert_near(actual.self_check_accuracy, critic_self_check_accuracy(&test.prompts, FIRST + ROUNDS), 0);
    round_curves_free(&actual);
    round_curves_free(&expected);
    case_free(&test);
}

static void rounds_depend_neither_on_the_prompts_at_once_nor_on_critics_before(void **state) {
    (void)state;
    Case test;
    case_create(&test, ATTENTION_SOFTMAX, 1);
    const CriticSettings *const critics[] = {&inverted, &half_right};
    RoundCurves alone = evaluated(&test, PROMPTS, critics + 1, 1), after = evaluated(&test, 3, critics, 2),
                other = evaluated(&test, PROMPTS, critics, 1);
    assert_rounds_equal(&alone, &after);
    assert_near(alone.self_check_accuracy, after.self_check_accuracy, 0);
    assert_memory_not_equal(alone.value, other.value, (ROUNDS + 1) * sizeof(double));
    round_curves_free(&alone);
    round_curves_free(&after);
    round_curves_free(&other);
    case_free(&test);
}

static void a_critics_accuracy_is_that_on_the_responses_of_the_rounds(void **state) {
    (void)state;
    const float clean[4] = {0, 0.5F, 0.5F, 0.25F}, seen[4] = {0.1F, 0.9F, 0.2F, 0.1F};
    Prompts prompts = {.n = 1, .N = 4, .d = 1, .rs = (float *)clean, .seen = (float *)seen};
    assert_near(critic_self_check_accuracy(&prompts, 3), 1, 0);           /* 0 < 1, 0 < 2; 1 and 2 are equal */
    assert_near(critic_self_check_accuracy(&prompts, 4), 4.5 / 5, 1e-12); /* 0 and 3 look equal */
    assert_true(isnan(critic_self_check_accuracy(&prompts, 1)));
    const CriticSettings clean_critic = {.quality = 1}, *critic = &clean_critic;
    Case test;
    case_create(&test, ATTENTION_SOFTMAX, 1);
    RoundCurves rounds = evaluated(&test, PROMPTS, &critic, 1);
    assert_near(rounds.self_check_accuracy, 1, 0);
    round_curves_free(&rounds);
    case_free(&test);
}

static void responses_without_a_score_are_in_no_pair(void **state) {
    (void)state;
    const float clean[4] = {0.25F, NAN, 0.5F, NAN}, seen[4] = {0.5F, 0, 0.25F, NAN};
    Prompts prompts = {.n = 1, .N = 4, .d = 1, .rs = (float *)clean, .seen = (float *)seen};
    assert_near(critic_self_check_accuracy(&prompts, 4), 0, 0); /* 0 and 2, ranked wrongly, are the only pair */
    assert_true(isnan(critic_self_check_accuracy(&prompts, 2)));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_with_cache_is_the_loop_by_whole_passes),
        cmocka_unit_test(a_noisy_critic_says_the_same_in_both_loops),
        cmocka_unit_test(scalar_feedback_of_quality_1_is_the_clean_score_for_every_noise),
        cmocka_unit_test(a_critic_of_quality_0_changes_what_is_answered),
        cmocka_unit_test(responses_are_answers_as_long_as_the_aligned_one),
        cmocka_unit_test(later_prompts_alone_give_the_same_bits),
        cmocka_unit_test(initial_responses_are_random_directions_as_long_as_the_aligned_answer),
        cmocka_unit_test(a_score_is_the_weight_of_the_aligned_answer_in_an_orthogonal_mixture),
        cmocka_unit_test(shares_and_flips_are_of_the_last_round),
        cmocka_unit_test(an_evaluations_rounds_are_the_loop_over_its_prompts),
        cmocka_unit_test(rounds_depend_neither_on_the_prompts_at_once_nor_on_critics_before),
        cmocka_unit_test(a_critics_accuracy_is_that_on_the_responses_of_the_rounds),
        cmocka_unit_test(responses_without_a_score_are_in_no_pair),
    };
    return run_tests(tests, argc, argv);
}
