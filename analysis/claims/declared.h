/* Which claims a set of results is to be held against: those that the jobs behind it declare. */
#ifndef ANALYSIS_CLAIMS_DECLARED_H
#define ANALYSIS_CLAIMS_DECLARED_H

#include "analysis/results/table.h"

typedef struct Declared {
    int n_jobs;
    Job **jobs;
    int count;
    const Claim **claims; /* (count) of the jobs, each once */
    const Job **of;       /* (count) the job that declares it */
    double alpha;         /* the smallest of those of jobs with claims; 0.05 without any */
} Declared;

/* Reads the jobs (jobs/job/job_list.h) of every dir; where no dir has one, the job texts in the table's headers. Claims
 * of the same id and sentence in several jobs are one. claims_path (NULL: none): its claims in place of all those,
 * against the first job's grid (job_read_claims). A job that cannot be read is passed over with a line in warning,
 * unless claims_path needs it. A line tells as well of a job with claims that ran in a folder before its last one did.
 */
Status declared_read(const Table *table, const char *const *dirs, int n_dirs, const char *claims_path, Declared *out,
                     char *warning, size_t warning_bytes, Error *err);
void declared_destroy(Declared *declared);

#endif
