/* A job: what one job file asks for, parsed and checked whole, and its grid, expanded one training at a time. */
#ifndef JOBS_JOB_JOB_H
#define JOBS_JOB_JOB_H

#include "jobs/claims/claims.h"
#include "jobs/settings/settings.h"
#include "proto/wire/messages.h"

typedef struct Job Job;

/* Reads a YAML job file, applies overrides ("model.n_layer=2,4", as given to --set, in order), and checks every
 * combination that the grid can reach. Errors are "path:line:column: what is wrong, what was expected" (an override's
 * place is "--set model.n_layer=2,4"): STATUS_DATA for the file, STATUS_USAGE for an override, STATUS_IO when path
 * cannot be read, STATUS_NO_MEMORY. path "-": standard input. *out is set on success only. */
Status job_read(const char *path, const char *const *overrides, int n_overrides, Job **out, Error *err);
/* The same from text; path is only used in messages. NULL text: an empty job, all defaults. */
Status job_parse(const char *path, const char *text, const char *const *overrides, int n_overrides, Job **out,
                 Error *err);
/* The job of a folder's last run, job.resolved.yaml; *out NULL when it has none. Errors as of job_read. */
Status job_read_resolved(const char *dir, Job **out, Error *err);
void job_free(Job *job);

const char *job_name(const Job *job);
const char *job_text(const Job *job); /* the file as given */
/* What is allowed but hardly meant, a line each, "path:line:column: .."; "" for nothing. */
const char *job_warnings(const Job *job);
/* The job with every default and override filled in, as YAML that parses to the same job; malloc'd, NULL: no memory. */
char *job_resolved(const Job *job);
EvaluationSettings job_evaluation(const Job *job);

/* Number of grid points before exclusion, the range of index below. */
uint64_t job_grid_points(const Job *job);
/* Number of trainings after exclusion: at least one. */
uint64_t job_trainings(const Job *job);
/* The training at a grid point; false when it is excluded. Seeds vary slowest, then axes in table order, the last
 * fastest; linked (zip) axes move together. */
bool job_training(const Job *job, uint64_t index, TrainingSpec *out);

/* The critics under which every training is evaluated: the product of the evaluated axes. */
int job_critics(const Job *job);
CriticSettings job_critic(const Job *job, int index);

/* All values of all settings, as read (jobs/grid/grid.h); the job's own, until it is freed. */
struct Grid;
const struct Grid *job_grid(const Job *job);

/* Puts the claims (and alpha) of another file in place of the job's: path holds only those keys, and they are checked
 * against this job's grid; or it is a whole job file, and its grid replaces this one's too. A file without claims is
 * STATUS_DATA; else as job_read. On failure the job is as before. */
Status job_read_claims(Job *job, const char *path, Error *err);

/* What the job claims, each with its arms found in the grid; the job's own, until it is freed. */
const Claim *job_claims(const Job *job, int *count);
/* The level that all claims share. */
double job_alpha(const Job *job);

#endif
