/* See run_workers.h. */
#include "cli/run/run_workers.h"

#include "proto/transport/launcher.h"
#include "worker/process/cores.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cores that mpirun could give to the ranks of this node, as far as is known: those of its own affinity mask. */
static int cores_of_mpirun(void) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (!launcher_is_mpirun() || sched_getaffinity(getppid(), sizeof cores, &cores) < 0) return 0;
    return CPU_COUNT(&cores);
}

static const char *plural(int n) {
    return n == 1 ? "" : "s";
}

/* What is wrong with `workers` on each rank (the default where asked is false); "" when nothing is. */
static void find_fault(const CoreShare *share, int workers, bool asked, char *text, size_t size) {
    int mine = share->sharing * workers, all = share->ranks * workers, free_cores = cores_of_mpirun();
    bool bound = share->together < free_cores;
    char remedy[96] = "";
    text[0] = '\0';
    if (bound)
        snprintf(remedy, sizeof remedy, "mpirun bound them to %d of %d cores, --bind-to none frees the others",
                 share->together, free_cores);
    if (mine > share->cores && (asked || share->sharing > share->cores))
        snprintf(text, size,
                 "%d worker%s on each of %d rank%s share %d core%s: more than the cores can run at once; %s", workers,
                 plural(workers), share->sharing, plural(share->sharing), share->cores, plural(share->cores),
                 bound   ? remedy
                 : asked ? "a smaller --workers-per-rank would be as fast"
                         : "fewer ranks would be as fast");
    else if (asked ? all > ceil(share->quota) : share->ranks > share->quota)
        snprintf(text, size,
                 "%d worker%s on each of %d rank%s have a CPU quota (cgroup) of %.3g cores: they will wait for it most "
                 "of the time; a larger quota or fewer of them would help",
                 workers, plural(workers), share->ranks, plural(share->ranks), share->quota);
    else if (bound && !asked)
        snprintf(text, size, "%d rank%s with %d worker%s: %s", share->ranks, plural(share->ranks), workers,
                 plural(workers), remedy);
}

Status run_workers_choose(Channel *channel, int asked, Terminal *terminal, int *workers, Error *err) {
    cpu_set_t mine, *all = NULL;
    int n, me;
    char text[256];
    CPU_ZERO(&mine);
    if (sched_getaffinity(0, sizeof mine, &mine) < 0)
        return error_set(err, STATUS_IO, "cannot read the affinity mask: %s", strerror(errno));
    Status status = channel_gather_node(channel, &mine, sizeof mine, (void **)&all, &n, &me, err);
    if (status != STATUS_OK) return status;
    CoreShare share = cores_share(all, n, me, cores_quota(""));
    free(all);
    *workers = asked > 0 ? asked : share.workers;
    if (channel_rank(channel) != 0) return STATUS_OK;
    find_fault(&share, *workers, asked > 0, text, sizeof text);
    if (text[0] != '\0') terminal_say(terminal, text);
    return STATUS_OK;
}
