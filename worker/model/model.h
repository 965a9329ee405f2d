/* The transformer: forward pass, and backward pass written by hand (design: GPT-2 without vocabulary).
 *
 * A Model is a workspace for a given shape and micro-batch; parameters and gradients are the caller's flat arrays in
 * the order of tensors.h. Weights are laid out for fast products once for many passes: model_set_parameters. Nothing is
 * allocated after model_create. Equal inputs give equal bits, whatever else runs. */
#ifndef WORKER_MODEL_MODEL_H
#define WORKER_MODEL_MODEL_H

#include "worker/kernels/kernels.h"
#include "worker/model/tensors.h"

typedef struct Model Model;

/* The number of prompts in one call that trains fastest. It decides the order of sums and so belongs to the numerics:
 * a training uses this number (or what its job leaves of a shard), whatever the machine. */
int model_best_micro_batch(const Shape *shape);

/* micro_batch: most prompts in one call. training: also room for the backward pass. */
Status model_create(const Shape *shape, const Kernels *kernels, int micro_batch, bool training, Model **out,
                    Error *err);
void model_free(Model *model);
size_t model_memory_bytes(const Model *model);

/* The parameters of the passes that follow, kept by reference. To be called again whenever they have changed: a pass
 * asserts that it was. */
void model_set_parameters(Model *model, const float *parameters);

/* xs, ys: (n, N, d); rs: (n, N), the rewards that the model sees; pred: (n, N, d), row i read at token 3i and, with a
 * causal model, made from x and responses 0 .. i-1. n <= micro_batch. */
void model_forward(Model *model, int n, const float *xs, const float *ys, const float *rs, float *pred);

/* After model_forward on the same n prompts: adds to gradient (flat, as parameters) the gradient of a loss whose
 * derivative with respect to pred is dpred (n, N, d). */
void model_backward(Model *model, const float *dpred, float *gradient);

#endif
