/* The gd baseline: what gradient descent on a linear reward model makes of the responses. */
#ifndef WORKER_MEASURE_GRADIENT_DESCENT_H
#define WORKER_MEASURE_GRADIENT_DESCENT_H

#include "worker/task/prompts.h"

/* Predictions from the first i responses and the rewards seen, for every i: pred (n, N, d). From W = start (n, d, d),
 * steps of Adam (rate 0.1) on the Plackett-Luce loss of the first i responses with scores cos(W x, y_j), then W x: so
 * start x for i < 2, and after 0 steps. The bits of a prompt do not depend on the others, nor on the CPU. */
void gradient_descent_predict(const Prompts *prompts, const float *start, int steps, float *pred);

#endif
