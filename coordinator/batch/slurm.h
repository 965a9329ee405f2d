/* Slurm, as a run and whoever submits one know it: its variables in the environment, and its client programs.
 *
 * Nothing is linked; where Slurm is not, these calls say so. A job of an array is always called 120_3: the bare number
 * of the array's last job is also the number of the whole array, and scontrol would requeue all of it. The programs
 * write what they have to complain of to stderr themselves. */
#ifndef COORDINATOR_BATCH_SLURM_H
#define COORDINATOR_BATCH_SLURM_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct SlurmJob {
    char name[48]; /* "123", or "120_3" in an array */
    int restarts;  /* how often it was put back into the queue */
} SlurmJob;

/* The job that this process runs in; false: none. */
bool slurm_job(SlurmJob *out);

/* Seconds until the job's walltime ends; NaN: it has no end. STATUS_IO: Slurm does not tell. */
Status slurm_time_left(const SlurmJob *job, double *left_s, Error *err);

/* Puts the running job back into the queue, which ends all its processes within moments: everything is saved before.
 * STATUS_FAILED: the job was cancelled, so it is left alone; STATUS_IO: Slurm refused. */
Status slurm_requeue(const SlurmJob *job, Error *err);

/* Lets a held job go; cancels a job. STATUS_IO: Slurm refused. */
Status slurm_release(const char *job, Error *err);
Status slurm_cancel(const char *job, Error *err);

/* Whether a job waits or runs; false: it ended, or was never there. STATUS_IO: there is no Slurm that tells. */
Status slurm_job_queued(const char *job, bool *queued, Error *err);

/* Submits a batch script; id gets the new job's number. STATUS_IO: there is no sbatch, or it refused. */
Status slurm_submit(const char *script, char *id, size_t id_bytes, Error *err);

#endif
