/* See pending.h. A slot holds 0 or 1 + the number of its class, in one byte as long as the classes allow. */
#include "coordinator/schedule/pending.h"

#include "proto/wire/cost.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_CLASSES = 60000, CLASSES_MAX = 65534, STEPS_PER_OCTAVE = 16 };

struct Pending {
    CostModel *model;
    WorkClass *classes;
    int n_classes, capacity, latest; /* latest: that was asked for last */
    int *buckets;                    /* hash table of classes, 1 + number; n_buckets a power of two */
    uint32_t n_buckets;
    uint64_t n_slots, waiting;
    uint8_t *narrow; /* (n_slots), or NULL when there are more classes than a byte can name: then */
    uint16_t *wide;  /* (n_slots) */
};

Status pending_create(uint64_t n_slots, CostModel *model, Pending **out, Error *err) {
    Pending *pending = calloc(1, sizeof *pending);
    if (pending != NULL) {
        *pending = (Pending){.model = model, .n_slots = n_slots, .latest = -1};
        pending->narrow = calloc(n_slots + 1, 1);
    }
    if (pending == NULL || pending->narrow == NULL) {
        pending_free(pending);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the state of %llu pieces of work",
                         (unsigned long long)n_slots);
    }
    *out = pending;
    return STATUS_OK;
}

void pending_free(Pending *pending) {
    if (pending == NULL) return;
    free(pending->classes);
    free(pending->buckets);
    free(pending->narrow);
    free(pending->wide);
    free(pending);
}

/* --- classes ---------------------------------------------------------------------------------------------------- */

static bool is_class(const WorkClass *class, WorkKind kind, int rate, double flops) {
    return class->kind == kind && class->rate == rate && class->flops == flops;
}

static uint32_t hash(WorkKind kind, int rate, double flops) {
    uint64_t bits;
    memcpy(&bits, &flops, sizeof bits);
    bits = (bits ^ ((uint64_t)rate << 8) ^ (uint64_t)kind) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(bits >> 32);
}

static void insert(Pending *pending, int class) {
    const WorkClass *entry = &pending->classes[class];
    uint32_t place = hash(entry->kind, entry->rate, entry->flops);
    while (pending->buckets[place & (pending->n_buckets - 1)] != 0)
        place++;
    pending->buckets[place & (pending->n_buckets - 1)] = class + 1;
}

/* Room for one class more; the hash table stays at most half full. */
static Status make_room(Pending *pending, Error *err) {
    if (pending->n_classes < pending->capacity) return STATUS_OK;
    int capacity = pending->capacity * 2 + 16;
    uint32_t n_buckets = 32;
    while (n_buckets < 2 * (uint32_t)capacity)
        n_buckets *= 2;
    WorkClass *classes = realloc(pending->classes, (size_t)capacity * sizeof *classes);
    if (classes != NULL) pending->classes = classes;
    int *buckets = calloc(n_buckets, sizeof *buckets);
    if (classes == NULL || buckets == NULL) {
        free(buckets);
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d kinds of work", capacity);
    }
    free(pending->buckets);
    pending->buckets = buckets;
    pending->n_buckets = n_buckets;
    pending->capacity = capacity;
    for (int i = 0; i < pending->n_classes; i++)
        insert(pending, i);
    return STATUS_OK;
}

static int find(const Pending *pending, WorkKind kind, int rate, double flops) {
    if (pending->n_buckets == 0) return -1;
    for (uint32_t place = hash(kind, rate, flops);; place++) {
        int class = pending->buckets[place & (pending->n_buckets - 1)] - 1;
        if (class < 0 || is_class(&pending->classes[class], kind, rate, flops)) return class;
    }
}

Status pending_class(Pending *pending, WorkKind kind, const TrainingSpec *spec, double flops, int *class, Error *err) {
    int rate;
    Status status = cost_model_rate(pending->model, kind, spec, &rate, err);
    if (status != STATUS_OK) return status;
    if (pending->latest >= 0 && is_class(&pending->classes[pending->latest], kind, rate, flops)) {
        *class = pending->latest;
        return STATUS_OK;
    }
    *class = find(pending, kind, rate, flops);
    if (*class < 0 && pending->n_classes >= EXACT_CLASSES) {
        flops = exp2(round(log2(flops) * STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE);
        rate = 0;
        *class = find(pending, kind, rate, flops);
    }
    if (*class < 0) {
        status = make_room(pending, err);
        if (status != STATUS_OK) return status;
        *class = pending->n_classes++;
        assert(*class < CLASSES_MAX);
        pending->classes[*class] = (WorkClass){.kind = kind, .rate = rate, .flops = flops};
        if (kind == WORK_TRAINING) pending->classes[*class].step_flops = cost_step_flops(spec);
        insert(pending, *class);
    }
    pending->latest = *class;
    return STATUS_OK;
}

const WorkClass *pending_classes(const Pending *pending, int *count) {
    *count = pending->n_classes;
    return pending->classes;
}

uint64_t pending_count(const Pending *pending) {
    return pending->waiting;
}

/* --- slots ------------------------------------------------------------------------------------------------------ */

static Status widen(Pending *pending, Error *err) {
    pending->wide = calloc(pending->n_slots + 1, sizeof *pending->wide);
    if (pending->wide == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the state of %llu pieces of work",
                         (unsigned long long)pending->n_slots);
    for (uint64_t i = 0; i < pending->n_slots; i++)
        pending->wide[i] = pending->narrow[i];
    free(pending->narrow);
    pending->narrow = NULL;
    return STATUS_OK;
}

Status pending_put(Pending *pending, uint64_t slot, int class, Error *err) {
    WorkClass *entry = &pending->classes[class];
    assert(slot < pending->n_slots);
    if (class >= UINT8_MAX && pending->wide == NULL) {
        Status status = widen(pending, err);
        if (status != STATUS_OK) return status;
    }
    if (pending->wide != NULL)
        pending->wide[slot] = (uint16_t)(class + 1);
    else
        pending->narrow[slot] = (uint8_t)(class + 1);
    if (entry->waiting == 0 || slot < entry->cursor) entry->cursor = slot;
    entry->waiting++;
    pending->waiting++;
    return STATUS_OK;
}

uint64_t pending_take(Pending *pending, int class) {
    WorkClass *entry = &pending->classes[class];
    assert(entry->waiting > 0);
    uint64_t slot = entry->cursor;
    if (pending->wide != NULL) {
        while (pending->wide[slot] != class + 1)
            slot++;
        pending->wide[slot] = 0;
    } else {
        const uint8_t *at = memchr(pending->narrow + slot, class + 1, pending->n_slots - slot);
        assert(at != NULL);
        slot = (uint64_t)(at - pending->narrow);
        pending->narrow[slot] = 0;
    }
    entry->cursor = slot + 1;
    entry->waiting--;
    pending->waiting--;
    return slot;
}
