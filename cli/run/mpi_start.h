/* The start of MPI, told in a line and an exit code of palinode's own when it fails. */
#ifndef CLI_RUN_MPI_START_H
#define CLI_RUN_MPI_START_H

#include "proto/transport/channel.h"

/* As channel_open; afterwards signals do again what they did before, whatever MPI's libraries have made of them. Where
 * MPI ends the process instead of coming back, its words are followed by palinode's and the exit code is 74. */
Status mpi_start(Channel **out, Error *err);
/* To be called by another thread that ends the process, perhaps while MPI starts: the exit code is then its own. */
void mpi_start_forget(void);

#endif
