/* Objectives at their corners: ties, rankings without information, predictions of length 0, long lists. */
#include "tests/harness.h"

#include "worker/task/ranked.h"
#include "worker/train/objective.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { N = 7, D = 4, ROW = N * D };

typedef struct OnePrompt {
    float ys[ROW], seen[N], y_star[ROW], pred[ROW], dpred[ROW];
} OnePrompt;

/* Something random everywhere; unit tells one from another. */
static OnePrompt random_prompt(uint32_t unit) {
    OnePrompt prompt;
    RngStream stream = {.purpose = RNG_TRAIN_PROMPTS, .seed = 1, .unit = unit};
    rng_normal(stream, 0, ROW, prompt.ys);
    rng_normal(stream, 100, ROW, prompt.y_star);
    rng_normal(stream, 200, ROW, prompt.pred);
    rng_uniform(stream, 300, N, prompt.seen);
    return prompt;
}

static double loss_of(Objective objective, OnePrompt *prompt) {
    Prompts prompts = {.n = 1, .N = N, .d = D, .ys = prompt->ys, .seen = prompt->seen, .y_star = prompt->y_star};
    return objective_loss(objective, &prompts, prompt->pred, 1, prompt->dpred);
}

static void a_prediction_that_ranks_nothing_costs_log_i_factorial(void **state) {
    (void)state;
    OnePrompt prompt = random_prompt(0);
    memset(prompt.pred, 0, sizeof prompt.pred);
    double expected = 0;
    for (int i = 2; i < N; i++)
        expected += lgamma(i + 1) / (N - 2);
    assert_near(loss_of(OBJECTIVE_PLACKETT_LUCE, &prompt), expected, 1e-12);
}

static void a_prediction_of_length_0_has_a_finite_gradient(void **state) {
    (void)state;
    for (int objective = OBJECTIVE_PLACKETT_LUCE; objective <= OBJECTIVE_MSE; objective++) {
        OnePrompt prompt = random_prompt(0);
        memset(prompt.pred, 0, sizeof prompt.pred);
        assert_true(isfinite(loss_of((Objective)objective, &prompt)));
        for (int k = 0; k < ROW; k++)
            assert_true(isfinite(prompt.dpred[k]));
    }
}

static void gradients_agree_with_central_differences(void **state) {
    (void)state;
    for (int objective = OBJECTIVE_PLACKETT_LUCE; objective <= OBJECTIVE_MSE; objective++) {
        OnePrompt prompt = random_prompt(3);
        loss_of((Objective)objective, &prompt);
        for (int k = 0; k < ROW; k++) {
            const float step = 1.0F / 256;
            OnePrompt up = prompt, down = prompt;
            up.pred[k] += step;
            down.pred[k] -= step;
            double difference = loss_of((Objective)objective, &up) - loss_of((Objective)objective, &down);
            assert_near(prompt.dpred[k], difference / ((double)up.pred[k] - down.pred[k]), 2e-5);
        }
    }
}

static void the_first_two_rows_are_not_trained(void **state) {
    (void)state;
    for (int objective = OBJECTIVE_PLACKETT_LUCE; objective <= OBJECTIVE_MSE; objective++) {
        OnePrompt prompt = random_prompt(1), other = prompt;
        double loss = loss_of((Objective)objective, &prompt);
        for (int k = 0; k < 2 * D; k++) {
            other.pred[k] = 100;
            assert_true(prompt.dpred[k] == 0);
        }
        assert_true(loss_of((Objective)objective, &other) == loss);
        assert_true(prompt.dpred[2 * D] != 0);
    }
}

static void of_equal_rewards_the_lower_index_counts_as_better(void **state) {
    (void)state;
    OnePrompt tied = random_prompt(2), ordered = tied;
    for (int i = 0; i < N; i++) {
        tied.seen[i] = i % 2 == 0 ? 1 : 0;
        ordered.seen[i] = tied.seen[i] - 0.01F * (float)i;
    }
    assert_true(loss_of(OBJECTIVE_PLACKETT_LUCE, &tied) == loss_of(OBJECTIVE_PLACKETT_LUCE, &ordered));
    ordered.seen[0] = 0.5F; /* no longer the best */
    assert_true(loss_of(OBJECTIVE_PLACKETT_LUCE, &tied) != loss_of(OBJECTIVE_PLACKETT_LUCE, &ordered));
}

static void bradley_terry_without_different_rewards_is_0(void **state) {
    (void)state;
    OnePrompt prompt = random_prompt(2);
    for (int i = 0; i < N; i++)
        prompt.seen[i] = 1;
    assert_near(loss_of(OBJECTIVE_BRADLEY_TERRY, &prompt), 0, 0);
    for (int k = 0; k < ROW; k++)
        assert_near(prompt.dpred[k], 0, 0);
}

static void losses_add_up_and_gradients_are_scaled(void **state) {
    (void)state;
    OnePrompt first = random_prompt(5), second = random_prompt(6);
    float ys[2 * ROW], seen[2 * N], y_star[2 * ROW], pred[2 * ROW], dpred[2 * ROW];
    double sum = loss_of(OBJECTIVE_PLACKETT_LUCE, &first) + loss_of(OBJECTIVE_PLACKETT_LUCE, &second);
    const OnePrompt *each[2] = {&first, &second};
    for (int p = 0; p < 2; p++) {
        memcpy(ys + p * ROW, each[p]->ys, sizeof first.ys);
        memcpy(seen + p * N, each[p]->seen, sizeof first.seen);
        memcpy(y_star + p * ROW, each[p]->y_star, sizeof first.y_star);
        memcpy(pred + p * ROW, each[p]->pred, sizeof first.pred);
    }
    Prompts prompts = {.n = 2, .N = N, .d = D, .ys = ys, .seen = seen, .y_star = y_star};
    assert_near(objective_loss(OBJECTIVE_PLACKETT_LUCE, &prompts, pred, 0.5, dpred), sum, 1e-12);
    assert_near(objective_loss(OBJECTIVE_PLACKETT_LUCE, &prompts, pred, 0.5, NULL), sum, 1e-12);
    for (int p = 0; p < 2; p++)
        for (int k = 0; k < ROW; k++)
            assert_near(dpred[p * ROW + k], 0.5 * each[p]->dpred[k], 1e-7);
}

static void a_prediction_that_is_not_finite_shows_in_the_loss(void **state) {
    (void)state;
    for (int objective = OBJECTIVE_PLACKETT_LUCE; objective <= OBJECTIVE_MSE; objective++)
        for (int bad = 0; bad < 2; bad++) {
            OnePrompt prompt = random_prompt(4);
            prompt.pred[3 * D + 1] = bad ? NAN : INFINITY;
            assert_false(isfinite(loss_of((Objective)objective, &prompt)));
        }
}

/* The textbook form, with a logsumexp of its own for each place, of one lane. */
static double naive_plackett_luce(int n, Lanes *score, int lane) {
    double loss = 0;
    for (int k = 0; k < n; k++) {
        double sum = 0;
        for (int l = k; l < n; l++)
            sum += exp(score[l][lane]);
        loss += log(sum) - score[k][lane];
    }
    return loss;
}

static void plackett_luce_of_a_long_list_is_that_of_the_textbook(void **state) {
    (void)state;
    enum { LONG = 500 };
    static Lanes score[LONG], slope[LONG], without_loss[LONG];
    static float values[LONG * LANES];
    Lanes loss;
    RngStream stream = {.purpose = RNG_TRAIN_PROMPTS, .seed = 8};
    rng_uniform(stream, 0, LONG * LANES, values);
    for (int j = 0; j < LONG * LANES; j++)
        score[j / LANES][j % LANES] = 2.0 * values[j] - 1;
    lanes_plackett_luce(LONG, score, loss, slope);
    lanes_plackett_luce(LONG, score, NULL, without_loss);
    assert_memory_equal(slope, without_loss, sizeof slope);
    for (int lane = 0; lane < LANES; lane++) {
        assert_near(loss[lane], naive_plackett_luce(LONG, score, lane), 1e-9);
        for (int j = lane; j < LONG; j += 97) {
            const double step = 1e-4, at = score[j][lane];
            score[j][lane] = at + step;
            double up = naive_plackett_luce(LONG, score, lane);
            score[j][lane] = at - step;
            double down = naive_plackett_luce(LONG, score, lane);
            score[j][lane] = at;
            assert_near(slope[j][lane], (up - down) / (2 * step), 1e-6);
        }
    }
}

/* Responses whose only entry is their index stand by falling reward, of equal ones the earlier first. */
static void responses_stand_by_reward_and_then_by_index(void **state) {
    (void)state;
    enum { MANY = 40 };
    static Lanes rewards[MANY], responses[MANY];
    for (int j = 0; j < MANY; j++) {
        Lanes reward, response[1];
        for (int lane = 0; lane < LANES; lane++) {
            uint32_t bits = rng_bits((RngStream){.purpose = RNG_TRAIN_PROMPTS, .unit = (uint32_t)lane}, (uint32_t)j);
            reward[lane] = lane == 0 ? 1 : bits % (1U << lane); /* all equal in the first, few equal in the last */
            response[0][lane] = j;
        }
        lanes_insert(1, j, reward, response, rewards, responses);
    }
    for (int lane = 0; lane < LANES; lane++)
        for (int k = 1; k < MANY; k++) {
            assert_true(rewards[k - 1][lane] >= rewards[k][lane]);
            if (rewards[k - 1][lane] == rewards[k][lane]) assert_true(responses[k - 1][lane] < responses[k][lane]);
        }
}

/* As many prompts as fill groups of lanes and some more: loss and derivatives are those of each prompt alone. */
static void prompts_that_stand_together_do_not_see_each_other(void **state) {
    (void)state;
    enum { PROMPTS = 2 * LANES + 3 };
    static float ys[PROMPTS][ROW], seen[PROMPTS][N], y_star[PROMPTS][ROW], pred[PROMPTS][ROW], dpred[PROMPTS][ROW];
    for (int objective = OBJECTIVE_PLACKETT_LUCE; objective <= OBJECTIVE_MSE; objective++) {
        static OnePrompt each[PROMPTS];
        double sum = 0;
        for (int p = 0; p < PROMPTS; p++) {
            each[p] = random_prompt((uint32_t)p);
            sum += loss_of((Objective)objective, &each[p]);
            memcpy(ys[p], each[p].ys, sizeof ys[p]);
            memcpy(seen[p], each[p].seen, sizeof seen[p]);
            memcpy(y_star[p], each[p].y_star, sizeof y_star[p]);
            memcpy(pred[p], each[p].pred, sizeof pred[p]);
        }
        Prompts prompts = {.n = PROMPTS, .N = N, .d = D, .ys = *ys, .seen = *seen, .y_star = *y_star};
        assert_true(objective_loss((Objective)objective, &prompts, *pred, 1, *dpred) == sum);
        for (int p = 0; p < PROMPTS; p++)
            assert_memory_equal(dpred[p], each[p].dpred, sizeof dpred[p]);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prediction_that_ranks_nothing_costs_log_i_factorial),
        cmocka_unit_test(a_prediction_of_length_0_has_a_finite_gradient),
        cmocka_unit_test(gradients_agree_with_central_differences),
        cmocka_unit_test(the_first_two_rows_are_not_trained),
        cmocka_unit_test(of_equal_rewards_the_lower_index_counts_as_better),
        cmocka_unit_test(bradley_terry_without_different_rewards_is_0),
        cmocka_unit_test(losses_add_up_and_gradients_are_scaled),
        cmocka_unit_test(a_prediction_that_is_not_finite_shows_in_the_loss),
        cmocka_unit_test(plackett_luce_of_a_long_list_is_that_of_the_textbook),
        cmocka_unit_test(responses_stand_by_reward_and_then_by_index),
        cmocka_unit_test(prompts_that_stand_together_do_not_see_each_other),
    };
    return run_tests(tests, argc, argv);
}
