/* How many trainings a rank runs at a time, and what to tell a user whose ranks fit their cores badly. */
#ifndef CLI_RUN_RUN_WORKERS_H
#define CLI_RUN_RUN_WORKERS_H

#include "cli/shared/terminal.h"
#include "proto/transport/channel.h"

/* *workers is what was asked for (0: nothing), or what this rank's share of its node's cores allows. Rank 0 says once
 * where its node's ranks are too many or may not use all cores. Collective. */
Status run_workers_choose(Channel *channel, int asked, Terminal *terminal, int *workers, Error *err);

#endif
