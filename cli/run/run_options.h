/* The command line of palinode run: its options, their defaults and its --help. */
#ifndef CLI_RUN_RUN_OPTIONS_H
#define CLI_RUN_RUN_OPTIONS_H

#include "cli/shared/options.h"
#include "jobs/grid/shard.h"

typedef struct RunOptions {
    const char *job; /* path of the job file */
    const char *dir, *kernels, *models, *rerun;
    const char *successor; /* job that waits for the end of this one, or NULL */
    TextList overrides;
    int64_t workers, retries, max_failures, limit;
    double models_limit_gib, checkpoint_every_s, time_limit_s; /* time_limit_s NaN: as the batch system has it */
    Shard shard;
    bool quiet, json, requeue, allow_numerics_change;
    const char **operands; /* as given */
} RunOptions;

/* Reads argv[1..] and the environment over the defaults. *helped: --help is wanted; rank 0 has printed it. STATUS_USAGE
 * is for rank 0 to tell, whichever rank finds it. */
Status run_options_read(RunOptions *options, int argc, char **argv, bool *helped, Error *err);
void run_options_free(RunOptions *options);

#endif
