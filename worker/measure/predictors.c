/* See predictors.h. gd (gradient_descent.c) fits a matrix; every other baseline is a weighted sum of the responses
 * seen. All in double, rounded to float once. */
#include "worker/measure/predictors.h"

#include "worker/measure/gradient_descent.h"

#include <assert.h>
#include <math.h>

/* Weights of the first i responses whose sum is the prediction, from the rewards seen; false: undefined. */
typedef bool (*WeightRule)(int i, const float *seen, double *weight);

static bool mean_weights(int i, const float *seen, double *weight) {
    (void)seen;
    for (int j = 0; j < i; j++)
        weight[j] = 1.0 / i;
    return i > 0;
}

static bool best_weights(int i, const float *seen, double *weight) {
    int best = 0;
    for (int j = 0; j < i; j++) {
        weight[j] = 0;
        if (seen[j] > seen[best]) best = j;
    }
    if (i > 0) weight[best] = 1;
    return i > 0;
}

static double mean_reward(int i, const float *seen) {
    double sum = 0;
    for (int j = 0; j < i; j++)
        sum += seen[j];
    return sum / i;
}

static bool contrast_weights(int i, const float *seen, double *weight) {
    double mean = mean_reward(i, seen);
    bool differ = false; /* asked of the rewards: the mean of equal ones may be off by rounding */
    for (int j = 0; j < i; j++) {
        weight[j] = seen[j] - mean;
        differ |= seen[j] != seen[0];
    }
    return differ;
}

/* Least squares y ~ a + b r has b = sum (r - mean r) y / sum (r - mean r)^2 and is mean y + (1 - mean r) b at r = 1. */
static bool exact_weights(int i, const float *seen, double *weight) {
    if (!contrast_weights(i, seen, weight)) return false;
    double distance = 1 - mean_reward(i, seen), square = 0;
    for (int j = 0; j < i; j++)
        square += weight[j] * weight[j];
    for (int j = 0; j < i; j++)
        weight[j] = 1.0 / i + distance * weight[j] / square;
    return true;
}

static void weighted_of_prompt(WeightRule rule, const Prompts *prompt, float *pred) {
    int N = prompt->N, d = prompt->d;
    double weight[N];
    for (int i = 0; i < N; i++) {
        bool defined = rule(i, prompt->seen, weight);
        for (int k = 0; k < d; k++) {
            double sum = defined ? 0 : NAN;
            for (int j = 0; j < i; j++)
                sum += weight[j] * prompt->ys[(size_t)j * d + k];
            pred[(size_t)i * d + k] = (float)sum;
        }
    }
}

void predictor_apply(Predictor predictor, const Prompts *prompts, const float *gd_start, int gd_steps, float *pred) {
    static const WeightRule rules[PREDICTOR_COUNT] = {
        [PREDICTOR_MEAN] = mean_weights,
        [PREDICTOR_BEST] = best_weights,
        [PREDICTOR_CONTRAST] = contrast_weights,
        [PREDICTOR_EXACT] = exact_weights,
    };
    if (predictor == PREDICTOR_GD) {
        gradient_descent_predict(prompts, gd_start, gd_steps, pred);
        return;
    }
    assert(rules[predictor] != NULL);
    for (int p = 0; p < prompts->n; p++) {
        Prompts prompt = prompts_slice(prompts, p, 1);
        weighted_of_prompt(rules[predictor], &prompt, pred + (size_t)p * prompts->N * prompts->d);
    }
}

void gd_start_draw(uint32_t seed, uint32_t first, int n, int d, float *gd_start) {
    float bound = (float)(1 / sqrt(d));
    RngStream stream = {.purpose = RNG_GD_START, .seed = seed, .step = 0, .unit = first};
    rng_uniform_units(stream, (uint32_t)n, 0, (uint32_t)(d * d), gd_start);
    for (size_t k = 0; k < (size_t)n * d * d; k++)
        gd_start[k] = (2 * gd_start[k] - 1) * bound;
}
