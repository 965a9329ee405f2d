/* See cost.h. */
#include "proto/wire/cost.h"

int64_t cost_block_parameters(const ModelSettings *model) {
    int64_t E = model->n_embd;
    int64_t attention = 2 * E + (3 * E * E + 3 * E) + (E * E + E);
    int64_t feed_forward = 2 * E + (4 * E * E + 4 * E) + (4 * E * E + E);
    return model->n_layer * (attention + (model->ffn ? feed_forward : 0));
}

int64_t cost_parameters(const ModelSettings *model, const TaskSettings *task) {
    int64_t E = model->n_embd, d = task->n_dims, tokens = 3 * (int64_t)task->n_points;
    int64_t outside = (d * E + E) + tokens * E + 2 * E + (E * d + d);
    return outside + cost_block_parameters(model);
}

double cost_pass_flops(const ModelSettings *model, const TaskSettings *task, double n_prompts) {
    double tokens = 3.0 * task->n_points;
    return 6.0 * (double)cost_block_parameters(model) * n_prompts * tokens +
           12.0 * model->n_layer * n_prompts * tokens * tokens * model->n_embd;
}

int rollouts_of_batch(const TrainSettings *train) {
    if (train->context != CONTEXT_MIXED) return train->context == CONTEXT_ON_POLICY ? train->batch_size : 0;
    int rollouts = (int)(train->on_policy_share * train->batch_size + 0.5);
    return rollouts < 1 ? 1 : rollouts;
}

double cost_step_flops(const TrainingSpec *spec) {
    return cost_pass_flops(&spec->model, &spec->task, spec->train.batch_size + rollouts_of_batch(&spec->train) / 2.0);
}

int gd_steps_under(int gd_steps, const CriticSettings *critic) {
    return gd_steps == GD_STEPS_RELEASED ? (int)(50 - 25 * (1 - critic->quality)) : gd_steps;
}

double cost_rounds_flops(const ModelSettings *model, const EvaluationSettings *evaluation) {
    if (evaluation->rounds == 0) return 0;
    double tokens = 3.0 * (evaluation->initial_responses + evaluation->rounds) + 1;
    return evaluation->prompts * (2.0 * (double)cost_block_parameters(model) * tokens +
                                  2.0 * model->n_layer * tokens * tokens * model->n_embd);
}

double cost_order_flops(const WorkItem *item, const CriticOrder *order) {
    double prompts = item->evaluation.prompts, d = item->spec.task.n_dims, N = item->spec.task.n_points;
    if (order->predictor == PREDICTOR_MODEL)
        return cost_pass_flops(&item->spec.model, &item->spec.task, prompts) / 3 +
               cost_rounds_flops(&item->spec.model, &item->evaluation);
    if (order->predictor != PREDICTOR_GD) return prompts * N * N * d;
    double score = 6 * d + 30, fit = 14 * d * d; /* a response's score and slope with one exp; matrix and Adam */
    return prompts * N * gd_steps_under(item->evaluation.gd_steps, &order->critic) * (fit + N / 2 * score);
}

double cost_work_flops(const WorkItem *item) {
    double flops = item->kind == WORK_TRAINING ? cost_step_flops(&item->spec) * (double)item->spec.train.steps : 0;
    for (int i = 0; i < item->n_orders; i++)
        flops += cost_order_flops(item, &item->orders[i]);
    return flops;
}
