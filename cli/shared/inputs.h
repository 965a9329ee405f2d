/* What several commands read in the same way: a model file, and a file of prompts that must fit it. */
#ifndef CLI_SHARED_INPUTS_H
#define CLI_SHARED_INPUTS_H

#include "cli/shared/options.h"
#include "jobs/job/job.h"
#include "jobs/settings/settings.h"
#include "worker/files/model_file.h"

/* Reads a model; settings->training.model and .task (but its noise, which no file tells) become the file's, which must
 * be within the bounds of the table of settings. parameters is malloc'd. */
Status model_input_read(const char *path, Settings *settings, float **parameters, Error *err);

/* Reads a job of which one model is wanted. Its claims, which are about the whole grid, are left out: a choice among
 * its axes would contradict them. */
Status job_of_one_model_read(const char *path, const TextList *overrides, Job **out, Error *err);

/* A model and the job it is measured by. */
typedef struct ModelInJob {
    Job *job;
    Settings settings; /* the model's and its task; noise, first seed and evaluation of the job */
    float *parameters;
} ModelInJob;

/* Reads both, the job without claims; job_path NULL: a job of the model's settings and overrides. Stops where the job
 * gives the model's settings other values than the file has; a setting that it leaves at its default contradicts
 * nothing. To be closed also after a failure. */
Status model_in_job_read(const char *model_path, const char *job_path, const TextList *overrides, ModelInJob *out,
                         Error *err);
void model_in_job_close(ModelInJob *input);

/* A file of prompts, opened. */
typedef struct PromptsInput {
    SafeTensorsFile *file;
    Arena arena;
    Prompts prompts;
} PromptsInput;

/* Reads prompts within the bounds of the table of settings. require_y_star: the file must hold in.y_star. */
Status prompts_input_read(const char *path, bool require_y_star, PromptsInput *out, Error *err);
/* The same of prompts with initial responses to which a model adds its own (closed_loop_file_read). */
Status closed_loop_input_read(const char *path, PromptsInput *out, int *initial_responses, Error *err);
/* Accepts a zeroed one. */
void prompts_input_close(PromptsInput *input);

/* Stops where prompts and model differ in n_dims or n_points. */
Status prompts_fit_model(const char *prompts_path, const Prompts *prompts, const char *model_path,
                         const TaskSettings *task, Error *err);

#endif
