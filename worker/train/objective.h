/* Training objectives: how well a prediction agrees with the ranking of the responses it has seen. */
#ifndef WORKER_TRAIN_OBJECTIVE_H
#define WORKER_TRAIN_OBJECTIVE_H

#include "worker/task/prompts.h"

/* Loss of pred (n, N, d) over context sizes i = 2 .. N-1 (mean over i), summed over the n prompts in double; the
 * ranking is that of prompts->seen over the first i responses, ties to the lower index. dpred (n, N, d; NULL: not
 * wanted) gets the derivative of scale * (that sum): scale = 1/B makes it the gradient of the batch mean. Rows 0 and 1
 * get 0. With s_j = cos(pred_i, y_j), each norm clamped at 1e-8:
 *   plackett_luce  sum_k [ logsumexp_{l >= k} s_tau(l) - s_tau(k) ]
 *   bradley_terry  mean over pairs with different rewards of softplus(-(s_better - s_worse)); 0 without such a pair
 *   cosine         1 - cos(pred_i, y*)
 *   mse            mean over dimensions of (pred_i - y*)^2
 * Requires N >= 3. The bits of dpred are the same on every CPU and do not depend on which prompts stand together. */
double objective_loss(Objective objective, const Prompts *prompts, const float *pred, double scale, float *dpred);

#endif
