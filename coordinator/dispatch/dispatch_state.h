/* What the two halves of the dispatch share: dispatch.c, the loop, and dispatch_view.c, which tells how far it is.
 * Private to them. */
#ifndef COORDINATOR_DISPATCH_DISPATCH_STATE_H
#define COORDINATOR_DISPATCH_DISPATCH_STATE_H

#include "coordinator/dispatch/dispatch.h"
#include "coordinator/dispatch/running.h"
#include "coordinator/schedule/outlook.h"

/* Reasons of an end that decide the exit code. */
#define TOO_MANY_FAILURES "too many failures"
#define MACHINE_FAILED    "machine failed"

/* A rank as the coordinator sees it. */
typedef struct Post {
    int free_places;
    int machine_failures; /* in a row */
    double paused_until_s;
    bool given_up; /* it gets no more work */
} Post;

struct Dispatch {
    Channel *channel;
    Schedule *schedule;
    Journal *journal;
    CostModel *costs;
    Unfinished *unfinished; /* or NULL */
    DispatchOptions options;
    Notice notice;
    void *notice_context;
    const Roster *roster;
    Post *posts; /* by rank */
    RunningTable running;
    bool dirty, draining, stopping, dropped_model_said;
    double now_s, started_s, last_sync_s;
    double save_s, save_seen_s; /* how long saving is expected to take, and when that was looked at */
    double drain_began_s, drain_until_s, drain_took_s;
    uint64_t work_done, work_failed, work_left_out; /* pieces; failed for good; left to a later run */
    uint64_t in_state[4]; /* trainings of the grid by TrainingState, as the journal has them */
    EndRecord ended;      /* what this run has appended, counted */
    double flops_done;
    Outlook outlook; /* as of outlook_s */
    double outlook_s;
    char first_error[512], stop_reason[64];
};

#endif
