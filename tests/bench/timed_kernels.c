/* See timed_kernels.h. The wrapped kernels have no context argument, so that what they count into is global. */
#include "tests/bench/timed_kernels.h"

#include <time.h>

const char *const part_names[PARTS] = {"forward",   "backward", "weights", "attention", "gelu",
                                       "layernorm", "adam",     "loss",    "data"};

static const Kernels *inner;
static double *seconds;

double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#define TIMED(part, call)                                                                                              \
    do {                                                                                                               \
        double start = cpu_seconds();                                                                                  \
        call;                                                                                                          \
        seconds[part] += cpu_seconds() - start;                                                                        \
    } while (0)

static void packed_matmul(int m, int n, int k, const float *a, const float *packed, const Epilogue *epilogue,
                          float *c) {
    bool is_backward = epilogue->finish == FINISH_NONE || epilogue->finish == FINISH_TIMES;
    if (epilogue->finish != FINISH_GELU) {
        TIMED(is_backward ? PART_BACKWARD : PART_FORWARD, inner->packed_matmul(m, n, k, a, packed, epilogue, c));
        return;
    }
    Epilogue plain = {.finish = FINISH_BIAS, .bias = epilogue->bias};
    double start = cpu_seconds();
    inner->packed_matmul(m, n, k, a, packed, &plain, c);
    double middle = cpu_seconds();
    inner->packed_matmul(m, n, k, a, packed, epilogue, c);
    seconds[PART_FORWARD] += middle - start;
    seconds[PART_REPEATED] += middle - start;
    seconds[PART_GELU] += cpu_seconds() - middle - (middle - start);
}

static void accumulate_outer(int rows, int m, int n, const float *a, const float *b, float *c) {
    TIMED(PART_WEIGHTS, inner->accumulate_outer(rows, m, n, a, b, c));
}

static void column_sums(int rows, int columns, const float *x, float *sums) {
    TIMED(PART_WEIGHTS, inner->column_sums(rows, columns, x, sums));
}

static void layer_norm_forward(int rows, int columns, const float *x, const float *gain, const float *bias, float *y,
                               float *stats) {
    TIMED(PART_LAYER_NORM, inner->layer_norm_forward(rows, columns, x, gain, bias, y, stats));
}

static void layer_norm_again(int rows, int columns, const float *x, const float *stats, const float *gain,
                             const float *bias, float *y) {
    TIMED(PART_LAYER_NORM, inner->layer_norm_again(rows, columns, x, stats, gain, bias, y));
}

static void layer_norm_backward(int rows, int columns, const float *dy, const float *x, const float *stats,
                                const float *gain, float *dx, float *dgain, float *dbias) {
    TIMED(PART_LAYER_NORM, inner->layer_norm_backward(rows, columns, dy, x, stats, gain, dx, dgain, dbias));
}

static void attention_forward(const AttentionShape *shape, const float *qkv, float *out, float *weights,
                              float *workspace) {
    TIMED(PART_ATTENTION, inner->attention_forward(shape, qkv, out, weights, workspace));
}

static void attention_backward(const AttentionShape *shape, const float *qkv, const float *weights, const float *dout,
                               float *dqkv, float *workspace) {
    TIMED(PART_ATTENTION, inner->attention_backward(shape, qkv, weights, dout, dqkv, workspace));
}

static void adam(size_t count, int64_t step, double rate, const float *gradient, float *m, float *v,
                 float *parameters) {
    TIMED(PART_ADAM, inner->adam(count, step, rate, gradient, m, v, parameters));
}

Kernels timed_kernels(const Kernels *kernels, double part_seconds[PART_COUNTERS]) {
    inner = kernels;
    seconds = part_seconds;
    Kernels timed = *kernels;
    timed.packed_matmul = packed_matmul;
    timed.accumulate_outer = accumulate_outer;
    timed.column_sums = column_sums;
    timed.layer_norm_forward = layer_norm_forward;
    timed.layer_norm_again = layer_norm_again;
    timed.layer_norm_backward = layer_norm_backward;
    timed.attention_forward = attention_forward;
    timed.attention_backward = attention_backward;
    timed.adam = adam;
    return timed;
}
