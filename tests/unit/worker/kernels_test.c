/* Every tuned path that this CPU runs against the reference kernels, over sizes that fill no vector.
 *
 * Buffers have exactly the documented length and outputs start as NaN, so that the sanitizers see an overrun and a
 * result that was not written, or that leans on what lay in the workspace before, is a failure. */
#include "tests/harness.h"
#include "worker/kernels/kernels.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_BUFFERS = 64 };

/* Buffers of one test, freed together, and a generator of numbers that need not be good. */
typedef struct Bench {
    float *buffers[MAX_BUFFERS];
    int count;
    uint32_t state;
} Bench;

static float *filled(Bench *bench, size_t count, float value) {
    float *buffer = malloc((count ? count : 1) * sizeof(float));
    assert_true(buffer && bench->count < MAX_BUFFERS);
    bench->buffers[bench->count++] = buffer;
    for (size_t i = 0; i < count; i++)
        buffer[i] = value;
    return buffer;
}

/* Numbers between -scale and scale. */
static float *noise(Bench *bench, size_t count, float scale) {
    float *buffer = filled(bench, count, 0.0f);
    for (size_t i = 0; i < count; i++) {
        bench->state = bench->state * 1664525u + 1013904223u;
        buffer[i] = scale * ((float)(bench->state >> 8) * 0x1p-23f - 1.0f);
    }
    return buffer;
}

static float *copy(Bench *bench, size_t count, const float *from) {
    float *buffer = filled(bench, count, 0.0f);
    memcpy(buffer, from, count * sizeof(float));
    return buffer;
}

static void clear(Bench *bench) {
    while (bench->count > 0)
        free(bench->buffers[--bench->count]);
}

/* Every element within tolerance of expected, relative to the largest of expected. */
static void assert_close(size_t count, const float *actual, const float *expected, double tolerance, const char *path,
                         const char *what) {
    double largest = 0.0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)actual[i] - expected[i]) <= tolerance * largest))
            fail_msg("%s %s[%zu] is %.9g, not %.9g", path, what, i, actual[i], expected[i]);
}

static const Kernels *reference(void) {
    const Kernels *kernels;
    assert_int_equal(kernels_select("reference", &kernels, NULL), STATUS_OK);
    return kernels;
}

static const Kernels *bfloat16_of(const Kernels *kernels) {
    return kernels_with_precision(kernels, PRECISION_BF16);
}

/* All paths, those of bfloat16 after the others; NULL past the last. */
static const Kernels *path_at(int index) {
    int others = 0;
    while (kernels_at(others))
        others++;
    if (index < others) return kernels_at(index);
    const Kernels *tuned = bfloat16_of(kernels_at(0)), *plain = bfloat16_of(reference());
    return index == others ? plain : index == others + 1 && tuned != plain ? tuned : NULL;
}

static bool is_bfloat16(const Kernels *kernels) {
    return strstr(kernels->name, "bf16") != NULL;
}

/* The plain loops that a path is measured by: operands of products are rounded in the same way. */
static const Kernels *reference_of(const Kernels *kernels) {
    return is_bfloat16(kernels) ? bfloat16_of(reference()) : reference();
}

/* Calls check for every path but the references. */
static void each_path(void (*check)(const Kernels *kernels)) {
    for (int i = 0; path_at(i); i++)
        if (path_at(i) != reference_of(path_at(i))) check(path_at(i));
}

static const int sizes[][2] = {{1, 1}, {2, 3}, {3, 16}, {5, 17}, {7, 31}, {4, 48}, {33, 96}, {2, 101}, {58, 384}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void check_matmul(const Kernels *kernels) {
    static const int shapes[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 31, 13}, {58, 96, 5}, {5, 96, 58}, {64, 33, 130}};
    Bench bench = {.state = 1};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int variant = 0; variant < 8; variant++) {
            int m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], gap = variant & 4 ? 3 : 0;
            bool ta = variant & 1, tb = variant & 2;
            int lda = (ta ? m : k) + gap, ldb = (tb ? k : n) + gap, ldc = n + gap;
            const float *a = noise(&bench, (size_t)(ta ? k : m) * lda, 1.0f);
            const float *b = noise(&bench, (size_t)(tb ? n : k) * ldb, 1.0f);
            float *c = noise(&bench, (size_t)m * ldc, 1.0f), *expected = copy(&bench, (size_t)m * ldc, c);
            kernels->matmul(ta, tb, m, n, k, 0.5f, a, lda, b, ldb, 1.0f, c, ldc);
            reference()->matmul(ta, tb, m, n, k, 0.5f, a, lda, b, ldb, 1.0f, expected, ldc);
            assert_close((size_t)m * ldc, c, expected, 2e-6, kernels->name, "product added");
            float *fresh = filled(&bench, (size_t)m * n, NAN), *fresh_expected = filled(&bench, (size_t)m * n, NAN);
            kernels->matmul(ta, tb, m, n, k, 1.0f, a, lda, b, ldb, 0.0f, fresh, n);
            reference()->matmul(ta, tb, m, n, k, 1.0f, a, lda, b, ldb, 0.0f, fresh_expected, n);
            assert_close((size_t)m * n, fresh, fresh_expected, 2e-6, kernels->name, "product");
            clear(&bench);
        }
}

static void matrix_products_agree_with_the_reference(void **state) {
    (void)state;
    each_path(check_matmul);
}

/* Products with packed weights: every finish, in place where that is allowed. */
static void check_packed_product(const Kernels *kernels, int m, int n, int k, bool transpose) {
    Bench bench = {.state = 9};
    size_t count = (size_t)m * n;
    const float *a = noise(&bench, (size_t)m * k, 1.0f), *w = noise(&bench, (size_t)k * n, 1.0f);
    const float *bias = noise(&bench, (size_t)n, 1.0f), *other = noise(&bench, count, 1.0f);
    float *packed[2], *c[2], *slope[2];
    for (int i = 0; i < 2; i++) {
        packed[i] = filled(&bench, packed_floats(k, n), NAN);
        (i == 0 ? kernels : reference_of(kernels))->pack(transpose, k, n, w, packed[i]);
    }
    for (int finish = FINISH_NONE; finish <= FINISH_GELU; finish++) {
        for (int i = 0; i < 2; i++) {
            c[i] = filled(&bench, count, NAN);
            slope[i] = filled(&bench, count, finish == FINISH_GELU ? NAN : 0.0f);
            Epilogue epilogue = {(Finish)finish, bias, other, slope[i]};
            (i == 0 ? kernels : reference_of(kernels))->packed_matmul(m, n, k, a, packed[i], &epilogue, c[i]);
        }
        char what[96];
        snprintf(what, sizeof what, "product %d %d %d finish %d", m, n, k, finish);
        assert_close(count, c[0], c[1], 3e-6, kernels->name, what);
        assert_close(count, slope[0], slope[1], 3e-6, kernels->name, "slope of gelu_new");
        float *again = copy(&bench, count, other);
        Epilogue epilogue = {(Finish)finish, bias, finish == FINISH_RESIDUAL ? again : other, NULL};
        kernels->packed_matmul(m, n, k, a, packed[0], &epilogue, again);
        assert_close(count, again, c[0], 1e-6, kernels->name, "product in place, or without a slope");
    }
    clear(&bench);
}

/* m, n, k: below, at and above tiles and vectors, and those of the model. */
static const int products[][3] = {{1, 1, 1},    {2, 3, 5},    {3, 16, 7},   {5, 17, 1},    {7, 31, 13}, {8, 48, 16},
                                  {9, 49, 33},  {13, 50, 48}, {12, 97, 20}, {58, 96, 96},  {29, 80, 5}, {4, 192, 48},
                                  {11, 36, 64}, {6, 15, 384}, {20, 64, 17}, {116, 48, 192}};
enum { PRODUCTS = sizeof products / sizeof *products };

static void check_packed_products(const Kernels *kernels) {
    for (int p = 0; p < PRODUCTS; p++)
        for (int transpose = 0; transpose < 2; transpose++)
            check_packed_product(kernels, products[p][0], products[p][1], products[p][2], transpose);
}

static void products_with_packed_weights_agree_with_the_reference(void **state) {
    (void)state;
    each_path(check_packed_products);
}

static void check_outer_products(const Kernels *kernels) {
    for (int p = 0; p < PRODUCTS; p++) {
        Bench bench = {.state = 10};
        int m = products[p][0], n = products[p][1], rows = products[p][2];
        const float *a = noise(&bench, (size_t)rows * m, 1.0f), *b = noise(&bench, (size_t)rows * n, 1.0f);
        float *c = noise(&bench, (size_t)m * n, 1.0f), *expected = copy(&bench, (size_t)m * n, c);
        kernels->accumulate_outer(rows, m, n, a, b, c);
        reference_of(kernels)->accumulate_outer(rows, m, n, a, b, expected);
        assert_close((size_t)m * n, c, expected, 3e-6, kernels->name, "sum of outer products");
        clear(&bench);
    }
}

static void sums_of_outer_products_agree_with_the_reference(void **state) {
    (void)state;
    each_path(check_outer_products);
}

/* Rounding shows where a number is multiplied by 1. */
static void bfloat16_is_the_nearest_one_and_even_in_a_tie(void **state) {
    (void)state;
    static const float values[][2] = {{1.0f, 1.0f},
                                      {0x1.01p0f, 1.0f},
                                      {0x1.0102p0f, 0x1.02p0f},
                                      {0x1.03p0f, 0x1.04p0f},
                                      {-0x1.fffp0f, -2.0f},
                                      {0x1.fe8p-100f, 0x1.fep-100f},
                                      {INFINITY, INFINITY},
                                      {NAN, NAN}};
    enum { COUNT = sizeof values / sizeof *values };
    int checked = 0;
    for (int i = 0; path_at(i); i++) {
        if (!is_bfloat16(path_at(i))) continue;
        Bench bench = {.state = 12};
        float *x = filled(&bench, COUNT, 0.0f), *y = filled(&bench, COUNT, NAN), *sums = filled(&bench, COUNT, 0.0f);
        float *packed = filled(&bench, packed_floats(1, COUNT), NAN), one = 1.0f;
        for (int k = 0; k < COUNT; k++)
            x[k] = values[k][0];
        path_at(i)->pack(false, 1, COUNT, x, packed);
        path_at(i)->packed_matmul(1, COUNT, 1, &one, packed, &(Epilogue){.finish = FINISH_NONE}, y);
        path_at(i)->accumulate_outer(1, 1, COUNT, &one, x, sums);
        for (int k = 0; k < COUNT; k++) {
            path_at(i)->pack(false, 1, 1, &one, packed);
            float z;
            path_at(i)->packed_matmul(1, 1, 1, &x[k], packed, &(Epilogue){.finish = FINISH_NONE}, &z);
            assert_true(isnan(values[k][1]) ? isnan(y[k]) : y[k] == values[k][1]);
            assert_true(isnan(values[k][1]) ? isnan(z) : z == values[k][1]);
            assert_true(isnan(values[k][1]) ? isnan(sums[k]) : sums[k] == values[k][1]);
        }
        clear(&bench);
        checked++;
    }
    assert_true(checked >= 1);
}

/* Not so with OpenBLAS, which chooses a kernel by the shape. */
static void a_row_of_a_packed_product_does_not_depend_on_the_number_of_rows(void **state) {
    (void)state;
    enum { ROWS = 23, N = 70, K = 37 };
    for (int i = 0; path_at(i); i++) {
        const Kernels *kernels = path_at(i);
        if (strstr(kernels->name, "openblas") || strcmp(kernels->name, "portable") == 0) continue;
        Bench bench = {.state = 11};
        const float *a = noise(&bench, ROWS * K, 1.0f), *w = noise(&bench, N * K, 1.0f), *bias = noise(&bench, N, 1.0f);
        float *packed = filled(&bench, packed_floats(K, N), NAN), *all = filled(&bench, ROWS * N, NAN);
        kernels->pack(false, K, N, w, packed);
        Epilogue epilogue = {.finish = FINISH_GELU, .bias = bias};
        kernels->packed_matmul(ROWS, N, K, a, packed, &epilogue, all);
        for (int row = 0; row < ROWS; row++) {
            float one[N];
            kernels->packed_matmul(1, N, K, a + row * K, packed, &epilogue, one);
            assert_memory_equal(one, all + row * N, sizeof one);
        }
        clear(&bench);
    }
}

static void check_bias_and_sums(const Kernels *kernels) {
    Bench bench = {.state = 2};
    for (int s = 0; s < SIZES; s++) {
        int rows = sizes[s][0], columns = sizes[s][1];
        size_t count = (size_t)rows * columns;
        const float *x = noise(&bench, count, 1.0f), *bias = noise(&bench, (size_t)columns, 1.0f);
        const float *residual = noise(&bench, count, 1.0f);
        float *out = filled(&bench, count, NAN), *expected = filled(&bench, count, NAN);
        kernels->add_bias(rows, columns, x, bias, NULL, out);
        reference()->add_bias(rows, columns, x, bias, NULL, expected);
        assert_close(count, out, expected, 1e-6, kernels->name, "x + bias");
        kernels->add_bias(rows, columns, x, bias, residual, out);
        reference()->add_bias(rows, columns, x, bias, residual, expected);
        assert_close(count, out, expected, 1e-6, kernels->name, "x + bias + residual");
        float *in_place = copy(&bench, count, residual);
        kernels->add_bias(rows, columns, x, bias, in_place, in_place);
        assert_memory_equal(in_place, out, count * sizeof(float));
        float *sums = noise(&bench, (size_t)columns, 1.0f), *sums_expected = copy(&bench, (size_t)columns, sums);
        kernels->column_sums(rows, columns, x, sums);
        reference()->column_sums(rows, columns, x, sums_expected);
        assert_close((size_t)columns, sums, sums_expected, 1e-6, kernels->name, "column sums");
        clear(&bench);
    }
}

static void biases_and_column_sums_agree_with_the_reference(void **state) {
    (void)state;
    each_path(check_bias_and_sums);
}

static void check_layer_norm(const Kernels *kernels) {
    Bench bench = {.state = 3};
    for (int s = 0; s < SIZES; s++) {
        int rows = sizes[s][0], columns = sizes[s][1];
        size_t count = (size_t)rows * columns, width = (size_t)columns;
        const float *x = noise(&bench, count, 2.0f), *dy = noise(&bench, count, 1.0f);
        const float *gain = noise(&bench, width, 1.0f), *bias = noise(&bench, width, 1.0f);
        float *y = filled(&bench, count, NAN), *y_expected = filled(&bench, count, NAN);
        float *stats = filled(&bench, 2 * (size_t)rows, NAN), *stats_expected = filled(&bench, 2 * (size_t)rows, NAN);
        kernels->layer_norm_forward(rows, columns, x, gain, bias, y, stats);
        reference()->layer_norm_forward(rows, columns, x, gain, bias, y_expected, stats_expected);
        assert_close(count, y, y_expected, 2e-6, kernels->name, "LayerNorm");
        assert_close(2 * (size_t)rows, stats, stats_expected, 2e-6, kernels->name, "LayerNorm statistics");
        float *again = filled(&bench, count, NAN);
        kernels->layer_norm_again(rows, columns, x, stats, gain, bias, again);
        assert_memory_equal(again, y, count * sizeof(float));
        float *dx = noise(&bench, count, 1.0f), *dgain = noise(&bench, width, 1.0f),
              *dbias = noise(&bench, width, 1.0f);
        float *dx_expected = copy(&bench, count, dx), *dgain_expected = copy(&bench, width, dgain);
        float *dbias_expected = copy(&bench, width, dbias);
        kernels->layer_norm_backward(rows, columns, dy, x, stats, gain, dx, dgain, dbias);
        reference()->layer_norm_backward(rows, columns, dy, x, stats, gain, dx_expected, dgain_expected,
                                         dbias_expected);
        assert_close(count, dx, dx_expected, 2e-6, kernels->name, "LayerNorm dx");
        assert_close(width, dgain, dgain_expected, 2e-6, kernels->name, "LayerNorm dgain");
        assert_close(width, dbias, dbias_expected, 2e-6, kernels->name, "LayerNorm dbias");
        clear(&bench);
    }
}

static void layer_norm_agrees_with_the_reference(void **state) {
    (void)state;
    each_path(check_layer_norm);
}

/* gelu_new of the product of 1 and x. */
static void check_gelu(const Kernels *kernels) {
    enum { COUNT = 4801 };
    Bench bench = {.state = 4};
    const float one = 1.0f;
    float *x = filled(&bench, COUNT, 0.0f), *zero = filled(&bench, COUNT, 0.0f);
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i - COUNT / 2) / 200.0f; /* -12 .. 12 */
    float *y[2], *slope[2];
    for (int i = 0; i < 2; i++) {
        const Kernels *path = i == 0 ? kernels : reference_of(kernels);
        float *packed = filled(&bench, packed_floats(1, COUNT), NAN);
        y[i] = filled(&bench, COUNT, NAN);
        slope[i] = filled(&bench, COUNT, NAN);
        Epilogue epilogue = {.finish = FINISH_GELU, .bias = zero, .slope = slope[i]};
        path->pack(false, 1, COUNT, x, packed);
        path->packed_matmul(1, COUNT, 1, &one, packed, &epilogue, y[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_near(y[0][i], y[1][i], 5e-7 * fmax(1.0, fabs(x[i])));
        assert_near(slope[0][i], slope[1][i], 1e-6);
    }
    clear(&bench);
}

static void gelu_new_is_accurate_from_minus_12_to_12(void **state) {
    (void)state;
    each_path(check_gelu);
}

/* Attention of a shape, forward and backward, against the reference. scale: of the numbers in qkv. */
static void check_attention_shape(const Kernels *kernels, const AttentionShape *shape, float scale) {
    Bench bench = {.state = 5};
    int queries = (shape->T + shape->query_stride - 1) / shape->query_stride;
    size_t E = (size_t)shape->H * shape->D, tokens = (size_t)shape->n * shape->T, reads = (size_t)shape->n * queries;
    const float *qkv = noise(&bench, tokens * 3 * E, scale), *dout = noise(&bench, reads * E, 1.0f);
    float *out[2], *dqkv[2];
    for (int i = 0; i < 2; i++) {
        const Kernels *path = i == 0 ? kernels : reference();
        float *weights = filled(&bench, attention_weights_floats(shape), NAN);
        float *workspace = filled(&bench, attention_workspace_floats(shape), NAN);
        out[i] = filled(&bench, reads * E, NAN);
        dqkv[i] = filled(&bench, tokens * 3 * E, NAN);
        path->attention_forward(shape, qkv, out[i], weights, workspace);
        memset(workspace, 0xff, attention_workspace_floats(shape) * sizeof(float));
        path->attention_backward(shape, qkv, weights, dout, dqkv[i], workspace);
    }
    char what[96];
    snprintf(what, sizeof what, "%s attention n %d T %d H %d D %d stride %d%s", attention_name(shape->kind), shape->n,
             shape->T, shape->H, shape->D, shape->query_stride, shape->causal ? " causal" : "");
    double tolerance = scale > 5.0f ? 1e-4 : 3e-6; /* large scores: their rounding is an error of the exponential */
    assert_close(reads * E, out[0], out[1], tolerance, kernels->name, what);
    assert_close(tokens * 3 * E, dqkv[0], dqkv[1], tolerance, kernels->name, what);
    clear(&bench);
}

static void check_attention(const Kernels *kernels) {
    static const int shapes[][5] = {{1, 1, 1, 1, 1},   {2, 7, 3, 4, 1},   {1, 16, 1, 16, 1},
                                    {3, 13, 2, 5, 3},  {2, 58, 3, 32, 1}, {2, 58, 3, 32, 3},
                                    {1, 60, 2, 17, 3}, {1, 65, 1, 40, 1}, {1, 9, 1, 33, 4}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int variant = 0; variant < 4; variant++) {
            AttentionShape shape = {.n = shapes[s][0],
                                    .T = shapes[s][1],
                                    .H = shapes[s][2],
                                    .D = shapes[s][3],
                                    .query_stride = shapes[s][4],
                                    .kind = variant & 1 ? ATTENTION_LINEAR : ATTENTION_SOFTMAX,
                                    .causal = variant & 2};
            check_attention_shape(kernels, &shape, 1.0f);
        }
}

static void attention_agrees_with_the_reference(void **state) {
    (void)state;
    each_path(check_attention);
}

static void check_large_scores(const Kernels *kernels) {
    AttentionShape shape = {.n = 1, .T = 21, .H = 1, .D = 8, .query_stride = 1, .causal = true};
    check_attention_shape(kernels, &shape, 20.0f); /* scores of hundreds: their exponentials overflow a float */
}

static void softmax_stands_scores_whose_exponential_overflows(void **state) {
    (void)state;
    each_path(check_large_scores);
}

static void check_adam(const Kernels *kernels) {
    enum { COUNT = 131 };
    Bench bench = {.state = 6};
    float *m = noise(&bench, COUNT, 0.1f), *v = noise(&bench, COUNT, 0.1f), *p = noise(&bench, COUNT, 1.0f);
    for (int i = 0; i < COUNT; i++)
        v[i] = fabsf(v[i]);
    float *m_expected = copy(&bench, COUNT, m), *v_expected = copy(&bench, COUNT, v);
    float *p_expected = copy(&bench, COUNT, p);
    for (int step = 1; step <= 20; step++) {
        const float *gradient = noise(&bench, COUNT, 0.1f);
        kernels->adam(COUNT, step, 0.01, gradient, m, v, p);
        reference()->adam(COUNT, step, 0.01, gradient, m_expected, v_expected, p_expected);
    }
    assert_close(COUNT, m, m_expected, 1e-6, kernels->name, "Adam m");
    assert_close(COUNT, v, v_expected, 1e-6, kernels->name, "Adam v");
    assert_close(COUNT, p, p_expected, 2e-6, kernels->name, "Adam parameters");
    clear(&bench);
}

static void adam_agrees_with_the_reference(void **state) {
    (void)state;
    each_path(check_adam);
}

/* Adam's first step from zero moves every parameter by the rate, against the sign of its gradient. */
static void the_first_adam_step_has_the_length_of_the_rate(void **state) {
    (void)state;
    for (int i = 0; kernels_at(i); i++) {
        float gradient[3] = {0.5f, -2e-3f, 0.0f}, m[3] = {0}, v[3] = {0}, p[3] = {1.0f, 1.0f, 1.0f};
        kernels_at(i)->adam(3, 1, 0.25, gradient, m, v, p);
        assert_near(p[0], 0.75, 1e-6);
        assert_near(p[1], 1.25, 2e-6);
        assert_near(p[2], 1.0, 0.0);
    }
}

/* The same numbers at four distances from a vector's boundary. */
static void check_alignment(const Kernels *kernels) {
    enum { ROWS = 5, COLUMNS = 53, COUNT = ROWS * COLUMNS, SHIFTS = 4 };
    AttentionShape shape = {.n = 1, .T = ROWS, .H = 1, .D = COLUMNS / 3, .query_stride = 1, .causal = true};
    Bench bench = {.state = 7};
    const float *numbers = noise(&bench, COUNT, 1.0f);
    float *first[5] = {0};
    for (int shift = 0; shift < SHIFTS; shift++) {
        float *x = filled(&bench, COUNT + SHIFTS, 0.0f) + shift, *out[5];
        float *weights = filled(&bench, attention_weights_floats(&shape), NAN);
        float *workspace = filled(&bench, attention_workspace_floats(&shape) + SHIFTS, NAN) + shift;
        for (int o = 0; o < 5; o++)
            out[o] = filled(&bench, COUNT + SHIFTS, 0.0f) + shift;
        memcpy(x, numbers, COUNT * sizeof(float));
        kernels->column_sums(ROWS, COLUMNS, x, out[0]);
        kernels->layer_norm_forward(ROWS, COLUMNS, x, x, x, out[1], out[4]);
        kernels->accumulate_outer(1, ROWS, COLUMNS, x, x, out[2]);
        kernels->attention_forward(&shape, x, out[3], weights, workspace);
        for (int o = 0; o < 5; o++) {
            if (shift == 0) first[o] = out[o];
            assert_memory_equal(out[o], first[o], COUNT * sizeof(float));
        }
    }
    clear(&bench);
}

static void results_do_not_depend_on_alignment(void **state) {
    (void)state;
    for (int i = 0; path_at(i); i++)
        check_alignment(path_at(i));
}

static void nan_in_any_input_reaches_the_output(void **state) {
    (void)state;
    for (int i = 0; path_at(i); i++)
        for (int place = 0; place < 20; place++) {
            const Kernels *kernels = path_at(i);
            AttentionShape shape = {.n = 1, .T = 20, .H = 1, .D = 1, .query_stride = 1};
            Bench bench = {.state = 8};
            float *x = noise(&bench, 60, 1.0f), *y = filled(&bench, 60, 0.0f), stats[2];
            float *weights = filled(&bench, attention_weights_floats(&shape), 0.0f);
            float *workspace = filled(&bench, attention_workspace_floats(&shape) + 60, 0.0f);
            x[3 * place + 1] = NAN; /* a key: every query sees it */
            kernels->attention_forward(&shape, x, y, weights, workspace);
            for (int token = 0; token < 20; token++)
                assert_true(isnan(y[token]));
            kernels->layer_norm_forward(1, 60, x, x, x, y, stats);
            assert_true(isnan(y[0]));
            const float one = 1.0f;
            float *packed = filled(&bench, packed_floats(1, 60), 0.0f), *zero = filled(&bench, 60, 0.0f);
            Epilogue epilogue = {.finish = FINISH_GELU, .bias = zero, .slope = workspace};
            kernels->pack(false, 1, 60, x, packed);
            kernels->packed_matmul(1, 60, 1, &one, packed, &epilogue, y);
            assert_true(isnan(y[3 * place + 1]) && isnan(workspace[3 * place + 1]) && !isnan(y[0]));
            clear(&bench);
        }
}

static void an_unknown_path_is_an_error_that_lists_the_known_ones(void **state) {
    (void)state;
    const Kernels *kernels = NULL;
    Error err;
    assert_int_equal(kernels_select("avx1024", &kernels, &err), STATUS_USAGE);
    assert_non_null(strstr(err.text, "avx1024"));
    for (int i = 0; kernels_at(i); i++) {
        assert_non_null(strstr(err.text, kernels_at(i)->name));
        assert_int_equal(kernels_select(kernels_at(i)->name, &kernels, &err), STATUS_OK);
        assert_ptr_equal(kernels, kernels_at(i));
    }
    assert_int_equal(kernels_select("", &kernels, &err), STATUS_OK);
    assert_ptr_equal(kernels, kernels_at(0));
}

static void bfloat16_is_never_taken_unasked(void **state) {
    (void)state;
    for (int i = 0; kernels_at(i); i++) {
        assert_ptr_equal(kernels_with_precision(kernels_at(i), PRECISION_FLOAT32), kernels_at(i));
        assert_false(is_bfloat16(kernels_at(i)));
        assert_non_null(strstr(bfloat16_of(kernels_at(i))->name, "bf16"));
    }
}

static void the_fingerprint_names_path_and_libraries(void **state) {
    (void)state;
    char text[128];
    kernels_fingerprint(reference(), text, sizeof text);
    assert_ptr_equal(strstr(text, "numerics 2; kernels reference; OpenBLAS "), text);
    assert_non_null(strstr(text, "; libm 2."));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrix_products_agree_with_the_reference),
        cmocka_unit_test(products_with_packed_weights_agree_with_the_reference),
        cmocka_unit_test(sums_of_outer_products_agree_with_the_reference),
        cmocka_unit_test(bfloat16_is_the_nearest_one_and_even_in_a_tie),
        cmocka_unit_test(a_row_of_a_packed_product_does_not_depend_on_the_number_of_rows),
        cmocka_unit_test(biases_and_column_sums_agree_with_the_reference),
        cmocka_unit_test(layer_norm_agrees_with_the_reference),
        cmocka_unit_test(gelu_new_is_accurate_from_minus_12_to_12),
        cmocka_unit_test(attention_agrees_with_the_reference),
        cmocka_unit_test(softmax_stands_scores_whose_exponential_overflows),
        cmocka_unit_test(adam_agrees_with_the_reference),
        cmocka_unit_test(the_first_adam_step_has_the_length_of_the_rate),
        cmocka_unit_test(results_do_not_depend_on_alignment),
        cmocka_unit_test(nan_in_any_input_reaches_the_output),
        cmocka_unit_test(an_unknown_path_is_an_error_that_lists_the_known_ones),
        cmocka_unit_test(bfloat16_is_never_taken_unasked),
        cmocka_unit_test(the_fingerprint_names_path_and_libraries),
    };
    return run_tests(tests, argc, argv);
}
