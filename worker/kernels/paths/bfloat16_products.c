/* The products of fused_products.c with operands in bfloat16, for CPUs with AVX512_BF16 (vdpbf16ps: each lane of
 * float32 sums gets the products of two pairs of bfloat16, twice the multiplications of an fma).
 *
 * A word, wherever a float is meant to stand, is such a pair of two successive k, the lower one in the lower half; an
 * odd last k is paired with 0. Operands are rounded to the nearest bfloat16, ties to even, subnormal numbers to 0. */
#include "worker/kernels/paths/tile.h"

static inline int words_of(int count) {
    return (count + 1) / 2;
}

/* Panels of PANEL columns as in fused_products.c, each of words_of(k) rows of words. */
void PATH_NAME(pack)(bool transpose, int k, int n, const float *w, float *packed) {
    const size_t row_step = transpose ? 1 : n, column_step = transpose ? k : 1;
    for (int first = 0; first < n; first += PANEL) {
        int width = panel_width(n - first), columns = width < n - first ? width : n - first;
        for (int row = 0; row < k; row += 2, packed += width) {
            const float *from = w + row * row_step + first * column_step;
            memset(packed, 0, (size_t)width * sizeof *packed);
            for (int c = 0; c < columns; c++, from += column_step) {
                uint32_t word = bfloat16_bits(*from);
                if (row + 1 < k) word |= bfloat16_bits(from[row_step]) << 16;
                memcpy(packed + c, &word, sizeof word);
            }
        }
    }
}

/* words = the pairs of one row; as many whole vectors as count takes. */
static void pair_along(int count, const float *row, float *words) {
    for (int i = 0; i < count; i += 2 * LANES, words += LANES) {
        int left = count - i;
        Vector low = vector_load_first(row + i, left);
        Vector high = left > LANES ? vector_load_first(row + i + LANES, left - LANES) : (Vector){0};
        vector_store(words, (Vector)_mm512_cvtne2ps_pbh(high, low));
    }
}

void PATH_NAME(packed_matmul)(int m, int n, int k, const float *a, const float *packed, const Epilogue *epilogue,
                              float *c) {
    Finish finish = epilogue->finish;
    bool biased = finish == FINISH_BIAS || finish == FINISH_RESIDUAL || finish == FINISH_GELU;
    const float *other = finish == FINISH_RESIDUAL || finish == FINISH_TIMES ? epilogue->other : NULL;
    const int row_words = round_up_to(words_of(k), LANES);
    float words[TILE_ROWS * row_words]; /* a few kB; 256 kB for the widest model that settings allow */
    for (int i = 0, rows; i < m; i += rows) {
        rows = tile_height(m - i);
        for (int row = 0; row < rows; row++)
            pair_along(k, a + (size_t)(i + row) * k, words + row * row_words);
        for (int j = 0; j < n; j += PANEL) {
            int columns = n - j;
            size_t at = (size_t)i * n + j;
            Operands in = {words_of(k),          words, row_words, 1, packed + (size_t)j * words_of(k),
                           panel_width(columns), false};
            Target to = {c + at, n, biased ? epilogue->bias + j : NULL, other ? other + at : NULL,
                         finish == FINISH_TIMES};
            PATH_NAME(product_of_columns)(rows, columns, &in, &to);
        }
        size_t at = (size_t)i * n;
        if (finish == FINISH_GELU)
            PATH_NAME(gelu)((size_t)rows * n, c + at, c + at, epilogue->slope ? epilogue->slope + at : NULL);
    }
}

/* words (words_of(rows), to_row) = the pairs of every two rows, in as many whole vectors as columns take. */
static void pair_across(int rows, int columns, const float *from, size_t from_row, float *words, size_t to_row) {
    const Bits half_word = (Bits)vector_lane_numbers();
    const __m512i in_turn = (__m512i)(half_word | (half_word + LANES) << 16); /* 0, 16, 1, 17, .. */
    for (int r = 0; r < rows; r += 2, from += 2 * from_row, words += to_row)
        for (int c = 0; c < columns; c += LANES) {
            Vector low = vector_load_first(from + c, columns - c), high = {0};
            if (r + 1 < rows) high = vector_load_first(from + from_row + c, columns - c);
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
            vector_store(words + c, (Vector)_mm512_permutexvar_epi16(in_turn, both));
        }
}

/* Rows are taken in chunks whose words stay in the cache: a's in strips of one vector, b's one panel at a time. */
enum { CHUNK = 128, STRIPS = 12, STRIP_WORDS = CHUNK / 2 * LANES };

/* c += a^T b for rows of one chunk, columns of a that strips hold, and columns of b of one panel. */
static void accumulate_panel(int pairs, int m, int columns, const float *strips, const float *panel, float *c,
                             size_t c_row) {
    for (int i = 0, height; i < m; i += height) {
        height = tile_height(m - i);
        const float *a = strips + i / LANES * STRIP_WORDS + i % LANES;
        Operands in = {pairs, a, 1, LANES, panel, PANEL, false};
        Target to = {c + i * c_row, c_row, NULL, c + i * c_row, false};
        PATH_NAME(product_of_columns)(height, columns, &in, &to);
    }
}

void PATH_NAME(accumulate_outer)(int rows, int m, int n, const float *a, const float *b, float *c) {
    float strips[STRIPS * STRIP_WORDS], panel[CHUNK / 2 * PANEL];
    for (int row = 0; row < rows; row += CHUNK) {
        int some = rows - row < CHUNK ? rows - row : CHUNK;
        for (int i = 0; i < m; i += STRIPS * LANES) {
            int high = m - i < STRIPS * LANES ? m - i : STRIPS * LANES;
            for (int strip = 0; strip * LANES < high; strip++) {
                int width = high - strip * LANES < LANES ? high - strip * LANES : LANES;
                pair_across(some, width, a + (size_t)row * m + i + strip * LANES, m, strips + strip * STRIP_WORDS,
                            LANES);
            }
            for (int j = 0; j < n; j += PANEL) {
                int columns = n - j < PANEL ? n - j : PANEL;
                pair_across(some, columns, b + (size_t)row * n + j, n, panel, PANEL);
                accumulate_panel(words_of(some), high, columns, strips, panel, c + (size_t)i * n + j, n);
            }
        }
    }
}
