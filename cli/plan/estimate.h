/* What a plan predicts: core-hours, makespan, number of batch jobs; and where the rates for it come from. */
#ifndef CLI_PLAN_ESTIMATE_H
#define CLI_PLAN_ESTIMATE_H

#include "coordinator/schedule/outlook.h"

typedef struct Estimate {
    Outlook outlook;
    double rate;      /* FLOP/s of one worker, mean over the work; NaN: nothing is to be done */
    double jobs;      /* NaN: no walltime was given, or none would be enough */
    char source[128]; /* where the rate is from: "learned from 12 measurements in results/depth", .. */
} Estimate;

/* Fills costs with rates: the one given (0: none), else those that the records of dir tell, else a few prompts through
 * the job's most expensive models, here and now. source (source_bytes) says which. */
Status estimate_rates(const Job *job, const char *dir, double given_rate, CostModel *costs, char *source,
                      size_t source_bytes, Error *err);
/* What all that waits in schedule takes on n_workers, in batch jobs of walltime_s (0: none given). */
Status estimate_schedule(const Schedule *schedule, CostModel *costs, int n_workers, double walltime_s, Estimate *out,
                         Error *err);

#endif
