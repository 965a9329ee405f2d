/* The folder of results at the start of a run: refused while another run is at it, read, and, when the run may begin,
 * given a journal segment with the run's provenance and the job's files. */
#ifndef CLI_RUN_FOLDER_H
#define CLI_RUN_FOLDER_H

#include "coordinator/journal.h"
#include "coordinator/roster.h"
#include "jobs/job.h"

/* Where a run comes from, for the header of its records. */
typedef struct RunOrigin {
    int argc; /* of the subcommand */
    char **argv;
    const char *mpi; /* the MPI library really loaded */
    const Roster *roster;
    const Job *job;
    int64_t started_unix_ms;
} RunOrigin;

/* Makes dir with its parents; one that is there stays as it is. */
Status run_folder_make(const char *dir, Error *err);

/* Reads what is known in dir, which is made with its parents. Warnings of damaged segments go to stderr.
 * STATUS_INCOMPLETE: another run is going on there. */
Status run_folder_read(const char *dir, Journal **out, Error *err);
/* Starts the run's segment in dir and writes job.yaml and job.resolved.yaml. */
Status run_folder_begin(const char *dir, const RunOrigin *origin, uint64_t models_limit_bytes, Journal *journal,
                        Error *err);

#endif
