/* The folder of results at the start of a run: made, refused while another run is at it, given a journal with the run's
 * provenance and the job's files. */
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

/* Opens a journal in dir (made with its parents) and writes job.yaml and job.resolved.yaml. Warnings of damaged
 * segments go to stderr. STATUS_INCOMPLETE: another run is going on there. On failure *out may be set: close it. */
Status run_folder_open(const char *dir, const RunOrigin *origin, uint64_t models_limit_bytes, Journal **out,
                       Error *err);

#endif
