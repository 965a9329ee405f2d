/* See outlook.h. */
#include "coordinator/schedule/outlook.h"

#include "coordinator/forecast/makespan.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Sum of the pieces' expected times. Of its error one part is common to all classes (what they borrow from each other),
 * one to the pieces of a class (how fast it is), and one is each piece's own. */
typedef struct Sum {
    double seconds, common, variance;
} Sum;

static double add(Sum *sum, CostModel *costs, int rate, double flops, double count) {
    RateBelief belief = cost_model_belief(costs, rate);
    double seconds = flops / belief.rate, own = seconds * belief.spread;
    double class_error = count * seconds * belief.deviation;
    sum->seconds += count * seconds;
    sum->common += class_error * belief.borrowed;
    sum->variance += class_error * class_error * (1 - belief.borrowed) + count * own * own;
    return seconds;
}

/* The relative error of the end: that of the work, and that nobody knows how the last pieces fall on the workers. */
static double relative_error(const Sum *sum, double end_s, double last_s) {
    static const double FALL = 0.4; /* of the length of the last pieces */
    if (!(sum->seconds > 0 && end_s > 0)) return 0;
    double work = sqrt(sum->common * sum->common + sum->variance) / sum->seconds;
    return hypot(work, FALL * last_s / end_s);
}

Status outlook_of(const Schedule *schedule, CostModel *costs, const Underway *underway, int n_underway, int n_workers,
                  Outlook *out, Error *err) {
    WaitingBatch *waiting = NULL;
    int n_waiting = 0, places = n_workers > n_underway ? n_workers : n_underway;
    Sum sum = {0};
    *out = (Outlook){.end_s = NAN, .lower_s = NAN, .upper_s = NAN, .work_s = NAN, .longest_s = NAN};
    Status status = schedule_waiting(schedule, &waiting, &n_waiting, err);
    Batch *batches = calloc((size_t)n_waiting + 1, sizeof *batches);
    double *busy_s = calloc((size_t)places + 1, sizeof *busy_s);
    assert(places > 0);
    if (status == STATUS_OK && (batches == NULL || busy_s == NULL))
        status = error_set(err, STATUS_NO_MEMORY, "no memory for an outlook on what is left to do");
    double longest_s = 0, shortest_s = INFINITY;
    for (int i = 0; i < n_waiting && status == STATUS_OK; i++) {
        double seconds = add(&sum, costs, waiting[i].rate, waiting[i].flops, (double)waiting[i].count);
        batches[i] = (Batch){.seconds = seconds, .count = waiting[i].count};
        longest_s = fmax(longest_s, seconds);
        shortest_s = fmin(shortest_s, seconds);
    }
    for (int i = 0; i < n_underway && status == STATUS_OK; i++)
        busy_s[i] = add(&sum, costs, underway[i].rate, underway[i].flops_left, 1);
    if (status == STATUS_OK) status = makespan_longest_first(batches, n_waiting, busy_s, places, &out->end_s, err);
    if (status == STATUS_OK && !isnan(sum.seconds)) {
        double last_s = n_waiting > 0 ? shortest_s : 0; /* the longest go first */
        double factor = exp(QUANTILE_90 * relative_error(&sum, out->end_s, last_s));
        out->lower_s = out->end_s / factor;
        out->upper_s = out->end_s * factor;
        out->work_s = sum.seconds;
        out->longest_s = longest_s;
    }
    free(waiting);
    free(batches);
    free(busy_s);
    return status;
}
