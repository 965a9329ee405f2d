/* The contract of the numeric kernels: what each computes, over which layout. One table of functions per path.
 *
 *   reference   plain loops, double accumulators: what the others are tested against
 *   portable, avx2, avx512   one source (fused_kernels.c) compiled once per instruction set
 *
 * All matrices are row-major float32. Matrix products are matmul.h (OpenBLAS) except in the reference path. The path's
 * name is part of the numerics fingerprint: two paths need not agree to the bit, one path always agrees with itself. */
#ifndef WORKER_KERNELS_KERNELS_H
#define WORKER_KERNELS_KERNELS_H

#include "proto/base/status.h"
#include "proto/wire/settings.h"

#include <stddef.h>

/* Attention over n prompts of T tokens, H heads of width D, E = H D. */
typedef struct AttentionShape {
    int n, T, H, D;
    Attention kind;
    bool causal;
} AttentionShape;

typedef struct Kernels {
    const char *name;

    /* c (m, n) = alpha * op(a) op(b) + beta * c; op transposes where asked; leading dimensions are row lengths as stored. */
    void (*matmul)(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                   const float *b, int ldb, float beta, float *c, int ldc);

    /* The remaining operations (row-wise LayerNorm, gelu_new, bias and residual, attention, Adam, ..) are declared here by
     * whoever builds the model room; each says its shapes and its equation. */
} Kernels;

/* The path of that name, or the best that this CPU runs for NULL or "". STATUS_USAGE: unknown, or not on this CPU; the
 * message lists those that are. Also sets OpenBLAS to one thread. */
Status kernels_select(const char *name, const Kernels **out, Error *err);

/* "numerics 1; kernels avx512; OpenBLAS 0.3.21 SkylakeX; libm 2.36": equal text promises equal bits. */
void kernels_fingerprint(const Kernels *kernels, char *text, size_t text_bytes);

#endif
