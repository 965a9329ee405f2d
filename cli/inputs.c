/* See inputs.h. */
#include "cli/inputs.h"

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
