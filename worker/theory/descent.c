/* See descent.h. */
#include "worker/theory/descent.h"

#include <math.h>
#include <string.h>

void descent_answer(const RankedResponses *responses, const double *W, double *answer) {
    for (int row = 0; row < responses->d; row++) {
        answer[row] = 0;
        for (int k = 0; k < responses->d; k++)
            answer[row] += W[row * responses->d + k] * responses->x[k];
    }
}

double descent_loss(const RankedResponses *responses, const double *W, double *gradient) {
    int d = responses->d, N = responses->N;
    double answer[d], residual[N][d], reward[N], slope[N]; /* of the j-th best; slope = dL / d reward */
    descent_answer(responses, W, answer);
    for (int j = 0; j < N; j++) {
        reward[j] = slope[j] = 0;
        for (int k = 0; k < d; k++) {
            residual[j][k] = responses->ys[responses->ranking[j] * d + k] - answer[k];
            reward[j] -= residual[j][k] * residual[j][k];
        }
    }
    double loss = 0;
    for (int i = 0; i < N - 1; i++) {
        double largest = -INFINITY, sum = 0;
        for (int j = i; j < N; j++)
            largest = fmax(largest, reward[j]);
        for (int j = i; j < N; j++)
            sum += exp(reward[j] - largest);
        loss += largest + log(sum) - reward[i];
        slope[i] -= 1;
        for (int j = i; j < N; j++)
            slope[j] += exp(reward[j] - largest) / sum;
    }
    if (gradient == NULL) return loss;
    memset(gradient, 0, (size_t)d * d * sizeof *gradient);
    for (int j = 0; j < N; j++)
        for (int row = 0; row < d; row++)
            for (int k = 0; k < d; k++)
                gradient[row * d + k] += slope[j] * 2 * residual[j][row] * responses->x[k];
    return loss;
}

void descent_run(const RankedResponses *responses, double rate, int steps, double *W) {
    int entries = responses->d * responses->d;
    double gradient[entries];
    for (int step = 0; step < steps; step++) {
        descent_loss(responses, W, gradient);
        for (int k = 0; k < entries; k++)
            W[k] -= rate * gradient[k];
    }
}
