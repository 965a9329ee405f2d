/* See mpi_start.h. */
#include "cli/run/mpi_start.h"

#include "cli/shared/options.h"
#include "cli/shared/signals.h"
#include "proto/transport/launcher.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool starting; /* MPI */

/* The last words of a process that MPI ends while it starts. */
static void explain(void) {
    Error err;
    if (!starting) return;
    starting = false;
    bool by_srun = !launcher_is_mpirun() && getenv("SLURM_STEP_ID") != NULL;
    _exit(report_error(error_set(&err, STATUS_IO, "MPI could not be started, it says why above; %s",
                                 by_srun ? "under srun it needs PMIx: srun --mpi=pmix palinode run ..., or mpirun in "
                                           "the batch job"
                                         : "nothing was done"),
                       &err));
}

/* Stands in for the C library's: Open MPI 4 ends a process whose MPI cannot start by exit or by _exit, with code 1. */
void _exit(int exit_code) {
    explain();
    syscall(SYS_exit_group, exit_code);
    __builtin_unreachable();
}

void mpi_start_forget(void) {
    starting = false;
}

Status mpi_start(Channel **out, Error *err) {
    starting = true;
    Status status = STATUS_OK;
    if (atexit(explain) != 0) status = error_set(err, STATUS_NO_MEMORY, "no memory for a function at exit");
    if (status == STATUS_OK) status = channel_open(out, err);
    starting = false;
    signals_restore();
    return status;
}
