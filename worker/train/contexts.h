/* The prompts that a training learns from, drawn anew every step.
 *
 * train.context says what the responses in them are. offline: mixtures, as prompts.h draws them. on_policy: the model's
 * own answers, corrected in a closed loop by the model that the step is about to change. mixed: prompts 0 ..
 * rollouts_of_batch (cost.h) of the batch are such rollouts, the others offline.
 *
 * A rollout begins with CONTEXT_INITIAL_RESPONSES random directions and answers N - 3 times, each answer perturbed by
 * train.exploration and scored as it then is, under a critic of train.critic_quality. It is data: no gradient goes
 * through it. It runs through the kernels of the training, in bfloat16 where that is; so the answers are those of the
 * model that is being trained. */
#ifndef WORKER_TRAIN_CONTEXTS_H
#define WORKER_TRAIN_CONTEXTS_H

#include "worker/model/incremental.h"
#include "worker/task/prompts.h"

/* So that round 0 is read where an offline prompt is trained first. Whatever evaluate.initial_responses is: part of
 * every result. */
enum { CONTEXT_INITIAL_RESPONSES = 2 };

/* Prompts of one call. A multiple of every model_best_micro_batch, so that it decides nothing there; rollouts go
 * through the model together, so that it belongs to the numerics. */
enum { CONTEXTS_AT_ONCE = MODEL_CACHE_PROMPTS };

typedef struct Contexts {
    const TrainingSpec *spec;
    Prompts room;      /* CONTEXTS_AT_ONCE */
    ModelCache *cache; /* NULL: offline */
} Contexts;

/* For a training (kept by reference). Room comes from the arena; run first to measure. */
void contexts_take(Contexts *contexts, const TrainingSpec *spec, Arena *arena);
/* The rest of what is needed, once. Nothing is allocated after it. */
Status contexts_create(Contexts *contexts, Error *err);
/* Accepts zeroed ones. */
void contexts_destroy(Contexts *contexts);

/* Prompts first .. first + n (at most CONTEXTS_AT_ONCE) of the batch of a step (0-based), with the rewards that the
 * training's critic lets through; valid until the next call. model: of the step, its parameters set. */
Prompts contexts_of_step(Contexts *contexts, const Model *model, uint32_t step, int first, int n);

#endif
