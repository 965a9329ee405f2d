/* See prospect.h. */
#include "cli/plan/prospect.h"

#include "cli/shared/warning.h"

#include <math.h>

Status prospect_open(const Job *job, const char *dir, const ScheduleOptions *options, double rate, double walltime_s,
                     Prospect *out, Error *err) {
    char warning[2048] = "";
    ScheduleOptions scheduling = *options;
    *out = (Prospect){.estimate = {.rate = NAN}};
    Estimate *estimate = &out->estimate;
    Status status = journal_open_reader(dir, &out->journal, warning, sizeof warning, err);
    print_warnings(warning);
    if (status == STATUS_OK) status = cost_model_create(&out->costs, err);
    if (status == STATUS_OK) status = unfinished_open(dir, &out->unfinished, err);
    scheduling.unfinished = out->unfinished;
    if (status == STATUS_OK) status = schedule_create(job, out->journal, out->costs, &scheduling, &out->schedule, err);
    if (status == STATUS_OK)
        status = estimate_rates(job, dir, rate, out->costs, estimate->source, sizeof estimate->source, err);
    if (status == STATUS_OK)
        status = estimate_schedule(out->schedule, out->costs, options->workers, walltime_s, estimate, err);
    if (status != STATUS_OK) prospect_close(out);
    return status;
}

void prospect_close(Prospect *prospect) {
    schedule_free(prospect->schedule);
    cost_model_free(prospect->costs);
    unfinished_close(prospect->unfinished);
    journal_close(prospect->journal, NULL, NULL);
    *prospect = (Prospect){0};
}
