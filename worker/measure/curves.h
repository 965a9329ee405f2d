/* Metrics of predictions as functions of the number of examples: nmse, kendall_tau, alignment_loss. */
#ifndef WORKER_MEASURE_CURVES_H
#define WORKER_MEASURE_CURVES_H

#include "proto/wire/codec.h"
#include "worker/task/prompts.h"

/* Per prompt: value[metric] (n, N), [prompt * N + i], from pred (n, N, d) at i examples; NaN where undefined.
 *   nmse            1 - cos(pred_i, y*)                                      (norms clamped at 1e-8)
 *   kendall_tau     tau-b of cos(pred_i, y_j) against the clean r_j over the i responses, from i = 2
 *   alignment_loss  Plackett-Luce loss of cos(pred_i, y_j) against the clean ranking, from i = 2 */
void metrics_per_prompt(const Prompts *prompts, const float *pred, double *const value[METRIC_COUNT]);

/* Means over n prompts of what metrics_per_prompt found, and their standard errors, double sums in prompt order; a
 * value that is NaN for a prompt is left out, and a mean without values is NaN. */
Status curves_of(int n, int N, double *const value[METRIC_COUNT], Curves *out, Error *err);

/* Mean and standard error of the numbers among values[0], values[stride], .. (n of them) that are not NaN: sums in
 * order; a mean of none and an error of fewer than two are NaN. */
void mean_and_error(const double *values, int n, int stride, double *mean, double *standard_error);

#endif
