/* How long what is left will take: what waits and what is under way, on so many workers, longest first. */
#ifndef COORDINATOR_SCHEDULE_OUTLOOK_H
#define COORDINATOR_SCHEDULE_OUTLOOK_H

#include "coordinator/schedule/schedule.h"

/* A piece of work under way. */
typedef struct Underway {
    int rate;
    double flops_left;
} Underway;

typedef struct Outlook {
    double end_s;            /* until all is done; NaN: nothing is known */
    double lower_s, upper_s; /* in four cases of five it is between these */
    double work_s;           /* of one worker: the sum of all that is left */
    double longest_s;        /* of a single piece that waits */
} Outlook;

/* STATUS_NO_MEMORY. */
Status outlook_of(const Schedule *schedule, CostModel *costs, const Underway *underway, int n_underway, int n_workers,
                  Outlook *out, Error *err);

#endif
