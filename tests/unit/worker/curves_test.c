/* Metrics and baselines: what must hold exactly, and what was measured with PyTorch (design, section 4). */
#include "tests/harness.h"

#include "proto/wire/cost.h"
#include "worker/measure/curves.h"
#include "worker/measure/evaluate.h"
#include "worker/measure/predictors.h"

#include <math.h>
#include <stdlib.h>

enum { N = 6, D = 3, PROMPTS = 40, ROW = N * D };
static const TaskSettings TASK = {.n_dims = D, .n_points = N};

typedef struct Fixture {
    Arena arena;
    Prompts prompts;
    float pred[PROMPTS * ROW];
    double values[METRIC_COUNT][PROMPTS * N];
    double *value[METRIC_COUNT];
} Fixture;

static Fixture *fixture_create(void) {
    Fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    prompts_take(&fixture->arena, &TASK, PROMPTS);
    assert_int_equal(arena_create(&fixture->arena, fixture->arena.used_bytes, NULL), STATUS_OK);
    fixture->prompts = prompts_take(&fixture->arena, &TASK, PROMPTS);
    prompts_draw(&fixture->prompts, &TASK, RNG_EVALUATION_PROMPTS, 5, 0, 0);
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        fixture->value[metric] = fixture->values[metric];
    return fixture;
}

static void fixture_free(Fixture *fixture) {
    arena_destroy(&fixture->arena);
    free(fixture);
}

static void the_aligned_answer_has_nmse_0_and_tau_1(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    metrics_per_prompt(&fixture->prompts, fixture->prompts.y_star, fixture->value);
    for (int at = 0; at < PROMPTS * N; at++) {
        assert_near(fixture->value[METRIC_NMSE][at], 0, 1e-12);
        if (at % N >= 2) assert_near(fixture->value[METRIC_KENDALL_TAU][at], 1, 0);
    }
    fixture_free(fixture);
}

static void the_opposite_answer_has_nmse_2_and_tau_minus_1(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    for (int k = 0; k < PROMPTS * ROW; k++)
        fixture->pred[k] = -3 * fixture->prompts.y_star[k];
    metrics_per_prompt(&fixture->prompts, fixture->pred, fixture->value);
    for (int at = 0; at < PROMPTS * N; at++) {
        assert_near(fixture->value[METRIC_NMSE][at], 2, 1e-12);
        if (at % N >= 2) assert_near(fixture->value[METRIC_KENDALL_TAU][at], -1, 0);
    }
    fixture_free(fixture);
}

static void metrics_of_rankings_begin_at_two_examples(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    metrics_per_prompt(&fixture->prompts, fixture->prompts.y_star, fixture->value);
    for (int at = 0; at < PROMPTS * N; at++) {
        assert_int_equal(isnan(fixture->value[METRIC_KENDALL_TAU][at]) != 0, at % N < 2);
        assert_int_equal(isnan(fixture->value[METRIC_ALIGNMENT_LOSS][at]) != 0, at % N < 2);
    }
    fixture_free(fixture);
}

static void an_answer_without_direction_has_no_tau(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    metrics_per_prompt(&fixture->prompts, fixture->pred, fixture->value); /* zeros */
    for (int at = 0; at < PROMPTS * N; at++) {
        assert_near(fixture->value[METRIC_NMSE][at], 1, 0);
        assert_true(isnan(fixture->value[METRIC_KENDALL_TAU][at]));
        if (at % N >= 2) assert_near(fixture->value[METRIC_ALIGNMENT_LOSS][at], lgamma(at % N + 1), 1e-12);
    }
    fixture_free(fixture);
}

static void tau_b_counts_ties_as_kendall_did(void **state) {
    (void)state;
    /* Rewards 1, 2, 3, 4 against scores of which the last two are equal: 5 pairs agree, one is tied: 5 / sqrt(5 * 6).
     */
    float ys[5 * 2] = {0, 1, 1, 1, 2, 1, 2, 1, 1, 0}, rs[5] = {1, 2, 3, 4, 5}, star[10] = {0}, pred[10] = {0};
    double values[METRIC_COUNT][5];
    double *const value[METRIC_COUNT] = {values[0], values[1], values[2]};
    Prompts prompts = {.n = 1, .N = 5, .d = 2, .ys = ys, .rs = rs, .seen = rs, .y_star = star};
    pred[4 * 2] = 1;
    metrics_per_prompt(&prompts, pred, value);
    assert_near(values[METRIC_KENDALL_TAU][4], 5 / sqrt(30), 1e-12);
}

static void metrics_use_clean_rewards_and_predictors_those_seen(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    CriticSettings critic = {.quality = 0, .noise = CRITIC_FLIP};
    critic_apply(&fixture->prompts, &critic, RNG_EVALUATION_CRITIC, 5, 0, 0);
    predictor_apply(PREDICTOR_CONTRAST, &fixture->prompts, NULL, 0, fixture->pred);
    metrics_per_prompt(&fixture->prompts, fixture->pred, fixture->value);
    for (int p = 0; p < PROMPTS; p++)
        assert_near(fixture->value[METRIC_KENDALL_TAU][p * N + 2], -1, 0);
    fixture_free(fixture);
}

static void what_a_baseline_cannot_say_is_nan(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    float gd_start[PROMPTS * D * D];
    const int first_defined[PREDICTOR_COUNT] = {0, 0, 1, 1, 2, 2}; /* examples, by predictor */
    gd_start_draw(5, 0, PROMPTS, D, gd_start);
    for (int predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT; predictor++) {
        predictor_apply((Predictor)predictor, &fixture->prompts, gd_start, 3, fixture->pred);
        for (int k = 0; k < PROMPTS * ROW; k++)
            assert_int_equal(isnan(fixture->pred[k]) != 0, k / D % N < first_defined[predictor]);
    }
    fixture_free(fixture);
}

static void a_prompt_is_predicted_and_measured_alike_in_any_company(void **state) {
    (void)state;
    enum { SOME = 3 };
    Fixture *fixture = fixture_create();
    float start[PROMPTS * D * D], alone[SOME * ROW];
    double values[METRIC_COUNT][SOME * N];
    double *const value[METRIC_COUNT] = {values[0], values[1], values[2]};
    gd_start_draw(5, 0, PROMPTS, D, start);
    predictor_apply(PREDICTOR_GD, &fixture->prompts, start, 7, fixture->pred);
    metrics_per_prompt(&fixture->prompts, fixture->pred, fixture->value);
    for (int first = 0; first + SOME <= PROMPTS; first += 5) {
        Prompts some = prompts_slice(&fixture->prompts, first, SOME);
        predictor_apply(PREDICTOR_GD, &some, start + first * D * D, 7, alone);
        assert_memory_equal(alone, fixture->pred + first * ROW, sizeof alone);
        metrics_per_prompt(&some, alone, value);
        for (int metric = 0; metric < METRIC_COUNT; metric++)
            assert_memory_equal(value[metric], fixture->value[metric] + first * N, sizeof values[metric]);
    }
    fixture_free(fixture);
}

static void equal_rewards_leave_contrast_and_exact_undefined(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    for (int k = 0; k < PROMPTS * N; k++)
        fixture->prompts.seen[k] = 0.1F;
    for (int predictor = PREDICTOR_CONTRAST; predictor <= PREDICTOR_EXACT; predictor++) {
        predictor_apply((Predictor)predictor, &fixture->prompts, NULL, 0, fixture->pred);
        for (int k = 0; k < PROMPTS * ROW; k++)
            assert_true(isnan(fixture->pred[k]));
    }
    fixture_free(fixture);
}

static void of_equally_good_responses_the_first_is_best(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    CriticSettings critic = {.quality = 1, .feedback = FEEDBACK_BINARY};
    critic_apply(&fixture->prompts, &critic, RNG_EVALUATION_CRITIC, 5, 0, 0);
    predictor_apply(PREDICTOR_BEST, &fixture->prompts, NULL, 0, fixture->pred);
    for (int p = 0; p < PROMPTS; p++) {
        int expected = 0;
        while (expected < N - 2 && fixture->prompts.rs[p * N + expected] <= 0.5F)
            expected++;
        if (fixture->prompts.rs[p * N + expected] <= 0.5F) expected = 0;
        assert_memory_equal(fixture->pred + p * ROW + (N - 1) * D, fixture->prompts.ys + p * ROW + expected * D,
                            D * sizeof(float));
    }
    fixture_free(fixture);
}

static void extrapolation_finds_the_aligned_answer_from_clean_rewards(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    predictor_apply(PREDICTOR_EXACT, &fixture->prompts, NULL, 0, fixture->pred);
    metrics_per_prompt(&fixture->prompts, fixture->pred, fixture->value);
    for (int p = 0; p < PROMPTS; p++)
        assert_near(fixture->value[METRIC_NMSE][p * N + N - 1], 0, 1e-6);
    fixture_free(fixture);
}

static void means_leave_out_what_is_undefined(void **state) {
    (void)state;
    Fixture *fixture = fixture_create();
    memcpy(fixture->pred, fixture->prompts.y_star, sizeof fixture->pred);
    for (int p = 0; p < PROMPTS; p++)
        for (int k = 0; k < D; k++) {
            fixture->pred[p * ROW + k] = NAN; /* row 0: never defined */
            if (p >= 4)
                fixture->pred[p * ROW + D + k] = NAN; /* row 1: four times, .. */
            else if (p % 2 == 1)
                fixture->pred[p * ROW + D + k] *= -1;            /* .. nmse 0, 2, 0, 2 */
            if (p > 0) fixture->pred[p * ROW + 2 * D + k] = NAN; /* row 2: once */
        }
    Curves curves;
    metrics_per_prompt(&fixture->prompts, fixture->pred, fixture->value);
    assert_int_equal(curves_of(fixture->prompts.n, fixture->prompts.N, fixture->value, &curves, NULL), STATUS_OK);
    const double *mean = curves.value, *error = curves.standard_error;
    assert_int_equal(curves.n_points, N);
    assert_true(isnan(mean[curves_at(&curves, METRIC_NMSE, 0)]));
    assert_true(isnan(error[curves_at(&curves, METRIC_NMSE, 0)]));
    assert_near(mean[curves_at(&curves, METRIC_NMSE, 1)], 1, 1e-12);
    assert_near(error[curves_at(&curves, METRIC_NMSE, 1)], sqrt(4.0 / 3 / 4), 1e-12);
    assert_near(mean[curves_at(&curves, METRIC_NMSE, 2)], 0, 1e-12);
    assert_true(isnan(error[curves_at(&curves, METRIC_NMSE, 2)]));
    assert_near(mean[curves_at(&curves, METRIC_KENDALL_TAU, 4)], 1, 0);
    curves_free(&curves);
    fixture_free(fixture);
}

static void the_released_number_of_gd_steps_falls_with_quality(void **state) {
    (void)state;
    const CriticSettings critics[3] = {{.quality = 1}, {.quality = 0.5}, {.quality = 0}};
    const int expected[3] = {50, 37, 25};
    for (int k = 0; k < 3; k++) {
        assert_int_equal(gd_steps_under(GD_STEPS_RELEASED, &critics[k]), expected[k]);
        assert_int_equal(gd_steps_under(12, &critics[k]), 12);
    }
}

enum { PAPER_PROMPTS = 8192 };
static const TaskSettings PAPER_TASK = {.n_dims = 5, .n_points = 16};

static Curves baseline_at_paper_scale(Predictor predictor, double quality) {
    Evaluation *evaluation = NULL;
    Curves curves;
    CriticSettings critic = {.quality = quality};
    assert_int_equal(evaluation_create(&PAPER_TASK, 0, PAPER_PROMPTS, &evaluation, NULL), STATUS_OK);
    evaluation_set_critic(evaluation, &critic);
    assert_int_equal(evaluation_of_baseline(evaluation, predictor, 50, &curves, NULL), STATUS_OK);
    evaluation_free(evaluation);
    return curves;
}

static void gradient_descent_scores_what_pytorch_measured(void **state) {
    (void)state;
    const double expected[16] = {[2] = .376, .350, .334, .323, .316, .310, .307,
                                 .304,       .301, .299, .297, .296, .295, .294};
    Curves curves = baseline_at_paper_scale(PREDICTOR_GD, 1);
    for (int i = 2; i < 16; i++) {
        size_t at = curves_at(&curves, METRIC_NMSE, i);
        assert_true(curves.standard_error[at] < 0.0035);
        assert_near(curves.value[at], expected[i], 4 * curves.standard_error[at]);
    }
    curves_free(&curves);
}

static void simple_baselines_score_what_pytorch_measured(void **state) {
    (void)state;
    const struct {
        Predictor predictor;
        double quality, nmse;
    } measured[] = {{PREDICTOR_MEAN, 1, .336},    {PREDICTOR_MEAN, 0, .336}, {PREDICTOR_CONTRAST, 1, .337},
                    {PREDICTOR_CONTRAST, 0, 1.0}, {PREDICTOR_BEST, 1, .006}, {PREDICTOR_EXACT, 1, 0}};
    for (size_t k = 0; k < sizeof measured / sizeof *measured; k++) {
        Curves curves = baseline_at_paper_scale(measured[k].predictor, measured[k].quality);
        size_t at = curves_at(&curves, METRIC_NMSE, 15);
        assert_near(curves.value[at], measured[k].nmse, 4 * curves.standard_error[at] + 0.0005);
        curves_free(&curves);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_aligned_answer_has_nmse_0_and_tau_1),
        cmocka_unit_test(the_opposite_answer_has_nmse_2_and_tau_minus_1),
        cmocka_unit_test(metrics_of_rankings_begin_at_two_examples),
        cmocka_unit_test(an_answer_without_direction_has_no_tau),
        cmocka_unit_test(tau_b_counts_ties_as_kendall_did),
        cmocka_unit_test(metrics_use_clean_rewards_and_predictors_those_seen),
        cmocka_unit_test(what_a_baseline_cannot_say_is_nan),
        cmocka_unit_test(a_prompt_is_predicted_and_measured_alike_in_any_company),
        cmocka_unit_test(equal_rewards_leave_contrast_and_exact_undefined),
        cmocka_unit_test(of_equally_good_responses_the_first_is_best),
        cmocka_unit_test(extrapolation_finds_the_aligned_answer_from_clean_rewards),
        cmocka_unit_test(means_leave_out_what_is_undefined),
        cmocka_unit_test(the_released_number_of_gd_steps_falls_with_quality),
        cmocka_unit_test(gradient_descent_scores_what_pytorch_measured),
        cmocka_unit_test(simple_baselines_score_what_pytorch_measured),
    };
    return run_tests(tests, argc, argv);
}
