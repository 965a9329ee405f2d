/* Products of the small matrices of a transformer, compiled once per instruction set with KERNELS_PATH as its name.
 *
 * One tile of the result at a time is summed in registers: TILE_ROWS rows of broadcast numbers times TILE_VECTORS
 * vectors. Weights are packed into panels as wide as a tile, so that the inner loop reads them in order. Each element
 * is one chain of fused multiply-adds over ascending k, whatever the tile: a row's result does not depend on how many
 * rows there are. Where columns fill no vector, a tile works on a padded copy. */
#include "worker/kernels/paths/tile.h"

/* Panels of PANEL columns, each k rows. */
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
            int columns = n - j;
            size_t at = (size_t)i * n + j;
            Operands in = {k, a + (size_t)i * k, k, 1, packed + (size_t)j * k, panel_width(columns), false};
            Target to = {c + at, n, biased ? epilogue->bias + j : NULL, other ? other + at : NULL,
                         finish == FINISH_TIMES};
            PATH_NAME(product_of_columns)(rows, columns, &in, &to);
        }
        size_t at = (size_t)i * n;
        if (finish == FINISH_GELU)
            PATH_NAME(gelu)((size_t)rows * n, c + at, c + at, epilogue->slope ? epilogue->slope + at : NULL);
    }
}

/* c (m, n) += a^T b for the columns that start at first. */
static void accumulate_panel(int rows, int m, int columns, const float *a, const float *b, size_t b_row, float *c,
                             size_t c_row) {
    for (int i = 0, height; i < m; i += height) {
        height = tile_height(m - i);
        Operands in = {rows, a + i, 1, m, b, b_row, true};
        Target to = {c + i * c_row, c_row, NULL, c + i * c_row, false};
        PATH_NAME(product_of_columns)(height, columns, &in, &to);
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
