/* Who has started this process: what its environment tells before MPI does. */
#ifndef PROTO_TRANSPORT_LAUNCHER_H
#define PROTO_TRANSPORT_LAUNCHER_H

#include "proto/base/status.h"

#include <stdbool.h>

/* mpirun started it. */
bool launcher_is_mpirun(void);
/* The rank that this process will have, 0 where nothing tells. */
int launcher_rank(void);
/* There may be other ranks. */
bool launcher_has_ranks(void);

/* A task of srun that srun offers no way to the others (no PMI): n_tasks of them, 0 where it is no such task. MPI
 * cannot start there; but where it is the only one (the shell of srun --pty) it need not know of srun. */
int launcher_srun_tasks_alone(void);

/* Whether MPI has what it is known to need but does not check: STATUS_IO with what to do. */
Status launcher_check(Error *err);

#endif
