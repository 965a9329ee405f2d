/* What follows a run in a batch system: its own job once more (--requeue), or the job that waits for it (--successor).
 *
 * Rank 0 alone calls these. Failures are told and change nothing else: everything is saved, and the same command goes
 * on by hand. */
#ifndef CLI_RUN_SEQUEL_H
#define CLI_RUN_SEQUEL_H

#include "cli/run/run_options.h"
#include "cli/shared/terminal.h"

/* The run has begun: a job that waits for its end may come. */
void sequel_begin(const RunOptions *options, Terminal *terminal);

/* The last act of a run, everything saved and closed: where something is left to do, this job goes back into the queue
 * (which ends this process within moments) or the next one stays there; else the next one is cancelled. */
void sequel_end(const RunOptions *options, Status result, Terminal *terminal);

#endif
