/* The hand-set transformer against worked numbers and against gradient descent, and gradient descent against its loss.
 */
#include "tests/harness.h"
#include "worker/theory/descent.h"
#include "worker/theory/theory.h"

#include <math.h>
#include <stdlib.h>

enum { SEEDS = 20, STEPS = 20 };

static const int sizes[] = {2, 3, 5, 10, 20};

static TheoryResult measure(HandSetVariant variant, bool any_length, int N, int steps, double sharpness) {
    uint32_t seeds[SEEDS];
    for (int i = 0; i < SEEDS; i++)
        seeds[i] = (uint32_t)i;
    TheorySettings settings = {.d = 5, .any_length = any_length, .seeds = seeds, .n_seeds = SEEDS};
    TheoryResult result;
    Error err;
    assert_int_equal(kernels_select(NULL, &settings.kernels, &err), STATUS_OK);
    assert_int_equal(theory_measure(&settings, variant, N, steps, sharpness, &result, &err), STATUS_OK);
    return result;
}

/* --- gradient descent ------------------------------------------------------------------------------------------- */

static const float some_x[] = {0.3f, -0.8f, 1.1f};
static const float some_ys[] = {1, 0.2f, -0.5f, -0.3f, 0.9f, 0.4f, 0.1f, -0.7f, 0.6f, 0.8f, 0.8f, -0.1f};
static const int some_ranking[] = {2, 0, 3, 1};
static const RankedResponses some_responses = {.d = 3, .N = 4, .x = some_x, .ys = some_ys, .ranking = some_ranking};
static const double some_W[] = {0.1, -0.4, 0.3, 0.7, 0.2, -0.6, -0.2, 0.5, 0.4};

static void the_gradient_is_that_of_the_loss_by_central_differences(void **state) {
    double gradient[9], W[9];
    descent_loss(&some_responses, some_W, gradient);
    for (int k = 0; k < 9; k++) {
        memcpy(W, some_W, sizeof W);
        W[k] = some_W[k] + 1e-5;
        double above = descent_loss(&some_responses, W, NULL);
        W[k] = some_W[k] - 1e-5;
        assert_near(gradient[k], (above - descent_loss(&some_responses, W, NULL)) / 2e-5, 1e-9);
        assert_true(fabs(gradient[k]) > 0.01);
    }
}

static void the_loss_of_two_responses_is_bradley_terrys(void **state) {
    RankedResponses two = some_responses;
    const int ranking[] = {1, 0};
    two.N = 2;
    two.ranking = ranking;
    double answer[3], reward[2] = {0};
    descent_answer(&two, some_W, answer);
    for (int j = 0; j < 2; j++)
        for (int k = 0; k < 3; k++)
            reward[j] -= pow(some_ys[3 * j + k] - answer[k], 2);
    assert_near(descent_loss(&two, some_W, NULL), log1p(exp(reward[0] - reward[1])), 1e-14);
}

static void gradient_descent_follows_the_gradient(void **state) {
    double W[9], gradient[9];
    memcpy(W, some_W, sizeof W);
    descent_run(&some_responses, 0.05, 2, W);
    double by_hand[9];
    memcpy(by_hand, some_W, sizeof by_hand);
    for (int step = 0; step < 2; step++) {
        descent_loss(&some_responses, by_hand, gradient);
        for (int k = 0; k < 9; k++)
            by_hand[k] -= 0.05 * gradient[k];
    }
    for (int k = 0; k < 9; k++)
        assert_near(W[k], by_hand[k], 1e-15);
    assert_true(descent_loss(&some_responses, W, NULL) < descent_loss(&some_responses, some_W, NULL));
}

/* --- the hand-set transformer ----------------------------------------------------------------------------------- */

/* Three responses in two dimensions, worked out by hand and in double precision. */
static const float worked_ys[] = {1, 0, 0, 1, -0.6f, 0.8f}, worked_rs[] = {0.2f, 0.9f, 0.5f}, worked_start[] = {0, 0};

static HandSet *worked_set(HandSetVariant variant, const Kernels *kernels, HandSetLayout *layout) {
    HandSetSpec spec = {
        .variant = variant, .d = 2, .N = 3, .kappa = 200, .gap = 0.2, .largest_reward = 0.9, .step = 0.25};
    HandSet *set = NULL;
    Error err;
    assert_int_equal(hand_set_create(&spec, kernels, 1, &set, &err), STATUS_OK);
    *layout = hand_set_layout(&spec);
    return set;
}

static void assert_test_token(const HandSetLayout *layout, const float *tokens, int coordinate, double first,
                              double second) {
    assert_near(tokens[3 * layout->width + coordinate], first, 1e-6);
    assert_near(tokens[3 * layout->width + coordinate + 1], second, 1e-6);
}

static void every_block_of_the_worked_example_is_as_by_hand(void **state) {
    for (int path = 0; kernels_at(path) != NULL; path++) {
        HandSetLayout layout;
        HandSet *set = worked_set(HAND_SET_BIDIRECTIONAL, kernels_at(path), &layout);
        float tokens[4 * 12];
        assert_int_equal(layout.width, 12);
        hand_set_embed(set, 1, worked_ys, worked_rs, worked_start, tokens);
        hand_set_attention(set, 1, tokens);
        assert_test_token(&layout, tokens, layout.sum, -1.0 / 15, 0.2);
        assert_near(tokens[3 * layout.width + layout.winner], 0.9, 1e-6);
        hand_set_feed_forward(set, FEED_FORWARD_SELECT, 1, tokens);
        for (int token = 0; token < 4; token++)
            assert_near(tokens[token * layout.width + layout.picked], token == 1, 1e-6);
        hand_set_attention(set, 1, tokens);
        assert_test_token(&layout, tokens, layout.sum, -7.0 / 15, 0.4);
        assert_near(tokens[3 * layout.width + layout.winner], 0.5, 1e-6);
        hand_set_feed_forward(set, FEED_FORWARD_COMMIT, 1, tokens);
        assert_test_token(&layout, tokens, layout.answer, -7.0 / 15, 0.4);
        assert_test_token(&layout, tokens, layout.sum, 0, 0);
        assert_near(tokens[3 * layout.width + layout.winner], 0, 0);
        hand_set_attention(set, 1, tokens);
        assert_test_token(&layout, tokens, layout.sum, 0.134606561584, 0.089011800133);
        hand_set_feed_forward(set, FEED_FORWARD_SELECT, 1, tokens);
        hand_set_attention(set, 1, tokens);
        hand_set_feed_forward(set, FEED_FORWARD_COMMIT, 1, tokens);
        for (int token = 0; token < 4; token++) {
            assert_near(tokens[token * layout.width + layout.answer], -0.416779274871321, 1e-6);
            assert_near(tokens[token * layout.width + layout.answer + 1], 0.531371385027071, 1e-6);
        }
        hand_set_free(set);
    }
}

static void both_forms_run_the_worked_example_to_its_end(void **state) {
    const HandSetVariant forms[] = {HAND_SET_BIDIRECTIONAL, HAND_SET_CAUSAL};
    for (int form = 0; form < 2; form++) {
        HandSetLayout layout;
        HandSet *set = worked_set(forms[form], kernels_at(0), &layout);
        float *tokens = calloc(4 * (size_t)layout.width, sizeof *tokens);
        hand_set_embed(set, 1, worked_ys, worked_rs, worked_start, tokens);
        hand_set_run(set, 1, 2, tokens);
        assert_test_token(&layout, tokens, layout.answer, -0.416779274871321, 0.531371385027071);
        free(tokens);
        hand_set_free(set);
    }
}

static void what_the_heads_read_of_a_response_never_changes_in_the_causal_form(void **state) {
    HandSetLayout layout;
    HandSet *set = worked_set(HAND_SET_CAUSAL, kernels_at(0), &layout);
    size_t width = (size_t)layout.width;
    float *before = calloc(4 * width, sizeof *before), *after = calloc(4 * width, sizeof *after);
    hand_set_embed(set, 1, worked_ys, worked_rs, worked_start, before);
    hand_set_feed_forward(set, FEED_FORWARD_FEATURES, 1, before);
    hand_set_embed(set, 1, worked_ys, worked_rs, worked_start, after);
    hand_set_run(set, 1, 5, after);
    for (size_t token = 0; token < 3; token++) {
        const float *a = before + token * width, *b = after + token * width;
        assert_memory_equal(a + layout.response, b + layout.response, 2 * sizeof *a);
        assert_memory_equal(a + layout.above, b + layout.above, (size_t)layout.grid * sizeof *a);
        assert_true(a[layout.reward] == b[layout.reward] && a[layout.square] == b[layout.square]);
        assert_near(a[layout.above], 1, 0);
        assert_near(a[layout.above + layout.grid - 1], token == 1, 0); /* the best is above all points */
    }
    hand_set_free(set);
    free(before);
    free(after);
}

/* --- the experiment --------------------------------------------------------------------------------------------- */

static void assert_is_gradient_descent(HandSetVariant variant, bool any_length, int N) {
    TheoryResult result = measure(variant, any_length, N, STEPS, 40);
    assert_true(result.worst_error < 1e-5);
    assert_true(result.within);
    assert_true(result.mean_move > 0.2); /* there was something to do */
}

static void at_sharpness_40_the_transformer_is_gradient_descent_for_every_n(void **state) {
    for (int i = 0; i < 5; i++) {
        assert_is_gradient_descent(HAND_SET_BIDIRECTIONAL, false, sizes[i]);
        assert_is_gradient_descent(HAND_SET_BIDIRECTIONAL, true, sizes[i]);
    }
}

static void the_causal_form_is_gradient_descent_too(void **state) {
    for (int i = 0; i < 4; i++)
        assert_is_gradient_descent(HAND_SET_CAUSAL, i % 2, sizes[i]);
}

static void two_responses_need_attention_only(void **state) {
    assert_is_gradient_descent(HAND_SET_NO_FFN, false, 2);
    assert_is_gradient_descent(HAND_SET_NO_FFN, true, 2);
}

static void no_error_is_above_the_bound_and_soft_attention_has_one(void **state) {
    const double sharpness[] = {2, 6, 10, 15, 20, 30};
    for (int i = 0; i < 4; i++) {
        double last = INFINITY;
        for (int s = 0; s < 6; s++) {
            TheoryResult result = measure(HAND_SET_BIDIRECTIONAL, i % 2, sizes[i], STEPS, sharpness[s]);
            assert_true(result.within);
            assert_true(result.worst_error < last || sharpness[s] > 15);
            assert_true(result.rounding < 2e-5);
            last = result.worst_error;
            if (s == 0) assert_true(last > 0.01);
        }
    }
}

/* q / (1 - q) at kappa Delta = log 11 is 1 / 10, and 2 c (N - 1) is 1 for responses of length 1. */
static void the_bound_is_a_tenth_a_step_where_the_odds_are_one_to_ten(void **state) {
    for (int i = 0; i < 3; i++)
        assert_near(measure(HAND_SET_BIDIRECTIONAL, false, sizes[i], 3, log(11)).bound, 0.3, 1e-12);
}

static void with_a_piece_taken_away_it_is_not_gradient_descent(void **state) {
    const HandSetVariant broken[] = {HAND_SET_LINEAR_ATTENTION, HAND_SET_HEAD_A_ONLY, HAND_SET_HEAD_B_ONLY,
                                     HAND_SET_NO_FFN,           HAND_SET_NO_MASK,     HAND_SET_NO_ACCUMULATOR,
                                     HAND_SET_CAUSAL_MASK};
    for (size_t v = 0; v < sizeof broken / sizeof broken[0]; v++)
        for (int i = 1; i < 5; i++) {
            TheoryResult result = measure(broken[v], false, sizes[i], 1, 40);
            bool nearly = broken[v] == HAND_SET_NO_ACCUMULATOR;
            assert_true(result.relative_error > (nearly ? 0.1 : 0.3));
            assert_true(result.scaled_error > (nearly ? 0.05 : 0.25) && result.scaled_error <= 1);
            assert_false(result.within);
        }
}

static void with_two_responses_only_softmax_and_both_heads_are_needed(void **state) {
    const HandSetVariant needed[] = {HAND_SET_LINEAR_ATTENTION, HAND_SET_HEAD_A_ONLY, HAND_SET_HEAD_B_ONLY};
    const HandSetVariant idle[] = {HAND_SET_NO_FFN, HAND_SET_NO_MASK, HAND_SET_NO_ACCUMULATOR, HAND_SET_CAUSAL_MASK};
    for (int v = 0; v < 3; v++)
        assert_true(measure(needed[v], false, 2, 1, 40).scaled_error > 0.5);
    for (int v = 0; v < 4; v++)
        assert_true(measure(idle[v], false, 2, 1, 40).relative_error < 1e-5);
}

static void lengths_of_responses_must_be_carried_where_they_differ(void **state) {
    for (int i = 0; i < 4; i++) {
        assert_true(measure(HAND_SET_NO_NORMS, true, sizes[i], 1, 40).relative_error > 0.1);
        assert_true(measure(HAND_SET_NO_NORMS, false, sizes[i], 1, 40).relative_error < 1e-5);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_is_that_of_the_loss_by_central_differences),
        cmocka_unit_test(the_loss_of_two_responses_is_bradley_terrys),
        cmocka_unit_test(gradient_descent_follows_the_gradient),
        cmocka_unit_test(every_block_of_the_worked_example_is_as_by_hand),
        cmocka_unit_test(both_forms_run_the_worked_example_to_its_end),
        cmocka_unit_test(what_the_heads_read_of_a_response_never_changes_in_the_causal_form),
        cmocka_unit_test(at_sharpness_40_the_transformer_is_gradient_descent_for_every_n),
        cmocka_unit_test(the_causal_form_is_gradient_descent_too),
        cmocka_unit_test(two_responses_need_attention_only),
        cmocka_unit_test(no_error_is_above_the_bound_and_soft_attention_has_one),
        cmocka_unit_test(the_bound_is_a_tenth_a_step_where_the_odds_are_one_to_ten),
        cmocka_unit_test(with_a_piece_taken_away_it_is_not_gradient_descent),
        cmocka_unit_test(with_two_responses_only_softmax_and_both_heads_are_needed),
        cmocka_unit_test(lengths_of_responses_must_be_carried_where_they_differ),
    };
    return run_tests(tests, argc, argv);
}
