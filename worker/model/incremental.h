/* Predictions one position after another, at the cost of the tokens that are new: for answers that become part of the
 * prompt.
 *
 * A causal model's keys and values of earlier tokens do not change when tokens are appended; a ModelCache keeps them.
 * It belongs to one shape, and serves any model of that shape until the parameters change. Nothing is allocated after
 * model_cache_create. Equal inputs in equal calls give equal bits. */
#ifndef WORKER_MODEL_INCREMENTAL_H
#define WORKER_MODEL_INCREMENTAL_H

#include "worker/model/model.h"

typedef struct ModelCache ModelCache;

/* Prompts in one cache for which rollouts are fastest (measured at E 48, L 4 and E 96, L 20: 4 to 16 make 10 %). As
 * model_best_micro_batch it belongs to the numerics. */
enum { MODEL_CACHE_PROMPTS = 8 };

/* For up to n_prompts prompts of a causal shape. */
Status model_cache_create(const Shape *shape, int n_prompts, ModelCache **out, Error *err);
void model_cache_free(ModelCache *cache);
int model_cache_prompts(const ModelCache *cache);

/* Forgets all tokens; the calls that follow are about n prompts. */
void model_cache_restart(ModelCache *cache, int n);

/* pred (n, d): row position of what model_forward makes of the same prompts, to rounding. xs, ys (n, N, d) and rs
 * (n, N) as there; only tokens from x at the position of the last call (x_0 after a restart) to x at this one are
 * read, and what was read must not change until a restart. position grows from call to call. */
void model_predict_at(const Model *model, ModelCache *cache, int position, const float *xs, const float *ys,
                      const float *rs, float *pred);

#endif
