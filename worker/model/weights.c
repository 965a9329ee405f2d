/* The weight matrices of the blocks, laid out for the kernels' products once for each setting of the parameters:
 * as they are for the forward pass, transposed for the derivatives of their inputs. */
#include "worker/model/workspace.h"

#include <assert.h>
#include <string.h>

LinearMap linear_map(const Shape *shape, Linear linear) {
    int E = shape->E, F = shape->F;
    switch (linear) {
    case C_ATTN:
        return (LinearMap){E, 3 * E, C_ATTN_WEIGHT, C_ATTN_BIAS};
    case ATTN_C_PROJ:
        return (LinearMap){E, E, ATTN_C_PROJ_WEIGHT, ATTN_C_PROJ_BIAS};
    case C_FC:
        return (LinearMap){E, F, C_FC_WEIGHT, C_FC_BIAS};
    default:
        return (LinearMap){F, E, MLP_C_PROJ_WEIGHT, MLP_C_PROJ_BIAS};
    }
}

static int linears_of_block(const Shape *shape) {
    return shape->ffn ? LINEARS : C_FC;
}

void weights_take(Model *model, Arena *arena) {
    const Shape *shape = &model->shape;
    model->weights = arena_take(arena, (size_t)shape->L, sizeof *model->weights);
    for (int layer = 0; layer < shape->L; layer++)
        for (int linear = 0; linear < linears_of_block(shape); linear++) {
            LinearMap map = linear_map(shape, (Linear)linear);
            Weights weights = {.forward = arena_take(arena, packed_floats(map.in, map.out), sizeof(float))};
            if (model->training) weights.backward = arena_take(arena, packed_floats(map.out, map.in), sizeof(float));
            if (model->weights) model->weights[layer][linear] = weights;
        }
}

/* The bits of parameters spread over the array, mixed: a step of training changes them. */
static uint32_t sample_of(const float *parameters, size_t count) {
    enum { SAMPLES = 61 };
    uint32_t sample = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint32_t bits;
        memcpy(&bits, parameters + i * (count - 1) / (SAMPLES - 1), sizeof bits);
        sample = sample * 31 + bits;
    }
    return sample;
}

void model_set_parameters(Model *model, const float *parameters) {
    const Shape *shape = &model->shape;
    model->parameters = parameters;
    model->sample = sample_of(parameters, tensors_parameters(shape));
    for (int layer = 0; layer < shape->L; layer++)
        for (int linear = 0; linear < linears_of_block(shape); linear++) {
            LinearMap map = linear_map(shape, (Linear)linear);
            const Weights *weights = &model->weights[layer][linear];
            const float *weight = parameter(model, layer, map.weight);
            model->kernels->pack(false, map.in, map.out, weight, weights->forward);
            if (weights->backward) model->kernels->pack(true, map.out, map.in, weight, weights->backward);
        }
}

bool weights_are_those_of_parameters(const Model *model) {
    return model->parameters && sample_of(model->parameters, tensors_parameters(&model->shape)) == model->sample;
}
