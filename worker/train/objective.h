/* Training objectives: how well a prediction agrees with the ranking of the responses it has seen. */
#ifndef WORKER_TRAIN_OBJECTIVE_H
#define WORKER_TRAIN_OBJECTIVE_H

#include "worker/task/prompts.h"

/* Loss of pred (n, N, d) over context sizes i = 2 .. N-1 (mean over i), summed over the n prompts in double; the
 * ranking is that of prompts->seen over the first i responses, ties to the lower index. dpred (n, N, d; NULL: not
 * wanted) gets the derivative of scale * (that sum): scale = 1/B makes it the gradient of the batch mean. Rows 0 and 1
 * get 0. s_j = cos(pred_i, y_j), each norm clamped at 1e-8: plackett_luce  sum_k [ logsumexp_{l >= k} s_tau(l) -
 * s_tau(k) ] bradley_terry  mean over pairs with different rewards of softplus(-(s_better - s_worse)); 0 without such a
 * pair cosine         1 - cos(pred_i, y*) mse            mean over dimensions of (pred_i - y*)^2 Requires N >= 3. */
double objective_loss(Objective objective, const Prompts *prompts, const float *pred, double scale, float *dpred);

/* Loss of one ranking: score (n), ranking (n) the responses from best to worst. slope (n; NULL: not wanted) gets the
 * derivative with respect to score. Scores are cosines, or at least of a size whose exponential is finite. */
double plackett_luce_loss(int n, const double *score, const int *ranking, double *slope);

/* ranking[0..n) holds responses 0 .. n-1 from best to worst; puts response n in its place, after those of equal reward.
 */
void ranking_insert(int *ranking, int n, const float *reward);

/* Product of two vectors of d entries; of unit vectors their cosine. */
static inline double dot_product(int d, const double *a, const double *b) {
    double sum = 0;
    for (int k = 0; k < d; k++)
        sum += a[k] * b[k];
    return sum;
}

/* Divides vector (d) by its norm, clamped at 1e-8, and returns that norm: cosines are products of such vectors. */
double normalise(int d, double *vector);
/* The same from float: unit (d) = vector / norm. */
double unit_vector(int d, const float *vector, double *unit);

/* derivative (d) with respect to a vector of a function of its n cosines with targets (n, d; unit vectors): unit and
 * norm as normalise gives them, score (n) the cosines, slope (n) the derivative with respect to score. */
void cosine_derivative(int d, int n, const double *unit, double norm, const double *targets, const double *score,
                       const double *slope, double *derivative);

#endif
