/* All trainings of a folder and what became of them: those that its jobs ask for, in the order of their grids, then
 * those that are only in records. */
#ifndef COORDINATOR_JOURNAL_LISTING_H
#define COORDINATOR_JOURNAL_LISTING_H

#include "coordinator/journal/journal.h"
#include "jobs/job/job_list.h"

typedef struct ListedTraining {
    Id id;
    const TrainingSpec *spec;
    TrainingState state;
    const Job *job; /* that asks for it; NULL: none */
} ListedTraining;

typedef Status (*ListingVisitor)(void *context, const ListedTraining *training, Error *err);

/* Visits every training once. Memory: an id a training. warning: as journal_read. */
Status listing_visit(const char *dir, const JobList *jobs, ListingVisitor visit, void *context, char *warning,
                     size_t warning_bytes, Error *err);

#endif
