/* What the last forward pass of a model computed on its way to the predictions. For looking into a trained model.
 *
 * All of it is what the pass itself left in its workspace, made by the model's own kernels; only attention weights,
 * which every kernel path keeps in a layout of its own, are made again from the pass's queries and keys. The model was
 * created for training, which keeps all blocks' matrices; no model_backward may follow. */
#ifndef WORKER_MODEL_INTERMEDIATE_H
#define WORKER_MODEL_INTERMEDIATE_H

#include "worker/model/model.h"

/* Tokens of a prompt that the model computes and that attention can go to. */
int model_tokens(const Model *model);

/* weights (H, model_tokens): how the query at x_position, token 3 position, of a prompt of the pass weighs the values
 * of all tokens in a layer, 0 for those that it does not see. With softmax a row sums to 1; linear weights are the
 * scaled scores, of either sign. */
void model_attention_at(const Model *model, int layer, int prompt, int position, double *weights);

/* pred (n, N, d): ln_f and read-out applied to the residual stream after that many layers, at the tokens that
 * predictions are read from: after none the embedded query, after all of them the prediction itself, bit for bit. */
void model_read_out_after(Model *model, int layers, float *pred);

#endif
