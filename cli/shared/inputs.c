/* See inputs.h. */
#include "cli/shared/inputs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Checks all settings whose key begins with section against the table's bounds, as if a job file had given them. */
static Status check_section(const char *path, const char *section, const Settings *settings, Error *err) {
    char expected[256], is[64];
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++) {
        SettingValue value = setting_get(&table[i], settings);
        if (strncmp(table[i].key, section, strlen(section)) != 0 || table[i].type != SETTING_INTEGER) continue;
        if (!(value >= table[i].minimum && value <= table[i].maximum))
            return error_set(err, STATUS_DATA, "%s: %s is %s, expected %s", path, table[i].key,
                             setting_format(&table[i], value, is, sizeof is),
                             setting_expected(&table[i], expected, sizeof expected));
    }
    return STATUS_OK;
}

Status model_input_read(const char *path, Settings *settings, float **parameters, Error *err) {
    ModelSettings model;
    TaskSettings task;
    Status status = model_file_read(path, &model, &task, parameters, err);
    if (status != STATUS_OK) return status;
    task.noise = settings->training.task.noise;
    settings->training.model = model;
    settings->training.task = task;
    status = check_section(path, "model.", settings, err);
    if (status == STATUS_OK) status = check_section(path, "task.", settings, err);
    if (status != STATUS_OK) {
        free(*parameters);
        *parameters = NULL;
    }
    return status;
}

/* --- a model and a job ------------------------------------------------------------------------------------------- */

/* Stops where the job gives a setting of the model other values than the model file has. A setting that the job leaves
 * at its default contradicts nothing. */
static Status agree_on(const Setting *setting, const Job *job, const char *job_path, const char *model_path,
                       const Settings *settings, Error *err) {
    char ours[64], theirs[64];
    const Settings defaults = settings_default();
    SettingValue own = setting_get(setting, settings), other = own;
    bool found = false, left_out = true;
    for (uint64_t i = 0; i < job_grid_points(job) && !found; i++) {
        Settings point = defaults;
        if (!job_training(job, i, &point.training)) continue;
        SettingValue value = setting_get(setting, &point);
        found = value == own;
        left_out = left_out && value == setting_get(setting, &defaults);
        if (!found) other = value;
    }
    if (found || left_out) return STATUS_OK;
    return error_set(err, STATUS_DATA, "%s: %s is %s, but the model %s has %s", job_path != NULL ? job_path : "--set",
                     setting->key, setting_format(setting, other, theirs, sizeof theirs), model_path,
                     setting_format(setting, own, ours, sizeof ours));
}

/* What the file does not tell comes from the job: the task's noise (one for all its trainings) and its first seed. */
static Status take_from_job(const Job *job, Settings *settings, Error *err) {
    bool first = true;
    for (uint64_t i = 0; i < job_grid_points(job); i++) {
        TrainingSpec spec;
        if (!job_training(job, i, &spec)) continue;
        if (first) {
            settings->training.task.noise = spec.task.noise;
            settings->training.seed = spec.seed;
            first = false;
        }
        if (spec.task.noise != settings->training.task.noise)
            return error_set(err, STATUS_USAGE,
                             "the job has several values of task.noise; choose one, as with --set task.noise=%s",
                             task_noise_name(spec.task.noise));
    }
    return STATUS_OK;
}

static Status agree_with_job(const Job *job, const char *job_path, const char *model_path, Settings *settings,
                             Error *err) {
    int count;
    const Setting *table = settings_table(&count);
    Status status = take_from_job(job, settings, err);
    for (int i = 0; i < count && status == STATUS_OK; i++)
        if (strncmp(table[i].key, "model.", 6) == 0 || strncmp(table[i].key, "task.", 5) == 0)
            status = agree_on(&table[i], job, job_path, model_path, settings, err);
    return status;
}

/* The job that says of a model and its task no more than they do, as text: then every override is checked against them,
 * not against the defaults. */
static const char *job_of_model(const Settings *settings, char *text, size_t text_bytes) {
    char value[64];
    size_t used = 0;
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++)
        if (strncmp(table[i].key, "model.", 6) == 0 || strncmp(table[i].key, "task.", 5) == 0)
            used += (size_t)snprintf(text + used, text_bytes - used, "%s: %s\n", table[i].key,
                                     setting_format(&table[i], setting_get(&table[i], settings), value, sizeof value));
    assert(used < text_bytes);
    return text;
}

/* Of the file at path, or of text where that is not NULL. */
static Status read_without_claims(const char *path, const char *text, const TextList *overrides, Job **out,
                                  Error *err) {
    int count = overrides->count;
    const char **all = calloc((size_t)count + 1, sizeof *all);
    if (all == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for %d overrides", count + 1);
    for (int i = 0; i < count; i++)
        all[i] = overrides->items[i];
    all[count] = "claims=[]";
    Status status =
        text != NULL ? job_parse(path, text, all, count + 1, out, err) : job_read(path, all, count + 1, out, err);
    free((void *)all);
    return status;
}

Status job_of_one_model_read(const char *path, const TextList *overrides, Job **out, Error *err) {
    return read_without_claims(path, NULL, overrides, out, err);
}

Status model_in_job_read(const char *model_path, const char *job_path, const TextList *overrides, ModelInJob *out,
                         Error *err) {
    char text[1024];
    *out = (ModelInJob){.settings = settings_default()};
    Status status = STATUS_OK;
    if (job_path != NULL) status = job_of_one_model_read(job_path, overrides, &out->job, err);
    if (status == STATUS_OK) status = model_input_read(model_path, &out->settings, &out->parameters, err);
    if (status == STATUS_OK && job_path == NULL)
        status =
            read_without_claims(model_path, job_of_model(&out->settings, text, sizeof text), overrides, &out->job, err);
    if (status == STATUS_OK) status = agree_with_job(out->job, job_path, model_path, &out->settings, err);
    if (status != STATUS_OK) return status;
    out->settings.evaluation = job_evaluation(out->job);
    status = settings_check(&out->settings, NULL, err); /* the job's own model may be another */
    return status == STATUS_OK ? status : error_prefix(err, status, "%s", model_path);
}

void model_in_job_close(ModelInJob *input) {
    free(input->parameters);
    job_free(input->job);
    *input = (ModelInJob){0};
}

/* --- prompts ------------------------------------------------------------------------------------------------------ */

/* Whether prompts are within the bounds of the table of settings; closes them where not, or where status is a failure.
 */
static Status check_prompts(const char *path, Status status, PromptsInput *out, Error *err) {
    if (status == STATUS_OK) {
        Settings settings = settings_default();
        settings.training.task.n_dims = out->prompts.d;
        settings.training.task.n_points = out->prompts.N;
        status = check_section(path, "task.", &settings, err);
    }
    if (status != STATUS_OK) prompts_input_close(out);
    return status;
}

Status prompts_input_read(const char *path, bool require_y_star, PromptsInput *out, Error *err) {
    *out = (PromptsInput){0};
    Status status = safetensors_open(path, &out->file, err);
    if (status == STATUS_OK)
        status = prompts_file_read(out->file, path, require_y_star, &out->arena, &out->prompts, err);
    return check_prompts(path, status, out, err);
}

Status closed_loop_input_read(const char *path, PromptsInput *out, int *initial_responses, Error *err) {
    *out = (PromptsInput){0};
    Status status = safetensors_open(path, &out->file, err);
    if (status == STATUS_OK)
        status = closed_loop_file_read(out->file, path, &out->arena, &out->prompts, initial_responses, err);
    return check_prompts(path, status, out, err);
}

void prompts_input_close(PromptsInput *input) {
    safetensors_close(input->file);
    arena_destroy(&input->arena);
    *input = (PromptsInput){0};
}

Status prompts_fit_model(const char *prompts_path, const Prompts *prompts, const char *model_path,
                         const TaskSettings *task, Error *err) {
    if (prompts->d == task->n_dims && prompts->N == task->n_points) return STATUS_OK;
    return error_set(err, STATUS_DATA,
                     "%s: prompts of n_points %d, n_dims %d, but the model %s is made for n_points %d, n_dims %d",
                     prompts_path, prompts->N, prompts->d, model_path, (int)task->n_points, (int)task->n_dims);
}
