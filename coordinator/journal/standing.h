/* How much of what its jobs ask for a folder holds: trainings, cells and baselines of their grids against records, by
 * id. So it does not matter how many runs there were, of what shards, or where the records come from. */
#ifndef COORDINATOR_JOURNAL_STANDING_H
#define COORDINATOR_JOURNAL_STANDING_H

#include "coordinator/journal/measured.h"
#include "jobs/job/job_list.h"

/* Every id counts once, whichever jobs ask for it. */
typedef struct Standing {
    int jobs;                                  /* that are known; 0: so is nothing of the rest */
    int64_t trainings, done, diverged, failed; /* asked for; of them: those with a record */
    int64_t cells_missing, cells_failed;       /* of trainings that are done */
    int64_t baselines_missing, baselines_failed;
} Standing;

/* ids and rounds: of the folder's records. Memory: with several jobs an id for everything that they ask for.
 * STATUS_NO_MEMORY. */
Status standing_take(const JobList *jobs, const IdTable *ids, const RoundsSeen *rounds, Standing *out, Error *err);

/* Trainings that are in no record. */
static inline int64_t standing_missing(const Standing *standing) {
    return standing->trainings - standing->done - standing->diverged - standing->failed;
}
/* Whether something of it could not be done. */
static inline bool standing_failed(const Standing *standing) {
    return standing->failed + standing->cells_failed + standing->baselines_failed > 0;
}
/* Whether a run of the jobs would find nothing to do. */
static inline bool standing_complete(const Standing *standing) {
    return standing_missing(standing) + standing->cells_missing + standing->baselines_missing == 0;
}

#endif
