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

double cost_step_flops(const TrainingSpec *spec) {
    double tokens = 3.0 * spec->task.n_points, prompts = spec->train.batch_size;
    return 6.0 * (double)cost_block_parameters(&spec->model) * prompts * tokens +
           12.0 * spec->model.n_layer * prompts * tokens * tokens * spec->model.n_embd;
}

double cost_work_flops(const WorkItem *item) {
    double prompts = item->evaluation.prompts;
    if (item->kind == WORK_BASELINES) {
        double points = item->spec.task.n_points,
               steps = item->evaluation.gd_steps > 0 ? item->evaluation.gd_steps : 50;
        double gd = 0;
        for (int i = 0; i < item->n_orders; i++)
            gd += item->orders[i].predictor == PREDICTOR_GD;
        return gd * 100.0 * prompts * steps * points * points / 2 * item->spec.task.n_dims;
    }
    double step = cost_step_flops(&item->spec);
    double training = item->kind == WORK_TRAINING ? step * (double)item->spec.train.steps : 0;
    return training + item->n_orders * step / 3 * prompts / item->spec.train.batch_size;
}
