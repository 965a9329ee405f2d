/* The end of a run's time, and what still may be begun before it. Pure: times are seconds on a clock of the caller's.
 *
 * A run drains a margin before its time is over. Until then it prefers work whose predicted upper quantile fits; when
 * none does, it begins or goes on with a training that at least gets some steps into a checkpoint; and when not even
 * that is left, it drains at once. */
#ifndef COORDINATOR_FORECAST_DEADLINE_H
#define COORDINATOR_FORECAST_DEADLINE_H

#include "coordinator/forecast/cost_model.h"

typedef struct Deadline {
    double end_s;   /* when the time is over; INFINITY: never */
    double slack_s; /* spare time before, for what cannot be foreseen */
} Deadline;

/* A run that begins at start_s and may take limit_s (INFINITY: no limit). The slack is a twentieth of the limit, but at
 * most a minute. */
Deadline deadline_after(double start_s, double limit_s);

/* When the draining has to begin, if saving is expected to take save_s. */
double deadline_drain_at(const Deadline *deadline, double save_s);
/* How long the trainings under way take to save themselves: the step that each is at, and the bytes of all checkpoints
 * through a slow file system; what an earlier drain here took (0: unknown) if that was longer. */
double deadline_save_s(double longest_step_s, double checkpoint_bytes, double earlier_s);

/* Whether work is over by then, in nine cases of ten. Work of which nothing is known counts as fitting: else nothing
 * would ever be learned. */
bool deadline_fits(const Forecast *forecast, double left_s);
/* Whether a training that cannot end in time is worth beginning: it gets beyond a few steps and the time that a
 * process needs to start. step_s NaN: not known. */
bool deadline_worth_beginning(double step_s, double left_s);

#endif
