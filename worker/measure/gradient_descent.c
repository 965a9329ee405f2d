/* See gradient_descent.h. LANES prompts are fitted side by side.
 *
 * No matrix is kept. A prompt's x is the same in all steps, so the gradient of W is derivative x^T with a new
 * derivative (d) each step, and Adam's moments, averages of it and of its squares, stay the products mean x^T and
 * square (x^2)^T of two vectors (d). What a step adds to the prediction W x follows from these. */
#include "worker/measure/gradient_descent.h"

#include "worker/task/ranked.h"

#include <assert.h>

static const double RATE = 0.1, BETA1 = 0.9, BETA2 = 0.999, EPSILON = 1e-8;

/* answer (d) = start x */
LANES_INLINE void start_answer(int n, int d, const float *start, const Lanes *x, Lanes *answer) {
    Lanes row[d];
    for (int r = 0; r < d; r++) {
        lanes_load(n, (size_t)d * d, d, start + (size_t)r * d, row);
        lanes_dot_product(d, row, x, answer[r]);
    }
}

/* answer (d) after all steps on the first i responses (i, d), by reward. */
LANES_INLINE void descend(int d, int i, const Lanes *x, const Lanes *responses, int steps, Lanes *answer) {
    Lanes mean[d], square[d], unit[d], derivative[d], norm, score[i], slope[i];
    double decay1 = 1, decay2 = 1;
    memset(mean, 0, sizeof mean);
    memset(square, 0, sizeof square);
    for (int step = 0; step < steps; step++) {
        memcpy(unit, answer, sizeof unit);
        lanes_normalise(d, unit, norm);
        for (int k = 0; k < i; k++)
            lanes_dot_product(d, unit, responses + (size_t)k * d, score[k]);
        lanes_plackett_luce(i, score, NULL, slope);
        lanes_cosine_derivative(d, i, unit, norm, responses, score, slope, derivative);
        decay1 *= BETA1;
        decay2 *= BETA2;
        double rate = RATE / (1 - decay1), square_scale = 1 / (1 - decay2);
        for (int r = 0; r < d; r++) {
            Lanes root, change = {0};
            FOR_LANES (l) {
                mean[r][l] = BETA1 * mean[r][l] + (1 - BETA1) * derivative[r][l];
                square[r][l] = BETA2 * square[r][l] + (1 - BETA2) * derivative[r][l] * derivative[r][l];
                root[l] = sqrt(square[r][l] * square_scale);
            }
            for (int c = 0; c < d; c++)
                FOR_LANES (l)
                    change[l] += x[c][l] * x[c][l] / (fabs(x[c][l]) * root[l] + EPSILON);
            FOR_LANES (l)
                answer[r][l] -= rate * mean[r][l] * change[l];
        }
    }
}

/* Up to LANES prompts. */
FOR_EVERY_CPU static void predict_group(const Prompts *group, const float *start, int steps, float *pred) {
    int n = group->n, N = group->N, d = group->d;
    size_t row = (size_t)N * d;
    Lanes rewards[N], responses[row], reward, response[d], x[d], answer[d], norm;
    for (int i = 0; i < N; i++) {
        size_t at = (size_t)i * d;
        lanes_load(n, row, d, group->xs + at, x);
        start_answer(n, d, start, x, answer);
        if (i >= 2) descend(d, i, x, responses, steps, answer); /* with fewer the loss is 0 for every W */
        for (int p = 0; p < n; p++)
            for (int k = 0; k < d; k++)
                pred[p * row + at + k] = (float)answer[k][p];
        lanes_load(n, (size_t)N, 1, group->seen + i, &reward);
        lanes_load(n, row, d, group->ys + at, response);
        lanes_normalise(d, response, norm);
        lanes_insert(d, i, reward, response, rewards, responses);
    }
}

void gradient_descent_predict(const Prompts *prompts, const float *start, int steps, float *pred) {
    assert(steps >= 0);
    for (int p = 0; p < prompts->n; p += LANES) {
        Prompts group = prompts_slice(prompts, p, prompts->n - p < LANES ? prompts->n - p : LANES);
        predict_group(&group, start + (size_t)p * prompts->d * prompts->d, steps,
                      pred + (size_t)p * prompts->N * prompts->d);
    }
}
