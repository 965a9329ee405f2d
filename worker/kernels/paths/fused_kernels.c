/* The tuned row-wise kernels, compiled once per instruction set with KERNELS_PATH defined as its name.
 *
 * Each passes over its data once or twice with vectors; sums over many rows are made in double, a column at a time,
 * from sums of few rows in float.
 * What each computes is said in kernels.h; this file must not call a function compiled for another path. */
#include "worker/kernels/matmul.h"
#include "worker/kernels/paths.h"
#include "worker/kernels/paths/vector.h"

#include <math.h>

static void add_bias(int rows, int columns, const float *x, const float *bias, const float *residual, float *out) {
    for (int row = 0; row < rows; row++) {
        size_t start = (size_t)row * columns;
        for (int c = 0; c < columns; c += LANES) {
            int left = columns - c;
            Vector sum = vector_load_first(x + start + c, left) + vector_load_first(bias + c, left);
            if (residual) sum += vector_load_first(residual + start + c, left);
            vector_store_first(out + start + c, left, sum);
        }
    }
}

/* Rows whose sum is made in float before it is added to one in double. */
enum { BLOCK_ROWS = 8 };

static void column_sums(int rows, int columns, const float *x, float *sums) {
    for (int c = 0; c < columns; c += LANES) {
        HalfDoubles total[2] = {{0}};
        int left = columns - c;
        for (int row = 0; row < rows; row += BLOCK_ROWS) {
            Vector even = {0}, odd = {0}; /* two chains of additions run at once */
            int end = row + BLOCK_ROWS < rows ? row + BLOCK_ROWS : rows;
            const float *at = x + (size_t)row * columns + c;
            for (int r = row; r < end; r += 2, at += 2 * (size_t)columns) {
                even += vector_load_first(at, left);
                if (r + 1 < end) odd += vector_load_first(at + columns, left);
            }
            vector_accumulate(total, even + odd);
        }
        vector_add_sums(sums + c, left, total);
    }
}

static void layer_norm_again(int rows, int columns, const float *x, const float *stats, const float *gain,
                             const float *bias, float *y) {
    for (int row = 0; row < rows; row++) {
        size_t start = (size_t)row * columns;
        Vector mean = vector_all(stats[2 * row]), rstd = vector_all(stats[2 * row + 1]);
        for (int c = 0; c < columns; c += LANES) {
            int left = columns - c;
            Vector normed = (vector_load_first(x + start + c, left) - mean) * rstd;
            vector_store_first(
                y + start + c, left,
                vector_fma(normed, vector_load_first(gain + c, left), vector_load_first(bias + c, left)));
        }
    }
}

static void layer_norm_forward(int rows, int columns, const float *x, const float *gain, const float *bias, float *y,
                               float *stats) {
    for (int row = 0; row < rows; row++) {
        const float *in = x + (size_t)row * columns;
        Vector sum = {0}, squares = {0};
        for (int c = 0; c < columns; c += LANES)
            sum += vector_load_first(in + c, columns - c);
        float mean = vector_sum(sum) / (float)columns;
        for (int c = 0; c < columns; c += LANES) {
            Vector centred = vector_keep_first(vector_load_first(in + c, columns - c) - mean, columns - c);
            squares = vector_fma(centred, centred, squares);
        }
        stats[2 * row] = mean;
        stats[2 * row + 1] = 1.0f / sqrtf(vector_sum(squares) / (float)columns + 1e-5f);
    }
    layer_norm_again(rows, columns, x, stats, gain, bias, y);
}

/* The part of layer_norm_backward that sums over rows. */
static void layer_norm_backward_gain(int rows, int columns, const float *dy, const float *x, const float *stats,
                                     float *dgain, float *dbias) {
    for (int c = 0; c < columns; c += LANES) {
        HalfDoubles gains[2] = {{0}}, biases[2] = {{0}};
        int left = columns - c;
        for (int row = 0; row < rows; row += BLOCK_ROWS) {
            Vector gain = {0}, bias = {0};
            int end = row + BLOCK_ROWS < rows ? row + BLOCK_ROWS : rows;
            for (int r = row; r < end; r++) {
                size_t place = (size_t)r * columns + c;
                Vector d = vector_load_first(dy + place, left);
                gain = vector_fma((vector_load_first(x + place, left) - stats[2 * r]) * stats[2 * r + 1], d, gain);
                bias += d;
            }
            vector_accumulate(gains, gain);
            vector_accumulate(biases, bias);
        }
        vector_add_sums(dgain + c, left, gains);
        vector_add_sums(dbias + c, left, biases);
    }
}

static void layer_norm_backward(int rows, int columns, const float *dy, const float *x, const float *stats,
                                const float *gain, float *dx, float *dgain, float *dbias) {
    for (int row = 0; row < rows; row++) {
        size_t start = (size_t)row * columns;
        float mean = stats[2 * row], rstd = stats[2 * row + 1];
        Vector sum = {0}, product = {0};
        for (int c = 0; c < columns; c += LANES) {
            int left = columns - c;
            Vector g = vector_load_first(dy + start + c, left) * vector_load_first(gain + c, left);
            sum += g;
            product = vector_fma(g, (vector_load_first(x + start + c, left) - mean) * rstd, product);
        }
        float g_mean = vector_sum(sum) / (float)columns, g_product = vector_sum(product) / (float)columns;
        for (int c = 0; c < columns; c += LANES) {
            int left = columns - c;
            Vector g = vector_load_first(dy + start + c, left) * vector_load_first(gain + c, left);
            Vector normed = (vector_load_first(x + start + c, left) - mean) * rstd;
            Vector d = vector_fma(normed, vector_all(-g_product), g - g_mean);
            vector_store_first(dx + start + c, left,
                               vector_fma(d, vector_all(rstd), vector_load_first(dx + start + c, left)));
        }
    }
    layer_norm_backward_gain(rows, columns, dy, x, stats, dgain, dbias);
}

static void adam(size_t count, int64_t step, double rate, const float *gradient, float *m, float *v,
                 float *parameters) {
    float rate_now = (float)(rate / (1.0 - pow(0.9, (double)step)));
    float root_correction = (float)(1.0 / sqrt(1.0 - pow(0.999, (double)step)));
    for (size_t i = 0; i < count; i += LANES) {
        int left = count - i < LANES ? (int)(count - i) : LANES;
        Vector g = vector_load_first(gradient + i, left);
        Vector mean = vector_fma(vector_load_first(m + i, left), vector_all(0.9f), g * 0.1f);
        Vector square = vector_fma(vector_load_first(v + i, left), vector_all(0.999f), g * g * 0.001f);
        Vector root = vector_fma(vector_sqrt(square), vector_all(root_correction), vector_all(1e-8f));
        Vector change = mean / root * rate_now;
        vector_store_first(m + i, left, mean);
        vector_store_first(v + i, left, square);
        vector_store_first(parameters + i, left, vector_load_first(parameters + i, left) - change);
    }
}

#define ROW_KERNELS                                                                                                    \
    .matmul = matmul_openblas, .add_bias = add_bias, .column_sums = column_sums,                                       \
    .layer_norm_forward = layer_norm_forward, .layer_norm_again = layer_norm_again,                                    \
    .layer_norm_backward = layer_norm_backward, .attention_forward = PATH_NAME(attention_forward),                     \
    .attention_backward = PATH_NAME(attention_backward), .adam = adam

#if defined(__AVX2__)
const Kernels PATH_NAME(kernels) = {
    ROW_KERNELS,
    .name = PATH_TEXT(KERNELS_PATH),
    .pack = PATH_NAME(pack),
    .packed_matmul = PATH_NAME(packed_matmul),
    .accumulate_outer = PATH_NAME(accumulate_outer),
};
#endif

#if defined(__AVX512F__)
void pack_avx512bf16(bool transpose, int k, int n, const float *w, float *packed);
void packed_matmul_avx512bf16(int m, int n, int k, const float *a, const float *packed, const Epilogue *epilogue,
                              float *c);
void accumulate_outer_avx512bf16(int rows, int m, int n, const float *a, const float *b, float *c);

const Kernels kernels_avx512bf16 = {
    ROW_KERNELS,
    .name = "avx512bf16",
    .pack = pack_avx512bf16,
    .packed_matmul = packed_matmul_avx512bf16,
    .accumulate_outer = accumulate_outer_avx512bf16,
};
#endif

#if !defined(__AVX2__) || defined(__AVX512F__)
#if defined(__AVX512F__)
const Kernels kernels_avx512_openblas = {
    .name = "avx512-openblas",
#else
const Kernels kernels_portable = {
    .name = "portable",
#endif
    ROW_KERNELS,
    .pack = PATH_NAME(openblas_pack),
    .packed_matmul = PATH_NAME(openblas_packed_matmul),
    .accumulate_outer = PATH_NAME(openblas_accumulate_outer),
};
#endif
