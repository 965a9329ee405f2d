/* The backward pass: the forward pass's operations in reverse, each adding to the gradient of its own tensors.
 *
 * d_residual is the derivative of the loss with respect to the residual stream; a branch takes it, and adds what comes
 * back through its LayerNorm. Outputs of LayerNorm and gelu_new are made again rather than kept. Below, tensor[role] is
 * a parameter and slope[role] the gradient with respect to it. */
#include "worker/model/workspace.h"

#include <assert.h>
#include <string.h>

/* Of y (rows, out) = x (rows, in) W + b with W (in, out): dW += x^T dy, db += column sums of dy, dx = dy W^T. */
static void backward_linear(const Kernels *kernels, int rows, int in, int out, const float *x, const float *dy,
                            const float *weight, float *dweight, float *dbias, float *dx) {
    kernels->matmul(true, false, in, out, rows, 1.0f, x, in, dy, out, 1.0f, dweight, out);
    kernels->column_sums(rows, out, dy, dbias);
    kernels->matmul(false, true, rows, in, out, 1.0f, dy, out, weight, out, 0.0f, dx, in);
}

static void backward_feed_forward(const Model *model, const Block *block, int layer, const float *parameters,
                                  float *gradient, float *d_residual) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, F = model->shape.F, reads = model->n * block_queries(model, block);
    const float *tensor[TENSOR_ROLES];
    float *slope[TENSOR_ROLES];
    for (int role = LN_2_WEIGHT; role <= MLP_C_PROJ_BIAS; role++) {
        tensor[role] = parameters + parameter_offset(model, layer, (TensorRole)role);
        slope[role] = gradient + parameter_offset(model, layer, (TensorRole)role);
    }
    kernels->matmul(false, true, reads, F, E, 1.0f, d_residual, E, tensor[MLP_C_PROJ_WEIGHT], E, 0.0f, model->d_hidden,
                    F);
    kernels->gelu_backward((size_t)reads * F, block->hidden, model->activated, model->d_hidden);
    kernels->matmul(true, false, F, E, reads, 1.0f, model->activated, F, d_residual, E, 1.0f, slope[MLP_C_PROJ_WEIGHT],
                    E);
    kernels->column_sums(reads, E, d_residual, slope[MLP_C_PROJ_BIAS]);
    kernels->layer_norm_again(reads, E, block->middle, block->stats_2, tensor[LN_2_WEIGHT], tensor[LN_2_BIAS],
                              model->normed);
    backward_linear(kernels, reads, E, F, model->normed, model->d_hidden, tensor[C_FC_WEIGHT], slope[C_FC_WEIGHT],
                    slope[C_FC_BIAS], model->d_branch);
    kernels->layer_norm_backward(reads, E, model->d_branch, block->middle, block->stats_2, tensor[LN_2_WEIGHT],
                                 d_residual, slope[LN_2_WEIGHT], slope[LN_2_BIAS]);
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
static void backward_attention(const Model *model, const Block *block, int layer, const float *parameters,
                               float *gradient, const float *d_reads) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, rows = model->n * model->T, reads = model->n * block_queries(model, block);
    const float *tensor[TENSOR_ROLES];
    float *slope[TENSOR_ROLES];
    for (int role = LN_1_WEIGHT; role <= ATTN_C_PROJ_BIAS; role++) {
        tensor[role] = parameters + parameter_offset(model, layer, (TensorRole)role);
        slope[role] = gradient + parameter_offset(model, layer, (TensorRole)role);
    }
    AttentionShape attention = block_attention(model, block, model->n);
    backward_linear(kernels, reads, E, E, block->attended, d_reads, tensor[ATTN_C_PROJ_WEIGHT],
                    slope[ATTN_C_PROJ_WEIGHT], slope[ATTN_C_PROJ_BIAS], model->d_branch);
    kernels->attention_backward(&attention, block->qkv, block->weights, model->d_branch, model->d_qkv,
                                model->attention_space);
    kernels->layer_norm_again(rows, E, block->input, block->stats_1, tensor[LN_1_WEIGHT], tensor[LN_1_BIAS],
                              model->normed);
    backward_linear(kernels, rows, E, 3 * E, model->normed, model->d_qkv, tensor[C_ATTN_WEIGHT], slope[C_ATTN_WEIGHT],
                    slope[C_ATTN_BIAS], model->d_branch);
    if (d_reads != model->d_residual) scatter_reads(model, block, d_reads, model->d_residual);
    kernels->layer_norm_backward(rows, E, model->d_branch, block->input, block->stats_1, tensor[LN_1_WEIGHT],
                                 model->d_residual, slope[LN_1_WEIGHT], slope[LN_1_BIAS]);
}

/* Of ln_f and _read_out; fills model->d_reads. */
static void backward_read_out(const Model *model, const float *parameters, const float *dpred, float *gradient) {
    const Kernels *kernels = model->kernels;
    int E = model->shape.E, d = model->shape.d, reads = model->n * model->shape.N;
    const float *gain = parameters + parameter_offset(model, 0, LN_F_WEIGHT);
    kernels->layer_norm_again(reads, E, model->last, model->stats_f, gain,
                              parameters + parameter_offset(model, 0, LN_F_BIAS), model->normed);
    kernels->matmul(true, false, d, E, reads, 1.0f, dpred, d, model->normed, E, 1.0f,
                    gradient + parameter_offset(model, 0, READ_OUT_WEIGHT), E);
    kernels->column_sums(reads, d, dpred, gradient + parameter_offset(model, 0, READ_OUT_BIAS));
    kernels->matmul(false, false, reads, E, d, 1.0f, dpred, d, parameters + parameter_offset(model, 0, READ_OUT_WEIGHT),
                    E, 0.0f, model->d_branch, E);
    memset(model->d_reads, 0, (size_t)reads * E * sizeof(float));
    kernels->layer_norm_backward(reads, E, model->d_branch, model->last, model->stats_f, gain, model->d_reads,
                                 gradient + parameter_offset(model, 0, LN_F_WEIGHT),
                                 gradient + parameter_offset(model, 0, LN_F_BIAS));
}

void model_backward(Model *model, const float *parameters, const float *dpred, float *gradient) {
    const Kernels *kernels = model->kernels;
    const Shape *shape = &model->shape;
    int E = shape->E, d = shape->d, rows = model->n * model->T;
    assert(model->training && model->n > 0);
    backward_read_out(model, parameters, dpred, gradient);
    for (int layer = shape->L - 1; layer >= 0; layer--) {
        const Block *block = &model->blocks[layer];
        float *d_reads = block->query_stride > 1 ? model->d_reads : model->d_residual;
        if (shape->ffn) backward_feed_forward(model, block, layer, parameters, gradient, d_reads);
        backward_attention(model, block, layer, parameters, gradient, d_reads);
    }
    kernels->column_sums(model->n, model->T * E, model->d_residual, gradient + parameter_offset(model, 0, POSITIONS));
    kernels->column_sums(rows, E, model->d_residual, gradient + parameter_offset(model, 0, READ_IN_BIAS));
    kernels->matmul(true, false, E, d, rows, 1.0f, model->d_residual, E, model->tokens, d, 1.0f,
                    gradient + parameter_offset(model, 0, READ_IN_WEIGHT), d);
}
