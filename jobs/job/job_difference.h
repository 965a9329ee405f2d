/* What a changed job asks for that it did not ask for before, and the other way round. */
#ifndef JOBS_JOB_JOB_DIFFERENCE_H
#define JOBS_JOB_JOB_DIFFERENCE_H

#include "jobs/job/job.h"

typedef struct JobDifference {
    char text[1024]; /* "model.n_layer: 2, 4 -> 2, 4, 8; 4 trainings added, 2 no longer asked for"; "": the same work */
    uint64_t trainings_added, trainings_dropped;
} JobDifference;

/* Compares the work that two jobs ask for: settings, seeds, exclusions; not names and claims. Long lists are cut.
 * Memory: two ids a training. STATUS_NO_MEMORY. */
Status job_difference(const Job *before, const Job *after, JobDifference *out, Error *err);

#endif
