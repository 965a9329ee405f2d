/* The tile of products, compiled once per instruction set with KERNELS_PATH defined as its name, and once more for
 * pairs of bfloat16 (BFLOAT16_PAIRS). Where columns fill no vector, a tile works on a padded copy. */
#include "worker/kernels/paths/tile.h"

/* Steps of k that are fetched ahead where operands are far apart (5 to 25 % of the gradients of weights). */
enum { NUMBERS_AHEAD = 24, VECTORS_AHEAD = 8 };

#if defined(BFLOAT16_PAIRS)
VECTOR_INLINE Vector word_in_all(const float *word) {
    int32_t pair;
    memcpy(&pair, word, sizeof pair);
    return (Vector)_mm512_set1_epi32(pair);
}

VECTOR_INLINE Vector multiply_add(Vector a, Vector b, Vector sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
#else
VECTOR_INLINE Vector word_in_all(const float *word) {
    return vector_all(*word);
}

VECTOR_INLINE Vector multiply_add(Vector a, Vector b, Vector sum) {
    return vector_fma(a, b, sum);
}
#endif

VECTOR_INLINE void tile(const int rows, const int vectors, Operands in, const Target *to) {
    Vector sums[TILE_ROWS][TILE_VECTORS];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) {
            sums[r][v] = to->start ? vector_load(to->start + v * LANES) : (Vector){0};
            __builtin_prefetch(to->c + r * to->c_row + v * LANES, 1);
            if (to->other) __builtin_prefetch(to->other + r * to->c_row + v * LANES);
        }
    }
    for (int k = 0; k < in.k; k++, in.a += in.a_step, in.b += in.b_row) {
        Vector across[TILE_VECTORS];
        if (in.far) {
            __builtin_prefetch(in.a + NUMBERS_AHEAD * in.a_step);
            UNROLL for (int v = 0; v < vectors; v++) __builtin_prefetch(in.b + VECTORS_AHEAD * in.b_row + v * LANES);
        }
        UNROLL for (int v = 0; v < vectors; v++) across[v] = vector_load(in.b + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            Vector number = word_in_all(in.a + r * in.a_row);
            UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = multiply_add(number, across[v], sums[r][v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) {
            size_t at = r * to->c_row + v * LANES;
            Vector sum = sums[r][v];
            if (to->other && to->times) sum *= vector_load(to->other + at);
            if (to->other && !to->times) sum += vector_load(to->other + at);
            vector_store(to->c + at, sum);
        }
    }
}

VECTOR_INLINE void tile_by_width(const int rows, int vectors, const Operands *in, const Target *to) {
    switch (vectors) {
    case 1:
        tile(rows, 1, *in, to);
        break;
#if defined(__AVX512F__)
    case 2:
        tile(rows, 2, *in, to);
        break;
#endif
    default:
        tile(rows, TILE_VECTORS, *in, to);
    }
}

void PATH_NAME(product_tile)(int rows, int vectors, const Operands *in, const Target *to) {
    switch (rows) {
    case TILE_ROWS:
        tile_by_width(TILE_ROWS, vectors, in, to);
        break;
    case 4:
        tile_by_width(4, vectors, in, to);
        break;
    case 2:
        tile_by_width(2, vectors, in, to);
        break;
    default:
        tile_by_width(1, vectors, in, to);
    }
}

/* A tile whose last vector has columns that c has not. */
static void narrow_tile(int rows, int columns, const Operands *in, const Target *to) {
    float block[TILE_ROWS * PANEL], start[PANEL];
    Target padded = *to;
    padded.c = block;
    padded.c_row = PANEL;
    if (to->start) {
        copy_padded(1, columns, to->start, 0, start);
        padded.start = start;
    }
    if (to->other) {
        copy_padded(rows, columns, to->other, to->c_row, block);
        padded.other = block;
    }
    PATH_NAME(product_tile)(rows, (columns + LANES - 1) / LANES, in, &padded);
    for (int r = 0; r < rows; r++)
        memcpy(to->c + r * to->c_row, block + r * PANEL, (size_t)columns * sizeof *block);
}

void PATH_NAME(product_of_columns)(int rows, int columns, const Operands *in, const Target *to) {
    if (columns >= PANEL)
        PATH_NAME(product_tile)(rows, TILE_VECTORS, in, to);
    else if (columns % LANES == 0)
        PATH_NAME(product_tile)(rows, columns / LANES, in, to);
    else
        narrow_tile(rows, columns, in, to);
}
