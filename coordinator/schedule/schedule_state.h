/* What the two halves of the schedule share: schedule_count.c, which finds what is missing, and schedule.c, which hands
 * it out. Private to them. */
#ifndef COORDINATOR_SCHEDULE_SCHEDULE_STATE_H
#define COORDINATOR_SCHEDULE_SCHEDULE_STATE_H

#include "coordinator/schedule/schedule.h"

/* A piece of work that is known by itself: out, or waiting with a history. */
typedef struct Piece {
    uint64_t work, grid_point;
    int class;
    int attempt; /* that is under way, or comes next: 1 is the first */
    int machine_failures;
    int64_t step; /* that its checkpoint holds; 0: none */
} Piece;

struct Schedule {
    const Job *job;
    const Journal *known;
    CostModel *costs;
    EvaluationSettings evaluation; /* of the job */
    ScheduleOptions options;
    ScheduleTotals totals;
    bool limited; /* something missing is past the limit */
    Pending *pending;
    int *order;       /* all classes, longest work first */
    double *class_s;  /* by class: how long one of its pieces was expected to take when they were sorted */
    int since_sorted; /* pieces handed out */
    double load_s;    /* of a worker: its share of all that waits, when it was sorted */
    uint64_t next_work;
    Piece *out, *again;           /* handed out; waiting with a history */
    int n_out, n_again, capacity; /* capacity of both */
};

/* Walks the grid: fills the totals, the row of what waits, and what was begun before. */
Status schedule_count(Schedule *schedule, Error *err);
/* Builds the work item of a grid point, as its first attempt; *found false when nothing of that kind is missing there.
 */
Status schedule_item(const Schedule *schedule, uint64_t grid_point, bool baselines, bool *found, WorkItem *item,
                     Error *err);
/* Room for one more piece that is known by itself. */
Status schedule_make_room(Schedule *schedule, Error *err);
/* Operations that a piece has left. */
double schedule_flops_left(const Schedule *schedule, const Piece *piece);

/* Where work waits: every grid point has a place for its training, before it one for baselines where there are any. */
static inline uint64_t places_per_point(const Schedule *schedule) {
    return schedule->evaluation.baselines != 0 ? 2 : 1;
}

#endif
