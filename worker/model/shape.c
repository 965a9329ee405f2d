/* See shape.h. */
#include "worker/model/shape.h"

Shape shape_of(const ModelSettings *model, const TaskSettings *task) {
    return (Shape){.d = task->n_dims,
                   .N = task->n_points,
                   .T = 3 * task->n_points,
                   .L = model->n_layer,
                   .H = model->n_head,
                   .E = model->n_embd,
                   .D = model->n_embd / model->n_head,
                   .F = 4 * model->n_embd,
                   .attention = model->attention,
                   .ffn = model->ffn,
                   .causal = model->causal};
}
