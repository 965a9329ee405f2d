/* The forward pass, read from the bottom up: model_forward, one block, its two branches. */
#include "worker/model/workspace.h"

#include <assert.h>
#include <string.h>

/* tokens (n T, d): x_i at 3i, y_i at 3i + 1, (r_i, 0, ..) at 3i + 2, as far as they are computed. */
static void fill_tokens(const Model *model, const float *xs, const float *ys, const float *rs) {
    size_t N = (size_t)model->shape.N, d = (size_t)model->shape.d;
    float *to = model->tokens;
    for (int prompt = 0; prompt < model->n; prompt++)
        for (int token = 0; token < model->T; token++, to += d) {
            size_t point = prompt * N + token / 3;
            if (token % 3 == 2) {
                memset(to, 0, d * sizeof(float));
                to[0] = rs[point];
            } else {
                memcpy(to, (token % 3 == 0 ? xs : ys) + point * d, d * sizeof(float));
            }
        }
}

/* to (n queries, E) = the rows of from (n T, E) that a block asks queries at. */
static void gather_reads(const Model *model, const Block *block, const float *from, float *to) {
    size_t E = (size_t)model->shape.E;
    for (int prompt = 0; prompt < model->n; prompt++)
        for (int token = 0; token < model->T; token += block->query_stride, to += E)
            memcpy(to, from + ((size_t)prompt * model->T + token) * E, E * sizeof(float));
}

/* block->middle = block->input + c_proj(attention(c_attn(ln_1(block->input)))), at the tokens that are read. */
static void forward_attention(const Model *model, const Block *block, int layer, const float *parameters) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, rows = model->n * model->T, reads = model->n * block_queries(model, block);
    const float *tensor[TENSOR_ROLES];
    for (int role = LN_1_WEIGHT; role <= ATTN_C_PROJ_BIAS; role++)
        tensor[role] = parameters + parameter_offset(model, layer, (TensorRole)role);
    AttentionShape attention = block_attention(model, block, model->n);
    kernels->layer_norm_forward(rows, E, block->input, tensor[LN_1_WEIGHT], tensor[LN_1_BIAS], model->normed,
                                block->stats_1);
    kernels->matmul(false, false, rows, 3 * E, E, 1.0f, model->normed, E, tensor[C_ATTN_WEIGHT], 3 * E, 0.0f,
                    block->qkv, 3 * E);
    kernels->add_bias(rows, 3 * E, block->qkv, tensor[C_ATTN_BIAS], NULL, block->qkv);
    kernels->attention_forward(&attention, block->qkv, block->attended, block->weights, model->attention_space);
    kernels->matmul(false, false, reads, E, E, 1.0f, block->attended, E, tensor[ATTN_C_PROJ_WEIGHT], E, 0.0f,
                    model->projected, E);
    const float *residual = block->input;
    if (block->query_stride > 1) {
        gather_reads(model, block, block->input, block->middle);
        residual = block->middle;
    }
    kernels->add_bias(reads, E, model->projected, tensor[ATTN_C_PROJ_BIAS], residual, block->middle);
}

/* block->output = block->middle + c_proj(gelu_new(c_fc(ln_2(block->middle)))) */
static void forward_feed_forward(const Model *model, const Block *block, int layer, const float *parameters) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, F = model->shape.F, reads = model->n * block_queries(model, block);
    const float *tensor[TENSOR_ROLES];
    for (int role = LN_2_WEIGHT; role <= MLP_C_PROJ_BIAS; role++)
        tensor[role] = parameters + parameter_offset(model, layer, (TensorRole)role);
    kernels->layer_norm_forward(reads, E, block->middle, tensor[LN_2_WEIGHT], tensor[LN_2_BIAS], model->normed,
                                block->stats_2);
    kernels->matmul(false, false, reads, F, E, 1.0f, model->normed, E, tensor[C_FC_WEIGHT], F, 0.0f, block->hidden, F);
    kernels->bias_gelu_forward(reads, F, tensor[C_FC_BIAS], block->hidden, model->activated);
    kernels->matmul(false, false, reads, E, F, 1.0f, model->activated, F, tensor[MLP_C_PROJ_WEIGHT], E, 0.0f,
                    model->projected, E);
    kernels->add_bias(reads, E, model->projected, tensor[MLP_C_PROJ_BIAS], block->middle, block->output);
}

void model_forward(Model *model, const float *parameters, int n, const float *xs, const float *ys, const float *rs,
                   float *pred) {
    const Kernels *kernels = model->kernels;
    const Shape *shape = &model->shape;
    int E = shape->E, d = shape->d, T = model->T;
    assert(n > 0 && n <= model->micro_batch);
    model->n = n;
    const float *tensor[TENSOR_ROLES];
    for (int role = 0; role < TENSOR_ROLES; role++)
        tensor[role] = parameters + parameter_offset(model, 0, (TensorRole)role);
    float *embedded = model->blocks[0].input;
    fill_tokens(model, xs, ys, rs);
    kernels->matmul(false, true, n * T, E, d, 1.0f, model->tokens, d, tensor[READ_IN_WEIGHT], d, 0.0f, embedded, E);
    kernels->add_bias(n * T, E, embedded, tensor[READ_IN_BIAS], NULL, embedded);
    kernels->add_bias(n, T * E, embedded, tensor[POSITIONS], NULL,
                      embedded); /* a prompt's positions are one long row */
    for (int layer = 0; layer < shape->L; layer++) {
        forward_attention(model, &model->blocks[layer], layer, parameters);
        if (shape->ffn) forward_feed_forward(model, &model->blocks[layer], layer, parameters);
    }
    int reads = n * shape->N;
    kernels->layer_norm_forward(reads, E, model->last, tensor[LN_F_WEIGHT], tensor[LN_F_BIAS], model->normed,
                                model->stats_f);
    kernels->matmul(false, true, reads, d, E, 1.0f, model->normed, E, tensor[READ_OUT_WEIGHT], E, 0.0f, pred, d);
    kernels->add_bias(reads, d, pred, tensor[READ_OUT_BIAS], NULL, pred);
}
