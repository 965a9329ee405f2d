/* See tensors.h. A table says once what each tensor is; the list is that table with the roles of a block repeated. */
#include "worker/model/tensors.h"

#include "proto/base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

/* Sides of a tensor, by design symbol. */
typedef enum Side { SIDE_ONE, SIDE_D, SIDE_T, SIDE_E, SIDE_3E, SIDE_F } Side;

/* How scale follows from the shape. */
typedef enum Scale {
    SCALE_NONE,
    SCALE_FIXED,    /* 0.02 */
    SCALE_RESIDUAL, /* 0.02 / sqrt(2 L): what adds to the residual stream, twice a layer */
    SCALE_FAN_IN_D, /* 1 / sqrt(d) */
    SCALE_FAN_IN_E  /* 1 / sqrt(E) */
} Scale;

typedef struct Entry {
    const char *name; /* of block tensors without "_backbone.h.<layer>." */
    Side rows, columns;
    TensorInit init;
    Scale scale;
} Entry;

static const Entry entries[TENSOR_ROLES] = {
    [READ_IN_WEIGHT] = {"_read_in.weight", SIDE_E, SIDE_D, INIT_UNIFORM, SCALE_FAN_IN_D},
    [READ_IN_BIAS] = {"_read_in.bias", SIDE_ONE, SIDE_E, INIT_UNIFORM, SCALE_FAN_IN_D},
    [POSITIONS] = {"_backbone.wpe.weight", SIDE_T, SIDE_E, INIT_NORMAL, SCALE_FIXED},
    [LN_1_WEIGHT] = {"ln_1.weight", SIDE_ONE, SIDE_E, INIT_ONE, SCALE_NONE},
    [LN_1_BIAS] = {"ln_1.bias", SIDE_ONE, SIDE_E, INIT_ZERO, SCALE_NONE},
    [C_ATTN_WEIGHT] = {"attn.c_attn.weight", SIDE_E, SIDE_3E, INIT_NORMAL, SCALE_FIXED},
    [C_ATTN_BIAS] = {"attn.c_attn.bias", SIDE_ONE, SIDE_3E, INIT_ZERO, SCALE_NONE},
    [ATTN_C_PROJ_WEIGHT] = {"attn.c_proj.weight", SIDE_E, SIDE_E, INIT_NORMAL, SCALE_RESIDUAL},
    [ATTN_C_PROJ_BIAS] = {"attn.c_proj.bias", SIDE_ONE, SIDE_E, INIT_ZERO, SCALE_NONE},
    [LN_2_WEIGHT] = {"ln_2.weight", SIDE_ONE, SIDE_E, INIT_ONE, SCALE_NONE},
    [LN_2_BIAS] = {"ln_2.bias", SIDE_ONE, SIDE_E, INIT_ZERO, SCALE_NONE},
    [C_FC_WEIGHT] = {"mlp.c_fc.weight", SIDE_E, SIDE_F, INIT_NORMAL, SCALE_FIXED},
    [C_FC_BIAS] = {"mlp.c_fc.bias", SIDE_ONE, SIDE_F, INIT_ZERO, SCALE_NONE},
    [MLP_C_PROJ_WEIGHT] = {"mlp.c_proj.weight", SIDE_F, SIDE_E, INIT_NORMAL, SCALE_RESIDUAL},
    [MLP_C_PROJ_BIAS] = {"mlp.c_proj.bias", SIDE_ONE, SIDE_E, INIT_ZERO, SCALE_NONE},
    [LN_F_WEIGHT] = {"_backbone.ln_f.weight", SIDE_ONE, SIDE_E, INIT_ONE, SCALE_NONE},
    [LN_F_BIAS] = {"_backbone.ln_f.bias", SIDE_ONE, SIDE_E, INIT_ZERO, SCALE_NONE},
    [READ_OUT_WEIGHT] = {"_read_out.weight", SIDE_D, SIDE_E, INIT_UNIFORM, SCALE_FAN_IN_E},
    [READ_OUT_BIAS] = {"_read_out.bias", SIDE_ONE, SIDE_D, INIT_UNIFORM, SCALE_FAN_IN_E},
};

static bool in_block(TensorRole role) {
    return role >= LN_1_WEIGHT && role <= MLP_C_PROJ_BIAS;
}

static int length(const Shape *shape, Side side) {
    switch (side) {
    case SIDE_D:
        return shape->d;
    case SIDE_T:
        return shape->T;
    case SIDE_E:
        return shape->E;
    case SIDE_3E:
        return 3 * shape->E;
    case SIDE_F:
        return shape->F;
    case SIDE_ONE:
        break;
    }
    return 1;
}

static double scale_of(const Shape *shape, Scale scale) {
    switch (scale) {
    case SCALE_FIXED:
        return 0.02;
    case SCALE_RESIDUAL:
        return 0.02 / sqrt(2.0 * shape->L);
    case SCALE_FAN_IN_D:
        return 1.0 / sqrt(shape->d);
    case SCALE_FAN_IN_E:
        return 1.0 / sqrt(shape->E);
    case SCALE_NONE:
        break;
    }
    return 0.0;
}

static Tensor tensor_of(const Shape *shape, TensorRole role, int layer, size_t offset) {
    const Entry *entry = &entries[role];
    Tensor tensor = {.role = role,
                     .layer = in_block(role) ? layer : -1,
                     .rows = length(shape, entry->rows),
                     .columns = length(shape, entry->columns),
                     .is_vector = entry->rows == SIDE_ONE,
                     .in_block = in_block(role),
                     .offset = offset,
                     .init = entry->init,
                     .scale = scale_of(shape, entry->scale)};
    tensor.size = (size_t)tensor.rows * tensor.columns;
    if (in_block(role))
        snprintf(tensor.name, sizeof tensor.name, "_backbone.h.%d.%s", layer, entry->name);
    else
        snprintf(tensor.name, sizeof tensor.name, "%s", entry->name);
    return tensor;
}

/* The tensor after previous (NULL: the first) in *next; false after the last. */
static bool next_tensor(const Shape *shape, const Tensor *previous, Tensor *next) {
    int role = previous ? (int)previous->role + 1 : 0, layer = previous && previous->layer >= 0 ? previous->layer : 0;
    size_t offset = previous ? previous->offset + previous->size : 0;
    if (role == LN_2_WEIGHT && !shape->ffn) role = LN_F_WEIGHT;
    if (role == LN_F_WEIGHT && layer + 1 < shape->L) {
        role = LN_1_WEIGHT;
        layer++;
    }
    if (role == TENSOR_ROLES) return false;
    *next = tensor_of(shape, (TensorRole)role, layer, offset);
    return true;
}

int tensors_count(const Shape *shape) {
    Tensor tensor;
    int count = 0;
    for (const Tensor *previous = NULL; next_tensor(shape, previous, &tensor); previous = &tensor)
        count++;
    return count;
}

void tensors_list(const Shape *shape, Tensor *out) {
    for (const Tensor *previous = NULL; next_tensor(shape, previous, out); previous = out++)
        ;
}

size_t tensors_parameters(const Shape *shape) {
    Tensor tensor = {0};
    for (const Tensor *previous = NULL; next_tensor(shape, previous, &tensor); previous = &tensor)
        ;
    return tensor.offset + tensor.size;
}

/* FNV-1a (Fowler, Noll, Vo), 32 bits: the unit of a tensor's random stream. */
static uint32_t hash_name(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

static void init_tensor(const Tensor *tensor, uint32_t seed, float *out) {
    RngStream stream = {.purpose = RNG_INIT, .seed = seed, .step = 0, .unit = hash_name(tensor->name)};
    assert(tensor->size <= UINT32_MAX);
    if (tensor->init == INIT_NORMAL) rng_normal(stream, 0, (uint32_t)tensor->size, out);
    if (tensor->init == INIT_UNIFORM) rng_uniform(stream, 0, (uint32_t)tensor->size, out);
    for (size_t e = 0; e < tensor->size; e++) {
        switch (tensor->init) {
        case INIT_ZERO:
            out[e] = 0.0f;
            break;
        case INIT_ONE:
            out[e] = 1.0f;
            break;
        case INIT_NORMAL:
            out[e] = (float)(tensor->scale * out[e]);
            break;
        case INIT_UNIFORM:
            out[e] = (float)(tensor->scale * (2.0 * out[e] - 1.0));
            break;
        }
    }
}

void tensors_init(const Shape *shape, uint32_t seed, float *parameters) {
    Tensor tensor;
    for (const Tensor *previous = NULL; next_tensor(shape, previous, &tensor); previous = &tensor)
        init_tensor(&tensor, seed, parameters + tensor.offset);
}
