/* The tuned attention, compiled once per instruction set with KERNELS_PATH defined as its name.
 *
 * One head of one prompt at a time: its queries, keys and values are packed into rows of whole vectors, where they fit
 * the first-level cache, and all six products are made by one tile that multiplies four rows of broadcast numbers with
 * rows of vectors. Four queries at a time compute only the keys that the last of them sees; within that extent, what a
 * query does not see is set to 0, so that later products need no mask. Weights keep that padded layout: (n, H, Q, T), Q
 * and T rounded up. */
#include "worker/kernels/paths.h"
#include "worker/kernels/vector.h"

#include <math.h>

/* Rows of a tile; vectors across it, as many as the registers hold. */
enum { TILE_ROWS = 4, TILE_VECTORS = LANES == 16 ? 4 : 2 };

/* Room for one head; *_row are distances between rows in floats. */
typedef struct Head {
    const AttentionShape *shape;
    int Q;
    size_t width_row, key_row, qkv_row;
    int width_vectors;
    float scale;
    float *queries, *rows, *transposed, *outs, *dqueries, *dkeys, *dvalues, *scores;
} Head;

static Head head_space(const AttentionShape *shape, float *workspace) {
    size_t width_row = (size_t)round_up_to(shape->D, WIDEST_LANES),
           key_row = (size_t)round_up_to(shape->T, WIDEST_LANES);
    size_t piece = key_row * width_row;
    return (Head){.shape = shape,
                  .Q = attention_queries(shape),
                  .width_row = width_row,
                  .key_row = key_row,
                  .qkv_row = 3 * (size_t)shape->H * shape->D,
                  .width_vectors = (shape->D + LANES - 1) / LANES,
                  .scale = 1.0f / sqrtf((float)shape->D),
                  .queries = workspace,
                  .rows = workspace + piece,
                  .transposed = workspace + 2 * piece,
                  .outs = workspace + 3 * piece,
                  .dqueries = workspace + 4 * piece,
                  .dkeys = workspace + 5 * piece,
                  .dvalues = workspace + 6 * piece,
                  .scores = workspace + 7 * piece};
}

static size_t head_weights_floats(const Head *head) {
    return (size_t)round_up_to(head->Q, WIDEST_LANES) * head->key_row;
}

/* Keys that a query sees: tokens 0 .. result - 1. */
static int keys_seen(const Head *head, int query) {
    return head->shape->causal ? query * head->shape->query_stride + 1 : head->shape->T;
}

/* to (rows rounded up to whole tiles, width_row) = scale * from, zeros around it. */
static void pack_rows(const Head *head, int rows, const float *from, size_t from_row, float scale, float *to) {
    for (int row = 0; row < round_up_to(rows, TILE_ROWS); row++) {
        for (int v = 0; v < head->width_vectors; v++) {
            int left = head->shape->D - v * LANES;
            Vector x = {0};
            if (row < rows) x = vector_load_first(from + row * from_row + v * LANES, left) * scale;
            vector_store(to + row * head->width_row + v * LANES, x);
        }
    }
}

static void unpack_rows(const Head *head, int rows, const float *from, float scale, float *to, size_t to_row) {
    for (int row = 0; row < rows; row++)
        for (int v = 0; v < head->width_vectors; v++)
            vector_store_first(to + row * to_row + v * LANES, head->shape->D - v * LANES,
                               vector_load(from + row * head->width_row + v * LANES) * scale);
}

/* to (D, key_row) = from (T, D) transposed, zeros after column T. */
static void pack_transposed(const Head *head, const float *from, float *to) {
    int T = head->shape->T, D = head->shape->D;
    for (int token = 0; token < T; token += LANES)
        for (int d = 0; d < D; d += LANES) {
            Vector square[LANES];
            for (int i = 0; i < LANES; i++)
                square[i] =
                    token + i < T ? vector_load_first(from + (token + i) * head->qkv_row + d, D - d) : (Vector){0};
            vector_transpose(square);
            for (int i = 0; i < LANES && d + i < D; i++)
                vector_store(to + (d + i) * head->key_row + token, square[i]);
        }
}

/* c (TILE_ROWS, vectors) = sum over k in [first, last) of a_k b_k: a's number for row r is at r a_row + k a_step. */
VECTOR_INLINE void tile(int vectors, int first, int last, const float *a, size_t a_row, size_t a_step, const float *b,
                        size_t b_row, float *c, size_t c_row) {
    Vector sums[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    for (int k = first; k < last; k++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            Vector across = vector_load(b + k * b_row + v * LANES);
#pragma GCC unroll 4
            for (int r = 0; r < TILE_ROWS; r++)
                sums[r][v] = vector_fma(vector_all(a[r * a_row + k * a_step]), across, sums[r][v]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < TILE_ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            vector_store(c + r * c_row + v * LANES, sums[r][v]);
}

/* The same over any number of vectors. */
static void product(int vectors, int first, int last, const float *a, size_t a_row, size_t a_step, const float *b,
                    size_t b_row, float *c, size_t c_row) {
    for (int v = 0; v < vectors; v += TILE_VECTORS, b += TILE_VECTORS * LANES, c += TILE_VECTORS * LANES) {
        switch (vectors - v) {
        case 1:
            tile(1, first, last, a, a_row, a_step, b, b_row, c, c_row);
            break;
#if defined(__AVX512F__)
        case 2:
            tile(2, first, last, a, a_row, a_step, b, b_row, c, c_row);
            break;
        case 3:
            tile(3, first, last, a, a_row, a_step, b, b_row, c, c_row);
            break;
#endif
        default:
            tile(TILE_VECTORS, first, last, a, a_row, a_step, b, b_row, c, c_row);
        }
    }
}

static void mask_row(float *row, int seen, int vectors) {
    for (int v = seen / LANES; v < vectors; v++)
        vector_store(row + v * LANES, vector_keep_first(vector_load(row + v * LANES), seen - v * LANES));
}

/* Softmax of the first seen scores; zeros after them. */
static void softmax_row(float *row, int seen, int vectors) {
    Vector largest = vector_all(-INFINITY);
    for (int v = 0; v < vectors; v++)
        largest = vector_max(largest, vector_first_or(vector_load(row + v * LANES), seen - v * LANES, -INFINITY));
    float top = vector_largest(largest);
    Vector sum = {0};
    for (int v = 0; v < vectors; v++) {
        Vector e = vector_keep_first(vector_exp(vector_load(row + v * LANES) - top), seen - v * LANES);
        vector_store(row + v * LANES, e);
        sum += e;
    }
    float inverse = 1.0f / vector_sum(sum);
    for (int v = 0; v < vectors; v++)
        vector_store(row + v * LANES, vector_load(row + v * LANES) * inverse);
}

/* d: derivative with respect to the weights of one query, becomes that with respect to its scores. */
static void softmax_backward_row(const float *weights, float *d, int seen, int vectors) {
    mask_row(d, seen, vectors);
    Vector products = {0};
    for (int v = 0; v < vectors; v++)
        products = vector_fma(vector_load(weights + v * LANES), vector_load(d + v * LANES), products);
    float mean = vector_sum(products);
    for (int v = 0; v < vectors; v++)
        vector_store(d + v * LANES, vector_load(weights + v * LANES) * (vector_load(d + v * LANES) - mean));
}

static void head_forward(const Head *head, const float *qkv, float *out, float *weights) {
    const AttentionShape *shape = head->shape;
    size_t E = (size_t)shape->H * shape->D;
    pack_rows(head, head->Q, qkv, shape->query_stride * head->qkv_row, head->scale, head->queries);
    pack_transposed(head, qkv + E, head->transposed);
    pack_rows(head, shape->T, qkv + 2 * E, head->qkv_row, 1.0f, head->rows);
    for (int query = 0; query < head->Q; query += TILE_ROWS) {
        int end = query + TILE_ROWS < head->Q ? query + TILE_ROWS : head->Q;
        int extent = keys_seen(head, end - 1), vectors = (extent + LANES - 1) / LANES;
        float *row = weights + query * head->key_row;
        product(vectors, 0, shape->D, head->queries + query * head->width_row, head->width_row, 1, head->transposed,
                head->key_row, row, head->key_row);
        for (int q = query; q < end; q++) {
            if (shape->kind == ATTENTION_SOFTMAX)
                softmax_row(weights + q * head->key_row, keys_seen(head, q), vectors);
            else
                mask_row(weights + q * head->key_row, keys_seen(head, q), vectors);
        }
        product(head->width_vectors, 0, extent, row, head->key_row, 1, head->rows, head->width_row,
                head->outs + query * head->width_row, head->width_row);
    }
    unpack_rows(head, head->Q, head->outs, 1.0f, out, E);
}

/* Fills head->scores with the derivative with respect to the scores and head->dqueries with that of the queries. */
static void head_backward_queries(const Head *head, const float *weights) {
    const AttentionShape *shape = head->shape;
    for (int query = 0; query < head->Q; query += TILE_ROWS) {
        int end = query + TILE_ROWS < head->Q ? query + TILE_ROWS : head->Q;
        int extent = keys_seen(head, end - 1), vectors = (extent + LANES - 1) / LANES;
        float *row = head->scores + query * head->key_row;
        product(vectors, 0, shape->D, head->outs + query * head->width_row, head->width_row, 1, head->transposed,
                head->key_row, row, head->key_row);
        for (int q = query; q < end; q++) {
            float *d = head->scores + q * head->key_row;
            if (shape->kind == ATTENTION_SOFTMAX)
                softmax_backward_row(weights + q * head->key_row, d, keys_seen(head, q), vectors);
            else
                mask_row(d, keys_seen(head, q), vectors);
        }
        product(head->width_vectors, 0, extent, row, head->key_row, 1, head->rows, head->width_row,
                head->dqueries + query * head->width_row, head->width_row);
    }
}

static void head_backward(const Head *head, const float *qkv, const float *weights, const float *dout, float *dqkv) {
    const AttentionShape *shape = head->shape;
    size_t E = (size_t)shape->H * shape->D, query_row = shape->query_stride * head->qkv_row;
    pack_rows(head, head->Q, qkv, query_row, head->scale, head->queries);
    pack_rows(head, shape->T, qkv + E, head->qkv_row, 1.0f, head->rows);
    pack_transposed(head, qkv + 2 * E, head->transposed);
    pack_rows(head, head->Q, dout, E, 1.0f, head->outs);
    head_backward_queries(head, weights);
    for (int key = 0; key < shape->T; key += TILE_ROWS) {
        int first = shape->causal ? (key + shape->query_stride - 1) / shape->query_stride : 0;
        product(head->width_vectors, first, head->Q, head->scores + key, 1, head->key_row, head->queries,
                head->width_row, head->dkeys + key * head->width_row, head->width_row);
        product(head->width_vectors, first, head->Q, weights + key, 1, head->key_row, head->outs, head->width_row,
                head->dvalues + key * head->width_row, head->width_row);
    }
    for (int token = 0; token < shape->T && shape->query_stride > 1; token++)
        memset(dqkv + token * head->qkv_row, 0, (size_t)shape->D * sizeof(float));
    unpack_rows(head, head->Q, head->dqueries, head->scale, dqkv, query_row);
    unpack_rows(head, shape->T, head->dkeys, 1.0f, dqkv + E, head->qkv_row);
    unpack_rows(head, shape->T, head->dvalues, 1.0f, dqkv + 2 * E, head->qkv_row);
}

void PATH_NAME(attention_forward)(const AttentionShape *shape, const float *qkv, float *out, float *weights,
                                  float *workspace) {
    Head head = head_space(shape, workspace);
    size_t E = (size_t)shape->H * shape->D;
    for (int prompt = 0; prompt < shape->n; prompt++)
        for (int h = 0; h < shape->H; h++)
            head_forward(&head, qkv + prompt * shape->T * head.qkv_row + h * shape->D,
                         out + prompt * head.Q * E + h * shape->D,
                         weights + (prompt * shape->H + h) * head_weights_floats(&head));
}

void PATH_NAME(attention_backward)(const AttentionShape *shape, const float *qkv, const float *weights,
                                   const float *dout, float *dqkv, float *workspace) {
    Head head = head_space(shape, workspace);
    size_t E = (size_t)shape->H * shape->D;
    for (int prompt = 0; prompt < shape->n; prompt++)
        for (int h = 0; h < shape->H; h++) {
            size_t rows = prompt * shape->T * head.qkv_row + h * shape->D;
            head_backward(&head, qkv + rows, weights + (prompt * shape->H + h) * head_weights_floats(&head),
                          dout + prompt * head.Q * E + h * shape->D, dqkv + rows);
        }
}
