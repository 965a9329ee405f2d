/* The contract of the numeric kernels: what each computes, over which layout. One table of functions per path.
 *
 *   avx512, avx2                one source (fused_*.c) compiled once per instruction set
 *   avx512-openblas, portable   the same with all matrix products left to OpenBLAS
 *   reference                   plain loops, double accumulators: what the others are tested against
 *   avx512bf16, reference-bf16  avx512 and reference with packed_matmul and accumulate_outer in bfloat16
 *
 * All matrices are row-major float32 without gaps between rows unless a leading dimension is given. The path's name is
 * part of the numerics fingerprint: two paths need not agree to the bit; one path gives the same bits for the same
 * numbers, wherever they lie in memory. NaN and infinity in an input reach the output, so that a training that diverges
 * is seen. */
#ifndef WORKER_KERNELS_KERNELS_H
#define WORKER_KERNELS_KERNELS_H

#include "proto/base/status.h"
#include "proto/wire/settings.h"

#include <stddef.h>

/* Attention over n prompts of T tokens, H heads of width D, E = H D. Queries are asked at tokens 0, S, 2 S, .. where S
 * is query_stride: Q = ceil(T / S) of them in a prompt. */
typedef struct AttentionShape {
    int n, T, H, D;
    int query_stride;
    Attention kind;
    bool causal; /* token t sees tokens 0 .. t, else all */
} AttentionShape;

/* What becomes of a product p (m, n) before it is stored. */
typedef enum Finish {
    FINISH_NONE,     /* p */
    FINISH_BIAS,     /* p + bias */
    FINISH_RESIDUAL, /* p + bias + other */
    FINISH_TIMES,    /* p other, element by element */
    FINISH_GELU      /* gelu_new(p + bias), and its derivative there in slope */
} Finish;

typedef struct Epilogue {
    Finish finish;
    const float *bias;  /* (n) */
    const float *other; /* (m, n), may be the result */
    float *slope;       /* (m, n), or NULL: not wanted */
} Epilogue;

typedef struct Kernels {
    const char *name;

    /* The general product, OpenBLAS in all paths but the reference.
     * c (m, n) = alpha * op(a) op(b) + beta * c; op transposes where asked; leading dimensions are row lengths as
     * stored. c is not read where beta is 0. */
    void (*matmul)(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                   const float *b, int ldb, float beta, float *c, int ldc);

    /* Lays w (k, n), or with transpose the transposed w (n, k), out for packed_matmul, in a way of the path's own.
     * packed: packed_floats(k, n). */
    void (*pack)(bool transpose, int k, int n, const float *w, float *packed);

    /* c (m, n) = a (m, k) w, finished as epilogue says; w as packed. With gelu_new(x) = x s(2 u), u = sqrt(2 / pi)
     * (x + 0.044715 x^3), s the logistic function: equal to x/2 (1 + tanh u); gelu_new'(x) = s + x s (1 - s) 2 du/dx.
     */
    void (*packed_matmul)(int m, int n, int k, const float *a, const float *packed, const Epilogue *epilogue, float *c);

    /* c (m, n) += a^T b with a (rows, m), b (rows, n): the gradient of a weight matrix. */
    void (*accumulate_outer)(int rows, int m, int n, const float *a, const float *b, float *c);

    /* out (rows, columns) = x + bias (columns) + residual (rows, columns; NULL: 0). out may be x or residual. */
    void (*add_bias)(int rows, int columns, const float *x, const float *bias, const float *residual, float *out);

    /* sums (columns) += the sum of x (rows, columns) over its rows, made in double. */
    void (*column_sums)(int rows, int columns, const float *x, float *sums);

    /* LayerNorm of each row (Ba et al. 2016): mean = E[x], rstd = 1 / sqrt(E[(x - mean)^2] + 1e-5),
     * y = (x - mean) rstd gain + bias. stats (rows, 2) gets mean and rstd. */
    void (*layer_norm_forward)(int rows, int columns, const float *x, const float *gain, const float *bias, float *y,
                               float *stats);

    /* The same y from stats that layer_norm_forward filled, bit for bit: cheaper than keeping y. */
    void (*layer_norm_again)(int rows, int columns, const float *x, const float *stats, const float *gain,
                             const float *bias, float *y);

    /* With xhat = (x - mean) rstd and g = dy gain: dx += rstd (g - mean(g) - xhat mean(g xhat)),
     * dgain += sum over rows of dy xhat, dbias += sum over rows of dy. */
    void (*layer_norm_backward)(int rows, int columns, const float *dy, const float *x, const float *stats,
                                const float *gain, float *dx, float *dgain, float *dbias);

    /* qkv (n, T, 3 E): queries, keys, values, head h in columns h D .. (h + 1) D of each third. For the query at token
     * t and the keys u that it sees: score = q.k / sqrt(D); w = softmax over u of the scores, or the scores themselves
     * (linear); out (n, Q, E) = sum over u of w_u v_u.
     * weights: attention_weights_floats(shape), kept for the backward pass, layout of the path's own.
     * workspace: attention_workspace_floats(shape). */
    void (*attention_forward)(const AttentionShape *shape, const float *qkv, float *out, float *weights,
                              float *workspace);

    /* dqkv (n, T, 3 E) from dout (n, Q, E), overwritten (0 for queries that were not asked):
     * dv_u = sum over t of w_tu dout_t; dw_tu = dout_t . v_u; ds = dw (linear) or w (dw - sum over u of w dw);
     * dq_t = sum over u of ds_tu k_u / sqrt(D), dk_u = sum over t of ds_tu q_t / sqrt(D). */
    void (*attention_backward)(const AttentionShape *shape, const float *qkv, const float *weights, const float *dout,
                               float *dqkv, float *workspace);

    /* Adam (Kingma & Ba 2015) with 0.9, 0.999, 1e-8; step counts from 1. For count parameters:
     * m = 0.9 m + 0.1 g, v = 0.999 v + 0.001 g^2,
     * parameter -= rate / (1 - 0.9^step) * m / (sqrt(v) / sqrt(1 - 0.999^step) + 1e-8). */
    void (*adam)(size_t count, int64_t step, double rate, const float *gradient, float *m, float *v, float *parameters);
} Kernels;

/* Enough for every path. */
size_t packed_floats(int k, int n);
size_t attention_weights_floats(const AttentionShape *shape);
size_t attention_workspace_floats(const AttentionShape *shape);

/* The path of that name, or the best that this CPU runs for NULL or "". STATUS_USAGE: unknown, or not on this CPU; the
 * message lists those that are. Also sets OpenBLAS to one thread. */
Status kernels_select(const char *name, const Kernels **out, Error *err);

/* To be called in the process that computes, before it does: takes what the path's library needs. STATUS_IO: the
 * machine does not give it. */
Status kernels_prepare(const Kernels *kernels, Error *err);

/* The paths that this CPU runs, best first, reference last; NULL past the last. */
const Kernels *kernels_at(int index);

/* The path that a training of that precision takes where kernels are chosen: kernels itself for float32. For bf16 the
 * operands of packed_matmul and accumulate_outer are rounded to the nearest bfloat16 (8 bits of mantissa), their
 * products summed in float32 or better, all else as before: avx512bf16 instead of avx512 on a CPU with AVX512_BF16, in
 * all other cases reference-bf16, which is slow. */
const Kernels *kernels_with_precision(const Kernels *kernels, Precision precision);

/* "numerics 2; kernels avx512; OpenBLAS 0.3.21 SkylakeX; libm 2.36": equal text promises equal bits. */
void kernels_fingerprint(const Kernels *kernels, char *text, size_t text_bytes);

#endif
