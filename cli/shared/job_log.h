/* The logs that batch jobs of palinode submit, and of the templates, leave in a folder of results. */
#ifndef CLI_SHARED_JOB_LOG_H
#define CLI_SHARED_JOB_LOG_H

#include <stdbool.h>

enum { JOB_LOG_NAME_BYTES = 48 };

/* The latest log, slurm-<job>.out, written since the time given (seconds since 1970); false: there is none. One that is
 * empty is of a job that has not begun. */
bool job_log_find(const char *dir, double since_s, char job[JOB_LOG_NAME_BYTES], bool *empty);

#endif
