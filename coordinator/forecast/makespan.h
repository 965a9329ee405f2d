/* How long work takes on many workers when the longest is begun first. */
#ifndef COORDINATOR_FORECAST_MAKESPAN_H
#define COORDINATOR_FORECAST_MAKESPAN_H

#include "proto/base/status.h"

#include <stdint.h>

/* Equal pieces of work. */
typedef struct Batch {
    double seconds; /* of each */
    uint64_t count;
} Batch;

/* Seconds until all batches (sorted in place, longest first) are done, each piece by whichever worker is free first;
 * busy_s (n_workers; NULL: all free) is how long each still has to do before. Up to ten thousand pieces it is
 * played out, above that it is the larger of the longest piece and the mean load, which many pieces come close to. NaN
 * where a time is not known. STATUS_NO_MEMORY. */
Status makespan_longest_first(Batch *batches, int n_batches, const double *busy_s, int n_workers, double *seconds,
                              Error *err);

#endif
