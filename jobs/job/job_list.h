/* The jobs whose results a folder is there for, by their resolved forms in it: job.resolved.yaml of its last run, and
 * job.<name>.resolved.yaml of every other job that ran there before, or that ran in a folder which was merged into it.
 */
#ifndef JOBS_JOB_JOB_LIST_H
#define JOBS_JOB_JOB_LIST_H

#include "jobs/job/job.h"

typedef struct JobList {
    int count;
    Job **items; /* (count) that of the last run first, the others by file name */
} JobList;

/* Reads all of them; a folder that is not there has none. A file that cannot be read as a job is passed over with a
 * line in warning (NULL: in silence), which is appended to. STATUS_NO_MEMORY. */
Status job_list_read(const char *dir, JobList *out, char *warning, size_t warning_bytes, Error *err);
void job_list_free(JobList *list);

#endif
