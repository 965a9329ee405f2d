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

/* The number of srun's tasks where this is one of several that srun offers no way to the others (no PMI), else 0: MPI
 * cannot start there. */
int launcher_untied_tasks(void);
/* It is the only task of srun, such as a command in the shell of srun --pty bash. It needs no help of srun's, and srun's
 * PMIx helps a task only once: hides from MPI that srun is there. */
void launcher_forget_lone_task(void);

/* Whether MPI has what it is known to need but does not check: STATUS_IO with what to do. */
Status launcher_check(Error *err);

#endif
