/* The forward pass, read from the bottom up: model_forward, one block, its two branches. Its steps but attention are
 * those of incremental.c as well. */
#include "worker/model/workspace.h"

#include <assert.h>
#include <string.h>

/* tokens (n (end - first), d): x_i at 3i, y_i at 3i + 1, (r_i, 0, ..) at 3i + 2. */
static void fill_tokens(const Shape *shape, int n, int first, int end, const float *xs, const float *ys,
                        const float *rs, float *tokens) {
    size_t N = (size_t)shape->N, d = (size_t)shape->d;
    for (int prompt = 0; prompt < n; prompt++)
        for (int token = first; token < end; token++, tokens += d) {
            size_t point = prompt * N + token / 3;
            if (token % 3 == 2) {
                memset(tokens, 0, d * sizeof(float));
                tokens[0] = rs[point];
            } else {
                memcpy(tokens, (token % 3 == 0 ? xs : ys) + point * d, d * sizeof(float));
            }
        }
}

void forward_embed(const Model *model, int n, int first, int end, const float *xs, const float *ys, const float *rs,
                   float *tokens, float *embedded) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, d = model->shape.d, rows = n * (end - first);
    fill_tokens(&model->shape, n, first, end, xs, ys, rs, tokens);
    kernels->matmul(false, true, rows, E, d, 1.0f, tokens, d, parameter(model, 0, READ_IN_WEIGHT), d, 0.0f, embedded,
                    E);
    kernels->add_bias(rows, E, embedded, parameter(model, 0, READ_IN_BIAS), NULL, embedded);
    kernels->add_bias(n, (end - first) * E, embedded, parameter(model, 0, POSITIONS) + (size_t)first * E, NULL,
                      embedded); /* a prompt's positions are one long row */
}

/* to (n queries, E) = the rows of from (n T, E) that a block asks queries at. */
static void gather_reads(const Model *model, const Block *block, const float *from, float *to) {
    size_t E = (size_t)model->shape.E;
    for (int prompt = 0; prompt < model->n; prompt++)
        for (int token = 0; token < model->T; token += block->query_stride, to += E)
            memcpy(to, from + ((size_t)prompt * model->T + token) * E, E * sizeof(float));
}

void forward_linear(const Model *model, int rows, int layer, Linear linear, const float *x, Finish finish,
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

void forward_feed_forward(const Model *model, const Block *block, int layer, int rows, float *normed) {
    model->kernels->layer_norm_forward(rows, model->shape.E, block->middle, parameter(model, layer, LN_2_WEIGHT),
                                       parameter(model, layer, LN_2_BIAS), normed, block->stats_2);
    forward_linear(model, rows, layer, C_FC, normed, FINISH_GELU, NULL, block->slope, block->hidden);
    forward_linear(model, rows, layer, MLP_C_PROJ, block->hidden, FINISH_RESIDUAL, block->middle, NULL, block->output);
}

void forward_read_out(const Model *model, int rows, const float *last, float *normed, float *stats, float *pred) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, d = model->shape.d;
    kernels->layer_norm_forward(rows, E, last, parameter(model, 0, LN_F_WEIGHT), parameter(model, 0, LN_F_BIAS), normed,
                                stats);
    kernels->matmul(false, true, rows, d, E, 1.0f, normed, E, parameter(model, 0, READ_OUT_WEIGHT), E, 0.0f, pred, d);
    kernels->add_bias(rows, d, pred, parameter(model, 0, READ_OUT_BIAS), NULL, pred);
}

void model_forward(Model *model, int n, const float *xs, const float *ys, const float *rs, float *pred) {
    const Shape *shape = &model->shape;
    assert(n > 0 && n <= model->micro_batch && weights_are_those_of_parameters(model));
    model->n = n;
    forward_embed(model, n, 0, model->T, xs, ys, rs, model->tokens, model->blocks[0].input);
    for (int layer = 0; layer < shape->L; layer++) {
        const Block *block = &model->blocks[layer];
        forward_attention(model, block, layer);
        if (shape->ffn) forward_feed_forward(model, block, layer, n * block_queries(model, block), model->normed);
    }
    forward_read_out(model, n * shape->N, model->last, model->normed, model->stats_f, pred);
}
