/* See incremental.h. A call carries rows of new tokens only, prompt by prompt, through the steps of forward.c; in place
 * of whole attention each new token's key and value join the cache and its query is asked there. The last block's
 * queries, and all after them, are needed at the last new token alone. */
#include "worker/model/incremental.h"

#include "worker/model/cached_attention.h"
#include "worker/model/workspace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ModelCache {
    Shape shape;
    int n_prompts, n; /* room, in use */
    int T, filled;    /* tokens of a prompt: room, in the cache */
    int stride;       /* T in whole key blocks */
    Arena arena;
    float *keys;   /* (L, prompts, E, stride) */
    float *values; /* (L, prompts, T, E) */
    Block block;   /* input, middle and output are one matrix */
    float *tokens, *normed, *stats, *score;
};

static void take_all(ModelCache *cache, Arena *arena) {
    const Shape *shape = &cache->shape;
    size_t E = (size_t)shape->E, prompts = (size_t)cache->n_prompts, rows = prompts * cache->T;
    cache->keys = arena_take(arena, (size_t)shape->L * prompts * E * cache->stride, sizeof(float));
    cache->values = arena_take(arena, (size_t)shape->L * rows * E, sizeof(float));
    cache->tokens = arena_take(arena, rows * shape->d, sizeof(float));
    cache->normed = arena_take(arena, rows * E, sizeof(float));
    cache->stats = arena_take(arena, rows * 2, sizeof(float));
    cache->score = arena_take(arena, (size_t)cache->stride, sizeof(float));
    float *residual = arena_take(arena, rows * E, sizeof(float));
    cache->block = (Block){.input = residual, .middle = residual, .output = residual, .stats_2 = cache->stats};
    cache->block.qkv = arena_take(arena, rows * 3 * E, sizeof(float));
    cache->block.attended = arena_take(arena, rows * E, sizeof(float));
    if (shape->ffn) cache->block.hidden = arena_take(arena, rows * shape->F, sizeof(float));
}

Status model_cache_create(const Shape *shape, int n_prompts, ModelCache **out, Error *err) {
    assert(shape->causal && n_prompts > 0);
    ModelCache *cache = calloc(1, sizeof *cache);
    *out = NULL;
    if (!cache) return error_set(err, STATUS_NO_MEMORY, "cannot allocate a cache of keys and values");
    cache->shape = *shape;
    cache->n_prompts = n_prompts;
    cache->T = 3 * (shape->N - 1) + 1;
    cache->stride = (cache->T + KEY_BLOCK - 1) / KEY_BLOCK * KEY_BLOCK;
    take_all(cache, &cache->arena);
    Status status = arena_create(&cache->arena, cache->arena.used_bytes, err);
    if (status != STATUS_OK) {
        model_cache_free(cache);
        return error_prefix(err, status, "keys and values of %d prompts", n_prompts);
    }
    take_all(cache, &cache->arena);
    *out = cache;
    return STATUS_OK;
}

void model_cache_free(ModelCache *cache) {
    if (!cache) return;
    arena_destroy(&cache->arena);
    free(cache);
}

int model_cache_prompts(const ModelCache *cache) {
    return cache->n_prompts;
}

void model_cache_restart(ModelCache *cache, int n) {
    assert(n > 0 && n <= cache->n_prompts);
    cache->n = n;
    cache->filled = 0;
}

static float *cached_keys(const ModelCache *cache, int layer, int prompt) {
    return cache->keys + ((size_t)layer * cache->n_prompts + prompt) * cache->shape.E * cache->stride;
}

static float *cached_values(const ModelCache *cache, int layer, int prompt) {
    return cache->values + ((size_t)layer * cache->n_prompts + prompt) * cache->T * cache->shape.E;
}

/* Keys and values of tokens filled .. end of one prompt, from qkv (end - filled, 3 E), into the cache. */
static void keep_keys_and_values(ModelCache *cache, int layer, int prompt, int end, const float *qkv) {
    int E = cache->shape.E;
    float *keys = cached_keys(cache, layer, prompt), *values = cached_values(cache, layer, prompt);
    for (int token = cache->filled; token < end; token++, qkv += 3 * E) {
        for (int c = 0; c < E; c++)
            keys[(size_t)c * cache->stride + token] = qkv[E + c];
        memcpy(values + (size_t)token * E, qkv + 2 * E, (size_t)E * sizeof(float));
    }
}

/* The residual stream of each prompt's last new token to the front. */
static void keep_last_rows(ModelCache *cache, int count) {
    size_t E = (size_t)cache->shape.E;
    for (int prompt = 0; prompt < cache->n; prompt++)
        memmove(cache->block.input + prompt * E, cache->block.input + ((prompt + 1) * (size_t)count - 1) * E,
                E * sizeof(float));
}

/* The attention branch of one block for tokens filled .. end, with queries from token asked on. */
static void extend_attention(const Model *model, ModelCache *cache, int layer, int asked, int end) {
    const Shape *shape = &cache->shape;
    const Block *block = &cache->block;
    int E = shape->E, count = end - cache->filled, rows = cache->n * count;
    model->kernels->layer_norm_forward(rows, E, block->input, parameter(model, layer, LN_1_WEIGHT),
                                       parameter(model, layer, LN_1_BIAS), cache->normed, cache->stats);
    forward_linear(model, rows, layer, C_ATTN, cache->normed, FINISH_BIAS, NULL, NULL, block->qkv);
    float *attended = block->attended;
    for (int prompt = 0; prompt < cache->n; prompt++) {
        const float *qkv = block->qkv + (size_t)prompt * count * 3 * E;
        keep_keys_and_values(cache, layer, prompt, end, qkv);
        for (int token = asked; token < end; token++, attended += E)
            cached_attention(shape, token + 1, cache->stride, qkv + (size_t)(token - cache->filled) * 3 * E,
                             cached_keys(cache, layer, prompt), cached_values(cache, layer, prompt), cache->score,
                             attended);
    }
    if (asked > cache->filled) keep_last_rows(cache, count);
    forward_linear(model, cache->n * (end - asked), layer, ATTN_C_PROJ, block->attended, FINISH_RESIDUAL, block->input,
                   NULL, block->middle);
}

void model_predict_at(const Model *model, ModelCache *cache, int position, const float *xs, const float *ys,
                      const float *rs, float *pred) {
    const Shape *shape = &model->shape;
    int n = cache->n, end = 3 * position + 1;
    assert(n > 0 && end > cache->filled && end <= cache->T && weights_are_those_of_parameters(model));
    assert(shape->L == cache->shape.L && shape->E == cache->shape.E && shape->N == cache->shape.N);
    forward_embed(model, n, cache->filled, end, xs, ys, rs, cache->tokens, cache->block.input);
    for (int layer = 0; layer < shape->L; layer++) {
        int asked = layer == shape->L - 1 ? end - 1 : cache->filled;
        extend_attention(model, cache, layer, asked, end);
        if (shape->ffn) forward_feed_forward(model, &cache->block, layer, n * (end - asked), cache->normed);
    }
    forward_read_out(model, n, cache->block.output, cache->normed, cache->stats, pred);
    cache->filled = end;
}
