/* Products of the small matrices of a transformer, compiled once per instruction set with KERNELS_PATH as its name.
 *
 * One tile of the result at a time is summed in registers: TILE_ROWS rows of broadcast numbers times TILE_VECTORS
 * vectors. Weights are packed into panels as wide as a tile, so that the inner loop reads them in order. Each element
 * is one chain of fused multiply-adds over ascending k, whatever the tile: a row's result does not depend on how many
 * rows there are. Where columns fill no vector, a tile works on a padded copy. */
#include "worker/kernels/paths.h"
#include "worker/kernels/vector.h"

/* As many sums as leave registers for a row of the panel and one broadcast. */
#if defined(__AVX512F__)
enum { TILE_ROWS = 8, HALF_TILE_ROWS = 4, TILE_VECTORS = 3 };
#else
enum { TILE_ROWS = 6, HALF_TILE_ROWS = 3, TILE_VECTORS = 2 };
#endif
enum { PANEL = TILE_VECTORS * LANES };

/* Rows ahead that are fetched: the processor foresees neither long strides nor the many streams (5 to 25 %). */
enum { NUMBERS_AHEAD = 24, PANEL_AHEAD = 8 };

/* Of one tile: k products are summed; number k of row r is a[r * a_row + k * a_step]; b has rows of whole vectors. */
typedef struct Operands {
    int k;
    const float *a;
    size_t a_row, a_step;
    const float *b;
    size_t b_row;
} Operands;

/* Where sums go: c = start + sum, then + or times other, if not NULL. other has c's row distance and may be c. */
typedef struct Target {
    const float *start; /* one row */
    const float *other;
    bool times;
    float *c;
    size_t c_row;
} Target;

VECTOR_INLINE void tile(const int rows, const int vectors, Operands in, const Target *to) {
    Vector sums[TILE_ROWS][TILE_VECTORS];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) {
            sums[r][v] = vector_load(to->start + v * LANES);
            __builtin_prefetch(to->c + r * to->c_row + v * LANES, 1);
            if (to->other) __builtin_prefetch(to->other + r * to->c_row + v * LANES);
        }
    }
    for (int k = 0; k < in.k; k++, in.a += in.a_step, in.b += in.b_row) {
        Vector across[TILE_VECTORS];
        __builtin_prefetch(in.a + NUMBERS_AHEAD * in.a_step);
        UNROLL for (int v = 0; v < vectors; v++) {
            __builtin_prefetch(in.b + PANEL_AHEAD * in.b_row + v * LANES);
            across[v] = vector_load(in.b + v * LANES);
        }
        UNROLL for (int r = 0; r < rows; r++) {
            Vector number = vector_all(in.a[r * in.a_row]);
            UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = vector_fma(number, across[v], sums[r][v]);
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

VECTOR_INLINE void tile_by_width(const int rows, int vectors, Operands in, const Target *to) {
    switch (vectors) {
    case 1:
        tile(rows, 1, in, to);
        break;
#if defined(__AVX512F__)
    case 2:
        tile(rows, 2, in, to);
        break;
#endif
    default:
        tile(rows, TILE_VECTORS, in, to);
    }
}

/* Of rows at most left: how many a tile takes. */
static int tile_height(int left) {
    if (left >= TILE_ROWS) return TILE_ROWS;
    return left >= HALF_TILE_ROWS ? HALF_TILE_ROWS : 1;
}

static void any_tile(int rows, int vectors, Operands in, const Target *to) {
    if (rows == TILE_ROWS)
        tile_by_width(TILE_ROWS, vectors, in, to);
    else if (rows == HALF_TILE_ROWS)
        tile_by_width(HALF_TILE_ROWS, vectors, in, to);
    else
        tile_by_width(1, vectors, in, to);
}

/* to (rows, PANEL) = from, as many columns as are there, zeros after them. */
static void copy_padded(int rows, int columns, const float *from, size_t from_row, float *to) {
    memset(to, 0, (size_t)rows * PANEL * sizeof *to);
    for (int r = 0; r < rows; r++)
        memcpy(to + r * PANEL, from + r * from_row, (size_t)columns * sizeof *to);
}

/* A tile whose last vector has columns that c has not. start is padded. */
static void narrow_tile(int rows, int columns, Operands in, const Target *to) {
    float block[TILE_ROWS * PANEL];
    Target padded = *to;
    padded.c = block;
    padded.c_row = PANEL;
    if (to->other) {
        copy_padded(rows, columns, to->other, to->c_row, block);
        padded.other = block;
    }
    any_tile(rows, (columns + LANES - 1) / LANES, in, &padded);
    for (int r = 0; r < rows; r++)
        memcpy(to->c + r * to->c_row, block + r * PANEL, (size_t)columns * sizeof *block);
}

static void tile_of_columns(int rows, int columns, Operands in, const Target *to) {
    if (columns >= PANEL)
        any_tile(rows, TILE_VECTORS, in, to);
    else if (columns % LANES == 0)
        any_tile(rows, columns / LANES, in, to);
    else
        narrow_tile(rows, columns, in, to);
}

/* Panels of PANEL columns, each k rows; the last is as wide as whole vectors need. */
static int panel_width(int columns) {
    return columns >= PANEL ? PANEL : round_up_to(columns, LANES);
}

void PATH_NAME(pack)(bool transpose, int k, int n, const float *w, float *packed) {
    for (int first = 0; first < n; first += PANEL) {
        int width = panel_width(n - first), columns = width < n - first ? width : n - first;
        for (size_t row = 0; row < (size_t)k; row++, packed += width)
            for (int c = 0; c < width; c++) {
                size_t column = (size_t)first + c;
                packed[c] = c >= columns ? 0.0f : transpose ? w[column * k + row] : w[row * n + column];
            }
    }
}

void PATH_NAME(packed_matmul)(int m, int n, int k, const float *a, const float *packed, const Epilogue *epilogue,
                              float *c) {
    Finish finish = epilogue->finish;
    bool biased = finish == FINISH_BIAS || finish == FINISH_RESIDUAL || finish == FINISH_GELU;
    const float *other = finish == FINISH_RESIDUAL || finish == FINISH_TIMES ? epilogue->other : NULL;
    for (int i = 0, rows; i < m; i += rows) {
        rows = tile_height(m - i);
        for (int j = 0; j < n; j += PANEL) {
            float start[PANEL] = {0};
            int columns = n - j;
            if (biased) memcpy(start, epilogue->bias + j, (columns < PANEL ? columns : PANEL) * sizeof *start);
            size_t at = (size_t)i * n + j;
            Operands in = {k, a + (size_t)i * k, k, 1, packed + (size_t)j * k, panel_width(columns)};
            Target to = {start, other ? other + at : NULL, finish == FINISH_TIMES, c + at, n};
            tile_of_columns(rows, columns, in, &to);
        }
        size_t at = (size_t)i * n;
        if (finish == FINISH_GELU)
            PATH_NAME(gelu)((size_t)rows * n, c + at, c + at, epilogue->slope ? epilogue->slope + at : NULL);
    }
}

/* c (m, n) += a^T b for the columns that start at first. */
static void accumulate_panel(int rows, int m, int columns, const float *a, const float *b, size_t b_row, float *c,
                             size_t c_row) {
    static const float zeros[PANEL];
    for (int i = 0, height; i < m; i += height) {
        height = tile_height(m - i);
        Operands in = {rows, a + i, 1, m, b, b_row};
        Target to = {zeros, c + i * c_row, false, c + i * c_row, c_row};
        tile_of_columns(height, columns, in, &to);
    }
}

void PATH_NAME(accumulate_outer)(int rows, int m, int n, const float *a, const float *b, float *c) {
    enum { CHUNK = 32 };
    for (int j = 0; j < n; j += PANEL) {
        int columns = n - j < PANEL ? n - j : PANEL;
        if (columns % LANES == 0) {
            accumulate_panel(rows, m, columns, a, b + j, n, c + j, n);
            continue;
        }
        float padded[CHUNK * PANEL];
        for (int row = 0; row < rows; row += CHUNK) {
            int some = rows - row < CHUNK ? rows - row : CHUNK;
            copy_padded(some, columns, b + (size_t)row * n + j, n, padded);
            accumulate_panel(some, m, columns, a + (size_t)row * m, padded, PANEL, c + j, n);
        }
    }
}
