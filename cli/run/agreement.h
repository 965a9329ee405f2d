/* All ranks of a run are started with one command line, and it is right or wrong for all of them. */
#ifndef CLI_RUN_AGREEMENT_H
#define CLI_RUN_AGREEMENT_H

#include "proto/transport/channel.h"

/* own: whether this rank's command line could be read; own_err says what was wrong with it. *agreed gets on rank 0
 * STATUS_USAGE, and err its words, when some rank's is wrong or another than rank 0's; STATUS_OK on other ranks, which
 * leave it to rank 0. Collective. */
Status agree_on_command_line(Channel *channel, int argc, char **argv, Status own, const Error *own_err, Status *agreed,
                             Error *err);

#endif
