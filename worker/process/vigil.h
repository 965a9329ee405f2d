/* When is a silent child given up? Pure: fed with clocks, it says what it thinks.
 *
 * A child that computes is judged by its own CPU time since it last came on; one that does not compute by the time that
 * its agent was awake meanwhile (a clock that stands still while the agent is stopped or starved). So neither a
 * suspended node nor an overloaded machine condemns anybody. The patience is a multiple of the longest time that
 * this child ever took between two signs of progress, and generous before there is one. */
#ifndef WORKER_PROCESS_VIGIL_H
#define WORKER_PROCESS_VIGIL_H

#include "proto/wire/messages.h"

typedef struct Vigil {
    double patience_s;     /* least, of CPU time: also enough for what an evaluation does in one piece */
    double idle_s;         /* of awake time */
    double first_s;        /* least until there are two signs of progress, and so a time between */
    int signs;             /* of progress so far; no more than 2 are counted */
    double longest_s;      /* CPU time between two signs */
    double cpu_s, awake_s; /* at the last sign */
    double busy_cpu_s;     /* when it was last seen to compute: its CPU time, */
    double busy_awake_s;   /* and the awake time */
    int64_t step;          /* of the last sign */
    double flops;
} Vigil;

/* The least CPU time without progress that is suspicious, s; IDLE_PATIENCE times as much awake time for a child that
 * does not compute: file servers come back after minutes. */
#define VIGIL_PATIENCE_S    60.0
#define VIGIL_IDLE_PATIENCE 10.0

/* A child begins with item at awake_s. */
Vigil vigil_start(const WorkItem *item, double patience_s, double awake_s);
/* It has reported. Only what shows progress counts: a step or FLOPs more than ever. */
void vigil_progress(Vigil *vigil, const Progress *progress, double cpu_s, double awake_s);

typedef enum Silence { SILENCE_NONE, SILENCE_BUSY, SILENCE_IDLE } Silence;
/* To be asked now and then: whether the child is to be given up, and after how many seconds (of CPU time, or awake). */
Silence vigil_judge(Vigil *vigil, double cpu_s, double awake_s, double *silent_s);

#endif
