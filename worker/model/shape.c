/* Dimensions from settings, and the nominal cost that speeds are quoted in. */
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

double shape_step_flops(const Shape *shape, double n_prompts) {
    double E = shape->E, F = shape->F, T = shape->T;
    double attention = 2 * E + E * 3 * E + 3 * E + E * E + E; /* ln_1, c_attn, c_proj */
    double feed_forward = shape->ffn ? 2 * E + E * F + F + F * E + E : 0.0;
    return n_prompts * shape->L * T * (6.0 * (attention + feed_forward) + 12.0 * T * E);
}
