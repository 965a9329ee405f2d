/* Batch scripts that run a job under Slurm: text that a person can read and change.
 *
 * Whatever a script takes from outside (paths, overrides) is quoted for bash; what goes into a line that sbatch reads
 * is refused where sbatch would not take it literally. jobs/slurm/ holds scripts that were written by this file. */
#ifndef COORDINATOR_BATCH_BATCH_SCRIPT_H
#define COORDINATOR_BATCH_BATCH_SCRIPT_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* How a grid that takes longer than one walltime goes on. */
typedef enum BatchSequel {
    BATCH_REQUEUE, /* the run puts its own job back into the queue */
    BATCH_CHAIN,   /* a second job waits for the end of the first, and so on */
    BATCH_ONCE     /* not at all */
} BatchSequel;

typedef enum BatchLauncher { BATCH_MPIRUN, BATCH_SRUN } BatchLauncher;

typedef struct BatchScript {
    const char *command;   /* the command line that asks for this script, for its first comment */
    const char *program;   /* palinode, as the nodes find it */
    const char *name;      /* of the batch job */
    const char *job, *dir; /* the job file and the folder of results */
    const char *const *overrides;
    int n_overrides;
    int64_t nodes, tasks_per_node, cpus_per_task;
    double walltime_s;
    const char *partition, *account, *mem; /* NULL: the cluster's default */
    const char *const *options;            /* further options of sbatch, "--qos=long" */
    int n_options;
    int64_t shards; /* jobs of an array, each its part of the grid; 0: one job */
    BatchSequel sequel;
    BatchLauncher launcher;
} BatchScript;

/* How long before the end of its walltime Slurm warns a script's job: two minutes, less where there are few. */
double batch_script_warning_s(double walltime_s);

/* The script; malloc'd. STATUS_USAGE names the option (as of palinode submit) whose value cannot stand in a script. */
Status batch_script_write(const BatchScript *script, char **out, Error *err);

#endif
