/* The coordinator's one loop: gives work to ranks, takes what comes back, writes it down.
 *
 * Rank 0 is the only writer. A result is appended as it comes and made durable in groups; what was not yet durable when
 * a run dies is simply done again. Failed work is retried, then recorded as failed with its reason. */
#ifndef COORDINATOR_DISPATCH_DISPATCH_H
#define COORDINATOR_DISPATCH_DISPATCH_H

#include "coordinator/dispatch/roster.h"
#include "coordinator/forecast/deadline.h"
#include "coordinator/journal/unfinished.h"
#include "coordinator/schedule/schedule.h"
#include "proto/transport/channel.h"

typedef struct Dispatch Dispatch;

typedef struct DispatchOptions {
    int64_t max_failures;      /* stop when more pieces of work than this have failed for good; -1: never */
    double checkpoint_every_s; /* how often a training saves itself while it runs */
    Deadline deadline;
    double earlier_drain_s; /* how long draining took in an earlier run; 0: unknown */
} DispatchOptions;

/* Something that the user should know at once: the first error, a retry. */
typedef void (*Notice)(void *context, const char *text);

/* channel, roster, schedule, journal, costs and unfinished (NULL: no training is ever saved) must outlive it. */
Status dispatch_create(Channel *channel, const Roster *roster, Schedule *schedule, Journal *journal, CostModel *costs,
                       Unfinished *unfinished, const DispatchOptions *options, Notice notice, void *context,
                       Dispatch **out, Error *err);
void dispatch_free(Dispatch *dispatch);

/* Does what can be done without waiting, at time now_s (any monotonic clock); *moved is set when there was something.
 */
Status dispatch_step(Dispatch *dispatch, double now_s, bool *moved, Error *err);
/* Gives out nothing more and has every child save its training and end; at until_s, or when none is left, it stops. Of
 * several times the earliest counts, of several reasons the first, which ends up in the end record. */
Status dispatch_drain(Dispatch *dispatch, const char *reason, double until_s, Error *err);
/* Gives out nothing more and has all children killed; what they did since they saved is done again by the next run. */
Status dispatch_stop(Dispatch *dispatch, const char *reason, Error *err);
/* Nothing more is given out: it drains, or all ranks have been told to stop. */
bool dispatch_ending(const Dispatch *dispatch);
/* All ranks have been told to stop. */
bool dispatch_stopping(const Dispatch *dispatch);

enum { RUNNING_SHOWN = 8 };

/* How far the run is. */
typedef struct RunView {
    uint64_t trainings, trainings_done, trainings_diverged, trainings_failed; /* of the grid, all runs together */
    uint64_t trained, cells_done, baselines_done;                             /* by this run */
    uint64_t work_total, work_done, work_failed;                              /* pieces of work of this run */
    int64_t steps_done;                                                       /* as EndRecord has them */
    double flops_total, flops_done;                                           /* nominal, of this run */
    double elapsed_s;                /* since the first piece of work was given out; 0 before */
    double flops_per_s;              /* 0: not known yet */
    double eta_s;                    /* NaN: not known yet */
    double eta_lower_s, eta_upper_s; /* in four cases of five it is between these; NaN: not known yet */
    double deadline_s;               /* until the time limit; INFINITY: there is none */
    double drain_took_s;             /* NaN: it did not drain, or still does */
    Shard shard;
    int ranks, workers, running; /* pieces under way */
    int n_shown;
    double loss[RUNNING_SHOWN]; /* of trainings under way; NaN: none reported yet */
    const char *first_error;    /* "" when there is none */
    bool draining;              /* children are saving their trainings */
    const char *stop_reason;    /* "" while running, "done", "interrupted", .. */
} RunView;
void dispatch_view(Dispatch *dispatch, double now_s, RunView *view);

/* The end record and exit code of the run so far. */
Status dispatch_result(const Dispatch *dispatch);
void dispatch_end_record(const Dispatch *dispatch, EndRecord *end);

#endif
