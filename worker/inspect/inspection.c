/* See inspection.h. Prompts go through in groups; every number is added to its estimate at once, so that nothing but
 * estimates is kept, whatever the number of prompts. */
#include "worker/inspect/inspection.h"

#include "worker/measure/curves.h"
#include "worker/measure/predictors.h"
#include "worker/model/intermediate.h"
#include "worker/task/direction.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 8 };

const int inspection_gd_steps[INSPECTION_GD] = {0, 1, 2, 5, 10, 20, 50, 100};

/* --- estimates -------------------------------------------------------------------------------------------------- */

/* Until it is finished an estimate's standard_error is the sum of squared deviations (B. P. Welford, "Note on a method
 * for calculating corrected sums of squares and products", Technometrics 1962). */
static void add(Estimate *estimate, double value) {
    if (isnan(value)) return;
    double deviation = value - estimate->mean;
    estimate->mean += deviation / ++estimate->count;
    estimate->standard_error += deviation * (value - estimate->mean);
}

static void finish(Estimate *estimates, size_t count) {
    for (Estimate *estimate = estimates; estimate < estimates + count; estimate++) {
        int n = estimate->count;
        estimate->standard_error = n > 1 ? sqrt(estimate->standard_error / (n - 1) / n) : NAN;
        if (n == 0) estimate->mean = NAN;
    }
}

static void finish_answers(AnswerInspection *answers, int count) {
    for (int k = 0; k < count; k++) {
        finish(answers[k].cosine, TARGETS);
        finish(&answers[k].kendall_tau, 1);
    }
}

double kendall_tau_b(int n, const double *a, const double *b) {
    double agreement = 0, untied_a = 0, untied_b = 0;
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++) {
            int order_a = (a[i] > a[j]) - (a[i] < a[j]), order_b = (b[i] > b[j]) - (b[i] < b[j]);
            agreement += order_a * order_b;
            untied_a += order_a != 0;
            untied_b += order_b != 0;
        }
    return agreement / sqrt(untied_a * untied_b);
}

/* --- measuring -------------------------------------------------------------------------------------------------- */

/* Everything one group of prompts needs. */
typedef struct Work {
    Inspection *out;
    Model *model;
    Arena arena;
    Prompts prompts;               /* GROUP */
    float *gd_start;               /* (GROUP, d, d) */
    float *pred;                   /* (GROUP, N, d) */
    float *target;                 /* (TARGETS, GROUP, N, d) */
    double *metrics;               /* (METRIC_COUNT, GROUP, N) */
    double *weights;               /* (H, T) */
    double *rewards, *on_y, *on_r; /* (N) of one prompt's responses */
} Work;

static void take_pieces(Work *work, const InspectionSettings *settings, const Shape *shape) {
    Arena *arena = &work->arena;
    size_t rewards = (size_t)GROUP * shape->N, vectors = rewards * shape->d;
    work->prompts = prompts_take(arena, &settings->task, GROUP);
    work->gd_start = arena_take(arena, (size_t)GROUP * shape->d * shape->d, sizeof(float));
    work->pred = arena_take(arena, vectors, sizeof(float));
    work->target = arena_take(arena, TARGETS * vectors, sizeof(float));
    work->metrics = arena_take(arena, METRIC_COUNT * rewards, sizeof(double));
    work->weights = arena_take(arena, (size_t)shape->H * shape->T, sizeof(double));
    work->rewards = arena_take(arena, (size_t)shape->N, sizeof(double));
    work->on_y = arena_take(arena, (size_t)shape->N, sizeof(double));
    work->on_r = arena_take(arena, (size_t)shape->N, sizeof(double));
}

static float *target_of(const Work *work, int target) {
    return work->target + (size_t)target * GROUP * work->prompts.N * work->prompts.d;
}

static void inspect_head(Work *work, int prompt, const double *weights, HeadInspection *head) {
    const InspectionSettings *settings = &work->out->settings;
    int seen = settings->model.causal ? settings->examples : settings->task.n_points, T = model_tokens(work->model);
    double mass[TOKEN_KINDS] = {0}, all = 0;
    for (int u = 0; u < T; u++) {
        TokenKind kind = u == 3 * settings->examples ? TOKEN_SELF : (TokenKind)(u % 3);
        mass[kind] += fabs(weights[u]);
        all += fabs(weights[u]);
    }
    for (int j = 0; j < seen; j++) {
        work->rewards[j] = work->prompts.seen[(size_t)prompt * work->prompts.N + j];
        work->on_y[j] = weights[3 * j + 1];
        work->on_r[j] = weights[3 * j + 2];
    }
    for (int kind = 0; kind < TOKEN_KINDS; kind++)
        add(&head->mass[kind], mass[kind] / all);
    add(&head->follows_reward[TOKEN_Y], kendall_tau_b(seen, work->on_y, work->rewards));
    add(&head->follows_reward[TOKEN_R], kendall_tau_b(seen, work->on_r, work->rewards));
}

/* An answer to each of n prompts, row i of pred (n, N, d). */
static void inspect_answer(Work *work, int n, const float *pred, AnswerInspection *answer) {
    int N = work->prompts.N, d = work->prompts.d, i = work->out->settings.examples;
    size_t of_metric = (size_t)GROUP * N;
    double *const value[METRIC_COUNT] = {work->metrics, work->metrics + of_metric, work->metrics + 2 * of_metric};
    Prompts prompts = prompts_slice(&work->prompts, 0, n);
    metrics_per_prompt(&prompts, pred, value);
    for (int p = 0; p < n; p++) {
        size_t row = ((size_t)p * N + i) * d;
        for (int target = 0; target < TARGETS; target++)
            add(&answer->cosine[target], direction_cosine(d, pred + row, target_of(work, target) + row));
        add(&answer->kendall_tau, value[METRIC_KENDALL_TAU][p * N + i]);
    }
}

static void make_targets(Work *work, int n) {
    Prompts prompts = prompts_slice(&work->prompts, 0, n);
    for (int k = 0; k < INSPECTION_GD; k++)
        predictor_apply(PREDICTOR_GD, &prompts, work->gd_start, inspection_gd_steps[k], target_of(work, k));
    predictor_apply(PREDICTOR_MEAN, &prompts, NULL, 0, target_of(work, TARGET_MEAN));
    predictor_apply(PREDICTOR_CONTRAST, &prompts, NULL, 0, target_of(work, TARGET_CONTRAST));
    memcpy(target_of(work, TARGET_ALIGNED), prompts.y_star, (size_t)n * prompts.N * prompts.d * sizeof(float));
}

/* Prompts first .. first + n. */
static void inspect_group(Work *work, uint32_t first, int n) {
    const InspectionSettings *settings = &work->out->settings;
    int L = settings->model.n_layer, H = settings->model.n_head, T = model_tokens(work->model);
    Prompts prompts = prompts_slice(&work->prompts, 0, n);
    prompts_draw(&prompts, &settings->task, RNG_EVALUATION_PROMPTS, settings->seed, 0, first);
    critic_apply(&prompts, &settings->critic, RNG_EVALUATION_CRITIC, settings->seed, 0, first);
    gd_start_draw(settings->seed, first, n, prompts.d, work->gd_start);
    make_targets(work, n);
    model_forward(work->model, n, prompts.xs, prompts.ys, prompts.seen, work->pred);
    for (int layer = 0; layer < L; layer++)
        for (int p = 0; p < n; p++) {
            model_attention_at(work->model, layer, p, settings->examples, work->weights);
            for (int h = 0; h < H; h++)
                inspect_head(work, p, work->weights + (size_t)h * T, &work->out->heads[layer * H + h]);
        }
    for (int layers = 0; layers <= L; layers++) {
        model_read_out_after(work->model, layers, work->pred);
        inspect_answer(work, n, work->pred, &work->out->layers[layers]);
    }
    for (int target = 0; target < TARGETS; target++)
        inspect_answer(work, n, target_of(work, target), &work->out->baseline[target]);
}

static Status inspection_create(const InspectionSettings *settings, Inspection *out, Error *err) {
    size_t L = (size_t)settings->model.n_layer;
    *out = (Inspection){.settings = *settings,
                        .heads = calloc(L * (size_t)settings->model.n_head, sizeof *out->heads),
                        .layers = calloc(L + 1, sizeof *out->layers),
                        .baseline = calloc(TARGETS, sizeof *out->baseline)};
    if (out->heads != NULL && out->layers != NULL && out->baseline != NULL) return STATUS_OK;
    return error_set(err, STATUS_NO_MEMORY, "no memory for what is found in %zu layers", L);
}

Status inspection_of(const InspectionSettings *settings, const Kernels *kernels, const float *parameters,
                     Inspection *out, Error *err) {
    Shape shape = shape_of(&settings->model, &settings->task);
    Work work = {.out = out};
    assert(settings->examples >= 2 && settings->examples < shape.N && settings->prompts > 0);
    Status status = inspection_create(settings, out, err);
    take_pieces(&work, settings, &shape);
    if (status == STATUS_OK) status = arena_create(&work.arena, work.arena.used_bytes, err);
    if (status == STATUS_OK) status = model_create(&shape, kernels, GROUP, true, &work.model, err);
    if (status == STATUS_OK) {
        take_pieces(&work, settings, &shape);
        model_set_parameters(work.model, parameters);
        for (int first = 0; first < settings->prompts; first += GROUP)
            inspect_group(&work, (uint32_t)first,
                          settings->prompts - first < GROUP ? settings->prompts - first : GROUP);
        for (int k = 0; k < shape.L * shape.H; k++) {
            finish(out->heads[k].mass, TOKEN_KINDS);
            finish(out->heads[k].follows_reward, TOKEN_KINDS);
        }
        finish_answers(out->layers, shape.L + 1);
        finish_answers(out->baseline, TARGETS);
    }
    model_free(work.model);
    arena_destroy(&work.arena);
    if (status != STATUS_OK) inspection_free(out);
    return status;
}

void inspection_free(Inspection *inspection) {
    free(inspection->heads);
    free(inspection->layers);
    free(inspection->baseline);
    *inspection = (Inspection){0};
}

int inspection_nearest(const AnswerInspection *answer) {
    const Estimate *cosine = answer->cosine;
    int largest = -1, nearest = 0;
    for (int target = 0; target < TARGET_ALIGNED; target++)
        if (cosine[target].count > 0 && (largest < 0 || cosine[target].mean > cosine[largest].mean)) largest = target;
    if (largest < 0 || !(cosine[largest].mean > 3 * cosine[largest].standard_error)) return -1;
    while (!(cosine[nearest].mean >= cosine[largest].mean - cosine[largest].standard_error))
        nearest++;
    return nearest;
}

const char *token_kind_name(TokenKind kind) {
    static const char *const names[TOKEN_KINDS] = {"x", "y", "r", "itself"};
    return names[kind];
}

const char *target_name(Target target, char text[16]) {
    static const char *const names[] = {"mean", "contrast", "y*"};
    if (target >= TARGET_MEAN) return names[target - TARGET_MEAN];
    snprintf(text, 16, "gd %d", inspection_gd_steps[target]);
    return text;
}
