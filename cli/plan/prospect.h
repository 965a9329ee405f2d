/* What is left of a job in a folder, and what that would take: what plan tells, and submit before it submits. */
#ifndef CLI_PLAN_PROSPECT_H
#define CLI_PLAN_PROSPECT_H

#include "cli/plan/estimate.h"

typedef struct Prospect {
    Journal *journal;
    CostModel *costs;
    Unfinished *unfinished;
    Schedule *schedule;
    Estimate estimate;
} Prospect;

/* Looks at dir, which need not exist, and changes nothing; warnings of damaged segments go to stderr. options without
 * unfinished; its workers are predicted for. rate (FLOP/s of one worker; 0: unknown) and walltime_s (0: none) as in
 * estimate.h. On failure out is closed as well. */
Status prospect_open(const Job *job, const char *dir, const ScheduleOptions *options, double rate, double walltime_s,
                     Prospect *out, Error *err);
void prospect_close(Prospect *prospect);

#endif
