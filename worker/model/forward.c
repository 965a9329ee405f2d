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

/* y = x W + b of one of a block's linear maps, finished as said. */
static void forward_linear(const Model *model, int rows, int layer, Linear linear, const float *x, Finish finish,
                           const float *residual, float *slope, float *y) {
    LinearMap map = linear_map(&model->shape, linear);
    Epilogue epilogue = {finish, parameter(model, layer, map.bias), residual, slope};
    model->kernels->packed_matmul(rows, map.out, map.in, x, model->weights[layer][linear].forward, &epilogue, y);
}

/* block->middle = block->input + c_proj(attention(c_attn(ln_1(block->input)))), at the tokens that are read. */
static void forward_attention(const Model *model, const Block *block, int layer) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, rows = model->n * model->T, reads = model->n * block_queries(model, block);
    AttentionShape attention = block_attention(model, block, model->n);
    kernels->layer_norm_forward(rows, E, block->input, parameter(model, layer, LN_1_WEIGHT),
                                parameter(model, layer, LN_1_BIAS), model->normed, block->stats_1);
    forward_linear(model, rows, layer, C_ATTN, model->normed, FINISH_BIAS, NULL, NULL, block->qkv);
    kernels->attention_forward(&attention, block->qkv, block->attended, block->weights, model->attention_space);
    const float *residual = block->input;
    if (block->query_stride > 1) {
        gather_reads(model, block, block->input, block->middle);
        residual = block->middle;
    }
    forward_linear(model, reads, layer, ATTN_C_PROJ, block->attended, FINISH_RESIDUAL, residual, NULL, block->middle);
}

/* block->output = block->middle + c_proj(gelu_new(c_fc(ln_2(block->middle)))) */
static void forward_feed_forward(const Model *model, const Block *block, int layer) {
    int E = model->shape.E, reads = model->n * block_queries(model, block);
    model->kernels->layer_norm_forward(reads, E, block->middle, parameter(model, layer, LN_2_WEIGHT),
                                       parameter(model, layer, LN_2_BIAS), model->normed, block->stats_2);
    forward_linear(model, reads, layer, C_FC, model->normed, FINISH_GELU, NULL, block->slope, block->hidden);
    forward_linear(model, reads, layer, MLP_C_PROJ, block->hidden, FINISH_RESIDUAL, block->middle, NULL, block->output);
}

void model_forward(Model *model, int n, const float *xs, const float *ys, const float *rs, float *pred) {
    const Kernels *kernels = model->kernels;
    const Shape *shape = &model->shape;
    int E = shape->E, d = shape->d, T = model->T;
    assert(n > 0 && n <= model->micro_batch && weights_are_those_of_parameters(model));
    model->n = n;
    float *embedded = model->blocks[0].input;
    fill_tokens(model, xs, ys, rs);
    kernels->matmul(false, true, n * T, E, d, 1.0f, model->tokens, d, parameter(model, 0, READ_IN_WEIGHT), d, 0.0f,
                    embedded, E);
    kernels->add_bias(n * T, E, embedded, parameter(model, 0, READ_IN_BIAS), NULL, embedded);
    kernels->add_bias(n, T * E, embedded, parameter(model, 0, POSITIONS), NULL,
                      embedded); /* a prompt's positions are one long row */
    for (int layer = 0; layer < shape->L; layer++) {
        forward_attention(model, &model->blocks[layer], layer);
        if (shape->ffn) forward_feed_forward(model, &model->blocks[layer], layer);
    }
    int reads = n * shape->N;
    kernels->layer_norm_forward(reads, E, model->last, parameter(model, 0, LN_F_WEIGHT), parameter(model, 0, LN_F_BIAS),
                                model->normed, model->stats_f);
    kernels->matmul(false, true, reads, d, E, 1.0f, model->normed, E, parameter(model, 0, READ_OUT_WEIGHT), E, 0.0f,
                    pred, d);
    kernels->add_bias(reads, d, pred, parameter(model, 0, READ_OUT_BIAS), NULL, pred);
}
