/* The products of a transformer by OpenBLAS, and their epilogues in a second pass; compiled once per instruction set
 * with KERNELS_PATH defined as its name. Packed weights are the plain row-major matrix. */
#include "worker/kernels/matmul.h"
#include "worker/kernels/paths.h"
#include "worker/kernels/paths/vector.h"

#include <assert.h>

void PATH_NAME(openblas_pack)(bool transpose, int k, int n, const float *w, float *packed) {
    for (size_t i = 0; i < (size_t)k; i++)
        for (size_t j = 0; j < (size_t)n; j++)
            packed[i * n + j] = transpose ? w[j * k + i] : w[i * n + j];
}

void PATH_NAME(openblas_packed_matmul)(int m, int n, int k, const float *a, const float *packed,
                                       const Epilogue *epilogue, float *c) {
    bool adds = epilogue->finish == FINISH_RESIDUAL, in_place = epilogue->other == c && adds;
    bool times = epilogue->finish == FINISH_TIMES, biased = epilogue->finish >= FINISH_BIAS && !times;
    assert(!(times && epilogue->other == c));
    matmul_openblas(false, false, m, n, k, 1.0f, a, k, packed, n, in_place ? 1.0f : 0.0f, c, n);
    for (size_t row = 0; row < (size_t)m && epilogue->finish != FINISH_NONE; row++)
        for (int column = 0; column < n; column += LANES) {
            size_t at = row * n + column;
            int left = n - column;
            Vector sum = vector_load_first(c + at, left);
            if (biased) sum += vector_load_first(epilogue->bias + column, left);
            if (adds && !in_place) sum += vector_load_first(epilogue->other + at, left);
            if (times) sum *= vector_load_first(epilogue->other + at, left);
            vector_store_first(c + at, left, sum);
        }
    if (epilogue->finish == FINISH_GELU) PATH_NAME(gelu)((size_t)m * n, c, c, epilogue->slope);
}

void PATH_NAME(openblas_accumulate_outer)(int rows, int m, int n, const float *a, const float *b, float *c) {
    matmul_openblas(true, false, m, n, rows, 1.0f, a, m, b, n, 1.0f, c, n);
}
