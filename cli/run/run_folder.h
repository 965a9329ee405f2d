/* The folder of results at the start of a run: refused while another run is at it, read, and, when the run may begin,
 * given a journal segment with the run's provenance and the job's files. */
#ifndef CLI_RUN_RUN_FOLDER_H
#define CLI_RUN_RUN_FOLDER_H

#include "coordinator/dispatch/roster.h"
#include "coordinator/journal/journal.h"
#include "jobs/grid/shard.h"
#include "jobs/job/job.h"

/* Where a run comes from, for the header of its records. */
typedef struct RunOrigin {
    int argc; /* of the subcommand */
    char **argv;
    const char *mpi; /* the MPI library really loaded */
    const Roster *roster;
    const Job *job;
    Shard shard;
    int64_t started_unix_ms;
} RunOrigin;

/* Makes dir with its parents; one that is there stays as it is. */
Status run_folder_make(const char *dir, Error *err);

/* What the folder tells of the latest run on the same part of the grid. */
typedef struct RunBefore {
    bool idle;      /* it ended with neither a new result nor a new step */
    double drain_s; /* how long its draining took; 0: not known */
} RunBefore;

/* Reads what is known in dir, which is made with its parents. Warnings of damaged segments go to stderr.
 * STATUS_INCOMPLETE: another run is going on there that this one must not join. Runs of different shards, of the same
 * number of shards, may work at one time, if they are parts of one job; STATUS_USAGE: the others there are of another
 * one. */
Status run_folder_read(const char *dir, const Job *job, Shard shard, Journal **out, RunBefore *before, Error *err);
/* Starts the run's segment in dir and writes job.yaml and job.resolved.yaml; those of a job of another name are kept
 * beside them (jobs/job/job_list.h). */
Status run_folder_begin(const char *dir, const RunOrigin *origin, uint64_t models_limit_bytes, Journal *journal,
                        Error *err);
/* Only writes job.yaml and job.resolved.yaml. */
Status run_folder_write_job(const char *dir, const Job *job, Error *err);
/* Whether palinode status finds in the folder that its job has ended with this result, so that a run that has nothing
 * to do need not leave word of it. */
bool run_folder_says(const char *dir, Status result);
/* Of runs that began in the same instant, the one with the lowest segment goes on: to be called when this run's status
 * file is written. STATUS_INCOMPLETE: another one does, and this run's files have been removed. */
Status run_folder_claim(const char *dir, const char *segment, Shard shard, Error *err);

#endif
