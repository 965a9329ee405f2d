/* Creation of a model's workspace: how much room each matrix takes and which of them share it. */
#include "worker/model/workspace.h"

#include <stdlib.h>

/* Measured at E 48, 96 and 128, L 4 to 20: from 4 to 8 makes 2 % either way, 2 and 16 lose more. */
int model_best_micro_batch(const Shape *shape) {
    return shape->E < 64 ? 4 : 8;
}

AttentionShape block_attention(const Model *model, const Block *block, int n) {
    const Shape *shape = &model->shape;
    return (AttentionShape){.n = n,
                            .T = model->T,
                            .H = shape->H,
                            .D = shape->D,
                            .query_stride = block->query_stride,
                            .kind = shape->attention,
                            .causal = shape->causal};
}

/* Room for a block whose input exists; its output is taken here unless the caller has one. */
static Block take_block(const Model *model, Arena *arena, int query_stride, float *input, float *output) {
    const Shape *shape = &model->shape;
    Block block = {.query_stride = query_stride, .input = input, .output = output};
    size_t rows = (size_t)model->micro_batch * model->T,
           reads = (size_t)model->micro_batch * block_queries(model, &block);
    AttentionShape attention = block_attention(model, &block, model->micro_batch);
    block.stats_1 = arena_take(arena, rows * 2, sizeof(float));
    block.qkv = arena_take(arena, rows * 3 * shape->E, sizeof(float));
    block.weights = arena_take(arena, attention_weights_floats(&attention), sizeof(float));
    block.attended = arena_take(arena, reads * shape->E, sizeof(float));
    block.middle = block.output;
    if (shape->ffn) {
        block.middle = arena_take(arena, reads * shape->E, sizeof(float));
        block.stats_2 = arena_take(arena, reads * 2, sizeof(float));
        block.hidden = arena_take(arena, reads * shape->F, sizeof(float));
        if (model->training) block.slope = arena_take(arena, reads * shape->F, sizeof(float));
    }
    return block;
}

/* Training keeps every block's matrices; otherwise all blocks but the last share one block's, which writes its output
 * over its input. */
static void take_blocks(Model *model, Arena *arena) {
    const Shape *shape = &model->shape;
    size_t rows = (size_t)model->micro_batch * model->T;
    float *input = arena_take(arena, rows * shape->E, sizeof(float));
    Block block = {0};
    for (int layer = 0; layer < shape->L; layer++) {
        bool is_last = layer == shape->L - 1;
        float *output = model->last;
        if (!is_last) output = model->training ? arena_take(arena, rows * shape->E, sizeof(float)) : input;
        if (model->training || layer == 0 || is_last) block = take_block(model, arena, is_last ? 3 : 1, input, output);
        if (model->blocks) model->blocks[layer] = block;
        input = output;
    }
}

/* Takes all room from the arena; run first to measure, then to allocate. */
static void take_all(Model *model, Arena *arena) {
    const Shape *shape = &model->shape;
    size_t n = (size_t)model->micro_batch, rows = n * model->T;
    Block first = {.query_stride = 1};
    AttentionShape attention = block_attention(model, &first, model->micro_batch);
    model->offsets = arena_take(arena, (size_t)shape->L * TENSOR_ROLES, sizeof *model->offsets);
    model->blocks = arena_take(arena, (size_t)shape->L, sizeof *model->blocks);
    model->tokens = arena_take(arena, rows * shape->d, sizeof(float));
    model->last = arena_take(arena, n * shape->N * shape->E, sizeof(float));
    model->stats_f = arena_take(arena, n * shape->N * 2, sizeof(float));
    model->normed = arena_take(arena, rows * shape->E, sizeof(float));
    model->attention_space = arena_take(arena, attention_workspace_floats(&attention), sizeof(float));
    if (model->training) {
        model->d_residual = arena_take(arena, rows * shape->E, sizeof(float));
        model->d_reads = arena_take(arena, n * shape->N * shape->E, sizeof(float));
        model->d_branch = arena_take(arena, rows * shape->E, sizeof(float));
        model->d_qkv = arena_take(arena, rows * 3 * shape->E, sizeof(float));
        if (shape->ffn) model->d_hidden = arena_take(arena, rows * shape->F, sizeof(float));
    }
    take_blocks(model, arena);
    weights_take(model, arena);
}

static Status fill_offsets(Model *model, Error *err) {
    int count = tensors_count(&model->shape);
    Tensor *list = calloc((size_t)count, sizeof *list);
    if (!list) return error_set(err, STATUS_NO_MEMORY, "cannot allocate the list of %d tensors", count);
    tensors_list(&model->shape, list);
    for (int i = 0; i < count; i++)
        model->offsets[(list[i].layer < 0 ? 0 : list[i].layer) * TENSOR_ROLES + list[i].role] = list[i].offset;
    free(list);
    return STATUS_OK;
}

Status model_create(const Shape *shape, const Kernels *kernels, int micro_batch, bool training, Model **out,
                    Error *err) {
    Model *model = calloc(1, sizeof *model);
    *out = NULL;
    if (!model) return error_set(err, STATUS_NO_MEMORY, "cannot allocate a model");
    model->shape = *shape;
    model->kernels = kernels;
    model->micro_batch = micro_batch;
    model->training = training;
    model->T = shape->causal ? 3 * (shape->N - 1) + 1 : shape->T;
    Arena measure = {0};
    take_all(model, &measure);
    Status status = kernels_prepare(kernels, err);
    if (status == STATUS_OK) status = arena_create(&model->arena, measure.used_bytes, err);
    if (status == STATUS_OK) {
        take_all(model, &model->arena);
        status = fill_offsets(model, err);
    }
    if (status == STATUS_OK)
        *out = model;
    else
        model_free(model);
    return status;
}

void model_free(Model *model) {
    if (!model) return;
    arena_destroy(&model->arena);
    free(model);
}

size_t model_memory_bytes(const Model *model) {
    return sizeof *model + model->arena.capacity_bytes;
}
