/* See contexts.h. */
#include "worker/train/contexts.h"

#include "proto/wire/cost.h"
#include "worker/task/closed_loop.h"

void contexts_take(Contexts *contexts, const TrainingSpec *spec, Arena *arena) {
    contexts->spec = spec;
    contexts->room = prompts_take(arena, &spec->task, CONTEXTS_AT_ONCE);
}

Status contexts_create(Contexts *contexts, Error *err) {
    const TrainingSpec *spec = contexts->spec;
    if (rollouts_of_batch(&spec->train) == 0) return STATUS_OK;
    Shape shape = shape_of(&spec->model, &spec->task);
    return model_cache_create(&shape, MODEL_CACHE_PROMPTS, &contexts->cache, err);
}

void contexts_destroy(Contexts *contexts) {
    model_cache_free(contexts->cache);
}

/* Puts the model's own responses into prompts first, first + 1, .. of a batch. */
static void roll_out(Contexts *contexts, const Model *model, const CriticSettings *critic, uint32_t step, int first,
                     Prompts *prompts) {
    const TrainingSpec *spec = contexts->spec;
    ClosedLoop loop = {.initial_responses = CONTEXT_INITIAL_RESPONSES,
                       .rounds = prompts->N - 1 - CONTEXT_INITIAL_RESPONSES,
                       .critic = *critic,
                       .stream = {.purpose = RNG_TRAIN_CRITIC, .seed = spec->seed, .step = step, .unit = first},
                       .exploration = spec->train.exploration};
    initial_responses_draw(prompts, loop.initial_responses, spec->seed, step + 1, (uint32_t)first);
    closed_loop_run(model, contexts->cache, &loop, prompts, NULL);
}

Prompts contexts_of_step(Contexts *contexts, const Model *model, uint32_t step, int first, int n) {
    const TrainingSpec *spec = contexts->spec;
    const CriticSettings critic = {
        .quality = spec->train.critic_quality, .noise = CRITIC_REPLACE, .feedback = FEEDBACK_SCALAR};
    Prompts prompts = prompts_slice(&contexts->room, 0, n);
    prompts_draw(&prompts, &spec->task, RNG_TRAIN_PROMPTS, spec->seed, step, (uint32_t)first);
    critic_apply(&prompts, &critic, RNG_TRAIN_CRITIC, spec->seed, step, (uint32_t)first);
    int rollouts = rollouts_of_batch(&spec->train) - first;
    if (rollouts > 0) {
        Prompts own = prompts_slice(&prompts, 0, rollouts < n ? rollouts : n);
        roll_out(contexts, model, &critic, step, first, &own);
    }
    return prompts;
}
