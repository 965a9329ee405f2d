/* Rounds of self-correction: a model's answer becomes the next response of its prompt, a critic scores it, and the
 * model answers again. The question is that of arXiv 2405.18634; this loop over its synthetic task is our own.
 *
 * A prompt begins with n0 initial responses. Round t answers o_t at position n0 + t and, but for the last, responds
 * y_t = |y*| o_t / |o_t|. One rollout gives all rounds; a round costs three tokens. */
#ifndef WORKER_EVALUATE_ROUNDS_H
#define WORKER_EVALUATE_ROUNDS_H

#include "proto/wire/codec.h"
#include "worker/model/incremental.h"
#include "worker/task/prompts.h"

/* The clean score of a response (d): c / (c + sqrt(1 - c^2)) for c = cos(response, y*) > 0, else 0. It is the r at
 * which r y* + (1 - r) y-, with y- orthogonal to y* and as long, has that cosine. */
double clean_score(int d, const float *response, const float *y_star);

/* The first count responses of prompts first, first + 1, ..: random directions of length |y*|, from
 * RNG_INITIAL_RESPONSES (seed, step, prompt). step: 0 for evaluation, from 1 for the steps of a training. */
void initial_responses_draw(Prompts *prompts, int count, uint32_t seed, uint32_t step, uint32_t first);

typedef struct ClosedLoop {
    int initial_responses; /* n0, from 1 */
    int rounds;            /* R, to N - 1 - n0 */
    CriticSettings critic;
    RngStream stream; /* the critic's; unit: the first prompt */
} ClosedLoop;

/* Of prompts (xs, y_star and the first n0 of ys given): fills the R responses that follow, the clean scores rs and the
 * rewards seen of all n0 + R (what is after them in rs is 0, in ys untouched), and answers (n, R + 1, d). The model's
 * parameters are set; prompts go through the cache as many as it holds at once. */
void closed_loop_run(const Model *model, ModelCache *cache, const ClosedLoop *loop, const Prompts *prompts,
                     float *answers);

/* Of answers (prompts->n, count, d) to prompts; the standard error is over prompts, that of the gain over each prompt's
 * own. self_check_accuracy is left NaN. Freed by round_curves_free. */
Status round_curves_of(const Prompts *prompts, int count, const float *answers, double right_cosine, RoundCurves *out,
                       Error *err);

#endif
