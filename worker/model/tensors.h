/* The one list of a model's tensors: names, shapes, initialisation, and their order in the flat parameter array.
 *
 * Everything that walks parameters (initialisation, Adam, safetensors files, tests) walks this list. Names and layouts
 * are those of the peer's PyTorch state_dict: c_attn, c_proj and c_fc weights are (in, out), x @ W; _read_in and
 * _read_out weights are (out, in), x @ W^T; _backbone.wpe.weight is (T, E). */
#ifndef WORKER_MODEL_TENSORS_H
#define WORKER_MODEL_TENSORS_H

#include "proto/base/status.h"
#include "worker/model/shape.h"

typedef enum TensorInit {
    INIT_ZERO,
    INIT_ONE,
    INIT_NORMAL, /* N(0, scale^2) */
    INIT_UNIFORM /* U(-scale, scale) */
} TensorInit;

/* What a tensor is in the model; block tensors exist once per layer, those of the feed-forward network only with it. */
typedef enum TensorRole {
    READ_IN_WEIGHT,
    READ_IN_BIAS,
    POSITIONS,
    LN_1_WEIGHT,
    LN_1_BIAS,
    C_ATTN_WEIGHT,
    C_ATTN_BIAS,
    ATTN_C_PROJ_WEIGHT,
    ATTN_C_PROJ_BIAS,
    LN_2_WEIGHT,
    LN_2_BIAS,
    C_FC_WEIGHT,
    C_FC_BIAS,
    MLP_C_PROJ_WEIGHT,
    MLP_C_PROJ_BIAS,
    LN_F_WEIGHT,
    LN_F_BIAS,
    READ_OUT_WEIGHT,
    READ_OUT_BIAS,
    TENSOR_ROLES
} TensorRole;

enum { TENSOR_NAME_BYTES = 64 };

typedef struct Tensor {
    char name[TENSOR_NAME_BYTES];
    TensorRole role;
    int layer;         /* of a block tensor, else -1 */
    int rows, columns; /* a vector has rows 1 and is_vector */
    bool is_vector;
    bool in_block;       /* counts among the block parameters of the nominal FLOPs */
    size_t offset, size; /* in floats, in the flat parameter array */
    TensorInit init;
    double scale;
} Tensor;

int tensors_count(const Shape *shape);
/* Fills out (tensors_count entries). */
void tensors_list(const Shape *shape, Tensor *out);
/* Floats in the flat parameter array. */
size_t tensors_parameters(const Shape *shape);
/* Fills parameters (tensors_parameters floats) for a seed: element e of a tensor depends on (seed, name, e) only. */
void tensors_init(const Shape *shape, uint32_t seed, float *parameters);

#endif
