/* Baseline predictors: what an answer made from the first i responses without a transformer looks like. */
#ifndef WORKER_MEASURE_PREDICTORS_H
#define WORKER_MEASURE_PREDICTORS_H

#include "worker/task/prompts.h"

/* Predictions of a baseline from the first i responses and the rewards seen, for every i: pred (n, N, d), row i made
 * from responses 0 .. i-1; NaN where undefined (best at 0, exact with equal rewards, ..). gd: W (d, d) from gd_start
 * (n, d, d), gd_steps Adam steps (rate 0.1) on the Plackett-Luce loss of the first i responses with scores cos(W x,
 * y_j), prediction W x (so W_start x for i < 2); GD_STEPS_RELEASED is resolved by gd_steps_under before. gd_start and
 * gd_steps are ignored by the others. */
void predictor_apply(Predictor predictor, const Prompts *prompts, const float *gd_start, int gd_steps, float *pred);

/* Start matrices of prompts first .. first + n for a seed: U(-1/sqrt d, 1/sqrt d), (n, d, d). */
void gd_start_draw(uint32_t seed, uint32_t first, int n, int d, float *gd_start);

#endif
