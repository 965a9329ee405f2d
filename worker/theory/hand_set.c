/* See hand_set.h. First the layout and the weights, entry by entry, then the forward pass.
 *
 * Matrices are (in, out) as in the trained models, and products, attention and its scale 1 / sqrt(head width) are the
 * same kernels; the hand-set queries carry the square root that cancels that scale. */
#include "worker/theory/hand_set.h"

#include "proto/base/arena.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_A, HEAD_B, HEADS };
enum { QUERY, KEY, VALUE };

typedef struct FeedForward {
    int units;  /* 0: the variant has none */
    float *in;  /* (width, units) */
    float *out; /* (units, width) */
} FeedForward;

struct HandSet {
    HandSetSpec spec;
    HandSetLayout layout;
    int head_width, prompts;
    const Kernels *kernels;
    Arena arena;
    float *c_attn; /* (width, 3 HEADS head_width) */
    float *c_proj; /* (HEADS head_width, width) */
    FeedForward feed_forward[FEED_FORWARD_KINDS];
    float *qkv, *attended, *weights, *attention_space, *hidden;
};

/* --- layout ----------------------------------------------------------------------------------------------------- */

static bool is_causal_form(const HandSetSpec *spec) {
    return spec->variant == HAND_SET_CAUSAL;
}

HandSetLayout hand_set_layout(const HandSetSpec *spec) {
    int d = spec->d, flags = 3 * d;
    HandSetLayout layout = {.response = 0,
                            .answer = d,
                            .sum = 2 * d,
                            .reward = flags,
                            .square = flags + 1,
                            .picked = flags + 2,
                            .winner = flags + 3,
                            .is_test = flags + 4,
                            .one = flags + 5,
                            .above = flags + 6};
    if (is_causal_form(spec)) layout.grid = (int)ceil(4 * spec->largest_reward / spec->gap) + 2;
    layout.at = layout.above + layout.grid;
    layout.width = layout.at + layout.grid;
    return layout;
}

int hand_set_blocks(const HandSetSpec *spec, int steps) {
    return (is_causal_form(spec) ? 1 : 0) + steps * (spec->N - 1);
}

static int feed_forward_units(const HandSetSpec *spec, FeedForwardKind kind) {
    int grid = hand_set_layout(spec).grid;
    bool causal = is_causal_form(spec);
    if (spec->variant == HAND_SET_NO_FFN) return 0;
    switch (kind) {
    case FEED_FORWARD_FEATURES:
        return causal ? 2 * grid : 0;
    case FEED_FORWARD_SELECT:
        if (spec->variant == HAND_SET_NO_MASK) return 0;
        return causal ? 2 * grid + 4 : 5;
    default:
        return 2 * spec->d + 2 + (causal ? grid : 1);
    }
}

static AttentionShape attention_shape(const HandSet *set, int n) {
    HandSetVariant variant = set->spec.variant;
    return (AttentionShape){.n = n,
                            .T = set->spec.N + 1,
                            .H = HEADS,
                            .D = set->head_width,
                            .query_stride = 1,
                            .kind = variant == HAND_SET_LINEAR_ATTENTION ? ATTENTION_LINEAR : ATTENTION_SOFTMAX,
                            .causal = variant == HAND_SET_CAUSAL || variant == HAND_SET_CAUSAL_MASK};
}

/* --- weights of attention --------------------------------------------------------------------------------------- */

/* A head's query, key or value reads a coordinate of the token into one of its slots. */
static void head_reads(HandSet *set, int head, int third, int slot, int coordinate, double weight) {
    int E = HEADS * set->head_width;
    set->c_attn[coordinate * 3 * E + third * E + head * set->head_width + slot] = (float)weight;
}

static void head_writes(HandSet *set, int head, int slot, int coordinate, double weight) {
    set->c_proj[(head * set->head_width + slot) * set->layout.width + coordinate] = (float)weight;
}

/* What keeps both heads away from picked responses and, while there is another, from the test token. Slot d is the
 * scalar part of the score; in the causal form slots d + 1 .. hold the sum over grid points of at (query) times above
 * (key): 1 for picked responses, else 0. */
static void set_mask(HandSet *set, int head) {
    const HandSetLayout *layout = &set->layout;
    int d = set->spec.d;
    double away = 2 * set->spec.kappa * set->spec.largest_reward + 2000, root = sqrt(set->head_width);
    head_reads(set, head, QUERY, d, layout->one, root);
    head_reads(set, head, KEY, d, layout->is_test, -away / 2);
    head_reads(set, head, KEY, d, layout->picked, -away);
    for (int point = 0; point < layout->grid; point++) {
        head_reads(set, head, QUERY, d + 1 + point, layout->at + point, -away * root);
        head_reads(set, head, KEY, d + 1 + point, layout->above + point, 1);
    }
}

static void set_attention(HandSet *set) {
    const HandSetSpec *spec = &set->spec;
    const HandSetLayout *layout = &set->layout;
    HandSetVariant variant = spec->variant;
    int d = spec->d;
    int target = variant == HAND_SET_NO_FFN || variant == HAND_SET_NO_ACCUMULATOR ? layout->answer : layout->sum;
    set_mask(set, HEAD_A);
    head_reads(set, HEAD_A, KEY, d, layout->reward, spec->kappa);
    head_reads(set, HEAD_A, VALUE, d, layout->reward, 1);
    if (variant != HAND_SET_NO_FFN) head_writes(set, HEAD_A, d, layout->winner, 1);
    set_mask(set, HEAD_B);
    if (variant != HAND_SET_NO_NORMS) head_reads(set, HEAD_B, KEY, d, layout->square, -1);
    for (int k = 0; k < d; k++) {
        head_reads(set, HEAD_B, QUERY, k, layout->answer + k, 2 * sqrt(set->head_width));
        head_reads(set, HEAD_B, KEY, k, layout->response + k, 1);
        head_reads(set, HEAD_A, VALUE, k, layout->response + k, 1);
        head_reads(set, HEAD_B, VALUE, k, layout->response + k, 1);
        if (variant != HAND_SET_HEAD_B_ONLY) head_writes(set, HEAD_A, k, target + k, 2 * spec->step);
        if (variant != HAND_SET_HEAD_A_ONLY) head_writes(set, HEAD_B, k, target + k, -2 * spec->step);
    }
}

/* --- weights of the feed-forward networks ----------------------------------------------------------------------- */

static void unit_reads(const HandSet *set, FeedForwardKind kind, int unit, int coordinate, double weight) {
    const FeedForward *network = &set->feed_forward[kind];
    network->in[coordinate * network->units + unit] = (float)weight;
}

static void unit_writes(const HandSet *set, FeedForwardKind kind, int unit, int coordinate, double weight) {
    set->feed_forward[kind].out[unit * set->layout.width + coordinate] = (float)weight;
}

/* coordinate := 0 where it has the sign. */
static void unit_clears(const HandSet *set, FeedForwardKind kind, int unit, int coordinate, double sign) {
    unit_reads(set, kind, unit, coordinate, sign);
    unit_writes(set, kind, unit, coordinate, -sign);
}

/* above_b = 0 for rewards up to half a gap below grid point b, 1 from a quarter of a gap below it on. */
static void set_features(const HandSet *set) {
    const HandSetLayout *layout = &set->layout;
    const FeedForwardKind kind = FEED_FORWARD_FEATURES;
    for (int unit = 0; unit < 2 * layout->grid; unit++) {
        int point = unit / 2;
        unit_reads(set, kind, unit, layout->reward, 4 / set->spec.gap);
        unit_reads(set, kind, unit, layout->one, (unit % 2 == 0 ? 2 : 1) - point);
        unit_writes(set, kind, unit, layout->above + point, unit % 2 == 0 ? 1 : -1);
    }
}

/* picked := 1 where the reward is at least the winner's, less a quarter of a gap; 0 from three quarters below it on,
 * and in the test token. Made afresh each time, so that nothing drifts. */
static void set_select(const HandSet *set) {
    const HandSetLayout *layout = &set->layout;
    const FeedForwardKind kind = FEED_FORWARD_SELECT;
    for (int unit = 0; unit < 2; unit++) {
        unit_reads(set, kind, unit, layout->reward, 2 / set->spec.gap);
        unit_reads(set, kind, unit, layout->winner, -2 / set->spec.gap);
        unit_reads(set, kind, unit, layout->one, unit == 0 ? 1.5 : 0.5);
        unit_reads(set, kind, unit, layout->is_test, -2);
        unit_writes(set, kind, unit, layout->picked, unit == 0 ? 1 : -1);
    }
    unit_clears(set, kind, 2, layout->picked, 1);
    unit_clears(set, kind, 3, layout->winner, 1);
    unit_clears(set, kind, 4, layout->winner, -1);
}

/* at := the hat functions of the grid at the winner's reward: two neighbours share 1. */
static void set_select_causal(const HandSet *set) {
    static const double second_difference[] = {1, -2, 1};
    const HandSetLayout *layout = &set->layout;
    const FeedForwardKind kind = FEED_FORWARD_SELECT;
    int unit = 0;
    for (int kink = -1; kink <= layout->grid; kink++, unit++) {
        unit_reads(set, kind, unit, layout->winner, 4 / set->spec.gap);
        unit_reads(set, kind, unit, layout->one, -kink);
        for (int i = 0; i < 3; i++) {
            int point = kink + 1 - i;
            if (point >= 0 && point < layout->grid)
                unit_writes(set, kind, unit, layout->at + point, second_difference[i]);
        }
    }
    for (int point = 0; point < layout->grid; point++)
        unit_clears(set, kind, unit++, layout->at + point, 1);
    unit_clears(set, kind, unit++, layout->winner, 1);
    unit_clears(set, kind, unit++, layout->winner, -1);
}

static void set_commit(const HandSet *set) {
    const HandSetLayout *layout = &set->layout;
    const FeedForwardKind kind = FEED_FORWARD_COMMIT;
    int unit = 0;
    for (int k = 0; k < set->spec.d; k++)
        for (int sign = 1; sign >= -1; sign -= 2) {
            unit_clears(set, kind, unit, layout->sum + k, sign);
            unit_writes(set, kind, unit++, layout->answer + k, sign);
        }
    unit_clears(set, kind, unit++, layout->winner, 1);
    unit_clears(set, kind, unit++, layout->winner, -1);
    if (!is_causal_form(&set->spec)) unit_clears(set, kind, unit++, layout->picked, 1);
    for (int point = 0; point < layout->grid; point++)
        unit_clears(set, kind, unit++, layout->at + point, 1);
}

static void set_weights(HandSet *set) {
    set_attention(set);
    if (set->feed_forward[FEED_FORWARD_FEATURES].units > 0) set_features(set);
    if (set->feed_forward[FEED_FORWARD_COMMIT].units > 0) set_commit(set);
    if (set->feed_forward[FEED_FORWARD_SELECT].units == 0) return;
    if (is_causal_form(&set->spec))
        set_select_causal(set);
    else
        set_select(set);
}

/* --- creation --------------------------------------------------------------------------------------------------- */

/* Takes all room from the arena; run first to measure, then to allocate. */
static void take_all(HandSet *set, Arena *arena) {
    AttentionShape attention = attention_shape(set, set->prompts);
    size_t width = (size_t)set->layout.width, E = (size_t)HEADS * set->head_width;
    size_t rows = (size_t)set->prompts * attention.T, most_units = 0;
    set->c_attn = arena_take(arena, width * 3 * E, sizeof(float));
    set->c_proj = arena_take(arena, E * width, sizeof(float));
    for (int kind = 0; kind < FEED_FORWARD_KINDS; kind++) {
        FeedForward *network = &set->feed_forward[kind];
        network->units = feed_forward_units(&set->spec, (FeedForwardKind)kind);
        network->in = arena_take(arena, width * network->units, sizeof(float));
        network->out = arena_take(arena, width * network->units, sizeof(float));
        if ((size_t)network->units > most_units) most_units = (size_t)network->units;
    }
    set->qkv = arena_take(arena, rows * 3 * E, sizeof(float));
    set->attended = arena_take(arena, rows * E, sizeof(float));
    set->weights = arena_take(arena, attention_weights_floats(&attention), sizeof(float));
    set->attention_space = arena_take(arena, attention_workspace_floats(&attention), sizeof(float));
    set->hidden = arena_take(arena, rows * most_units, sizeof(float));
}

Status hand_set_create(const HandSetSpec *spec, const Kernels *kernels, int prompts, HandSet **out, Error *err) {
    assert(spec->d > 0 && spec->N >= 2 && prompts > 0 && spec->gap > 0);
    HandSet *set = malloc(sizeof *set);
    if (set == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a transformer with weights set by hand");
    *set = (HandSet){.spec = *spec, .layout = hand_set_layout(spec), .prompts = prompts, .kernels = kernels};
    set->head_width = spec->d + 1 + set->layout.grid;
    Arena measure = {0};
    take_all(set, &measure);
    Status status = kernels_prepare(kernels, err);
    if (status == STATUS_OK) status = arena_create(&set->arena, measure.used_bytes, err);
    if (status != STATUS_OK) {
        free(set);
        return status;
    }
    take_all(set, &set->arena);
    set_weights(set);
    *out = set;
    return STATUS_OK;
}

void hand_set_free(HandSet *set) {
    if (set == NULL) return;
    arena_destroy(&set->arena);
    free(set);
}

/* --- forward pass ----------------------------------------------------------------------------------------------- */

void hand_set_embed(const HandSet *set, int n, const float *ys, const float *rs, const float *answers, float *tokens) {
    const HandSetLayout *layout = &set->layout;
    int d = set->spec.d, N = set->spec.N;
    memset(tokens, 0, (size_t)n * (N + 1) * layout->width * sizeof *tokens);
    for (int prompt = 0; prompt < n; prompt++)
        for (int j = 0; j <= N; j++, tokens += layout->width) {
            memcpy(tokens + layout->answer, answers + (size_t)prompt * d, d * sizeof *tokens);
            tokens[layout->one] = 1;
            tokens[layout->is_test] = j == N;
            if (j == N) continue;
            const float *y = ys + ((size_t)prompt * N + j) * d;
            double square = 0;
            for (int k = 0; k < d; k++)
                square += (double)y[k] * y[k];
            memcpy(tokens + layout->response, y, d * sizeof *tokens);
            tokens[layout->reward] = rs[(size_t)prompt * N + j];
            tokens[layout->square] = (float)square;
        }
}

void hand_set_attention(HandSet *set, int n, float *tokens) {
    const Kernels *kernels = set->kernels;
    AttentionShape shape = attention_shape(set, n);
    int width = set->layout.width, E = HEADS * set->head_width, rows = n * shape.T;
    assert(n <= set->prompts);
    kernels->matmul(false, false, rows, 3 * E, width, 1.0f, tokens, width, set->c_attn, 3 * E, 0.0f, set->qkv, 3 * E);
    kernels->attention_forward(&shape, set->qkv, set->attended, set->weights, set->attention_space);
    kernels->matmul(false, false, rows, width, E, 1.0f, set->attended, E, set->c_proj, width, 1.0f, tokens, width);
}

void hand_set_feed_forward(HandSet *set, FeedForwardKind kind, int n, float *tokens) {
    const Kernels *kernels = set->kernels;
    const FeedForward *network = &set->feed_forward[kind];
    int width = set->layout.width, units = network->units, rows = n * (set->spec.N + 1);
    assert(n <= set->prompts);
    if (units == 0) return;
    kernels->matmul(false, false, rows, units, width, 1.0f, tokens, width, network->in, units, 0.0f, set->hidden,
                    units);
    for (size_t i = 0; i < (size_t)rows * units; i++)
        if (set->hidden[i] < 0) set->hidden[i] = 0; /* NaN stays */
    kernels->matmul(false, false, rows, width, units, 1.0f, set->hidden, units, network->out, width, 1.0f, tokens,
                    width);
}

void hand_set_run(HandSet *set, int n, int steps, float *tokens) {
    hand_set_feed_forward(set, FEED_FORWARD_FEATURES, n, tokens);
    for (int step = 0; step < steps; step++)
        for (int left = set->spec.N; left > 1; left--) {
            hand_set_attention(set, n, tokens);
            hand_set_feed_forward(set, left > 2 ? FEED_FORWARD_SELECT : FEED_FORWARD_COMMIT, n, tokens);
        }
}
