/* See rates.h. */
#include "coordinator/forecast/rates.h"

#include "coordinator/journal/journal.h"
#include "proto/wire/cost.h"

#include <math.h>

enum { ENOUGH = 20000 };

typedef struct Learning {
    CostModel *costs;
    uint64_t count;
} Learning;

static Status learn(Learning *learning, WorkKind kind, const TrainingSpec *spec, double flops, double wall_s,
                    Error *err) {
    int rate;
    if (!(flops > 0 && wall_s > 0 && isfinite(flops / wall_s))) return STATUS_OK;
    Status status = cost_model_rate(learning->costs, kind, spec, &rate, err);
    if (status != STATUS_OK) return status;
    cost_model_observe(learning->costs, rate, flops, wall_s, 1);
    cost_model_completed(learning->costs, rate, flops, wall_s);
    learning->count++;
    return STATUS_OK;
}

static Status learn_record(void *context, uint64_t offset, Record *record, Error *err) {
    Learning *learning = context;
    const TrainingRecord *training = &record->of.training;
    const BaselineRecord *baseline = &record->of.baseline;
    if (learning->count >= ENOUGH) return STATUS_INCOMPLETE; /* ends the reading */
    if (record->kind == RECORD_TRAINING && training->outcome == OUTCOME_DONE)
        return learn(learning, WORK_TRAINING, &training->spec, training->flops, training->wall_s, err);
    if (record->kind != RECORD_BASELINE || baseline->predictor != PREDICTOR_GD) return STATUS_OK;
    WorkItem item = {.kind = WORK_BASELINES,
                     .spec.task = baseline->task,
                     .evaluation = {.prompts = baseline->prompts, .gd_steps = baseline->gd_steps}};
    CriticOrder order = {.critic = baseline->critic, .predictor = baseline->predictor};
    return learn(learning, WORK_BASELINES, &item.spec, cost_order_flops(&item, &order), baseline->wall_s, err);
}

Status rates_learn(const char *dir, CostModel *costs, uint64_t *count, Error *err) {
    char warning[256];
    Learning learning = {.costs = costs};
    Status status = journal_read(dir, learn_record, &learning, warning, sizeof warning, err);
    *count = learning.count;
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}
