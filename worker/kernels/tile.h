/* The tile that all products of a path are made of: some rows of broadcast numbers times some vectors, summed in
 * registers. Private to the files that are compiled once per instruction set. */
#ifndef WORKER_KERNELS_TILE_H
#define WORKER_KERNELS_TILE_H

#include "worker/kernels/paths.h"
#include "worker/kernels/vector.h"

/* As many sums as leave registers for a row of vectors and one broadcast. */
#if defined(__AVX512F__)
enum { TILE_ROWS = 8, TILE_VECTORS = 3 };
#else
enum { TILE_ROWS = 6, TILE_VECTORS = 2 };
#endif

/* What is summed over k: number k of row r is a[r * a_row + k * a_step], vector v of k is at b[k * b_row + v * LANES].
 * far: rows of a and b are so far apart that the processor does not foresee them. */
typedef struct Operands {
    int k;
    const float *a;
    size_t a_row, a_step;
    const float *b;
    size_t b_row;
    bool far;
} Operands;

/* Where sums go: c = start + sum, then plus or times other. */
typedef struct Target {
    float *c;
    size_t c_row;
    const float *start; /* one row of vectors, or NULL: 0 */
    const float *other; /* as c, and may be c; or NULL */
    bool times;
} Target;

/* Rows of the next tile when left are left: TILE_ROWS, 4, 2 or 1. */
static inline int tile_height(int left) {
    return left >= TILE_ROWS ? TILE_ROWS : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* rows: a result of tile_height; vectors: 1 .. TILE_VECTORS. Each element is one chain of fused multiply-adds over
 * ascending k, whatever rows and vectors are. */
void PATH_NAME(product_tile)(int rows, int vectors, const Operands *in, const Target *to);

#endif
