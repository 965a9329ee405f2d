/* Going on with a folder that holds results: what has changed since, told or asked before anything is done. */
#ifndef CLI_RUN_RESUME_H
#define CLI_RUN_RESUME_H

#include "coordinator/dispatch/roster.h"
#include "coordinator/journal/journal.h"
#include "jobs/job/job.h"

/* What job asks for otherwise than the job of that name that ran in dir before, or that only another one did: a line
 * for the user, "" where there is nothing to say. A job file that cannot be compared is said to be so.
 * STATUS_NO_MEMORY. */
Status resume_job_changes(const char *dir, const Job *job, char *text, size_t text_bytes, Error *err);

/* STATUS_DATA, naming both, when a rank computes with other numerics than all results in the folder, so that equal
 * settings need not give equal bits. kernels: the path pinned, "" for the best. */
Status resume_check_numerics(const char *dir, const Journal *known, const Roster *roster, const char *kernels,
                             Error *err);

#endif
