/* Model files: parameters keep their places and values, the configuration is what shapes and metadata say together, and
 * everything that contradicts is refused with the tensor or key. */
#include "tests/harness.h"
#include "worker/files/model_file.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_BYTES = 256, MAX_TENSORS = 64, MAX_METADATA = 16 };

static const char golden[] = TESTS_DIR "/golden/softmax_ffn.safetensors";

static void fresh_path(char path[PATH_BYTES]) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, PATH_BYTES, "%s/palinode-model-XXXXXX", folder != NULL ? folder : "/tmp");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
}

/* --- a model file to damage ------------------------------------------------------------------------------------- */

/* The parts of a good model file (d 3, N 4, E 6, L 1, H 2), for a test to change before they are written. */
typedef struct Parts {
    ModelSettings model;
    TaskSettings task;
    float *parameters;
    int n_tensors, n_metadata;
    Tensor list[MAX_TENSORS];
    SafeTensorOut tensors[MAX_TENSORS];
    const char *metadata[2 * MAX_METADATA];
} Parts;

static void good_parts(Parts *parts) {
    static const char *const metadata[] = {"n_dims",    "3",       "n_points", "4",   "n_embd", "6",
                                           "n_layer",   "1",       "n_head",   "2",   "ffn",    "true",
                                           "attention", "softmax", "causal",   "true"};
    *parts = (Parts){.model = {.n_layer = 1, .n_head = 2, .n_embd = 6, .ffn = true, .causal = true},
                     .task = {.n_dims = 3, .n_points = 4},
                     .n_metadata = 8};
    Shape shape = shape_of(&parts->model, &parts->task);
    parts->n_tensors = tensors_count(&shape);
    assert_true(parts->n_tensors <= MAX_TENSORS);
    parts->parameters = calloc(tensors_parameters(&shape) + 1000, sizeof(float));
    for (size_t i = 0; i < tensors_parameters(&shape); i++)
        parts->parameters[i] = (float)i + 0.25f;
    tensors_list(&shape, parts->list);
    for (int i = 0; i < parts->n_tensors; i++) {
        const Tensor *tensor = &parts->list[i];
        parts->tensors[i] =
            (SafeTensorOut){.name = tensor->name,
                            .rank = tensor->is_vector ? 1 : 2,
                            .shape = {tensor->is_vector ? tensor->columns : tensor->rows, tensor->columns},
                            .data = parts->parameters + tensor->offset};
    }
    memcpy(parts->metadata, metadata, sizeof metadata);
}

static SafeTensorOut *tensor_named(Parts *parts, const char *name) {
    for (int i = 0; i < parts->n_tensors; i++)
        if (strcmp(parts->tensors[i].name, name) == 0) return &parts->tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void set_metadata(Parts *parts, const char *key, const char *value) {
    for (int i = 0; i < parts->n_metadata; i++)
        if (strcmp(parts->metadata[2 * i], key) == 0) parts->metadata[2 * i + 1] = value;
}

static void drop_metadata(Parts *parts, const char *key) {
    set_metadata(parts, key, "?");
    for (int i = 0; i < parts->n_metadata; i++)
        if (strcmp(parts->metadata[2 * i], key) == 0) parts->metadata[2 * i] = "other";
}

/* Writes the parts, reads them as a model, and frees both; parameters are compared when the reading succeeds. */
static Status read_parts(Parts *parts, ModelSettings *model, TaskSettings *task, Error *err) {
    char path[PATH_BYTES];
    float *parameters = NULL;
    fresh_path(path);
    assert_int_equal(safetensors_write(path, parts->tensors, parts->n_tensors, parts->metadata, parts->n_metadata, err),
                     STATUS_OK);
    Status status = model_file_read(path, model, task, &parameters, err);
    if (status == STATUS_OK) {
        Shape shape = shape_of(model, task);
        assert_memory_equal(parameters, parts->parameters, tensors_parameters(&shape) * sizeof(float));
        free(parameters);
    } else {
        assert_memory_equal(err->text, path, strlen(path));
    }
    free(parts->parameters);
    unlink(path);
    return status;
}

static void assert_refused(Parts *parts, const char *words, const char *more_words) {
    ModelSettings model;
    TaskSettings task;
    Error err;
    assert_int_equal(read_parts(parts, &model, &task, &err), STATUS_DATA);
    if (strstr(err.text, words) == NULL || strstr(err.text, more_words) == NULL)
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.text, words, more_words);
}

/* --- reading and writing ---------------------------------------------------------------------------------------- */

static void a_written_model_reads_back_with_its_settings(void **state) {
    const ModelSettings variants[] = {
        {.n_layer = 2, .n_head = 3, .n_embd = 12, .attention = ATTENTION_SOFTMAX, .ffn = true, .causal = true},
        {.n_layer = 1, .n_head = 1, .n_embd = 4, .attention = ATTENTION_LINEAR, .ffn = false, .causal = false}};
    const TaskSettings task = {.n_dims = 5, .n_points = 7};
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
        char path[PATH_BYTES];
        Error err;
        Shape shape = shape_of(&variants[v], &task);
        size_t size = tensors_parameters(&shape) * sizeof(float);
        float *parameters = malloc(size), *back = NULL;
        ModelSettings model;
        TaskSettings task_back;
        fresh_path(path);
        tensors_init(&shape, 7, parameters);
        assert_int_equal(model_file_write(path, &variants[v], &task, parameters, &err), STATUS_OK);
        assert_int_equal(model_file_read(path, &model, &task_back, &back, &err), STATUS_OK);
        assert_memory_equal(back, parameters, size);
        assert_int_equal(model.n_layer, variants[v].n_layer);
        assert_int_equal(model.n_head, variants[v].n_head);
        assert_int_equal(model.n_embd, variants[v].n_embd);
        assert_int_equal(model.attention, variants[v].attention);
        assert_int_equal(model.ffn, variants[v].ffn);
        assert_int_equal(model.causal, variants[v].causal);
        assert_int_equal(task_back.n_dims, 5);
        assert_int_equal(task_back.n_points, 7);
        free(parameters);
        free(back);
        unlink(path);
    }
}

static void a_peers_file_is_read_and_its_further_tensors_are_ignored(void **state) {
    ModelSettings model;
    TaskSettings task;
    Error err;
    float *parameters = NULL, expected[36];
    SafeTensorsFile *file = NULL;
    Tensor list[MAX_TENSORS];
    assert_int_equal(model_file_read(golden, &model, &task, &parameters, &err), STATUS_OK);
    assert_int_equal(model.n_layer, 2);
    assert_int_equal(model.n_head, 3);
    assert_int_equal(task.n_dims, 3);
    assert_int_equal(task.n_points, 5);
    Shape shape = shape_of(&model, &task);
    assert_int_equal(safetensors_open(golden, &file, &err), STATUS_OK);
    safetensors_floats(safetensors_find(file, "_backbone.h.1.attn.c_attn.bias"), expected);
    tensors_list(&shape, list);
    int compared = 0;
    for (int i = 0; i < tensors_count(&shape); i++)
        if (strcmp(list[i].name, "_backbone.h.1.attn.c_attn.bias") == 0) {
            assert_memory_equal(parameters + list[i].offset, expected, sizeof expected);
            compared++;
        }
    assert_int_equal(compared, 1);
    safetensors_close(file);
    free(parameters);
}

static void shapes_tell_what_metadata_leaves_out(void **state) {
    static const char *const told_by_shapes[] = {"n_dims", "n_points", "n_embd",   "n_layer",
                                                 "ffn",    "causal",   "attention"};
    Parts parts;
    ModelSettings model;
    TaskSettings task;
    Error err;
    good_parts(&parts);
    for (size_t i = 0; i < sizeof told_by_shapes / sizeof told_by_shapes[0]; i++)
        drop_metadata(&parts, told_by_shapes[i]);
    /* the shared name "other" would be written once; that is what a dictionary does */
    assert_int_equal(read_parts(&parts, &model, &task, &err), STATUS_OK);
    assert_int_equal(model.n_layer, 1);
    assert_int_equal(model.n_embd, 6);
    assert_int_equal(model.attention, ATTENTION_SOFTMAX);
    assert_true(model.ffn && model.causal);
    assert_int_equal(task.n_dims, 3);
    assert_int_equal(task.n_points, 4);
}

static void the_number_of_heads_is_never_guessed(void **state) {
    Parts parts;
    good_parts(&parts);
    drop_metadata(&parts, "n_head");
    assert_refused(&parts, "n_head", "expected");
}

static void metadata_that_contradicts_the_shapes_is_refused(void **state) {
    static const struct {
        const char *key, *value, *words;
    } cases[] = {
        {"n_dims", "4", "n_dims 4"},
        {"n_points", "5", "n_points 5"},
        {"n_embd", "12", "n_embd 12"},
        {"n_layer", "2", "n_layer 2"},
        {"ffn", "false", "ffn false"},
        {"n_head", "4", "divisor of n_embd 6"},
        {"n_head", "0", "n_head"},
        {"n_head", "-2", "n_head"},
        {"n_head", "2x", "n_head"},
        {"n_head", " 2", "n_head"},
        {"n_head", "", "n_head"},
        {"n_head", "99999999999999999999", "n_head"},
        {"causal", "maybe", "causal"},
        {"ffn", "1", "ffn"},
        {"attention", "sigmoid", "softmax or linear"},
        {"n_embd", "6.0", "n_embd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Parts parts;
        good_parts(&parts);
        set_metadata(&parts, cases[i].key, cases[i].value);
        assert_refused(&parts, "__metadata__", cases[i].words);
    }
}

static void every_missing_tensor_is_named(void **state) {
    Parts parts;
    good_parts(&parts);
    int n_tensors = parts.n_tensors;
    free(parts.parameters);
    for (int i = 0; i < n_tensors; i++) {
        char name[TENSOR_NAME_BYTES];
        good_parts(&parts);
        snprintf(name, sizeof name, "%s", parts.tensors[i].name);
        parts.tensors[i].name = "other";
        /* without the tensors that shapes are read from, what is missed first may be a consequence */
        assert_refused(&parts, strstr(name, "c_fc.weight") != NULL ? "ffn" : name, "");
    }
}

static void a_tensor_of_another_shape_is_refused_with_both_shapes(void **state) {
    Parts parts;
    good_parts(&parts);
    SafeTensorOut *weight = tensor_named(&parts, "_backbone.h.0.attn.c_attn.weight");
    weight->shape[0] = 18;
    weight->shape[1] = 6;
    assert_refused(&parts, "\"_backbone.h.0.attn.c_attn.weight\": shape (18, 6)", "expected (6, 18)");

    good_parts(&parts);
    tensor_named(&parts, "_read_out.bias")->rank = 2;
    tensor_named(&parts, "_read_out.bias")->shape[1] = 1;
    assert_refused(&parts, "\"_read_out.bias\": shape (3, 1)", "expected (3)");

    good_parts(&parts);
    tensor_named(&parts, "_backbone.wpe.weight")->shape[0] = 11;
    assert_refused(&parts, "_backbone.wpe.weight", "3 x n_points");

    good_parts(&parts);
    tensor_named(&parts, "_read_in.weight")->shape[0] = 0;
    assert_refused(&parts, "_read_in.weight", "(0, 3)");
}

static void a_parameter_that_is_not_finite_is_refused(void **state) {
    Parts parts;
    good_parts(&parts);
    ((float *)tensor_named(&parts, "_backbone.ln_f.bias")->data)[4] = NAN;
    assert_refused(&parts, "_backbone.ln_f.bias", "element 4");
}

static void a_file_without_a_model_is_refused(void **state) {
    ModelSettings model;
    TaskSettings task;
    Error err;
    float *parameters = NULL;
    const char *path = TESTS_DIR "/golden/baselines.safetensors";
    assert_int_equal(model_file_read(path, &model, &task, &parameters, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "_read_in.weight"));
    assert_null(parameters);
}

/* Every byte of length and header replaced by what matters to a parser: refused or read, never a fault. */
static void no_changed_byte_of_the_header_harms_the_reader(void **state) {
    static const unsigned char values[] = {0, '0', '9', '"', ']', 0xff};
    enum { FILE_BYTES = 16384 };
    static unsigned char bytes[FILE_BYTES];
    Parts parts;
    Error err;
    char path[PATH_BYTES];
    uint64_t header_bytes;
    good_parts(&parts);
    fresh_path(path);
    assert_int_equal(safetensors_write(path, parts.tensors, parts.n_tensors, parts.metadata, parts.n_metadata, &err),
                     STATUS_OK);
    free(parts.parameters);
    FILE *stream = fopen(path, "r+b");
    assert_non_null(stream);
    assert_in_range(fread(bytes, 1, sizeof bytes, stream), 1000, FILE_BYTES - 1);
    memcpy(&header_bytes, bytes, sizeof header_bytes);
    size_t refused = 0;
    for (size_t i = 0; i < sizeof header_bytes + header_bytes; i++) {
        for (size_t v = 0; v <= sizeof values; v++) { /* the last puts the byte back */
            ModelSettings model;
            TaskSettings task;
            float *parameters = NULL;
            fseek(stream, (long)i, SEEK_SET);
            fputc(v < sizeof values ? values[v] : bytes[i], stream);
            fflush(stream);
            if (v < sizeof values && model_file_read(path, &model, &task, &parameters, &err) != STATUS_OK) refused++;
            free(parameters);
        }
    }
    assert_true(refused > 4 * header_bytes);
    fclose(stream);
    unlink(path);
}

/* --- prompts ---------------------------------------------------------------------------------------------------- */

/* Writes tensors (in.xs first) and reads them as prompts. */
static Status read_prompts(const SafeTensorOut *tensors, int n_tensors, bool require_y_star, Arena *arena, Prompts *out,
                           Error *err) {
    char path[PATH_BYTES];
    SafeTensorsFile *file = NULL;
    fresh_path(path);
    assert_int_equal(safetensors_write(path, tensors, n_tensors, NULL, 0, err), STATUS_OK);
    assert_int_equal(safetensors_open(path, &file, err), STATUS_OK);
    Status status = prompts_file_read(file, path, require_y_star, arena, out, err);
    safetensors_close(file);
    unlink(path);
    return status;
}

/* 2 prompts of 3 responses in 2 dimensions. */
enum { XS, YS, RS, Y_STAR, RS_SEEN, PROMPT_TENSORS };

static void good_prompts(float values[12], SafeTensorOut tensors[PROMPT_TENSORS]) {
    for (int i = 0; i < 12; i++)
        values[i] = (float)i;
    tensors[XS] = (SafeTensorOut){.name = "in.xs", .rank = 3, .shape = {2, 3, 2}, .data = values};
    tensors[YS] = (SafeTensorOut){.name = "in.ys", .rank = 3, .shape = {2, 3, 2}, .data = values};
    tensors[RS] = (SafeTensorOut){.name = "in.rs", .rank = 3, .shape = {2, 3, 1}, .data = values};
    tensors[Y_STAR] = (SafeTensorOut){.name = "in.y_star", .rank = 3, .shape = {2, 3, 2}, .data = values};
    tensors[RS_SEEN] = (SafeTensorOut){.name = "in.rs_seen", .rank = 2, .shape = {2, 3}, .data = values + 6};
}

static void prompts_are_read_with_what_the_critic_said(void **state) {
    float values[12];
    SafeTensorOut tensors[PROMPT_TENSORS];
    Arena arena;
    Prompts prompts;
    Error err;
    good_prompts(values, tensors);
    assert_int_equal(read_prompts(tensors, PROMPT_TENSORS, true, &arena, &prompts, &err), STATUS_OK);
    assert_int_equal(prompts.n, 2);
    assert_int_equal(prompts.N, 3);
    assert_int_equal(prompts.d, 2);
    assert_memory_equal(prompts.xs, values, sizeof values);
    assert_memory_equal(prompts.ys, values, sizeof values);
    assert_memory_equal(prompts.y_star, values, sizeof values);
    assert_memory_equal(prompts.rs, values, 6 * sizeof(float));
    assert_memory_equal(prompts.seen, values + 6, 6 * sizeof(float));
    arena_destroy(&arena);
}

static void without_a_critic_the_clean_rewards_are_seen(void **state) {
    float values[12], zeros[12] = {0};
    SafeTensorOut tensors[PROMPT_TENSORS];
    Arena arena;
    Prompts prompts;
    Error err;
    good_prompts(values, tensors);
    assert_int_equal(read_prompts(tensors, Y_STAR, false, &arena, &prompts, &err), STATUS_OK);
    assert_memory_equal(prompts.seen, values, 6 * sizeof(float));
    assert_memory_equal(prompts.y_star, zeros, sizeof zeros);
    arena_destroy(&arena);
    assert_int_equal(read_prompts(tensors, Y_STAR, true, &arena, &prompts, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "in.y_star"));
}

static void prompts_of_wrong_shapes_or_values_are_refused_by_name(void **state) {
    for (int i = 0; i < PROMPT_TENSORS; i++) {
        float values[12], wrong[12];
        SafeTensorOut tensors[PROMPT_TENSORS];
        Arena arena;
        Prompts prompts;
        Error err;
        good_prompts(values, tensors);
        tensors[i].rank = 1;
        assert_int_equal(read_prompts(tensors, PROMPT_TENSORS, false, &arena, &prompts, &err), STATUS_DATA);
        assert_non_null(strstr(err.text, tensors[i].name));

        good_prompts(values, tensors);
        memcpy(wrong, tensors[i].data, (i == RS_SEEN ? 6 : 12) * sizeof(float));
        wrong[5] = INFINITY;
        tensors[i].data = wrong;
        assert_int_equal(read_prompts(tensors, PROMPT_TENSORS, false, &arena, &prompts, &err), STATUS_DATA);
        assert_non_null(strstr(err.text, tensors[i].name));
        assert_non_null(strstr(err.text, "element 5"));
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_model_reads_back_with_its_settings),
        cmocka_unit_test(a_peers_file_is_read_and_its_further_tensors_are_ignored),
        cmocka_unit_test(shapes_tell_what_metadata_leaves_out),
        cmocka_unit_test(the_number_of_heads_is_never_guessed),
        cmocka_unit_test(metadata_that_contradicts_the_shapes_is_refused),
        cmocka_unit_test(every_missing_tensor_is_named),
        cmocka_unit_test(a_tensor_of_another_shape_is_refused_with_both_shapes),
        cmocka_unit_test(a_parameter_that_is_not_finite_is_refused),
        cmocka_unit_test(a_file_without_a_model_is_refused),
        cmocka_unit_test(no_changed_byte_of_the_header_harms_the_reader),
        cmocka_unit_test(prompts_are_read_with_what_the_critic_said),
        cmocka_unit_test(without_a_critic_the_clean_rewards_are_seen),
        cmocka_unit_test(prompts_of_wrong_shapes_or_values_are_refused_by_name),
    };
    return run_tests(tests, argc, argv);
}
