/* The tile that all products of a path are made of: some rows of broadcast numbers times some vectors, summed in
 * registers. Private to the files that are compiled once per instruction set. */
#ifndef WORKER_KERNELS_PATHS_TILE_H
#define WORKER_KERNELS_PATHS_TILE_H

#include "worker/kernels/paths.h"
#include "worker/kernels/paths/vector.h"

/* As many sums as leave registers for a row of vectors and one broadcast. */
#if defined(__AVX512F__)
enum { TILE_ROWS = 8, TILE_VECTORS = 3 };
#else
enum { TILE_ROWS = 6, TILE_VECTORS = 2 };
#endif
enum { PANEL = TILE_VECTORS * LANES };

/* What is summed over k: number k of row r is a[r * a_row + k * a_step], vector v of k is at b[k * b_row + v * LANES].
 * On a path of bfloat16, a word is no float but a pair of them, of two successive k. far: rows of a and b are so far
 * apart that the processor does not foresee them. */
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

/* Columns of the next panel of packed weights when columns are left: the last is as wide as whole vectors need. */
static inline int panel_width(int columns) {
    return columns >= PANEL ? PANEL : round_up_to(columns, LANES);
}

/* to (rows, PANEL) = from, as many columns as are there, zeros after them. */
static inline void copy_padded(int rows, int columns, const float *from, size_t from_row, float *to) {
    memset(to, 0, (size_t)rows * PANEL * sizeof *to);
    for (int r = 0; r < rows; r++)
        memcpy(to + r * PANEL, from + r * from_row, (size_t)columns * sizeof *to);
}

/* rows: a result of tile_height; vectors: 1 .. TILE_VECTORS. Each element is one chain of fused multiply-adds over
 * ascending k, whatever rows and vectors are. */
void PATH_NAME(product_tile)(int rows, int vectors, const Operands *in, const Target *to);

/* The same for the first of columns, PANEL of them at most; b has whole vectors in any case. */
void PATH_NAME(product_of_columns)(int rows, int columns, const Operands *in, const Target *to);

#endif
