/* How a grid is dealt to shards: the pieces of work in descending order of their nominal operations, one to each shard
 * in turn, like cards. So the shards differ by at most the largest piece, and each gets its share of every size.
 *
 * The dealing depends on the grid alone, never on what is done: every caller gets the same parts. It goes over the grid
 * twice, in the same order: once to count how many pieces cost how much, once to deal. */
#ifndef JOBS_GRID_SHARD_H
#define JOBS_GRID_SHARD_H

#include "proto/base/status.h"

#include <stdbool.h>

/* Part index (1 ..) of count; count 0: all of it. */
typedef struct Shard {
    int index, count;
} Shard;

/* Reads "2/8"; "1/1" is all of the grid. false: it is nothing of the kind. */
bool shard_parse(const char *text, Shard *out);

typedef struct Deal Deal;

/* For a shard of several. */
Status deal_create(Shard shard, Deal **out, Error *err);
void deal_free(Deal *deal);
/* First time round. */
Status deal_count(Deal *deal, double flops, Error *err);
/* Between the two. */
void deal_begin(Deal *deal);
/* Second time round: whether the piece is the shard's. */
bool deal_takes(Deal *deal, double flops);

#endif
