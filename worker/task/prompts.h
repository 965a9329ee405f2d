/* Prompts: alignment tasks drawn from counter-based streams, and what a critic makes of their rewards.
 *
 * x ~ N(0, I_d), W*, W- ~ N(0,1)^(d x d), y* = x W*, y- = x W-, r_i ~ U[0,1), y_i = r_i y* + (1 - r_i) y-. With noise
 * independent every response has its own W-. Source: section 5 and the released synthetic code of arXiv 2405.18634. */
#ifndef WORKER_TASK_PROMPTS_H
#define WORKER_TASK_PROMPTS_H

#include "proto/base/arena.h"
#include "proto/base/rng.h"
#include "proto/wire/settings.h"

/* The stream of a prompt (purpose, seed, step, prompt) by regions of elements, so that no draw moves another. The
 * values are part of every result. */
enum {
    PROMPT_X = 0,                 /* d normals */
    PROMPT_W_STAR = 1 << 16,      /* d x d normals, row by row */
    PROMPT_REWARDS = 2 << 16,     /* N uniforms */
    PROMPT_W_NOISE = 3 << 16,     /* d x d normals; noise independent: one such region a response */
    PROMPT_REGION = 1 << 16,      /* length of a region: d * d and N stay below it */
    CRITIC_DECISION = 0,          /* N uniforms: corrupted where below 1 - q */
    CRITIC_REPLACEMENT = 1 << 16, /* N uniforms: what replaces a reward */
    CRITIC_DEVIATION = 2 << 16    /* N normals */
};

/* n prompts. x may differ along N only in prompts read from a file. */
typedef struct Prompts {
    int n, N, d;
    float *xs;     /* (n, N, d) the query, repeated */
    float *ys;     /* (n, N, d) responses */
    float *rs;     /* (n, N) clean rewards */
    float *seen;   /* (n, N) rewards as the critic passes them on: what predictors see */
    float *y_star; /* (n, N, d) the aligned answer, repeated */
} Prompts;

/* Takes room for n prompts from the arena (also when measuring). */
Prompts prompts_take(Arena *arena, const TaskSettings *task, int n);

/* Prompts first .. first + n of them, sharing memory. */
Prompts prompts_slice(const Prompts *prompts, int first, int n);

/* Draws prompts first .. first + prompts->n of (purpose, seed, step); seen = clean rewards. The same (purpose, seed,
 * step, prompt) gives the same x, W*, W- and rewards whatever n, first and n_points are. */
void prompts_draw(Prompts *prompts, const TaskSettings *task, RngPurpose purpose, uint32_t seed, uint32_t step,
                  uint32_t first);

/* Sets seen from rs under a critic, by the uniforms of stream (purpose, seed, step, first + prompt): one uniform a
 * response decides for all qualities, so that corruption is nested. */
void critic_apply(Prompts *prompts, const CriticSettings *critic, RngPurpose purpose, uint32_t seed, uint32_t step,
                  uint32_t first);

/* Over all pairs with different rs among the first count responses of every prompt: share that seen ranks as rs does,
 * ties in seen counting half. NaN without such a pair; a response whose rs is NaN is in none. */
double critic_self_check_accuracy(const Prompts *prompts, int count);

#endif
