/* See running.h. */
#include "coordinator/dispatch/running.h"

#include "proto/wire/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

Status running_add(RunningTable *table, int rank, const Assignment *assignment, double now_s, Error *err) {
    const WorkItem *item = &assignment->item;
    if (table->count == table->capacity) {
        int capacity = table->capacity * 2 + 16;
        Running *more = realloc(table->items, (size_t)capacity * sizeof *more);
        if (more == NULL)
            return error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d running pieces", capacity);
        table->items = more;
        table->capacity = capacity;
    }
    CriticOrder *orders = NULL;
    if (item->kind != WORK_TRAINING && item->n_orders > 0) {
        orders = malloc((size_t)item->n_orders * sizeof *orders);
        if (orders == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a piece of work that is given out");
        memcpy(orders, item->orders, (size_t)item->n_orders * sizeof *orders);
    }
    Running *running = &table->items[table->count++];
    *running = (Running){.work = item->work,
                         .rank = rank,
                         .kind = item->kind,
                         .training_id = item->training_id,
                         .spec = item->spec,
                         .attempt = item->attempt,
                         .flops = cost_work_flops(item),
                         .flops_before = assignment->flops_before,
                         .flops_done = assignment->flops_before,
                         .loss = NAN,
                         .rate_class = assignment->rate,
                         .n_orders = orders != NULL ? item->n_orders : 0,
                         .orders = orders,
                         .evaluation = item->evaluation,
                         .begun_s = now_s,
                         .seen_s = now_s,
                         .seen_flops = assignment->flops_before};
    if (item->kind != WORK_TRAINING) return STATUS_OK;
    running->step_flops = cost_step_flops(&item->spec);
    running->first_step = llround(assignment->flops_before / running->step_flops);
    running->saved_step = running->first_step;
    return STATUS_OK;
}

Running *running_find(RunningTable *table, uint64_t work) {
    for (int i = 0; i < table->count; i++)
        if (table->items[i].work == work) return &table->items[i];
    return NULL;
}

Running running_take_out(RunningTable *table, Running *running) {
    Running out = *running;
    *running = table->items[--table->count];
    return out;
}

void running_release(Running *running) {
    free(running->orders);
    running->orders = NULL;
    running->n_orders = 0;
}

void running_free(RunningTable *table) {
    for (int i = 0; i < table->count; i++)
        running_release(&table->items[i]);
    free(table->items);
    *table = (RunningTable){0};
}

/* Tells the cost model what was done since it last looked. */
static void learn(Running *running, double flops_done, double now_s, CostModel *costs) {
    double flops = flops_done - running->seen_flops;
    cost_model_observe(costs, running->rate_class, flops, now_s - running->seen_s, flops / running->flops);
    running->seen_flops = flops_done;
    running->seen_s = now_s;
}

void running_progressed(Running *running, const Progress *progress, double now_s, CostModel *costs) {
    if (progress->first_step != running->first_step) { /* its checkpoint held less, or more, than was thought */
        running->first_step = progress->first_step;
        running->flops_before = running->seen_flops = running->step_flops * (double)progress->first_step;
    }
    running->flops_done = fmin(progress->flops_done, running->flops);
    if (running->flops_done > running->seen_flops) learn(running, running->flops_done, now_s, costs);
    if (!isnan(progress->loss)) running->loss = progress->loss;
}

void running_completed(Running *running, double now_s, CostModel *costs) {
    learn(running, running->flops, now_s, costs);
    cost_model_completed(costs, running->rate_class, running->flops - running->flops_before, now_s - running->begun_s);
}

int64_t running_own_steps(const Running *running, int64_t last_step) {
    return last_step > running->first_step ? last_step - running->first_step : 0;
}

double running_checkpoint_bytes(const Running *running) {
    if (running->kind != WORK_TRAINING) return 0;
    return 3.0 * sizeof(float) * (double)cost_parameters(&running->spec.model, &running->spec.task);
}
