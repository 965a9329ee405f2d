/* See deadline.h. */
#include "coordinator/forecast/deadline.h"

#include <math.h>

Deadline deadline_after(double start_s, double limit_s) {
    static const double SHARE = 0.05, MOST_S = 60;
    if (!isfinite(limit_s)) return (Deadline){.end_s = INFINITY};
    return (Deadline){.end_s = start_s + limit_s, .slack_s = fmax(0, fmin(SHARE * limit_s, MOST_S))};
}

double deadline_drain_at(const Deadline *deadline, double save_s) {
    return deadline->end_s - deadline->slack_s - save_s;
}

double deadline_save_s(double longest_step_s, double checkpoint_bytes, double earlier_s) {
    static const double BYTES_PER_S = 50e6, STEPS = 2;
    double save_s = STEPS * (longest_step_s > 0 ? longest_step_s : 0) + checkpoint_bytes / BYTES_PER_S;
    return fmax(save_s, earlier_s);
}

bool deadline_fits(const Forecast *forecast, double left_s) {
    return !(forecast->upper_s > left_s);
}

bool deadline_worth_beginning(double step_s, double left_s) {
    static const double STEPS = 5, START_S = 0.2;
    return left_s > START_S + STEPS * (step_s > 0 ? step_s : 0);
}
