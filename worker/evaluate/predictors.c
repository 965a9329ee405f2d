/* See predictors.h. gd fits a matrix; every other baseline is a weighted sum of the responses seen. All in double,
 * rounded to float once. */
#include "worker/evaluate/predictors.h"

#include "worker/train/objective.h"

#include <assert.h>
#include <math.h>

static const double GD_RATE = 0.1, GD_BETA1 = 0.9, GD_BETA2 = 0.999, GD_EPSILON = 1e-8;

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
    double distance = 1 - mean_reward(i, seen), square = dot_product(i, weight, weight);
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

/* answer (d) = W x. */
static void linear_answer(int d, const double *W, const float *x, double *answer) {
    for (int row = 0; row < d; row++) {
        answer[row] = 0;
        for (int k = 0; k < d; k++)
            answer[row] += W[row * d + k] * x[k];
    }
}

/* pred = W x after steps of Adam on W (d, d), from start, with unit responses (i, d) and their ranking. */
static void predict_gd(int d, int i, const float *x, const double *responses, const int *ranking, const float *start,
                       int steps, double *pred) {
    double W[d * d], mean[d * d], square[d * d], score[i > 0 ? i : 1], slope[i > 0 ? i : 1], derivative[d];
    double decay1 = 1, decay2 = 1;
    for (int k = 0; k < d * d; k++) {
        W[k] = start[k];
        mean[k] = square[k] = 0;
    }
    linear_answer(d, W, x, pred);
    if (i < 2) return; /* nothing to rank: the loss is 0 for every W */
    for (int step = 0; step < steps; step++) {
        double norm = normalise(d, pred);
        for (int j = 0; j < i; j++)
            score[j] = dot_product(d, pred, responses + (size_t)j * d);
        plackett_luce_loss(i, score, ranking, slope);
        cosine_derivative(d, i, pred, norm, responses, score, slope, derivative);
        decay1 *= GD_BETA1;
        decay2 *= GD_BETA2;
        double rate = GD_RATE / (1 - decay1), square_scale = 1 / (1 - decay2);
        for (int row = 0; row < d; row++)
            for (int k = 0; k < d; k++) {
                int at = row * d + k;
                double gradient = derivative[row] * x[k];
                mean[at] = GD_BETA1 * mean[at] + (1 - GD_BETA1) * gradient;
                square[at] = GD_BETA2 * square[at] + (1 - GD_BETA2) * gradient * gradient;
                W[at] -= rate * mean[at] / (sqrt(square[at] * square_scale) + GD_EPSILON);
            }
        linear_answer(d, W, x, pred);
    }
}

static void gd_of_prompt(const Prompts *prompt, const float *start, int steps, float *pred) {
    int N = prompt->N, d = prompt->d;
    double responses[(size_t)N * d], answer[d];
    int ranking[N];
    for (int i = 0; i < N; i++) {
        predict_gd(d, i, prompt->xs + (size_t)i * d, responses, ranking, start, steps, answer);
        for (int k = 0; k < d; k++)
            pred[(size_t)i * d + k] = (float)answer[k];
        unit_vector(d, prompt->ys + (size_t)i * d, responses + (size_t)i * d);
        ranking_insert(ranking, i, prompt->seen);
    }
}

void predictor_apply(Predictor predictor, const Prompts *prompts, const float *gd_start, int gd_steps, float *pred) {
    static const WeightRule rules[PREDICTOR_COUNT] = {
        [PREDICTOR_MEAN] = mean_weights,
        [PREDICTOR_BEST] = best_weights,
        [PREDICTOR_CONTRAST] = contrast_weights,
        [PREDICTOR_EXACT] = exact_weights,
    };
    int N = prompts->N, d = prompts->d;
    assert(predictor == PREDICTOR_GD ? gd_steps > 0 : rules[predictor] != NULL);
    for (int p = 0; p < prompts->n; p++) {
        Prompts prompt = prompts_slice(prompts, p, 1);
        float *rows = pred + (size_t)p * N * d;
        if (predictor == PREDICTOR_GD)
            gd_of_prompt(&prompt, gd_start + (size_t)p * d * d, gd_steps, rows);
        else
            weighted_of_prompt(rules[predictor], &prompt, rows);
    }
}

void gd_start_draw(uint32_t seed, uint32_t first, int n, int d, float *gd_start) {
    float bound = (float)(1 / sqrt(d));
    for (int p = 0; p < n; p++) {
        RngStream stream = {.purpose = RNG_GD_START, .seed = seed, .step = 0, .unit = first + (uint32_t)p};
        float *start = gd_start + (size_t)p * d * d;
        rng_uniform(stream, 0, (uint32_t)(d * d), start);
        for (int k = 0; k < d * d; k++)
            start[k] = (2 * start[k] - 1) * bound;
    }
}
