/* The reference path: every operation as its equation says, plain loops, sums in double. Slow; the tuned paths are
 * tested against it. */
#include "worker/kernels/paths.h"

#include <math.h>
#include <string.h>

static void matmul(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                   const float *b, int ldb, float beta, float *c, int ldc) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0.0;
            for (int l = 0; l < k; l++)
                sum += (double)(transpose_a ? a[(size_t)l * lda + i] : a[(size_t)i * lda + l]) *
                       (transpose_b ? b[(size_t)j * ldb + l] : b[(size_t)l * ldb + j]);
            float *to = &c[(size_t)i * ldc + j];
            *to = (float)(alpha * sum + (beta == 0.0f ? 0.0 : (double)beta * *to));
        }
}

static void pack(bool transpose, int k, int n, const float *w, float *packed) {
    for (int i = 0; i < k; i++)
        for (int j = 0; j < n; j++)
            packed[(size_t)i * n + j] = transpose ? w[(size_t)j * k + i] : w[(size_t)i * n + j];
}

static void add_bias(int rows, int columns, const float *x, const float *bias, const float *residual, float *out) {
    for (int row = 0; row < rows; row++)
        for (int c = 0; c < columns; c++) {
            size_t i = (size_t)row * columns + c;
            out[i] = (float)((double)x[i] + bias[c] + (residual ? residual[i] : 0.0f));
        }
}

static void column_sums(int rows, int columns, const float *x, float *sums) {
    for (int c = 0; c < columns; c++) {
        double sum = 0.0;
        for (int row = 0; row < rows; row++)
            sum += x[(size_t)row * columns + c];
        sums[c] = (float)(sums[c] + sum);
    }
}

static void layer_norm_again(int rows, int columns, const float *x, const float *stats, const float *gain,
                             const float *bias, float *y) {
    for (int row = 0; row < rows; row++)
        for (int c = 0; c < columns; c++) {
            size_t i = (size_t)row * columns + c;
            y[i] = (float)(((double)x[i] - stats[2 * row]) * stats[2 * row + 1] * gain[c] + bias[c]);
        }
}

static void layer_norm_forward(int rows, int columns, const float *x, const float *gain, const float *bias, float *y,
                               float *stats) {
    for (int row = 0; row < rows; row++) {
        const float *in = x + (size_t)row * columns;
        double sum = 0.0, squares = 0.0;
        for (int c = 0; c < columns; c++)
            sum += in[c];
        double mean = sum / columns;
        for (int c = 0; c < columns; c++)
            squares += (in[c] - mean) * (in[c] - mean);
        stats[2 * row] = (float)mean;
        stats[2 * row + 1] = (float)(1.0 / sqrt(squares / columns + 1e-5));
    }
    layer_norm_again(rows, columns, x, stats, gain, bias, y);
}

static void layer_norm_backward(int rows, int columns, const float *dy, const float *x, const float *stats,
                                const float *gain, float *dx, float *dgain, float *dbias) {
    for (int row = 0; row < rows; row++) {
        size_t start = (size_t)row * columns;
        double mean = stats[2 * row], rstd = stats[2 * row + 1], sum = 0.0, product = 0.0;
        for (int c = 0; c < columns; c++) {
            double g = (double)dy[start + c] * gain[c];
            sum += g;
            product += g * (x[start + c] - mean) * rstd;
        }
        for (int c = 0; c < columns; c++) {
            double g = (double)dy[start + c] * gain[c], normed = (x[start + c] - mean) * rstd;
            dx[start + c] = (float)(dx[start + c] + rstd * (g - sum / columns - normed * product / columns));
        }
    }
    for (int c = 0; c < columns; c++) {
        double sum = 0.0;
        for (int row = 0; row < rows; row++) {
            size_t i = (size_t)row * columns + c;
            sum += dy[i] * ((double)x[i] - stats[2 * row]) * stats[2 * row + 1];
        }
        dgain[c] = (float)(dgain[c] + sum);
    }
    column_sums(rows, columns, dy, dbias);
}

/* sqrt(2 / pi) */
static const double gelu_factor = 0.79788456080286535588;

static double gelu_new(double x) {
    return 0.5 * x * (1.0 + tanh(gelu_factor * (x + 0.044715 * x * x * x)));
}

static double gelu_new_derivative(double x) {
    double t = tanh(gelu_factor * (x + 0.044715 * x * x * x));
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * gelu_factor * (1.0 + 3.0 * 0.044715 * x * x);
}

/* value as an operand of a product. */
static inline float operand(bool bfloat16, float value) {
    if (!bfloat16) return value;
    uint32_t bits = bfloat16_bits(value) << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void product(bool bfloat16, int m, int n, int k, const float *a, const float *packed,
                           const Epilogue *epilogue, float *c) {
    Finish finish = epilogue->finish;
    bool biased = finish == FINISH_BIAS || finish == FINISH_RESIDUAL || finish == FINISH_GELU;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            size_t at = (size_t)i * n + j;
            double sum = biased ? epilogue->bias[j] : 0.0;
            for (int l = 0; l < k; l++)
                sum += (double)operand(bfloat16, a[(size_t)i * k + l]) * operand(bfloat16, packed[(size_t)l * n + j]);
            if (finish == FINISH_RESIDUAL) sum += epilogue->other[at];
            if (finish == FINISH_TIMES) sum *= epilogue->other[at];
            c[at] = (float)(finish == FINISH_GELU ? gelu_new(sum) : sum);
            if (finish == FINISH_GELU && epilogue->slope) epilogue->slope[at] = (float)gelu_new_derivative(sum);
        }
}

static void packed_matmul(int m, int n, int k, const float *a, const float *packed, const Epilogue *epilogue,
                          float *c) {
    product(false, m, n, k, a, packed, epilogue, c);
}

static void packed_matmul_bf16(int m, int n, int k, const float *a, const float *packed, const Epilogue *epilogue,
                               float *c) {
    product(true, m, n, k, a, packed, epilogue, c);
}

static void accumulate_outer_bf16(int rows, int m, int n, const float *a, const float *b, float *c) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0.0;
            for (size_t row = 0; row < (size_t)rows; row++)
                sum += (double)operand(true, a[row * m + i]) * operand(true, b[row * n + j]);
            c[(size_t)i * n + j] = (float)(c[(size_t)i * n + j] + sum);
        }
}

static void accumulate_outer(int rows, int m, int n, const float *a, const float *b, float *c) {
    matmul(true, false, m, n, rows, 1.0f, a, m, b, n, 1.0f, c, n);
}

static double dot(int count, const float *a, const float *b) {
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static int keys_seen(const AttentionShape *shape, int query) {
    return shape->causal ? query * shape->query_stride + 1 : shape->T;
}

/* weights (n, H, Q, T): 0 for keys that a query does not see. */
static void attention_forward(const AttentionShape *shape, const float *qkv, float *out, float *weights,
                              float *workspace) {
    int Q = attention_queries(shape), T = shape->T, D = shape->D, E = shape->H * D;
    for (int row = 0; row < shape->n * shape->H * Q; row++) {
        int query = row % Q, h = row / Q % shape->H, prompt = row / Q / shape->H, seen = keys_seen(shape, query);
        const float *tokens = qkv + (size_t)prompt * T * 3 * E + h * D;
        const float *q = tokens + (size_t)query * shape->query_stride * 3 * E;
        float *w = weights + (size_t)row * T;
        double largest = -INFINITY, sum = 0.0;
        for (int u = 0; u < T; u++) {
            w[u] = u < seen ? (float)(dot(D, q, tokens + E + (size_t)u * 3 * E) / sqrt(D)) : 0.0f;
            if (u < seen && w[u] > largest) largest = w[u];
        }
        if (shape->kind == ATTENTION_SOFTMAX) {
            for (int u = 0; u < seen; u++)
                sum += exp(w[u] - largest);
            for (int u = 0; u < seen; u++)
                w[u] = (float)(exp(w[u] - largest) / sum);
        }
        for (int d = 0; d < D; d++) {
            double value = 0.0;
            for (int u = 0; u < seen; u++)
                value += (double)w[u] * tokens[2 * E + (size_t)u * 3 * E + d];
            out[((size_t)prompt * Q + query) * E + h * D + d] = (float)value;
        }
    }
}

/* Derivatives with respect to the scores of one head of one prompt, (Q, T): ds. */
static void attention_backward_scores(const AttentionShape *shape, const float *tokens, const float *weights,
                                      const float *dout, float *ds) {
    int Q = attention_queries(shape), T = shape->T, E = shape->H * shape->D;
    for (int query = 0; query < Q; query++) {
        const float *w = weights + (size_t)query * T;
        float *d = ds + (size_t)query * T;
        int seen = keys_seen(shape, query);
        for (int u = 0; u < T; u++)
            d[u] = u < seen ? (float)dot(shape->D, dout + (size_t)query * E, tokens + 2 * E + (size_t)u * 3 * E) : 0.0f;
        double mean = dot(T, w, d);
        for (int u = 0; u < seen && shape->kind == ATTENTION_SOFTMAX; u++)
            d[u] = (float)(w[u] * (d[u] - mean));
    }
}

static void attention_backward(const AttentionShape *shape, const float *qkv, const float *weights, const float *dout,
                               float *dqkv, float *workspace) {
    int Q = attention_queries(shape), T = shape->T, D = shape->D, E = shape->H * D, S = shape->query_stride;
    memset(dqkv, 0, (size_t)shape->n * T * 3 * E * sizeof(float));
    for (int head = 0; head < shape->n * shape->H; head++) {
        size_t start = (size_t)(head / shape->H) * T * 3 * E + head % shape->H * D;
        const float *tokens = qkv + start, *w = weights + (size_t)head * Q * T;
        const float *d = dout + (size_t)(head / shape->H) * Q * E + head % shape->H * D;
        float *dtokens = dqkv + start, *ds = workspace;
        attention_backward_scores(shape, tokens, w, d, ds);
        for (int u = 0; u < T; u++)
            for (int c = 0; c < D; c++) {
                double dk = 0.0, dv = 0.0, dq = 0.0;
                for (int query = 0; query < Q; query++) {
                    dk += (double)ds[query * T + u] * tokens[(size_t)query * S * 3 * E + c];
                    dv += (double)w[query * T + u] * d[(size_t)query * E + c];
                }
                for (int key = 0; key < T && u % S == 0; key++)
                    dq += (double)ds[u / S * T + key] * tokens[E + (size_t)key * 3 * E + c];
                dtokens[(size_t)u * 3 * E + c] = (float)(dq / sqrt(D));
                dtokens[(size_t)u * 3 * E + E + c] = (float)(dk / sqrt(D));
                dtokens[(size_t)u * 3 * E + 2 * E + c] = (float)dv;
            }
    }
}

static void adam(size_t count, int64_t step, double rate, const float *gradient, float *m, float *v,
                 float *parameters) {
    double m_correction = 1.0 - pow(0.9, (double)step), v_correction = 1.0 - pow(0.999, (double)step);
    for (size_t i = 0; i < count; i++) {
        double g = gradient[i];
        m[i] = (float)(0.9 * m[i] + 0.1 * g);
        v[i] = (float)(0.999 * v[i] + 0.001 * g * g);
        parameters[i] = (float)(parameters[i] - rate / m_correction * m[i] / (sqrt(v[i] / v_correction) + 1e-8));
    }
}

#define ALL_BUT_THE_MODELS_PRODUCTS                                                                                    \
    .matmul = matmul, .pack = pack, .add_bias = add_bias, .column_sums = column_sums,                                  \
    .layer_norm_forward = layer_norm_forward, .layer_norm_again = layer_norm_again,                                    \
    .layer_norm_backward = layer_norm_backward, .attention_forward = attention_forward,                                \
    .attention_backward = attention_backward, .adam = adam

const Kernels kernels_reference = {
    ALL_BUT_THE_MODELS_PRODUCTS,
    .name = "reference",
    .packed_matmul = packed_matmul,
    .accumulate_outer = accumulate_outer,
};

const Kernels kernels_reference_bf16 = {
    ALL_BUT_THE_MODELS_PRODUCTS,
    .name = "reference-bf16",
    .packed_matmul = packed_matmul_bf16,
    .accumulate_outer = accumulate_outer_bf16,
};
