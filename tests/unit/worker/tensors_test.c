/* The list of tensors and their initial values. */
#include "proto/wire/cost.h"
#include "tests/harness.h"
#include "worker/model/tensors.h"

#include <math.h>
#include <stdlib.h>

static Shape small_shape(bool ffn, int layers) {
    ModelSettings model = {.n_layer = layers, .n_head = 3, .n_embd = 48, .ffn = ffn, .causal = true};
    TaskSettings task = {.n_dims = 5, .n_points = 20};
    return shape_of(&model, &task);
}

static Tensor *list_of(const Shape *shape) {
    Tensor *list = calloc((size_t)tensors_count(shape), sizeof *list);
    assert_non_null(list);
    tensors_list(shape, list);
    return list;
}

static const Tensor *named(const Tensor *list, int count, const char *name) {
    for (int t = 0; t < count; t++)
        if (strcmp(list[t].name, name) == 0) return &list[t];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void the_list_has_the_peers_names_and_shapes(void **state) {
    (void)state;
    Shape shape = small_shape(true, 2);
    int count = tensors_count(&shape);
    Tensor *list = list_of(&shape);
    assert_int_equal(count, 3 + 2 * 12 + 4);
    assert_string_equal(list[0].name, "_read_in.weight");
    assert_string_equal(list[count - 1].name, "_read_out.bias");
    const Tensor *attention = named(list, count, "_backbone.h.1.attn.c_attn.weight");
    assert_true(attention->rows == 48 && attention->columns == 144 && !attention->is_vector && attention->layer == 1);
    const Tensor *positions = named(list, count, "_backbone.wpe.weight");
    assert_true(positions->rows == 60 && positions->columns == 48 && positions->layer == -1);
    const Tensor *hidden = named(list, count, "_backbone.h.0.mlp.c_fc.bias");
    assert_true(hidden->rows == 1 && hidden->columns == 192 && hidden->is_vector);
    free(list);
    shape = small_shape(false, 2);
    assert_int_equal(tensors_count(&shape), 3 + 2 * 6 + 4);
}

static void tensors_follow_each_other_without_gap(void **state) {
    (void)state;
    for (int ffn = 0; ffn < 2; ffn++) {
        Shape shape = small_shape(ffn, 3);
        Tensor *list = list_of(&shape);
        size_t offset = 0;
        for (int t = 0; t < tensors_count(&shape); t++) {
            assert_int_equal(list[t].offset, offset);
            assert_int_equal(list[t].size, list[t].rows * list[t].columns);
            offset += list[t].size;
        }
        assert_int_equal(tensors_parameters(&shape), offset);
        free(list);
    }
}

static void nominal_flops_count_the_block_parameters(void **state) {
    (void)state;
    for (int ffn = 0; ffn < 2; ffn++) {
        Shape shape = small_shape(ffn, 3);
        Tensor *list = list_of(&shape);
        double block = 0.0;
        for (int t = 0; t < tensors_count(&shape); t++)
            if (list[t].in_block) block += (double)list[t].size;
        double expected = 64.0 * (6.0 * block * 60.0 + 12.0 * 3.0 * 60.0 * 60.0 * 48.0);
        assert_near(cost_pass_flops(&(ModelSettings){.n_layer = 3, .n_embd = 48, .ffn = ffn},
                                    &(TaskSettings){.n_points = 20}, 64.0),
                    expected, 0.0);
        free(list);
    }
}

/* Mean and deviation of a tensor's values, and the largest. */
static void measure(const Tensor *tensor, const float *parameters, double *mean, double *deviation, double *largest) {
    double sum = 0.0, squares = 0.0;
    *largest = 0.0;
    for (size_t e = tensor->offset; e < tensor->offset + tensor->size; e++) {
        sum += parameters[e];
        squares += (double)parameters[e] * parameters[e];
        *largest = fmax(*largest, fabs(parameters[e]));
    }
    *mean = sum / (double)tensor->size;
    *deviation = sqrt(squares / (double)tensor->size - *mean * *mean);
}

static void initial_values_have_the_stated_distributions(void **state) {
    (void)state;
    Shape shape = small_shape(true, 2);
    int count = tensors_count(&shape);
    Tensor *list = list_of(&shape);
    float *parameters = malloc(tensors_parameters(&shape) * sizeof(float));
    tensors_init(&shape, 7, parameters);
    double mean, deviation, largest;
    measure(named(list, count, "_backbone.h.1.mlp.c_fc.weight"), parameters, &mean, &deviation, &largest);
    assert_near(mean, 0.0, 0.001);
    assert_near(deviation, 0.02, 0.001);
    measure(named(list, count, "_backbone.h.1.mlp.c_proj.weight"), parameters, &mean, &deviation, &largest);
    assert_near(deviation, 0.01, 0.0005); /* 0.02 / sqrt(2 L) */
    measure(named(list, count, "_backbone.wpe.weight"), parameters, &mean, &deviation, &largest);
    assert_near(deviation, 0.02, 0.001);
    measure(named(list, count, "_read_in.weight"), parameters, &mean, &deviation, &largest);
    assert_near(deviation, 1.0 / sqrt(3.0 * 5.0), 0.02);
    assert_true(largest <= 1.0 / sqrt(5.0) && largest > 0.9 / sqrt(5.0));
    measure(named(list, count, "_read_in.bias"), parameters, &mean, &deviation, &largest);
    assert_true(largest <= 1.0 / sqrt(5.0) && deviation > 0.1);
    measure(named(list, count, "_read_out.weight"), parameters, &mean, &deviation, &largest);
    assert_true(largest <= 1.0 / sqrt(48.0) && deviation > 0.05);
    measure(named(list, count, "_read_out.bias"), parameters, &mean, &deviation, &largest);
    assert_true(largest <= 1.0 / sqrt(48.0) && deviation > 0.01);
    measure(named(list, count, "_backbone.h.0.ln_1.weight"), parameters, &mean, &deviation, &largest);
    assert_true(mean == 1.0 && deviation == 0.0);
    measure(named(list, count, "_backbone.h.0.attn.c_attn.bias"), parameters, &mean, &deviation, &largest);
    assert_true(largest == 0.0);
    free(parameters);
    free(list);
}

static void initial_values_depend_on_seed_name_and_element_only(void **state) {
    (void)state;
    Shape shapes[2] = {small_shape(true, 2), small_shape(false, 2)};
    float *parameters[2], *other_seed = malloc(tensors_parameters(&shapes[0]) * sizeof(float));
    for (int i = 0; i < 2; i++) {
        parameters[i] = malloc(tensors_parameters(&shapes[i]) * sizeof(float));
        tensors_init(&shapes[i], 3, parameters[i]);
    }
    tensors_init(&shapes[0], 4, other_seed);
    Tensor *with = list_of(&shapes[0]), *without = list_of(&shapes[1]);
    for (int t = 0; t < tensors_count(&shapes[1]); t++) {
        const Tensor *same = named(with, tensors_count(&shapes[0]), without[t].name);
        const float *values = parameters[1] + without[t].offset;
        assert_memory_equal(values, parameters[0] + same->offset, same->size * sizeof(float));
        bool is_random = same->init == INIT_NORMAL || same->init == INIT_UNIFORM;
        assert_int_equal(memcmp(values, other_seed + same->offset, same->size * sizeof(float)) != 0, is_random);
    }
    const Tensor *first = named(with, tensors_count(&shapes[0]), "_backbone.h.0.attn.c_attn.weight");
    const Tensor *second = named(with, tensors_count(&shapes[0]), "_backbone.h.1.attn.c_attn.weight");
    assert_memory_not_equal(parameters[0] + first->offset, parameters[0] + second->offset, 64);
    free(with);
    free(without);
    free(parameters[0]);
    free(parameters[1]);
    free(other_seed);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_has_the_peers_names_and_shapes),
        cmocka_unit_test(tensors_follow_each_other_without_gap),
        cmocka_unit_test(nominal_flops_count_the_block_parameters),
        cmocka_unit_test(initial_values_have_the_stated_distributions),
        cmocka_unit_test(initial_values_depend_on_seed_name_and_element_only),
    };
    return run_tests(tests, argc, argv);
}
