/* Who computes: what every rank said of itself when it started. */
#ifndef COORDINATOR_DISPATCH_ROSTER_H
#define COORDINATOR_DISPATCH_ROSTER_H

#include "proto/transport/channel.h"

typedef struct Roster {
    int n_ranks, n_workers; /* workers of all ranks together */
    Hello *ranks;           /* (n_ranks), by rank */
} Roster;

/* Waits on rank 0 for the hello of every rank (each agent sends one when it is made). Freed by roster_free. */
Status roster_collect(Channel *channel, Roster *out, Error *err);
void roster_free(Roster *roster);

/* "rank 0: host, CPU, 2 workers" lines for the records' provenance; malloc'd, NULL: no memory. */
char *roster_describe(const Roster *roster);
/* The first rank whose numerics fingerprint differs from rank 0's, or -1. */
int roster_odd_rank(const Roster *roster);

#endif
