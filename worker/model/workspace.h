/* The room that a model works in, shared by model.c, forward.c and backward.c and by nobody else.
 *
 * Rows of a matrix are tokens of prompts, prompt by prompt: n * T of them, where T leaves out the tokens that no
 * prediction sees. The last block asks queries only at the tokens that predictions are read from, so that from its
 * attention on there are n * N rows. Nothing that is cheap to make again is kept for the backward pass: of LayerNorm
 * its statistics, of the feed-forward network what gelu_new is applied to. */
#ifndef WORKER_MODEL_WORKSPACE_H
#define WORKER_MODEL_WORKSPACE_H

#include "proto/base/arena.h"
#include "worker/model/model.h"

/* What the backward pass needs of one block; "rows": n * T, "reads": n * queries. */
typedef struct Block {
    int query_stride;
    float *input;    /* (rows, E) residual stream */
    float *stats_1;  /* (rows, 2) of ln_1 */
    float *qkv;      /* (rows, 3 E) */
    float *weights;  /* attention weights, as the kernels lay them out */
    float *attended; /* (reads, E) attention's output before c_proj */
    float *middle;   /* (reads, E) residual stream after attention; without ffn the next block's input */
    float *stats_2;  /* (reads, 2) of ln_2 */
    float *hidden;   /* (reads, F) what gelu_new is applied to */
    float *output;   /* (reads, E) the next block's input or the model's last */
} Block;

struct Model {
    Shape shape;
    const Kernels *kernels;
    int micro_batch, n; /* most prompts, prompts of the last forward pass */
    int T;              /* tokens of a prompt that are computed */
    bool training;
    Arena arena;
    size_t *offsets; /* (L, TENSOR_ROLES) in the flat parameters; tensors outside blocks under layer 0 */
    Block *blocks;   /* L */
    float *tokens;   /* (rows, d) */
    float *last;     /* (n N, E) residual stream after the last block */
    float *stats_f;  /* (n N, 2) of ln_f */

    /* Used again by every block. */
    float *normed;    /* (rows, E) output of a LayerNorm */
    float *projected; /* (rows, E) output of a c_proj */
    float *activated; /* (rows, F) gelu_new(hidden) */
    float *attention_space;

    /* Derivatives, only when training. */
    float *d_residual; /* (rows, E) */
    float *d_reads;    /* (n N, E) the same after the last block's attention */
    float *d_branch;   /* (rows, E) */
    float *d_qkv;      /* (rows, 3 E) */
    float *d_hidden;   /* (rows, F) */
};

static inline size_t parameter_offset(const Model *model, int layer, TensorRole role) {
    return model->offsets[layer * TENSOR_ROLES + role];
}

/* Queries of a block in one prompt. */
static inline int block_queries(const Model *model, const Block *block) {
    return (model->T + block->query_stride - 1) / block->query_stride;
}

AttentionShape block_attention(const Model *model, const Block *block, int n);

#endif
