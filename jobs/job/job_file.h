/* A job file and its overrides, read into a grid: what is written where, and whether each value by itself is right.
 * What only the whole grid shows is checked by grid.h and job.h. */
#ifndef JOBS_JOB_JOB_FILE_H
#define JOBS_JOB_JOB_FILE_H

#include "jobs/claims/claims_file.h"
#include "jobs/grid/grid.h"

/* All that a job file says. */
typedef struct JobFile {
    char name[NAME_BYTES]; /* "": not given */
    Grid grid;
    ClaimList claims; /* not yet checked against the grid */
} JobFile;

/* Reads text (NULL: nothing is given) and then source->options in order. Errors: STATUS_DATA with a place in the file,
 * STATUS_USAGE with an override; also then *file may be destroyed. */
Status job_file_read(const Source *source, int n_options, const char *text, size_t size, JobFile *file, Error *err);
void job_file_destroy(JobFile *file);

#endif
