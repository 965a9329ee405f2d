/* See evaluate.h. */
#include "worker/evaluate/evaluate.h"

#include "worker/evaluate/curves.h"
#include "worker/evaluate/predictors.h"

#include <math.h>
#include <stdlib.h>

struct Evaluation {
    uint32_t seed;
    CriticSettings critic; /* the last */
    double accuracy;       /* its self-check accuracy; NaN: no critic yet */
    Arena arena;
    Prompts prompts;
    float *gd_start; /* (n, d, d) */
    float *pred;     /* (n, N, d) */
};

void predict_all(Model *model, int micro_batch, const float *parameters, const Prompts *prompts, float *pred) {
    model_set_parameters(model, parameters);
    for (int first = 0; first < prompts->n; first += micro_batch) {
        int n = prompts->n - first < micro_batch ? prompts->n - first : micro_batch;
        Prompts part = prompts_slice(prompts, first, n);
        float *rows = pred + (size_t)first * (size_t)(prompts->N * prompts->d);
        model_forward(model, n, part.xs, part.ys, part.seen, rows);
    }
}

static void take_pieces(Evaluation *evaluation, const TaskSettings *task, int n_prompts) {
    size_t n = (size_t)n_prompts, d = (size_t)task->n_dims;
    evaluation->prompts = prompts_take(&evaluation->arena, task, n_prompts);
    evaluation->gd_start = arena_take(&evaluation->arena, n * d * d, sizeof(float));
    evaluation->pred = arena_take(&evaluation->arena, n * (size_t)task->n_points * d, sizeof(float));
}

Status evaluation_create(const TaskSettings *task, uint32_t seed, int n_prompts, Evaluation **out, Error *err) {
    Evaluation *evaluation = calloc(1, sizeof *evaluation);
    if (evaluation == NULL) return error_set(err, STATUS_NO_MEMORY, "cannot allocate an evaluation");
    evaluation->seed = seed;
    evaluation->accuracy = NAN;
    take_pieces(evaluation, task, n_prompts);
    Status status = arena_create(&evaluation->arena, evaluation->arena.used_bytes, err);
    if (status != STATUS_OK) {
        evaluation_free(evaluation);
        return error_prefix(err, status, "%d evaluation prompts", n_prompts);
    }
    take_pieces(evaluation, task, n_prompts);
    prompts_draw(&evaluation->prompts, task, RNG_EVALUATION_PROMPTS, seed, 0, 0);
    gd_start_draw(seed, 0, n_prompts, task->n_dims, evaluation->gd_start);
    *out = evaluation;
    return STATUS_OK;
}

void evaluation_free(Evaluation *evaluation) {
    if (evaluation == NULL) return;
    arena_destroy(&evaluation->arena);
    free(evaluation);
}

double evaluation_set_critic(Evaluation *evaluation, const CriticSettings *critic) {
    const CriticSettings *last = &evaluation->critic;
    bool same = critic->quality == last->quality && critic->noise == last->noise && critic->feedback == last->feedback;
    if (same && !isnan(evaluation->accuracy)) return evaluation->accuracy; /* baselines share a critic */
    evaluation->critic = *critic;
    critic_apply(&evaluation->prompts, critic, RNG_EVALUATION_CRITIC, evaluation->seed, 0, 0);
    return evaluation->accuracy = critic_self_check_accuracy(&evaluation->prompts);
}

Status evaluation_of_model(Evaluation *evaluation, Model *model, int micro_batch, const float *parameters, Curves *out,
                           Error *err) {
    predict_all(model, micro_batch, parameters, &evaluation->prompts, evaluation->pred);
    return curves_of(&evaluation->prompts, evaluation->pred, out, err);
}

Status evaluation_of_baseline(Evaluation *evaluation, Predictor predictor, int gd_steps, Curves *out, Error *err) {
    predictor_apply(predictor, &evaluation->prompts, evaluation->gd_start, gd_steps, evaluation->pred);
    return curves_of(&evaluation->prompts, evaluation->pred, out, err);
}
