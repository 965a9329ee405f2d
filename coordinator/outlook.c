/* See outlook.h. */
#include "coordinator/outlook.h"

#include "coordinator/makespan.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Sum of the pieces' expected times. Of its variance one part is common to the pieces of a class (how fast the class
 * is), the other each piece's own. */
typedef struct Sum {
    double seconds, variance;
} Sum;

static double add(Sum *sum, CostModel *costs, int rate, double flops, double count) {
    RateBelief belief = cost_model_belief(costs, rate);
    double seconds = flops / belief.rate, together = count * seconds * belief.deviation, own = seconds * belief.spread;
    sum->seconds += count * seconds;
    sum->variance += together * together + count * own * own;
    return seconds;
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
        status = error_set(err, STATUS_NO_MEMORY, "out of memory");
    double longest_s = 0;
    for (int i = 0; i < n_waiting && status == STATUS_OK; i++) {
        double seconds = add(&sum, costs, waiting[i].rate, waiting[i].flops, (double)waiting[i].count);
        batches[i] = (Batch){.seconds = seconds, .count = waiting[i].count};
        longest_s = fmax(longest_s, seconds);
    }
    for (int i = 0; i < n_underway && status == STATUS_OK; i++)
        busy_s[i] = add(&sum, costs, underway[i].rate, underway[i].flops_left, 1);
    if (status == STATUS_OK) status = makespan_longest_first(batches, n_waiting, busy_s, places, &out->end_s, err);
    if (status == STATUS_OK && !isnan(sum.seconds)) {
        double factor = sum.seconds > 0 ? exp(QUANTILE_90 * sqrt(sum.variance) / sum.seconds) : 1;
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
