/* The C half of bench_compare.py: training steps on one fixed batch, one for every line on the standard input.
 *
 *     bench_compare_step LAYERS EMBD HEADS BATCH MODEL PROMPTS
 *
 * Writes the model before the first step and the prompts as safetensors files; then, for every line that comes, does a
 * step (forward, Plackett-Luce loss over all context sizes, backward, Adam with rate 1e-3) and prints its CPU seconds
 * and the loss before it. The first line it prints is the numerics fingerprint. */
#include "worker/files/model_file.h"
#include "worker/model/model.h"
#include "worker/train/objective.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Bench {
    Shape shape;
    const Kernels *kernels;
    Model *model;
    Arena arena;
    int batch, micro_batch;
    size_t parameters_count;
    Prompts prompts;
    float *parameters, *gradient, *m, *v, *pred, *dpred;
} Bench;

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void require(Status status, const Error *err) {
    if (status == STATUS_OK) return;
    fprintf(stderr, "%s\n", err->text);
    exit(71);
}

static void take_pieces(Bench *bench, const TaskSettings *task) {
    size_t predictions = (size_t)bench->micro_batch * (size_t)(task->n_points * task->n_dims);
    bench->prompts = prompts_take(&bench->arena, task, bench->batch);
    float **of_parameters[] = {&bench->parameters, &bench->gradient, &bench->m, &bench->v};
    for (int i = 0; i < 4; i++)
        *of_parameters[i] = arena_take(&bench->arena, bench->parameters_count, sizeof(float));
    bench->pred = arena_take(&bench->arena, predictions, sizeof(float));
    bench->dpred = arena_take(&bench->arena, predictions, sizeof(float));
}

static void write_prompts(const Bench *bench, const char *path) {
    const Prompts *prompts = &bench->prompts;
    SafeTensorOut tensors[] = {
        {.name = "in.xs", .rank = 3, .shape = {prompts->n, prompts->N, prompts->d}, .data = prompts->xs},
        {.name = "in.ys", .rank = 3, .shape = {prompts->n, prompts->N, prompts->d}, .data = prompts->ys},
        {.name = "in.rs", .rank = 2, .shape = {prompts->n, prompts->N}, .data = prompts->seen},
    };
    Error err;
    require(safetensors_write(path, tensors, 3, NULL, 0, &err), &err);
}

/* The loss before the step. */
static double train_step(Bench *bench, int64_t step) {
    double loss = 0;
    memset(bench->gradient, 0, bench->parameters_count * sizeof(float));
    model_set_parameters(bench->model, bench->parameters);
    for (int first = 0; first < bench->batch; first += bench->micro_batch) {
        int n = bench->batch - first < bench->micro_batch ? bench->batch - first : bench->micro_batch;
        Prompts part = prompts_slice(&bench->prompts, first, n);
        model_forward(bench->model, n, part.xs, part.ys, part.seen, bench->pred);
        loss += objective_loss(OBJECTIVE_PLACKETT_LUCE, &part, bench->pred, 1.0 / bench->batch, bench->dpred);
        model_backward(bench->model, bench->dpred, bench->gradient);
    }
    bench->kernels->adam(bench->parameters_count, step, 1e-3, bench->gradient, bench->m, bench->v, bench->parameters);
    return loss / bench->batch;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: bench_compare_step LAYERS EMBD HEADS BATCH MODEL PROMPTS\n");
        return 64;
    }
    ModelSettings model = {
        .n_layer = atoi(argv[1]), .n_embd = atoi(argv[2]), .n_head = atoi(argv[3]), .ffn = true, .causal = true};
    TaskSettings task = {.n_dims = 5, .n_points = 20};
    Bench bench = {.shape = shape_of(&model, &task), .batch = atoi(argv[4])};
    Error err;
    bench.micro_batch = model_best_micro_batch(&bench.shape);
    bench.parameters_count = tensors_parameters(&bench.shape);
    require(kernels_select(NULL, &bench.kernels, &err), &err);
    take_pieces(&bench, &task);
    require(arena_create(&bench.arena, bench.arena.used_bytes, &err), &err);
    take_pieces(&bench, &task);
    require(model_create(&bench.shape, bench.kernels, bench.micro_batch, true, &bench.model, &err), &err);
    tensors_init(&bench.shape, 1, bench.parameters);
    memset(bench.m, 0, bench.parameters_count * sizeof(float));
    memset(bench.v, 0, bench.parameters_count * sizeof(float));
    prompts_draw(&bench.prompts, &task, RNG_TRAIN_PROMPTS, 1, 0, 0);
    require(model_file_write(argv[5], &model, &task, bench.parameters, &err), &err);
    write_prompts(&bench, argv[6]);

    char text[128];
    kernels_fingerprint(bench.kernels, text, sizeof text);
    printf("%s\n", text);
    fflush(stdout);
    for (int64_t step = 1; fgets(text, sizeof text, stdin) != NULL; step++) {
        double start = cpu_seconds(), loss = train_step(&bench, step);
        printf("%.9f %.12g\n", cpu_seconds() - start, loss);
        fflush(stdout);
    }
    model_free(bench.model);
    arena_destroy(&bench.arena);
    return 0;
}
