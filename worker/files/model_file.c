/* See model_file.h. The configuration is what the tensors' shapes tell, completed by metadata; where both speak they
 * must agree. Everything is checked against the file's own sizes before memory for it is taken. */
#include "worker/files/model_file.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far above any model that could be trained here; keeps products of dimensions far from overflow. */
enum { MAX_DIMENSION = 16384, MAX_LAYERS = 1000, SHAPE_TEXT_BYTES = 192, METADATA_KEYS = 8, NUMBER_BYTES = 16 };

/* "(12, 36)" */
static const char *shape_text(int rank, const int64_t *shape, char text[SHAPE_TEXT_BYTES]) {
    size_t used = (size_t)snprintf(text, SHAPE_TEXT_BYTES, "(");
    for (int axis = 0; axis < rank; axis++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT_BYTES - used, axis > 0 ? ", %lld" : "%lld",
                                 (long long)shape[axis]);
    snprintf(text + used, SHAPE_TEXT_BYTES - used, ")");
    return text;
}

static bool has_shape(const SafeTensor *tensor, int rank, const int64_t *shape) {
    return tensor->rank == rank && memcmp(tensor->shape, shape, (size_t)rank * sizeof *shape) == 0;
}

static Status wrong_shape(const char *path, const SafeTensor *tensor, int rank, const int64_t *expected, Error *err) {
    char is[SHAPE_TEXT_BYTES], wanted[SHAPE_TEXT_BYTES];
    return error_set(err, STATUS_DATA, "%s: tensor \"%s\": shape %s, expected %s", path, tensor->name,
                     shape_text(tensor->rank, tensor->shape, is), shape_text(rank, expected, wanted));
}

static Status find_tensor(const SafeTensorsFile *file, const char *path, const char *name, const SafeTensor **out,
                          Error *err) {
    Status status = safetensors_find_readable(file, path, name, out, err);
    if (status == STATUS_OK && *out == NULL)
        return error_set(err, STATUS_DATA, "%s: expected a tensor \"%s\", there is none", path, name);
    return status;
}

/* A matrix whose sides are dimensions of the model. */
static Status find_matrix(const SafeTensorsFile *file, const char *path, const char *name, const SafeTensor **out,
                          Error *err) {
    char is[SHAPE_TEXT_BYTES];
    Status status = find_tensor(file, path, name, out, err);
    if (status != STATUS_OK) return status;
    const SafeTensor *tensor = *out;
    if (tensor->rank != 2 || tensor->shape[0] < 1 || tensor->shape[0] > MAX_DIMENSION || tensor->shape[1] < 1 ||
        tensor->shape[1] > MAX_DIMENSION)
        return error_set(err, STATUS_DATA, "%s: tensor \"%s\": shape %s, expected a matrix with sides from 1 to %d",
                         path, name, shape_text(tensor->rank, tensor->shape, is), MAX_DIMENSION);
    return STATUS_OK;
}

/* The whole number that metadata gives for key; found false when there is none. */
static Status metadata_number(const SafeTensorsFile *file, const char *path, const char *key, int32_t *value,
                              bool *found, Error *err) {
    const char *text = safetensors_metadata(file, key);
    *found = text != NULL;
    if (text == NULL) return STATUS_OK;
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || errno != 0 || number > MAX_DIMENSION)
        return error_set(err, STATUS_DATA, "%s: __metadata__: %s: expected a whole number from 1 to %d", path, key,
                         MAX_DIMENSION);
    *value = (int32_t)number;
    return STATUS_OK;
}

/* Stops where metadata contradicts what the shapes tell. */
static Status agree_number(const SafeTensorsFile *file, const char *path, const char *key, int32_t told, Error *err) {
    bool found;
    int32_t value;
    Status status = metadata_number(file, path, key, &value, &found, err);
    if (status == STATUS_OK && found && value != told)
        return error_set(err, STATUS_DATA, "%s: __metadata__ says %s %d, the tensors say %d", path, key, (int)value,
                         (int)told);
    return status;
}

/* "true" or "false" of metadata; value keeps what it holds when there is none. */
static Status metadata_boolean(const SafeTensorsFile *file, const char *path, const char *key, bool *value,
                               Error *err) {
    const char *text = safetensors_metadata(file, key);
    if (text == NULL) return STATUS_OK;
    /* Python's str(True) is accepted: peers write metadata that way */
    bool is_true = strcmp(text, "true") == 0 || strcmp(text, "True") == 0;
    if (!is_true && strcmp(text, "false") != 0 && strcmp(text, "False") != 0)
        return error_set(err, STATUS_DATA, "%s: __metadata__: %s: expected true or false", path, key);
    *value = is_true;
    return STATUS_OK;
}

static int32_t count_layers(const SafeTensorsFile *file) {
    char name[TENSOR_NAME_BYTES];
    int32_t layers = 0;
    do
        snprintf(name, sizeof name, "_backbone.h.%d.attn.c_attn.weight", (int)layers);
    while (safetensors_find(file, name) != NULL && ++layers <= MAX_LAYERS);
    return layers;
}

/* What the shapes tell: d, N, E, L and whether there is a feed-forward network. */
static Status settings_from_shapes(const SafeTensorsFile *file, const char *path, ModelSettings *model,
                                   TaskSettings *task, Error *err) {
    const SafeTensor *read_in, *positions;
    Status status = find_matrix(file, path, "_read_in.weight", &read_in, err);
    if (status == STATUS_OK) status = find_matrix(file, path, "_backbone.wpe.weight", &positions, err);
    if (status != STATUS_OK) return status;
    if (positions->shape[0] % 3 != 0)
        return error_set(err, STATUS_DATA, "%s: tensor \"%s\": %lld positions, expected 3 x n_points", path,
                         positions->name, (long long)positions->shape[0]);
    *task = (TaskSettings){.n_dims = (int32_t)read_in->shape[1],
                           .n_points = (int32_t)(positions->shape[0] / 3),
                           .noise = TASK_NOISE_SHARED};
    *model = (ModelSettings){.n_layer = count_layers(file),
                             .n_embd = (int32_t)read_in->shape[0],
                             .attention = ATTENTION_SOFTMAX,
                             .ffn = safetensors_find(file, "_backbone.h.0.mlp.c_fc.weight") != NULL,
                             .causal = true};
    if (model->n_layer < 1 || model->n_layer > MAX_LAYERS)
        return error_set(err, STATUS_DATA, "%s: expected 1 to %d layers, tensors \"_backbone.h.0.attn.c_attn.weight\"",
                         path, MAX_LAYERS);
    return STATUS_OK;
}

/* The layer of a block's tensor, and what of the block it is ("mlp.c_fc.weight"); -1: it is of no block. */
static long layer_of(const char *name, const char **part) {
    static const char before[] = "_backbone.h.";
    char *end;
    if (strncmp(name, before, sizeof before - 1) != 0) return -1;
    name += sizeof before - 1;
    if (*name < '0' || *name > '9') return -1;
    long layer = strtol(name, &end, 10);
    *part = end + 1;
    return *end == '.' ? layer : -1;
}

/* Whether a tensor is one that blocks like those of the shape have; other names (masks that PyTorch keeps) say nothing.
 */
static bool is_of_block(const Tensor *list, int n_tensors, const char *part) {
    const char *known;
    for (int i = 0; i < n_tensors; i++)
        if (layer_of(list[i].name, &known) == 0 && strcmp(known, part) == 0) return true;
    return false;
}

/* Layers are counted, and the network is looked for, by the tensors that are there: nothing of a block may be left
 * over, as it is where one in between is missing or of a type that cannot be read. */
static Status check_blocks(const SafeTensorsFile *file, const char *path, const ModelSettings *model,
                           const TaskSettings *task, Error *err) {
    ModelSettings whole = *model;
    whole.n_layer = 1;
    whole.n_head = 1;
    whole.ffn = true;
    Shape shape = shape_of(&whole, task);
    int n_tensors = tensors_count(&shape);
    Tensor *list = calloc((size_t)n_tensors, sizeof *list);
    if (list == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory for a list of %d tensors", path, n_tensors);
    tensors_list(&shape, list);
    Status status = STATUS_OK;
    const char *name, *part;
    for (int i = 0; (name = safetensors_name(file, i)) != NULL && status == STATUS_OK; i++)
        if (layer_of(name, &part) >= 0 && is_of_block(list, n_tensors, part))
            status = safetensors_find_readable(file, path, name, &(const SafeTensor *){0}, err);
    for (int i = 0; (name = safetensors_name(file, i)) != NULL && status == STATUS_OK; i++) {
        long layer = layer_of(name, &part);
        if (layer < 0 || !is_of_block(list, n_tensors, part)) continue;
        if (layer >= model->n_layer)
            status = error_set(err, STATUS_DATA,
                               "%s: tensor \"%s\" is of layer %ld, but there is no "
                               "\"_backbone.h.%d.attn.c_attn.weight\": expected layers without a gap",
                               path, name, layer, (int)model->n_layer);
        else if (!model->ffn && strncmp(part, "mlp.", 4) == 0)
            status = error_set(err, STATUS_DATA,
                               "%s: tensor \"%s\" is of a feed-forward network (ffn), but there is no "
                               "\"_backbone.h.0.mlp.c_fc.weight\": expected all of its tensors or none",
                               path, name);
    }
    free(list);
    return status;
}

/* Completes settings by metadata: n_head, attention, causal; the rest must agree. */
static Status settings_from_metadata(const SafeTensorsFile *file, const char *path, ModelSettings *model,
                                     const TaskSettings *task, Error *err) {
    const struct {
        const char *key;
        int32_t told;
    } known[] = {
        {"n_dims", task->n_dims}, {"n_points", task->n_points}, {"n_embd", model->n_embd}, {"n_layer", model->n_layer}};
    Status status = STATUS_OK;
    for (size_t i = 0; i < sizeof known / sizeof known[0] && status == STATUS_OK; i++)
        status = agree_number(file, path, known[i].key, known[i].told, err);
    bool ffn = model->ffn, found = false;
    if (status == STATUS_OK) status = metadata_number(file, path, "n_head", &model->n_head, &found, err);
    if (status == STATUS_OK) status = metadata_boolean(file, path, "causal", &model->causal, err);
    if (status == STATUS_OK) status = metadata_boolean(file, path, "ffn", &ffn, err);
    if (status != STATUS_OK) return status;
    if (!found)
        return error_set(err, STATUS_DATA, "%s: __metadata__: expected n_head, which the shapes do not tell", path);
    if (model->n_embd % model->n_head != 0)
        return error_set(err, STATUS_DATA, "%s: __metadata__: n_head %d, expected a divisor of n_embd %d", path,
                         (int)model->n_head, (int)model->n_embd);
    if (ffn != model->ffn)
        return error_set(err, STATUS_DATA, "%s: __metadata__ says ffn %s, but tensors of block 0 say %s", path,
                         ffn ? "true" : "false", model->ffn ? "true" : "false");
    const char *attention = safetensors_metadata(file, "attention");
    int value = attention != NULL ? attention_from_name(attention) : ATTENTION_SOFTMAX;
    if (value < 0) return error_set(err, STATUS_DATA, "%s: __metadata__: attention: expected softmax or linear", path);
    model->attention = (Attention)value;
    return STATUS_OK;
}

/* Copies a tensor as float; what is not finite is refused, as every number made from it would be undefined. */
static Status copy_finite(const SafeTensor *tensor, const char *path, float *out, Error *err) {
    safetensors_floats(tensor, out);
    for (size_t i = 0; i < tensor->count; i++)
        if (!isfinite(out[i]))
            return error_set(err, STATUS_DATA, "%s: tensor \"%s\": element %zu is %g, expected a finite number", path,
                             tensor->name, i, (double)out[i]);
    return STATUS_OK;
}

/* Rank and shape of a tensor of the list. */
static int shape_in_file(const Tensor *tensor, int64_t shape[2]) {
    shape[0] = tensor->is_vector ? tensor->columns : tensor->rows;
    shape[1] = tensor->columns;
    return tensor->is_vector ? 1 : 2;
}

static Status read_parameters(const SafeTensorsFile *file, const char *path, const Shape *shape, float **parameters,
                              Error *err) {
    int n_tensors = tensors_count(shape);
    int64_t expected[2];
    Status status = STATUS_OK;
    float *values = NULL;
    Tensor *list = calloc((size_t)n_tensors, sizeof *list);
    const SafeTensor **found = calloc((size_t)n_tensors, sizeof *found);
    if (list == NULL || found == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "%s: no memory for a list of %d tensors", path, n_tensors);
        goto done;
    }
    tensors_list(shape, list);
    for (int i = 0; i < n_tensors; i++) {
        int rank = shape_in_file(&list[i], expected);
        status = find_tensor(file, path, list[i].name, &found[i], err);
        if (status == STATUS_OK && !has_shape(found[i], rank, expected))
            status = wrong_shape(path, found[i], rank, expected, err);
        if (status != STATUS_OK) goto done;
    }
    values = malloc(tensors_parameters(shape) * sizeof *values);
    if (values == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "%s: no memory for %zu parameters", path, tensors_parameters(shape));
        goto done;
    }
    for (int i = 0; i < n_tensors && status == STATUS_OK; i++)
        status = copy_finite(found[i], path, values + list[i].offset, err);
done:
    free(list);
    free(found);
    if (status != STATUS_OK) {
        free(values);
        return status;
    }
    *parameters = values;
    return STATUS_OK;
}

Status model_file_read(const char *path, ModelSettings *model, TaskSettings *task, float **parameters, Error *err) {
    SafeTensorsFile *file = NULL;
    Status status = safetensors_open(path, &file, err);
    if (status == STATUS_OK) status = settings_from_shapes(file, path, model, task, err);
    if (status == STATUS_OK) status = check_blocks(file, path, model, task, err);
    if (status == STATUS_OK) status = settings_from_metadata(file, path, model, task, err);
    if (status == STATUS_OK) {
        Shape shape = shape_of(model, task);
        status = read_parameters(file, path, &shape, parameters, err);
    }
    safetensors_close(file);
    return status;
}

Status model_file_write(const char *path, const ModelSettings *model, const TaskSettings *task, const float *parameters,
                        Error *err) {
    Shape shape = shape_of(model, task);
    int n_tensors = tensors_count(&shape);
    char n_dims[NUMBER_BYTES], n_points[NUMBER_BYTES], n_embd[NUMBER_BYTES], n_layer[NUMBER_BYTES];
    char n_head[NUMBER_BYTES];
    snprintf(n_dims, sizeof n_dims, "%d", (int)task->n_dims);
    snprintf(n_points, sizeof n_points, "%d", (int)task->n_points);
    snprintf(n_embd, sizeof n_embd, "%d", (int)model->n_embd);
    snprintf(n_layer, sizeof n_layer, "%d", (int)model->n_layer);
    snprintf(n_head, sizeof n_head, "%d", (int)model->n_head);
    const char *const metadata[] = {"n_dims",    n_dims,
                                    "n_points",  n_points,
                                    "n_embd",    n_embd,
                                    "n_layer",   n_layer,
                                    "n_head",    n_head,
                                    "ffn",       model->ffn ? "true" : "false",
                                    "attention", attention_name(model->attention),
                                    "causal",    model->causal ? "true" : "false"};
    static_assert(sizeof metadata / sizeof metadata[0] == 2 * METADATA_KEYS, "pairs of key and value");
    Status status = STATUS_OK;
    Tensor *list = calloc((size_t)n_tensors, sizeof *list);
    SafeTensorOut *out = calloc((size_t)n_tensors, sizeof *out);
    if (list == NULL || out == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "%s: no memory for a list of %d tensors", path, n_tensors);
    } else {
        tensors_list(&shape, list);
        for (int i = 0; i < n_tensors; i++) {
            out[i] = (SafeTensorOut){.name = list[i].name, .data = parameters + list[i].offset};
            out[i].rank = shape_in_file(&list[i], out[i].shape);
        }
        status = safetensors_write(path, out, n_tensors, metadata, METADATA_KEYS, err);
    }
    free(list);
    free(out);
    return status;
}

/* Fills out (n, N, width; width 1 may be left out of the file's shape) from a tensor. */
static Status read_prompt_tensor(const SafeTensor *tensor, const char *path, const Prompts *prompts, int width,
                                 float *out, Error *err) {
    const int64_t expected[3] = {prompts->n, prompts->N, width};
    bool fits = has_shape(tensor, 3, expected) || (width == 1 && has_shape(tensor, 2, expected));
    return fits ? copy_finite(tensor, path, out, err) : wrong_shape(path, tensor, 3, expected, err);
}

/* Room for prompts as many and as long as xs says, from an arena created here. */
static Status take_prompts(const SafeTensor *xs, const char *path, Arena *arena, Prompts *out, Error *err) {
    char is[SHAPE_TEXT_BYTES];
    if (xs->rank != 3 || xs->shape[0] < 1 || xs->shape[0] > INT_MAX || xs->shape[1] < 1 ||
        xs->shape[1] > MAX_DIMENSION || xs->shape[2] < 1 || xs->shape[2] > MAX_DIMENSION)
        return error_set(err, STATUS_DATA, "%s: tensor \"in.xs\": shape %s, expected (prompts, n_points, n_dims)", path,
                         shape_text(xs->rank, xs->shape, is));
    const TaskSettings task = {.n_points = (int32_t)xs->shape[1], .n_dims = (int32_t)xs->shape[2]};
    Arena measure = {0};
    prompts_take(&measure, &task, (int)xs->shape[0]);
    Status status = arena_create(arena, measure.used_bytes, err);
    if (status == STATUS_OK) *out = prompts_take(arena, &task, (int)xs->shape[0]);
    return status;
}

Status prompts_file_read(const SafeTensorsFile *file, const char *path, bool require_y_star, Arena *arena, Prompts *out,
                         Error *err) {
    const SafeTensor *xs, *ys, *rs, *y_star, *seen;
    Prompts prompts;
    Status status = safetensors_find_readable(file, path, "in.y_star", &y_star, err);
    if (status == STATUS_OK) status = safetensors_find_readable(file, path, "in.rs_seen", &seen, err);
    if (status == STATUS_OK) status = find_tensor(file, path, "in.xs", &xs, err);
    if (status == STATUS_OK) status = find_tensor(file, path, "in.ys", &ys, err);
    if (status == STATUS_OK) status = find_tensor(file, path, "in.rs", &rs, err);
    if (status == STATUS_OK && require_y_star) status = find_tensor(file, path, "in.y_star", &y_star, err);
    if (status == STATUS_OK) status = take_prompts(xs, path, arena, &prompts, err);
    if (status != STATUS_OK) return status;
    status = read_prompt_tensor(xs, path, &prompts, prompts.d, prompts.xs, err);
    if (status == STATUS_OK) status = read_prompt_tensor(ys, path, &prompts, prompts.d, prompts.ys, err);
    if (status == STATUS_OK) status = read_prompt_tensor(rs, path, &prompts, 1, prompts.rs, err);
    if (status == STATUS_OK)
        status = read_prompt_tensor(seen != NULL ? seen : rs, path, &prompts, 1, prompts.seen, err);
    if (status == STATUS_OK && y_star != NULL)
        status = read_prompt_tensor(y_star, path, &prompts, prompts.d, prompts.y_star, err);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    *out = prompts;
    return STATUS_OK;
}

/* The first *count responses of prompts from a tensor (n, *count, d). */
static Status read_initial_responses(const SafeTensor *tensor, const char *path, const Prompts *prompts, int *count,
                                     Error *err) {
    char is[SHAPE_TEXT_BYTES];
    size_t of_prompt = (size_t)prompts->N * prompts->d;
    if (tensor->rank != 3 || tensor->shape[0] != prompts->n || tensor->shape[1] < 1 || tensor->shape[1] >= prompts->N ||
        tensor->shape[2] != prompts->d)
        return error_set(err, STATUS_DATA, "%s: tensor \"%s\": shape %s, expected (%d, 1 to %d, %d)", path,
                         tensor->name, shape_text(tensor->rank, tensor->shape, is), prompts->n, prompts->N - 1,
                         prompts->d);
    Status status = copy_finite(tensor, path, prompts->ys, err);
    size_t of_tensor = (size_t)tensor->shape[1] * prompts->d;
    for (size_t p = (size_t)prompts->n; p-- > 0;) { /* apart, from the last on */
        float *ys = prompts->ys + p * of_prompt;
        memmove(ys, prompts->ys + p * of_tensor, of_tensor * sizeof *ys);
        memset(ys + of_tensor, 0, (of_prompt - of_tensor) * sizeof *ys);
    }
    *count = (int)tensor->shape[1];
    return status;
}

Status closed_loop_file_read(const SafeTensorsFile *file, const char *path, Arena *arena, Prompts *out,
                             int *initial_responses, Error *err) {
    const SafeTensor *xs, *y_star, *initial;
    Prompts prompts;
    Status status = find_tensor(file, path, "in.xs", &xs, err);
    if (status == STATUS_OK) status = find_tensor(file, path, "in.y_star", &y_star, err);
    if (status == STATUS_OK) status = find_tensor(file, path, "in.initial_responses", &initial, err);
    if (status == STATUS_OK) status = take_prompts(xs, path, arena, &prompts, err);
    if (status != STATUS_OK) return status;
    status = read_prompt_tensor(xs, path, &prompts, prompts.d, prompts.xs, err);
    if (status == STATUS_OK) status = read_prompt_tensor(y_star, path, &prompts, prompts.d, prompts.y_star, err);
    if (status == STATUS_OK) status = read_initial_responses(initial, path, &prompts, initial_responses, err);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    *out = prompts;
    return STATUS_OK;
}
