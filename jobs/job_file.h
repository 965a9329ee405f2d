/* A job file and its overrides, read into a grid: what is written where, and whether each value by itself is right.
 * What only the whole grid shows is checked by grid.h and job.h. */
#ifndef JOBS_JOB_FILE_H
#define JOBS_JOB_FILE_H

#include "jobs/grid.h"

enum { JOB_NAME_BYTES = 101 };

/* Reads text (NULL: nothing is given) and then source->options in order into a fresh grid. name: "" when not given.
 * Errors: STATUS_DATA with a place in the file, STATUS_USAGE with an override. */
Status job_file_read(const Source *source, int n_options, const char *text, size_t size, Grid *grid,
                     char name[JOB_NAME_BYTES], Error *err);

/* Whether a text may be a job's name: letters, digits, - _ . and the first of them a letter or digit. */
bool job_name_allowed(const char *text);

#endif
