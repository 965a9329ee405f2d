/* Attention of single queries over cached keys and values: what incremental.c needs and the kernels, made for whole
 * prompts, do not offer. */
#ifndef WORKER_MODEL_CACHED_ATTENTION_H
#define WORKER_MODEL_CACHED_ATTENTION_H

#include "worker/model/shape.h"

enum { KEY_BLOCK = 16 }; /* keys whose scores are made together */

/* One query (E) over the first seen keys and values of its prompt: out (E), head by head as attention_forward in
 * kernels.h. keys (E, stride): one token a column, stride a multiple of KEY_BLOCK; values (tokens, E). score: room for
 * stride floats. The same bits on every CPU. */
void cached_attention(const Shape *shape, int seen, int stride, const float *query, const float *keys,
                      const float *values, float *score, float *out);

#endif
