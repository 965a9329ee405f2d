/* How many trainings a rank can run at a time: the cores of its affinity mask, shared with the other ranks of its node,
 * and the CPU time that its control group allows. */
#ifndef WORKER_PROCESS_CORES_H
#define WORKER_PROCESS_CORES_H

#include <sched.h>

typedef struct CoreShare {
    int workers;  /* that this rank can run at once, at least 1 */
    int cores;    /* of its affinity mask */
    int sharing;  /* ranks of the node that have the same mask, this one among them */
    int ranks;    /* of the node */
    int together; /* cores that the ranks of the node may use between them */
    double quota; /* cores' worth of CPU time that the control group allows, INFINITY: any */
} CoreShare;

/* The share of rank `me` of the n ranks of a node with these masks; ranks of a node are taken to be in one control
 * group, whose quota is rounded up to whole cores. */
CoreShare cores_share(const cpu_set_t *masks, int n, int me, double quota);

/* The least quota of this process's control groups, versions 1 and 2, and of those above them; INFINITY: none. root is
 * put before /proc and /sys: "" but in tests. */
double cores_quota(const char *root);

#endif
