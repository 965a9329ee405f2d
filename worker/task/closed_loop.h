/* A model's answer becomes the next response of its prompt, a critic scores it, and the model answers again: rounds of
 * self-correction, and the contexts of a training on its own answers. The question is that of arXiv 2405.18634; this
 * loop over its synthetic task is our own.
 *
 * A prompt begins with n0 initial responses. Round t answers o_t at position n0 + t and, but for the last, responds
 * y_t = |y*| o_t / |o_t|. One rollout gives all rounds; a round costs three tokens. */
#ifndef WORKER_TASK_CLOSED_LOOP_H
#define WORKER_TASK_CLOSED_LOOP_H

#include "worker/model/incremental.h"
#include "worker/task/prompts.h"

/* The clean score of a response (d): c / (c + sqrt(1 - c^2)) for c = cos(response, y*) > 0, else 0. It is the r at
 * which r y* + (1 - r) y-, with y- orthogonal to y* and as long, has that cosine. */
double clean_score(int d, const float *response, const float *y_star);

/* The first count responses of prompts first, first + 1, ..: random directions of length |y*|, from
 * RNG_INITIAL_RESPONSES (seed, step, prompt). step: 0 for evaluation, from 1 for the steps of a training. */
void initial_responses_draw(Prompts *prompts, int count, uint32_t seed, uint32_t step, uint32_t first);

/* Elements of the stream RNG_EXPLORATION of a prompt. The values are part of every result. */
enum {
    EXPLORATION_LENGTH = 0,         /* one uniform a position */
    EXPLORATION_DIRECTION = 1 << 16 /* d normals a position */
};

typedef struct ClosedLoop {
    int initial_responses; /* n0, from 1 */
    int rounds;            /* R, to N - 1 - n0 */
    CriticSettings critic;
    RngStream stream; /* the critic's; unit: the first prompt */
    /* What a training adds to its own answers, 0: nothing. y_t = |y*| u / |u| with u = o_t / |o_t| + s v, where s ~
     * U[0, exploration) and v is a random unit vector, of the stream RNG_EXPLORATION with the critic's seed, step and
     * unit. It is scored as perturbed. */
    double exploration;
} ClosedLoop;

/* Of prompts (xs, y_star and the first n0 of ys given): fills the R responses that follow, the clean scores rs and the
 * rewards seen of all n0 + R (what is after them in rs is 0, in ys untouched), and answers (n, R + 1, d), as they are
 * without exploration. answers NULL: not wanted, and the last, which makes no response, is not asked for. The model's
 * parameters are set; prompts go through the cache as many as it holds at once. */
void closed_loop_run(const Model *model, ModelCache *cache, const ClosedLoop *loop, const Prompts *prompts,
                     float *answers);

#endif
