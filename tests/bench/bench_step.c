/* Speed of a training step, in nominal GFLOP/s on one core, beside that of OpenBLAS's sgemm (2048^3) in the same
 * seconds.
 *
 *     bench_step [--all] [--layers L] [--embd E] [--heads H] [--points N] [--batch B] [--micro-batch n] [--no-ffn]
 *                [--linear] [--kernels PATH] [--precision float32|bf16] [--repeats R]
 *
 * Without options: a table over E 48, 96, 128, L 4, 20 and B 64, 256, under three minutes; --all: also E 192 and other
 * L. A step draws its prompts, makes the forward and backward pass with the loss between them in micro-batches, and
 * updates by Adam. Steps and calibrations take turns, so that a noisy machine slows both, and time is CPU time; the
 * medians and the median of the ratios are printed. Shares of the parts come from a step of their own with clocks
 * around all kernels; "rest" are tokens, packing of weights, residual copies and the clocks. */
#include "proto/wire/cost.h"
#include "tests/bench/timed_kernels.h"
#include "worker/kernels/matmul.h"
#include "worker/model/model.h"
#include "worker/train/objective.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Case {
    ModelSettings model;
    TaskSettings task;
    int batch, micro_batch, repeats; /* micro_batch 0: the model's choice */
} Case;

typedef struct Bench {
    const Kernels *kernels;
    Model *model;
    size_t parameters_count;
    Arena arena;
    float *parameters, *gradient, *m, *v;
    Prompts prompts; /* one micro-batch */
    float *pred, *dpred;
    float *a, *b, *c; /* of the calibration */
    int64_t step;
    double parts[PARTS];
} Bench;

enum { CALIBRATION_SIDE = 2048 };

static void *need(void *memory) {
    if (memory) return memory;
    fprintf(stderr, "out of memory\n");
    exit(71);
}

static int by_value(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0.0) - (difference < 0.0);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2.0;
}

/* GFLOP/s of sgemm on square matrices. */
static double calibrate(const Bench *bench) {
    int side = CALIBRATION_SIDE;
    double start = cpu_seconds();
    matmul_openblas(false, false, side, side, side, 1.0f, bench->a, side, bench->b, side, 0.0f, bench->c, side);
    return 2e-9 * side * side * side / (cpu_seconds() - start);
}

/* One micro-batch: prompts first .. first + n of the step. */
static void pass(Bench *bench, const Case *run, int first, int n) {
    const CriticSettings critic = {.quality = 0.8, .noise = CRITIC_REPLACE, .feedback = FEEDBACK_SCALAR};
    Prompts prompts = prompts_slice(&bench->prompts, 0, n);
    double start = cpu_seconds();
    prompts_draw(&prompts, &run->task, RNG_TRAIN_PROMPTS, 1, (uint32_t)bench->step, (uint32_t)first);
    critic_apply(&prompts, &critic, RNG_TRAIN_CRITIC, 1, (uint32_t)bench->step, (uint32_t)first);
    bench->parts[PART_DATA] += cpu_seconds() - start;
    model_forward(bench->model, n, prompts.xs, prompts.ys, prompts.seen, bench->pred);
    start = cpu_seconds();
    objective_loss(OBJECTIVE_PLACKETT_LUCE, &prompts, bench->pred, 1.0 / run->batch, bench->dpred);
    bench->parts[PART_LOSS] += cpu_seconds() - start;
    model_backward(bench->model, bench->dpred, bench->gradient);
}

static double step_seconds(Bench *bench, const Case *run) {
    double start = cpu_seconds();
    bench->step++;
    memset(bench->gradient, 0, bench->parameters_count * sizeof(float));
    model_set_parameters(bench->model, bench->parameters);
    for (int first = 0; first < run->batch; first += run->micro_batch)
        pass(bench, run, first, run->batch - first < run->micro_batch ? run->batch - first : run->micro_batch);
    bench->kernels->adam(bench->parameters_count, bench->step, 1e-6, bench->gradient, bench->m, bench->v,
                         bench->parameters);
    return cpu_seconds() - start;
}

static void take_pieces(Bench *bench, const Case *run) {
    size_t values = (size_t)run->micro_batch * (size_t)run->task.n_points * (size_t)run->task.n_dims;
    size_t side = CALIBRATION_SIDE, count = bench->parameters_count;
    bench->parameters = arena_take(&bench->arena, count, sizeof(float));
    bench->gradient = arena_take(&bench->arena, count, sizeof(float));
    bench->m = arena_take(&bench->arena, count, sizeof(float));
    bench->v = arena_take(&bench->arena, count, sizeof(float));
    bench->prompts = prompts_take(&bench->arena, &run->task, run->micro_batch);
    bench->pred = arena_take(&bench->arena, values, sizeof(float));
    bench->dpred = arena_take(&bench->arena, values, sizeof(float));
    bench->a = arena_take(&bench->arena, side * side, sizeof(float));
    bench->b = arena_take(&bench->arena, side * side, sizeof(float));
    bench->c = arena_take(&bench->arena, side * side, sizeof(float));
}

static void bench_create(Bench *bench, const Kernels *kernels, const Shape *shape, const Case *run) {
    Error err;
    *bench = (Bench){.kernels = kernels, .parameters_count = tensors_parameters(shape)};
    take_pieces(bench, run);
    if (arena_create(&bench->arena, bench->arena.used_bytes, &err) != STATUS_OK ||
        model_create(shape, kernels, run->micro_batch, true, &bench->model, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(71);
    }
    take_pieces(bench, run);
    tensors_init(shape, 1, bench->parameters);
    for (size_t i = 0; i < (size_t)CALIBRATION_SIDE * CALIBRATION_SIDE; i++)
        bench->a[i] = bench->b[i] = (float)(i % 1001) / 1001.0f - 0.5f;
}

static void bench_free(Bench *bench) {
    model_free(bench->model);
    arena_destroy(&bench->arena);
}

/* Percentages of a step that the parts take. */
static void print_parts(const Kernels *kernels, const Shape *shape, const Case *run) {
    Bench bench;
    double parts[PART_COUNTERS] = {0}, total = 0.0, counted = 0.0;
    Kernels timed = timed_kernels(kernels, parts);
    bench_create(&bench, &timed, shape, run);
    step_seconds(&bench, run);
    memset(parts, 0, sizeof parts);
    memset(bench.parts, 0, sizeof bench.parts);
    for (int steps = 0; steps < 1 || total < 0.2; steps++)
        total += step_seconds(&bench, run);
    total -= parts[PART_REPEATED];
    for (int part = 0; part < PARTS; part++) {
        double seconds = parts[part] + bench.parts[part];
        counted += seconds;
        printf(" %*.1f", (int)strlen(part_names[part]), 100.0 * seconds / total);
    }
    printf(" %4.1f\n", 100.0 * (total - counted) / total);
    bench_free(&bench);
}

static void measure(const Kernels *kernels, Case run) {
    Bench bench;
    Shape shape = shape_of(&run.model, &run.task);
    if (run.micro_batch == 0) run.micro_batch = model_best_micro_batch(&shape);
    bench_create(&bench, kernels, &shape, &run);
    double *rates = need(malloc((size_t)run.repeats * sizeof *rates));
    double *products = need(malloc((size_t)run.repeats * sizeof *products));
    double *ratios = need(malloc((size_t)run.repeats * sizeof *ratios));
    const ModelSettings model = {.n_layer = shape.L, .n_embd = shape.E, .ffn = shape.ffn};
    const double flops = cost_pass_flops(&model, &(TaskSettings){.n_points = shape.N}, run.batch);
    calibrate(&bench); /* these two fill the caches and the page tables */
    int steps = 1 + (int)(0.2 / step_seconds(&bench, &run));
    for (int i = 0; i < run.repeats; i++) {
        double before = calibrate(&bench), seconds = 0.0;
        for (int step = 0; step < steps; step++)
            seconds += step_seconds(&bench, &run);
        rates[i] = 1e-9 * flops * steps / seconds;
        products[i] = (before + calibrate(&bench)) / 2.0;
        ratios[i] = rates[i] / products[i];
    }
    double rate = median(rates, run.repeats);
    printf("%3d %4d %2d %3d %4d %5d %8.1f %6.1f %6.2f %8.1f %6.1f |", shape.L, shape.E, shape.H, shape.N, run.batch,
           run.micro_batch, rate, median(products, run.repeats), median(ratios, run.repeats), 1e-6 * flops / rate,
           1e-6 * (double)model_memory_bytes(bench.model));
    free(rates);
    free(products);
    free(ratios);
    bench_free(&bench);
    print_parts(kernels, &shape, &run);
    fflush(stdout);
}

static void print_heading(const Kernels *kernels) {
    char fingerprint[128];
    kernels_fingerprint(kernels, fingerprint, sizeof fingerprint);
    printf("%s\n  L    E  H   N    B micro  GFLOP/s  sgemm  ratio  ms/step     MB |", fingerprint);
    for (int part = 0; part < PARTS; part++)
        printf(" %s", part_names[part]);
    printf(" rest\n");
}

static void measure_table(const Kernels *kernels, Case run, bool all) {
    static const struct { int E, H; } widths[] = {{48, 3}, {96, 3}, {128, 4}, {192, 6}};
    static const int some_layers[] = {4, 20}, all_layers[] = {4, 5, 10, 20};
    for (int width = 0; width < (all ? 4 : 3); width++)
        for (int depth = 0; depth < (all ? 4 : 2); depth++)
            for (int batch = 64; batch <= 256; batch += 192) {
                run.model.n_embd = widths[width].E;
                run.model.n_head = widths[width].H;
                run.model.n_layer = all ? all_layers[depth] : some_layers[depth];
                run.batch = batch;
                measure(kernels, run);
            }
}

static int usage(void) {
    fprintf(stderr, "usage: bench_step [--all] [--layers L] [--embd E] [--heads H] [--points N] [--batch B]\n"
                    "                  [--micro-batch n] [--no-ffn] [--linear] [--kernels PATH] [--repeats R]\n"
                    "                  [--precision float32|bf16]\n");
    return 64;
}

/* Reads the options into *run; -1: wrong, 0: none that names a case, 1: one case. */
static int read_options(int argc, char **argv, Case *run, const char **kernels_name, Precision *precision, bool *all) {
    const struct option options[] = {
        {"all", no_argument, NULL, 't'},
        {"layers", required_argument, NULL, 'l'},
        {"embd", required_argument, NULL, 'e'},
        {"heads", required_argument, NULL, 'h'},
        {"points", required_argument, NULL, 'p'},
        {"batch", required_argument, NULL, 'b'},
        {"no-ffn", no_argument, NULL, 'f'},
        {"linear", no_argument, NULL, 'a'},
        {"kernels", required_argument, NULL, 'k'},
        {"micro-batch", required_argument, NULL, 'm'},
        {"repeats", required_argument, NULL, 'r'},
        {"precision", required_argument, NULL, 'x'},
        {NULL, 0, NULL, 0},
    };
    int one_case = 0, option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int value = optarg ? atoi(optarg) : 1;
        if (option == '?' || (value < 1 && !strchr("kx", option))) return -1;
        if (option == 't') *all = true;
        if (!strchr("kxrt", option)) one_case = 1;
        if (option == 'l') run->model.n_layer = value;
        if (option == 'e') run->model.n_embd = value;
        if (option == 'h') run->model.n_head = value;
        if (option == 'p') run->task.n_points = value;
        if (option == 'b') run->batch = value;
        if (option == 'm') run->micro_batch = value;
        if (option == 'r') run->repeats = value;
        if (option == 'f') run->model.ffn = false;
        if (option == 'a') run->model.attention = ATTENTION_LINEAR;
        if (option == 'k') *kernels_name = optarg;
        if (option != 'x') continue;
        for (*precision = PRECISION_FLOAT32; strcmp(precision_name(*precision), optarg) != 0; ++*precision)
            if (strcmp(precision_name(*precision), "?") == 0) return -1;
    }
    return run->model.n_embd % run->model.n_head == 0 ? one_case : -1;
}

int main(int argc, char **argv) {
    Case run = {.model = {.n_layer = 20, .n_head = 3, .n_embd = 96, .ffn = true, .causal = true},
                .task = {.n_dims = 5, .n_points = 20},
                .batch = 256,
                .repeats = 5};
    const char *name = NULL;
    bool all = false;
    Precision precision = PRECISION_FLOAT32;
    int one_case = read_options(argc, argv, &run, &name, &precision, &all);
    if (one_case < 0) return usage();
    const Kernels *kernels;
    Error err;
    if (kernels_select(name, &kernels, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 64;
    }
    kernels = kernels_with_precision(kernels, precision);
    print_heading(kernels);
    if (one_case)
        measure(kernels, run);
    else
        measure_table(kernels, run, all);
    return 0;
}
