/* The backward pass: the forward pass's operations in reverse, each adding to the gradient of its own tensors.
 *
 * d_residual is the derivative of the loss with respect to the residual stream; a branch takes it, and adds what comes
 * back through its LayerNorm. Outputs of LayerNorm are made again rather than kept. */
#include "worker/model/workspace.h"

#include <assert.h>
#include <string.h>

/* Of y = x W + b: dW += x^T dy, db += column sums of dy. */
static void backward_weights(const Model *model, int rows, int layer, Linear linear, const float *x, const float *dy,
                             float *gradient) {
    LinearMap map = linear_map(&model->shape, linear);
    model->kernels->accumulate_outer(rows, map.in, map.out, x, dy,
                                     gradient + parameter_offset(model, layer, map.weight));
    model->kernels->column_sums(rows, map.out, dy, gradient + parameter_offset(model, layer, map.bias));
}

/* dx = dy W^T, times factor (rows, in) if there is one. */
static void backward_input(const Model *model, int rows, int layer, Linear linear, const float *dy, const float *factor,
                           float *dx) {
    LinearMap map = linear_map(&model->shape, linear);
    Epilogue epilogue = {.finish = factor ? FINISH_TIMES : FINISH_NONE, .other = factor};
    model->kernels->packed_matmul(rows, map.in, map.out, dy, model->weights[layer][linear].backward, &epilogue, dx);
}

static void backward_feed_forward(const Model *model, const Block *block, int layer, float *gradient,
                                  float *d_residual) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, reads = model->n * block_queries(model, block);
    const float *gain = parameter(model, layer, LN_2_WEIGHT), *bias = parameter(model, layer, LN_2_BIAS);
    backward_weights(model, reads, layer, MLP_C_PROJ, block->hidden, d_residual, gradient);
    backward_input(model, reads, layer, MLP_C_PROJ, d_residual, block->slope, model->d_hidden);
    kernels->layer_norm_again(reads, E, block->middle, block->stats_2, gain, bias, model->normed);
    backward_weights(model, reads, layer, C_FC, model->normed, model->d_hidden, gradient);
    backward_input(model, reads, layer, C_FC, model->d_hidden, NULL, model->d_branch);
    kernels->layer_norm_backward(reads, E, model->d_branch, block->middle, block->stats_2, gain, d_residual,
                                 gradient + parameter_offset(model, layer, LN_2_WEIGHT),
                                 gradient + parameter_offset(model, layer, LN_2_BIAS));
}

/* to (n T, E): rows that a block asks queries at from (n queries, E), zeros elsewhere. */
static void scatter_reads(const Model *model, const Block *block, const float *from, float *to) {
    size_t E = (size_t)model->shape.E;
    memset(to, 0, (size_t)model->n * model->T * E * sizeof(float));
    for (int prompt = 0; prompt < model->n; prompt++)
        for (int token = 0; token < model->T; token += block->query_stride, from += E)
            memcpy(to + ((size_t)prompt * model->T + token) * E, from, E * sizeof(float));
}

/* d_reads: of block->middle; model->d_residual becomes that of block->input (and may be d_reads). */
static void backward_attention(const Model *model, const Block *block, int layer, float *gradient,
                               const float *d_reads) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, rows = model->n * model->T, reads = model->n * block_queries(model, block);
    const float *gain = parameter(model, layer, LN_1_WEIGHT), *bias = parameter(model, layer, LN_1_BIAS);
    AttentionShape attention = block_attention(model, block, model->n);
    backward_weights(model, reads, layer, ATTN_C_PROJ, block->attended, d_reads, gradient);
    backward_input(model, reads, layer, ATTN_C_PROJ, d_reads, NULL, model->d_branch);
    kernels->attention_backward(&attention, block->qkv, block->weights, model->d_branch, model->d_qkv,
                                model->attention_space);
    kernels->layer_norm_again(rows, E, block->input, block->stats_1, gain, bias, model->normed);
    backward_weights(model, rows, layer, C_ATTN, model->normed, model->d_qkv, gradient);
    backward_input(model, rows, layer, C_ATTN, model->d_qkv, NULL, model->d_branch);
    if (d_reads != model->d_residual) scatter_reads(model, block, d_reads, model->d_residual);
    kernels->layer_norm_backward(rows, E, model->d_branch, block->input, block->stats_1, gain, model->d_residual,
                                 gradient + parameter_offset(model, layer, LN_1_WEIGHT),
                                 gradient + parameter_offset(model, layer, LN_1_BIAS));
}

/* Of ln_f and _read_out; fills model->d_reads. */
static void backward_read_out(const Model *model, const float *dpred, float *gradient) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, d = model->shape.d, reads = model->n * model->shape.N;
    const float *gain = parameter(model, 0, LN_F_WEIGHT);
    kernels->layer_norm_again(reads, E, model->last, model->stats_f, gain, parameter(model, 0, LN_F_BIAS),
                              model->normed);
    kernels->matmul(true, false, d, E, reads, 1.0f, dpred, d, model->normed, E, 1.0f,
                    gradient + parameter_offset(model, 0, READ_OUT_WEIGHT), E);
    kernels->column_sums(reads, d, dpred, gradient + parameter_offset(model, 0, READ_OUT_BIAS));
    kernels->matmul(false, false, reads, E, d, 1.0f, dpred, d, parameter(model, 0, READ_OUT_WEIGHT), E, 0.0f,
                    model->d_branch, E);
    memset(model->d_reads, 0, (size_t)reads * E * sizeof(float));
    kernels->layer_norm_backward(reads, E, model->d_branch, model->last, model->stats_f, gain, model->d_reads,
                                 gradient + parameter_offset(model, 0, LN_F_WEIGHT),
                                 gradient + parameter_offset(model, 0, LN_F_BIAS));
}

void model_backward(Model *model, const float *dpred, float *gradient) {
    const Kernels *kernels = model->kernels;
    const Shape *shape = &model->shape;
    int E = shape->E, d = shape->d, rows = model->n * model->T;
    assert(model->training && model->n > 0 && weights_are_those_of_parameters(model));
    backward_read_out(model, dpred, gradient);
    for (int layer = shape->L - 1; layer >= 0; layer--) {
        const Block *block = &model->blocks[layer];
        float *d_reads = block->query_stride > 1 ? model->d_reads : model->d_residual;
        if (shape->ffn) backward_feed_forward(model, block, layer, gradient, d_reads);
        backward_attention(model, block, layer, gradient, d_reads);
    }
    kernels->column_sums(model->n, model->T * E, model->d_residual, gradient + parameter_offset(model, 0, POSITIONS));
    kernels->column_sums(rows, E, model->d_residual, gradient + parameter_offset(model, 0, READ_IN_BIAS));
    kernels->matmul(true, false, E, d, rows, 1.0f, model->d_residual, E, model->tokens, d, 1.0f,
                    gradient + parameter_offset(model, 0, READ_IN_WEIGHT), d);
}
