/* See shard.h. */
#include "jobs/grid/shard.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>

/* All pieces of one cost. */
typedef struct Suit {
    double flops;
    uint64_t count; /* pieces; after deal_begin the rank, in descending order of cost, of the next to be dealt */
} Suit;

struct Deal {
    Shard shard;
    void *tree;   /* of Suit, dearest first */
    Suit *latest; /* that was asked for last */
};

bool shard_parse(const char *text, Shard *out) {
    enum { SHARDS_MAX = 100000 };
    char *slash, *end;
    if (text[0] < '0' || text[0] > '9') return false; /* nor may strtol skip blanks or take a sign */
    long index = strtol(text, &slash, 10);
    if (*slash != '/' || slash[1] < '0' || slash[1] > '9') return false;
    long count = strtol(slash + 1, &end, 10);
    if (*end != '\0' || index < 1 || count < index || count > SHARDS_MAX) return false;
    *out = count == 1 ? (Shard){0} : (Shard){.index = (int)index, .count = (int)count};
    return true;
}

static int dearer_first(const void *a, const void *b) {
    double left = ((const Suit *)a)->flops, right = ((const Suit *)b)->flops;
    return (left < right) - (left > right);
}

Status deal_create(Shard shard, Deal **out, Error *err) {
    Deal *deal = calloc(1, sizeof *deal);
    if (deal == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory to deal a grid into its parts");
    deal->shard = shard;
    *out = deal;
    return STATUS_OK;
}

void deal_free(Deal *deal) {
    if (deal == NULL) return;
    tdestroy(deal->tree, free);
    free(deal);
}

static Suit *find(Deal *deal, double flops) {
    if (deal->latest != NULL && deal->latest->flops == flops) return deal->latest;
    Suit key = {.flops = flops}, **node = tfind(&key, &deal->tree, dearer_first);
    return node != NULL ? deal->latest = *node : NULL;
}

Status deal_count(Deal *deal, double flops, Error *err) {
    Suit *suit = find(deal, flops);
    if (suit == NULL) {
        suit = calloc(1, sizeof *suit);
        if (suit != NULL) suit->flops = flops;
        if (suit == NULL || tsearch(suit, &deal->tree, dearer_first) == NULL) {
            free(suit);
            return error_set(err, STATUS_NO_MEMORY, "no memory to deal a grid into its parts");
        }
        deal->latest = suit;
    }
    suit->count++;
    return STATUS_OK;
}

/* In order: from counts to the rank of each suit's first piece. */
static void rank_suit(const void *node, VISIT visit, void *context) {
    if (visit != postorder && visit != leaf) return;
    Suit *suit = *(Suit *const *)node;
    uint64_t *rank = context, count = suit->count;
    suit->count = *rank;
    *rank += count;
}

void deal_begin(Deal *deal) {
    uint64_t rank = 0;
    twalk_r(deal->tree, rank_suit, &rank);
}

bool deal_takes(Deal *deal, double flops) {
    Suit *suit = find(deal, flops);
    return suit != NULL && suit->count++ % (uint64_t)deal->shard.count == (uint64_t)deal->shard.index - 1;
}
