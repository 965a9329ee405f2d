/* See evaluate.h. */
#include "worker/measure/evaluate.h"

#include "worker/measure/curves.h"
#include "worker/measure/predictors.h"
#include "worker/measure/rounds.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* What rounds of correction need beside the prompts that all predictors answer. */
typedef struct Rounds {
    int count; /* 0: not prepared */
    int initial_responses;
    double right_cosine;
    Arena arena;
    Prompts prompts; /* queries and aligned answers are the evaluation's; responses and rewards their own */
    float *answers;  /* (n, count + 1, d) */
    ModelCache *cache;
} Rounds;

struct Evaluation {
    uint32_t seed;
    CriticSettings critic; /* the last */
    double accuracy;       /* its self-check accuracy; NaN: no critic yet */
    Arena arena;
    Prompts prompts;
    float *gd_start;             /* (n, d, d) */
    float *pred;                 /* (n, N, d) */
    double *value[METRIC_COUNT]; /* (n, N) */
    Rounds rounds;
    EvaluationPulse pulse; /* or NULL */
    void *pulse_context;
};

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* Prompts first .. end. */
static void predict_piece(Model *model, const Prompts *prompts, int first, int end, float *pred) {
    Prompts part = prompts_slice(prompts, first, end - first);
    float *rows = pred + (size_t)first * (size_t)(prompts->N * prompts->d);
    model_forward(model, part.n, part.xs, part.ys, part.seen, rows);
}

void predict_all(Model *model, int micro_batch, const float *parameters, const Prompts *prompts, float *pred) {
    model_set_parameters(model, parameters);
    for (int first = 0; first < prompts->n; first += micro_batch)
        predict_piece(model, prompts, first, smaller(first + micro_batch, prompts->n), pred);
}

static void take_pieces(Evaluation *evaluation, const TaskSettings *task, int n_prompts) {
    size_t n = (size_t)n_prompts, d = (size_t)task->n_dims;
    evaluation->prompts = prompts_take(&evaluation->arena, task, n_prompts);
    evaluation->gd_start = arena_take(&evaluation->arena, n * d * d, sizeof(float));
    evaluation->pred = arena_take(&evaluation->arena, n * (size_t)task->n_points * d, sizeof(float));
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        evaluation->value[metric] = arena_take(&evaluation->arena, n * (size_t)task->n_points, sizeof(double));
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
    model_cache_free(evaluation->rounds.cache);
    arena_destroy(&evaluation->rounds.arena);
    arena_destroy(&evaluation->arena);
    free(evaluation);
}

void evaluation_on_pulse(Evaluation *evaluation, EvaluationPulse pulse, void *context) {
    evaluation->pulse = pulse;
    evaluation->pulse_context = context;
}

static Status pulse(const Evaluation *evaluation, int prompts_done, Error *err) {
    double share = (double)prompts_done / evaluation->prompts.n;
    if (evaluation->pulse == NULL || evaluation->pulse(evaluation->pulse_context, share)) return STATUS_OK;
    return error_set(err, STATUS_INCOMPLETE, "an evaluation was told to stop");
}

/* Measures the predictions of prompts first .. end. */
static Status measure_piece(Evaluation *evaluation, int first, int end, Error *err) {
    Prompts piece = prompts_slice(&evaluation->prompts, first, end - first);
    size_t at = (size_t)first * (size_t)piece.N;
    double *value[METRIC_COUNT];
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        value[metric] = evaluation->value[metric] + at;
    metrics_per_prompt(&piece, evaluation->pred + at * (size_t)piece.d, value);
    return pulse(evaluation, end, err);
}

static Status measured_curves(const Evaluation *evaluation, Curves *out, Error *err) {
    return curves_of(evaluation->prompts.n, evaluation->prompts.N, evaluation->value, out, err);
}

double evaluation_set_critic(Evaluation *evaluation, const CriticSettings *critic) {
    const CriticSettings *last = &evaluation->critic;
    bool same = critic->quality == last->quality && critic->noise == last->noise && critic->feedback == last->feedback;
    if (same && !isnan(evaluation->accuracy)) return evaluation->accuracy; /* baselines share a critic */
    evaluation->critic = *critic;
    critic_apply(&evaluation->prompts, critic, RNG_EVALUATION_CRITIC, evaluation->seed, 0, 0);
    return evaluation->accuracy = critic_self_check_accuracy(&evaluation->prompts, evaluation->prompts.N);
}

Status evaluation_of_model(Evaluation *evaluation, Model *model, int micro_batch, const float *parameters, Curves *out,
                           Error *err) {
    const Prompts *prompts = &evaluation->prompts;
    Status status = STATUS_OK;
    model_set_parameters(model, parameters);
    for (int first = 0; first < prompts->n && status == STATUS_OK; first += micro_batch) {
        int end = smaller(first + micro_batch, prompts->n);
        predict_piece(model, prompts, first, end, evaluation->pred);
        status = measure_piece(evaluation, first, end, err);
    }
    return status == STATUS_OK ? measured_curves(evaluation, out, err) : status;
}

Status evaluation_of_baseline(Evaluation *evaluation, Predictor predictor, int gd_steps, Curves *out, Error *err) {
    const Prompts *prompts = &evaluation->prompts;
    size_t row = (size_t)prompts->N * (size_t)prompts->d, matrix = (size_t)prompts->d * (size_t)prompts->d;
    Status status = STATUS_OK;
    for (int first = 0; first < prompts->n && status == STATUS_OK; first += EVALUATION_PIECE) {
        Prompts piece = prompts_slice(prompts, first, smaller(EVALUATION_PIECE, prompts->n - first));
        predictor_apply(predictor, &piece, evaluation->gd_start + (size_t)first * matrix, gd_steps,
                        evaluation->pred + (size_t)first * row);
        status = measure_piece(evaluation, first, first + piece.n, err);
    }
    return status == STATUS_OK ? measured_curves(evaluation, out, err) : status;
}

/* --- rounds ----------------------------------------------------------------------------------------------------- */

static void take_room_for_rounds(Rounds *rounds, const Prompts *prompts) {
    size_t rewards = (size_t)prompts->n * (size_t)prompts->N;
    rounds->prompts = *prompts;
    rounds->prompts.ys = arena_take(&rounds->arena, rewards * (size_t)prompts->d, sizeof(float));
    rounds->prompts.rs = arena_take(&rounds->arena, rewards, sizeof(float));
    rounds->prompts.seen = arena_take(&rounds->arena, rewards, sizeof(float));
    size_t answers = (size_t)prompts->n * (size_t)(rounds->count + 1);
    rounds->answers = arena_take(&rounds->arena, answers * (size_t)prompts->d, sizeof(float));
}

Status evaluation_prepare_rounds(Evaluation *evaluation, const Shape *shape, const EvaluationSettings *settings,
                                 Error *err) {
    Rounds *rounds = &evaluation->rounds;
    assert(rounds->count == 0 && settings->rounds > 0);
    *rounds = (Rounds){.count = settings->rounds,
                       .initial_responses = settings->initial_responses,
                       .right_cosine = settings->right_cosine};
    take_room_for_rounds(rounds, &evaluation->prompts);
    Status status = arena_create(&rounds->arena, rounds->arena.used_bytes, err);
    if (status == STATUS_OK) status = model_cache_create(shape, MODEL_CACHE_PROMPTS, &rounds->cache, err);
    if (status != STATUS_OK) return error_prefix(err, status, "%d rounds of correction", rounds->count);
    take_room_for_rounds(rounds, &evaluation->prompts);
    initial_responses_draw(&rounds->prompts, rounds->initial_responses, evaluation->seed, 0, 0);
    return STATUS_OK;
}

Status evaluation_of_rounds(Evaluation *evaluation, Model *model, const float *parameters, RoundCurves *out,
                            Error *err) {
    Rounds *rounds = &evaluation->rounds;
    assert(rounds->count > 0);
    ClosedLoop loop = {.initial_responses = rounds->initial_responses,
                       .rounds = rounds->count,
                       .critic = evaluation->critic,
                       .stream = {.purpose = RNG_EVALUATION_CRITIC, .seed = evaluation->seed}};
    model_set_parameters(model, parameters);
    size_t row = (size_t)(rounds->count + 1) * (size_t)rounds->prompts.d;
    Status status = STATUS_OK;
    for (int first = 0; first < rounds->prompts.n && status == STATUS_OK; first += EVALUATION_PIECE) {
        Prompts piece = prompts_slice(&rounds->prompts, first, smaller(EVALUATION_PIECE, rounds->prompts.n - first));
        loop.stream.unit = (uint32_t)first;
        closed_loop_run(model, rounds->cache, &loop, &piece, rounds->answers + (size_t)first * row);
        status = pulse(evaluation, first + piece.n, err);
    }
    if (status == STATUS_OK)
        status = round_curves_of(&rounds->prompts, rounds->count + 1, rounds->answers, rounds->right_cosine, out, err);
    if (status != STATUS_OK) return status;
    out->self_check_accuracy = critic_self_check_accuracy(&rounds->prompts, rounds->initial_responses + rounds->count);
    out->initial_responses = rounds->initial_responses;
    return STATUS_OK;
}
