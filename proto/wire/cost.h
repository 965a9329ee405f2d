/* What work costs, from its settings alone: nominal floating-point operations and bytes. Coordinator (plan, ETA) and
 * worker (rates) count with the same formulas. */
#ifndef PROTO_WIRE_COST_H
#define PROTO_WIRE_COST_H

#include "proto/wire/messages.h"

/* Parameters of a model, and those in its blocks alone (with biases and LayerNorm). */
int64_t cost_parameters(const ModelSettings *model, const TaskSettings *task);
int64_t cost_block_parameters(const ModelSettings *model);

/* One optimiser step on a batch: 6 x block parameters x tokens + 12 L B T^2 E, T = 3 N tokens a prompt. */
double cost_step_flops(const TrainingSpec *spec);

/* A piece of work: its training steps, a third of a step's share for every prompt evaluated, and for gd baselines
 * about 100 operations per Adam step, context size, response and dimension. */
double cost_work_flops(const WorkItem *item);

#endif
