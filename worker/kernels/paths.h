/* The tables of functions that kernels.c chooses from, and the pieces that they are put together from. Private to the
 * kernels. */
#ifndef WORKER_KERNELS_PATHS_H
#define WORKER_KERNELS_PATHS_H

#include "worker/kernels/kernels.h"

#include <string.h>

extern const Kernels kernels_reference, kernels_reference_bf16, kernels_portable;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avx512, kernels_avx512_openblas, kernels_avx512bf16;
#endif

/* KERNELS_PATH is the path that a file is compiled for: PATH_NAME(attention_forward) is attention_forward_avx512. */
#define PATH_JOIN(stem, path)   stem##_##path
#define PATH_EXPAND(stem, path) PATH_JOIN(stem, path)
#define PATH_NAME(stem)         PATH_EXPAND(stem, KERNELS_PATH)
#define PATH_TEXT_OF(path)      #path
#define PATH_TEXT(path)         PATH_TEXT_OF(path)

#if defined(KERNELS_PATH)
/* fused_gelu.c: y = gelu_new(x), slope (NULL: not wanted) its derivative at x; y may be x. */
void PATH_NAME(gelu)(size_t count, const float *x, float *y, float *slope);

/* fused_products.c, or bfloat16_products.c for the path of that, as in kernels.h. */
void PATH_NAME(pack)(bool transpose, int k, int n, const float *w, float *packed);
void PATH_NAME(packed_matmul)(int m, int n, int k, const float *a, const float *packed, const Epilogue *epilogue,
                              float *c);
void PATH_NAME(accumulate_outer)(int rows, int m, int n, const float *a, const float *b, float *c);

/* openblas_products.c, the same. */
void PATH_NAME(openblas_pack)(bool transpose, int k, int n, const float *w, float *packed);
void PATH_NAME(openblas_packed_matmul)(int m, int n, int k, const float *a, const float *packed,
                                       const Epilogue *epilogue, float *c);
void PATH_NAME(openblas_accumulate_outer)(int rows, int m, int n, const float *a, const float *b, float *c);

/* fused_attention.c, as in kernels.h. */
void PATH_NAME(attention_forward)(const AttentionShape *shape, const float *qkv, float *out, float *weights,
                                  float *workspace);
void PATH_NAME(attention_backward)(const AttentionShape *shape, const float *qkv, const float *weights,
                                   const float *dout, float *dqkv, float *workspace);
#endif

/* The bits of the bfloat16 nearest to value, ties to even; NaN stays NaN. */
static inline uint32_t bfloat16_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return bits >> 16 | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* Room that attention needs in any path: rows and columns rounded up to the widest vector. */
enum { WIDEST_LANES = 16 };

static inline int round_up_to(int value, int unit) {
    return (value + unit - 1) / unit * unit;
}

static inline int attention_queries(const AttentionShape *shape) {
    return (shape->T + shape->query_stride - 1) / shape->query_stride;
}

#endif
