/* The tuned attention, compiled once per instruction set with KERNELS_PATH defined as its name.
 *
 * One head of one prompt at a time, all of it in the first- and second-level cache. Scores, weights and their
 * derivatives are kept with keys as rows and queries across the vectors: what a softmax sums over then lies in
 * different vectors, and nothing is ever summed across one. A block of LANES queries computes only the keys that the
 * last of them sees; what a query does not see is set to 0 as far as a tile reads, so that later products need no mask.
 * Weights keep that padded layout: (n, H, T, Q), T and Q rounded up. */
#include "worker/kernels/paths/tile.h"

#include <math.h>

/* Room for one head; *_row are distances between rows in floats. */
typedef struct Head {
    const AttentionShape *shape;
    int Q;
    size_t width_row, query_row, qkv_row;
    int width_vectors, query_vectors;
    float scale;
    float *pieces[6];   /* (T, width_row) each: copies where rows are no whole vectors */
    float *transposed;  /* (D, query_row) */
    float *derivatives; /* (T, query_row) with respect to weights, then scores */
} Head;

/* Rows of D numbers, whole vectors. */
typedef struct Rows {
    float *at;
    size_t row;
} Rows;

static Head head_space(const AttentionShape *shape, float *workspace) {
    size_t width_row = (size_t)round_up_to(shape->D, WIDEST_LANES), piece = (size_t)shape->T * width_row;
    int Q = attention_queries(shape);
    size_t query_row = (size_t)round_up_to(Q, WIDEST_LANES);
    Head head = {.shape = shape,
                 .Q = Q,
                 .width_row = width_row,
                 .query_row = query_row,
                 .qkv_row = 3 * (size_t)shape->H * shape->D,
                 .width_vectors = (shape->D + LANES - 1) / LANES,
                 .query_vectors = (Q + LANES - 1) / LANES,
                 .scale = 1.0f / sqrtf((float)shape->D),
                 .transposed = workspace + 6 * piece,
                 .derivatives = workspace + 6 * piece + width_row * query_row};
    for (int i = 0; i < 6; i++)
        head.pieces[i] = workspace + i * piece;
    return head;
}

/* The first query that sees a key. */
static int first_query(const Head *head, int key) {
    int stride = head->shape->query_stride;
    return head->shape->causal ? (key + stride - 1) / stride : 0;
}

/* Keys that at least one of the queries before end sees: tokens 0 .. result - 1. */
static int keys_seen(const Head *head, int end) {
    int last = (end < head->Q ? end : head->Q) - 1;
    return head->shape->causal ? last * head->shape->query_stride + 1 : head->shape->T;
}

/* The rows themselves where D is whole vectors, else a copy in piece with zeros after column D. */
static Rows rows_of(const Head *head, int piece, int rows, const float *from, size_t from_row) {
    if (head->shape->D % LANES == 0) return (Rows){(float *)from, from_row};
    Rows copy = {head->pieces[piece], head->width_row};
    for (int row = 0; row < rows; row++)
        for (int v = 0; v < head->width_vectors; v++)
            vector_store(copy.at + row * copy.row + v * LANES,
                         vector_load_first(from + row * from_row + v * LANES, head->shape->D - v * LANES));
    return copy;
}

/* Where rows are to be written that write_back brings to their place. */
static Rows rows_to(const Head *head, int piece, float *to, size_t to_row) {
    if (head->shape->D % LANES == 0) return (Rows){to, to_row};
    return (Rows){head->pieces[piece], head->width_row};
}

static void write_back(const Head *head, int rows, Rows from, float *to, size_t to_row) {
    for (int row = 0; row < rows && from.at != to; row++)
        memcpy(to + row * to_row, from.at + row * from.row, (size_t)head->shape->D * sizeof(float));
}

/* head->transposed (D, query_row) = scale * from (Q, D) transposed, zeros after column Q. */
static void transpose_queries(const Head *head, const float *from, size_t from_row, float scale) {
    int D = head->shape->D;
    for (int query = 0; query < head->Q; query += LANES)
        for (int d = 0; d < D; d += LANES) {
            Vector square[LANES];
            for (int i = 0; i < LANES; i++)
                square[i] =
                    query + i < head->Q ? vector_load_first(from + (query + i) * from_row + d, D - d) : (Vector){0};
            vector_transpose(square);
            for (int i = 0; i < LANES && d + i < D; i++)
                vector_store(head->transposed + (d + i) * head->query_row + query, square[i] * scale);
        }
}

/* c (rows, vectors) = sum over k of a_k b_k for any number of vectors. */
static void product(int rows, int vectors, Operands in, Target to) {
    for (int some; vectors > 0; vectors -= some, in.b += some * LANES, to.c += some * LANES) {
        some = vectors <= TILE_VECTORS ? vectors : vectors == TILE_VECTORS + 1 ? 2 : TILE_VECTORS;
        PATH_NAME(product_tile)(rows, some, &in, &to);
    }
}

/* to (T, query_row) = keys (T, D) times head->transposed, for the queries that see a key, in whole vectors. */
static void score_keys(const Head *head, Rows keys, float *to) {
    for (int key = 0, rows; key < head->shape->T; key += rows) {
        rows = tile_height(head->shape->T - key);
        int skipped = first_query(head, key) / LANES;
        Operands in = {.k = head->shape->D,
                       .a = keys.at + key * keys.row,
                       .a_row = keys.row,
                       .a_step = 1,
                       .b = head->transposed + skipped * LANES,
                       .b_row = head->query_row};
        product(rows, head->query_vectors - skipped, in,
                (Target){.c = to + key * head->query_row + skipped * LANES, .c_row = head->query_row});
    }
}

/* to (Q, D) = sum over the keys that a query sees of weights (T, query_row) times rows (T, D). */
static void mix_keys(const Head *head, const float *weights, Rows keys, Rows to) {
    for (int query = 0, rows; query < head->Q; query += rows) {
        rows = tile_height(head->Q - query);
        Operands in = {.k = keys_seen(head, query + rows),
                       .a = weights + query,
                       .a_row = 1,
                       .a_step = head->query_row,
                       .b = keys.at,
                       .b_row = keys.row};
        product(rows, head->width_vectors, in, (Target){.c = to.at + query * to.row, .c_row = to.row});
    }
}

/* to (T, D) = sum over the queries that see a key of weights (T, query_row) times rows (Q, D). */
static void mix_queries(const Head *head, const float *weights, Rows queries, Rows to) {
    for (int key = 0, rows; key < head->shape->T; key += rows) {
        rows = tile_height(head->shape->T - key);
        int first = first_query(head, key);
        Operands in = {.k = first < head->Q ? head->Q - first : 0,
                       .a = weights + key * head->query_row + first,
                       .a_row = head->query_row,
                       .a_step = 1,
                       .b = queries.at + first * queries.row,
                       .b_row = queries.row};
        product(rows, head->width_vectors, in, (Target){.c = to.at + key * to.row, .c_row = to.row});
    }
}

/* A block of LANES queries, and how many keys the last of them sees. */
typedef struct QueryBlock {
    const Head *head;
    int first, extent;
} QueryBlock;

/* v with value for the queries that do not see the key. */
VECTOR_INLINE Vector seen_or(const QueryBlock *block, int key, Vector v, float value) {
    int blind = first_query(block->head, key) - block->first;
    return blind <= 0 ? v : vector_from_or(v, blind, value);
}

/* What tiles read beyond the extent: one of queries may begin in this block and end in the next, one of keys may begin
 * within the extent. */
static void clear_margin(const QueryBlock *block, float *rows) {
    int end = keys_seen(block->head, block->first + LANES + TILE_ROWS) + TILE_ROWS;
    for (int key = block->extent; key < end && key < block->head->shape->T; key++)
        vector_store(rows + key * block->head->query_row, (Vector){0});
}

/* rows, here and below: of the block in (T, query_row). */
static void mask_block(const QueryBlock *block, float *rows) {
    size_t row = block->head->query_row;
    for (int key = 0; key < block->extent; key++)
        vector_store(rows + key * row, seen_or(block, key, vector_load(rows + key * row), 0.0f));
}

static void softmax_block(const QueryBlock *block, float *scores) {
    size_t row = block->head->query_row;
    Vector largest = vector_all(-INFINITY), sum = {0};
    for (int key = 0; key < block->extent; key++)
        largest = vector_max(largest, seen_or(block, key, vector_load(scores + key * row), -INFINITY));
    for (int key = 0; key < block->extent; key++) {
        Vector e = seen_or(block, key, vector_exp(vector_load(scores + key * row) - largest), 0.0f);
        vector_store(scores + key * row, e);
        sum += e;
    }
    Vector inverse = 1.0f / sum;
    for (int key = 0; key < block->extent; key++)
        vector_store(scores + key * row, vector_load(scores + key * row) * inverse);
}

/* d: derivatives with respect to the weights, become those with respect to products of queries and keys. */
static void softmax_backward_block(const QueryBlock *block, const float *weights, float *d) {
    size_t row = block->head->query_row;
    Vector mean = {0};
    for (int key = 0; key < block->extent; key++)
        mean =
            vector_fma(vector_load(weights + key * row), seen_or(block, key, vector_load(d + key * row), 0.0f), mean);
    for (int key = 0; key < block->extent; key++) {
        Vector difference = seen_or(block, key, vector_load(d + key * row), 0.0f) - mean;
        vector_store(d + key * row, vector_load(weights + key * row) * difference * block->head->scale);
    }
}

static void linear_backward_block(const QueryBlock *block, float *d) {
    size_t row = block->head->query_row;
    for (int key = 0; key < block->extent; key++)
        vector_store(d + key * row, seen_or(block, key, vector_load(d + key * row), 0.0f) * block->head->scale);
}

static void head_forward(const Head *head, const float *qkv, float *out, float *weights) {
    const AttentionShape *shape = head->shape;
    size_t E = (size_t)shape->H * shape->D;
    transpose_queries(head, qkv, shape->query_stride * head->qkv_row, head->scale);
    score_keys(head, rows_of(head, 0, shape->T, qkv + E, head->qkv_row), weights);
    for (int first = 0; first < head->Q; first += LANES) {
        QueryBlock block = {head, first, keys_seen(head, first + LANES)};
        if (shape->kind == ATTENTION_SOFTMAX)
            softmax_block(&block, weights + first);
        else
            mask_block(&block, weights + first);
        clear_margin(&block, weights + first);
    }
    Rows to = rows_to(head, 1, out, E);
    mix_keys(head, weights, rows_of(head, 2, shape->T, qkv + 2 * E, head->qkv_row), to);
    write_back(head, head->Q, to, out, E);
}

/* Fills head->derivatives with those with respect to products of queries and keys. */
static void head_backward_scores(const Head *head, Rows values, const float *dout, const float *weights) {
    transpose_queries(head, dout, (size_t)head->shape->H * head->shape->D, 1.0f);
    score_keys(head, values, head->derivatives);
    for (int first = 0; first < head->Q; first += LANES) {
        QueryBlock block = {head, first, keys_seen(head, first + LANES)};
        if (head->shape->kind == ATTENTION_SOFTMAX)
            softmax_backward_block(&block, weights + first, head->derivatives + first);
        else
            linear_backward_block(&block, head->derivatives + first);
        clear_margin(&block, head->derivatives + first);
    }
}

static void head_backward(const Head *head, const float *qkv, const float *weights, const float *dout, float *dqkv) {
    const AttentionShape *shape = head->shape;
    size_t E = (size_t)shape->H * shape->D, query_row = shape->query_stride * head->qkv_row;
    head_backward_scores(head, rows_of(head, 0, shape->T, qkv + 2 * E, head->qkv_row), dout, weights);
    for (int token = 0; token < shape->T && shape->query_stride > 1; token++)
        memset(dqkv + token * head->qkv_row, 0, (size_t)shape->D * sizeof(float));
    Rows dqueries = rows_to(head, 1, dqkv, query_row), dkeys = rows_to(head, 2, dqkv + E, head->qkv_row),
         dvalues = rows_to(head, 3, dqkv + 2 * E, head->qkv_row);
    mix_keys(head, head->derivatives, rows_of(head, 0, shape->T, qkv + E, head->qkv_row), dqueries);
    mix_queries(head, head->derivatives, rows_of(head, 4, head->Q, qkv, query_row), dkeys);
    mix_queries(head, weights, rows_of(head, 5, head->Q, dout, E), dvalues);
    write_back(head, head->Q, dqueries, dqkv, query_row);
    write_back(head, shape->T, dkeys, dqkv + E, head->qkv_row);
    write_back(head, shape->T, dvalues, dqkv + 2 * E, head->qkv_row);
}

/* Floats of one head's weights. */
static size_t head_weights_floats(const Head *head) {
    return (size_t)round_up_to(head->shape->T, WIDEST_LANES) * head->query_row;
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
