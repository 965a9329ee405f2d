/* The dimensions of a transformer, under the paper's symbols; the only place where names are one letter. */
#ifndef WORKER_MODEL_SHAPE_H
#define WORKER_MODEL_SHAPE_H

#include "proto/wire/settings.h"

#include <stddef.h>

typedef struct Shape {
    int d; /* n_dims: length of queries and responses */
    int N; /* n_points: responses in a prompt */
    int T; /* 3 N: tokens in a prompt, x_i at 3i, y_i at 3i+1, (r_i, 0, ..) at 3i+2 */
    int L; /* n_layer */
    int H; /* n_head */
    int E; /* n_embd */
    int D; /* E / H: width of a head */
    int F; /* 4 E: hidden width of the feed-forward network */
    Attention attention;
    bool ffn, causal;
} Shape;

Shape shape_of(const ModelSettings *model, const TaskSettings *task);

#endif
