/* See makespan.h. */
#include "coordinator/forecast/makespan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLAYED_PIECES = 10000 };

static int longer_first(const void *a, const void *b) {
    double left = ((const Batch *)a)->seconds, right = ((const Batch *)b)->seconds;
    return (left < right) - (left > right);
}

/* Restores the heap of n workers' times, least at the top, after the top has grown. */
static void sink(double *heap, int n) {
    double top = heap[0];
    int place = 0;
    for (int child = 1; child < n; child = 2 * place + 1) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= top) break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = top;
}

static int ascending(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

Status makespan_longest_first(Batch *batches, int n_batches, const double *busy_s, int n_workers, double *seconds,
                              Error *err) {
    double total_s = 0, last_s = 0, pieces = 0;
    double *free_at = calloc((size_t)n_workers, sizeof *free_at);
    if (free_at == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory to play a run through with %d workers", n_workers);
    if (busy_s != NULL) memcpy(free_at, busy_s, (size_t)n_workers * sizeof *free_at);
    qsort(free_at, (size_t)n_workers, sizeof *free_at, ascending); /* sorted is a heap */
    qsort(batches, (size_t)n_batches, sizeof *batches, longer_first);
    for (int i = 0; i < n_workers; i++) {
        total_s += free_at[i];
        last_s = fmax(last_s, free_at[i]);
    }
    for (int i = 0; i < n_batches; i++) {
        pieces += (double)batches[i].count;
        if (batches[i].count > 0) total_s += batches[i].seconds * (double)batches[i].count;
    }
    if (pieces > PLAYED_PIECES) {
        double longest_s = 0;
        for (int i = 0; i < n_batches; i++)
            if (batches[i].count > 0) longest_s = fmax(longest_s, batches[i].seconds);
        last_s = fmax(fmax(last_s, longest_s), total_s / n_workers);
    } else {
        for (int i = 0; i < n_batches; i++)
            for (uint64_t k = 0; k < batches[i].count; k++) {
                free_at[0] += batches[i].seconds;
                last_s = fmax(last_s, free_at[0]);
                sink(free_at, n_workers);
            }
    }
    *seconds = isnan(total_s) ? NAN : last_s;
    free(free_at);
    return STATUS_OK;
}
