/* Speed of a training step, in nominal GFLOP/s on one core, beside that of OpenBLAS's sgemm in the same seconds.
 *
 *     bench_step [--layers L] [--embd E] [--heads H] [--points N] [--batch B] [--micro-batch n] [--no-ffn] [--linear]
 *                [--kernels PATH] [--repeats R]
 *
 * Without options: a table over E 48, 96, 128, L 4, 20 and B 64, 256. A step is a forward and backward pass over the
 * batch in micro-batches and one Adam update; the loss, which costs next to nothing, is a random derivative. Steps and
 * calibrations take turns, so that a noisy machine slows both; the medians and the median of the ratios are printed. */
#include "proto/wire/cost.h"
#include "worker/model/model.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Case {
    ModelSettings model;
    TaskSettings task;
    int batch, micro_batch, repeats; /* micro_batch 0: the model's choice */
} Case;

typedef struct Bench {
    const Kernels *kernels;
    Model *model;
    size_t parameters_count;
    float *parameters, *gradient, *m, *v;
    float *xs, *ys, *rs, *dpred, *pred;
    float *a, *b, *c; /* of the calibration */
} Bench;

enum { CALIBRATION_SIDE = 2048 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *need(void *memory) {
    if (memory) return memory;
    fprintf(stderr, "out of memory\n");
    exit(71);
}

static float *noise(size_t count) {
    float *values = need(malloc(count * sizeof(float)));
    for (size_t i = 0; i < count; i++)
        values[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    return values;
}

static float *zeros(size_t count) {
    return need(calloc(count, sizeof(float)));
}

static int by_value(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0.0) - (difference < 0.0);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2.0;
}

/* GFLOP/s of sgemm on square matrices, for about a fiftieth of a second a call. */
static double calibrate(const Bench *bench) {
    int side = CALIBRATION_SIDE, calls = 1;
    double start = seconds();
    for (int i = 0; i < calls; i++)
        bench->kernels->matmul(false, false, side, side, side, 1.0f, bench->a, side, bench->b, side, 0.0f, bench->c,
                               side);
    return 2e-9 * side * side * side * calls / (seconds() - start);
}

static double step_seconds(const Bench *bench, const Shape *shape, const Case *run, int64_t step) {
    double start = seconds();
    size_t row = (size_t)shape->N * shape->d;
    memset(bench->gradient, 0, bench->parameters_count * sizeof(float));
    model_set_parameters(bench->model, bench->parameters);
    for (int first = 0; first < run->batch; first += run->micro_batch) {
        int n = run->batch - first < run->micro_batch ? run->batch - first : run->micro_batch;
        model_forward(bench->model, n, bench->xs + first * row, bench->ys + first * row,
                      bench->rs + (size_t)first * shape->N, bench->pred);
        model_backward(bench->model, bench->dpred + first * row, bench->gradient);
    }
    bench->kernels->adam(bench->parameters_count, step, 1e-6, bench->gradient, bench->m, bench->v, bench->parameters);
    return seconds() - start;
}

static Bench bench_create(const Kernels *kernels, const Shape *shape, const Case *run) {
    Error err;
    Bench bench = {.kernels = kernels, .parameters_count = tensors_parameters(shape)};
    if (model_create(shape, kernels, run->micro_batch, true, &bench.model, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(71);
    }
    size_t values = (size_t)run->batch * shape->N * shape->d;
    bench.parameters = zeros(bench.parameters_count);
    bench.gradient = zeros(bench.parameters_count);
    bench.m = zeros(bench.parameters_count);
    bench.v = zeros(bench.parameters_count);
    tensors_init(shape, 1, bench.parameters);
    bench.xs = noise(values);
    bench.ys = noise(values);
    bench.rs = noise(values);
    bench.dpred = noise(values);
    bench.pred = noise(values);
    bench.a = noise(CALIBRATION_SIDE * CALIBRATION_SIDE);
    bench.b = noise(CALIBRATION_SIDE * CALIBRATION_SIDE);
    bench.c = noise(CALIBRATION_SIDE * CALIBRATION_SIDE);
    return bench;
}

static void bench_free(Bench *bench) {
    float *pieces[] = {bench->parameters, bench->gradient, bench->m,    bench->v, bench->xs, bench->ys,
                       bench->rs,         bench->dpred,    bench->pred, bench->a, bench->b,  bench->c};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        free(pieces[i]);
    model_free(bench->model);
}

static void measure(const Kernels *kernels, Case run) {
    Shape shape = shape_of(&run.model, &run.task);
    if (run.micro_batch == 0) run.micro_batch = model_best_micro_batch(&shape);
    Bench bench = bench_create(kernels, &shape, &run);
    double *rates = need(malloc((size_t)run.repeats * sizeof *rates));
    double *products = need(malloc((size_t)run.repeats * sizeof *products));
    double *ratios = need(malloc((size_t)run.repeats * sizeof *ratios));
    step_seconds(&bench, &shape, &run, 1); /* fills the caches and the page tables */
    const ModelSettings model = {.n_layer = shape.L, .n_embd = shape.E, .ffn = shape.ffn};
    const double flops = cost_pass_flops(&model, &(TaskSettings){.n_points = shape.N}, run.batch);
    for (int i = 0; i < run.repeats; i++) {
        double before = calibrate(&bench);
        rates[i] = 1e-9 * flops / step_seconds(&bench, &shape, &run, i + 2);
        products[i] = (before + calibrate(&bench)) / 2.0;
        ratios[i] = rates[i] / products[i];
    }
    double rate = median(rates, run.repeats);
    printf("%4d %4d %4d %4d %5d %5d   %7.1f %7.1f %6.2f %10.1f %8.1f\n", shape.L, shape.E, shape.H, shape.N, run.batch,
           run.micro_batch, rate, median(products, run.repeats), median(ratios, run.repeats), 1e-6 * flops / rate,
           1e-6 * (double)model_memory_bytes(bench.model));
    fflush(stdout);
    free(rates);
    free(products);
    free(ratios);
    bench_free(&bench);
}

static int usage(void) {
    fprintf(stderr, "usage: bench_step [--layers L] [--embd E] [--heads H] [--points N] [--batch B] [--micro-batch n]\n"
                    "                  [--no-ffn] [--linear] [--kernels PATH] [--repeats R]\n");
    return 64;
}

/* Reads the options into *run; -1: wrong, 0: none that names a case, 1: one case. */
static int read_options(int argc, char **argv, Case *run, const char **kernels_name) {
    const struct option options[] = {
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
        {NULL, 0, NULL, 0},
    };
    int one_case = 0, option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int value = optarg ? atoi(optarg) : 1;
        if (option == '?' || (value < 1 && option != 'k')) return -1;
        if (option != 'k' && option != 'r') one_case = 1;
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
    }
    return run->model.n_embd % run->model.n_head == 0 ? one_case : -1;
}

int main(int argc, char **argv) {
    Case run = {.model = {.n_layer = 20, .n_head = 3, .n_embd = 96, .ffn = true, .causal = true},
                .task = {.n_dims = 5, .n_points = 20},
                .batch = 256,
                .repeats = 5};
    const char *name = NULL;
    int one_case = read_options(argc, argv, &run, &name);
    if (one_case < 0) return usage();
    const Kernels *kernels;
    Error err;
    if (kernels_select(name, &kernels, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 64;
    }
    char fingerprint[128];
    kernels_fingerprint(kernels, fingerprint, sizeof fingerprint);
    printf("%s\n   L    E    H    N     B micro   GFLOP/s   sgemm  ratio    ms/step memory MB\n", fingerprint);
    if (one_case) {
        measure(kernels, run);
        return 0;
    }
    static const struct { int E, H; } widths[] = {{48, 3}, {96, 3}, {128, 4}};
    for (int width = 0; width < 3; width++)
        for (int layers = 4; layers <= 20; layers += 16)
            for (int batch = 64; batch <= 256; batch += 192) {
                run.model.n_embd = widths[width].E;
                run.model.n_head = widths[width].H;
                run.model.n_layer = layers;
                run.batch = batch;
                measure(kernels, run);
            }
    return 0;
}
