/* What work costs, from its settings alone: nominal floating-point operations and bytes. Coordinator (plan, ETA) and
 * worker (rates) count with the same formulas. */
#ifndef PROTO_WIRE_COST_H
#define PROTO_WIRE_COST_H

#include "proto/wire/messages.h"

/* Parameters of a model, and those in its blocks alone (with biases and LayerNorm). */
int64_t cost_parameters(const ModelSettings *model, const TaskSettings *task);
int64_t cost_block_parameters(const ModelSettings *model);

/* Forward and backward pass over n prompts: 6 x block parameters x tokens + 12 L n T^2 E, T = 3 N tokens a prompt. */
double cost_pass_flops(const ModelSettings *model, const TaskSettings *task, double n_prompts);
/* Prompts of a batch that are rollouts of the model being trained, its first ones: none for CONTEXT_OFFLINE, all for
 * CONTEXT_ON_POLICY, for CONTEXT_MIXED on_policy_share of batch_size rounded to the nearest number, and at least 1. */
int rollouts_of_batch(const TrainSettings *train);
/* One optimiser step: a pass over the batch, and half of one over its rollouts: what they take (docs/performance.md).
 */
double cost_step_flops(const TrainingSpec *spec);
/* The rounds of correction of an evaluation: every token once, 2 x block parameters x tokens and, as a token looks only
 * at those before it, 2 L n T^2 E; T = 3 (n0 + R) + 1 tokens a prompt. */
double cost_rounds_flops(const ModelSettings *model, const EvaluationSettings *evaluation);
/* The measurement of one order: a third of a pass over the prompts for the model, and its rounds; the steps of gd, next
 * to nothing for the other baselines. */
double cost_order_flops(const WorkItem *item, const CriticOrder *order);
/* A piece of work: its training steps and its orders. */
double cost_work_flops(const WorkItem *item);

/* Adam steps of the gd baseline under a critic: gd_steps itself, or for GD_STEPS_RELEASED the released study's
 * int(50 - 25 (1 - quality)). */
int gd_steps_under(int gd_steps, const CriticSettings *critic);

#endif
