/* The room that a model works in, shared by the files of this folder and by nobody else.
 *
 * Rows of a matrix are tokens of prompts, prompt by prompt: n * T of them, where T leaves out the tokens that no
 * prediction sees. The last block asks queries only at the tokens that predictions are read from, so that from its
 * attention on there are n * N rows. What is cheap to make again is not kept for the backward pass: of LayerNorm only
 * its statistics. */
#ifndef WORKER_MODEL_WORKSPACE_H
#define WORKER_MODEL_WORKSPACE_H

#include "proto/base/arena.h"
#include "worker/model/model.h"

/* The linear maps of a block. */
typedef enum Linear { C_ATTN, ATTN_C_PROJ, C_FC, MLP_C_PROJ, LINEARS } Linear;

/* y (rows, out) = x (rows, in) W + b, and which tensors W and b are. */
typedef struct LinearMap {
    int in, out;
    TensorRole weight, bias;
} LinearMap;

LinearMap linear_map(const Shape *shape, Linear linear);

/* A weight matrix as the kernels pack it: W (in, out) and, when training, W^T. */
typedef struct Weights {
    float *forward, *backward;
} Weights;

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
    float *hidden;   /* (reads, F) gelu_new(c_fc) */
    float *slope;    /* (reads, F) gelu_new'(c_fc), only when training */
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
    const float *parameters;
    uint32_t sample;             /* of their bits when weights was filled */
    Weights (*weights)[LINEARS]; /* L */
    Block *blocks;               /* L */
    float *tokens;               /* (rows, d) */
    float *last;                 /* (n N, E) residual stream after the last block */
    float *stats_f;              /* (n N, 2) of ln_f */

    /* Used again by every block. */
    float *normed; /* (rows, E) output of a LayerNorm */
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

static inline const float *parameter(const Model *model, int layer, TensorRole role) {
    return model->parameters + parameter_offset(model, layer, role);
}

/* weights.c: takes the room for model->weights; whether the parameters are still those that it was filled from. */
void weights_take(Model *model, Arena *arena);
bool weights_are_those_of_parameters(const Model *model);

/* forward.c: steps of a pass over any rows. embedded (n (end - first), E): read-in and positions of tokens first .. end
 * of n prompts; tokens: room for as many rows of d. */
void forward_embed(const Model *model, int n, int first, int end, const float *xs, const float *ys, const float *rs,
                   float *tokens, float *embedded);
/* y = x W + b of one of a block's linear maps, finished as said. */
void forward_linear(const Model *model, int rows, int layer, Linear linear, const float *x, Finish finish,
                    const float *residual, float *slope, float *y);
/* block->output = block->middle + c_proj(gelu_new(c_fc(ln_2(block->middle)))); normed: room for (rows, E). */
void forward_feed_forward(const Model *model, const Block *block, int layer, int rows, float *normed);
/* pred (rows, d) from the residual stream after the last block; normed: room for (rows, E), stats for (rows, 2). */
void forward_read_out(const Model *model, int rows, const float *last, float *normed, float *stats, float *pred);

AttentionShape block_attention(const Model *model, const Block *block, int n);

#endif
