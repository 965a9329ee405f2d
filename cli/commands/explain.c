/* palinode explain: what is known of one id, and which record decides. */
#include "coordinator/journal/explain.h"

#include "cli/commands/commands.h"
#include "cli/commands/explain_list.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "cli/shared/warning.h"
#include "proto/base/text.h"
#include "proto/wire/record_content.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WARNING_BYTES = 4096 };

static const char *utc(int64_t unix_ms, char text[32]) {
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    if (unix_ms <= 0 || gmtime_r(&seconds, &parts) == NULL || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        strcpy(text, "unknown");
    return text;
}

/* Whether a setting says something about this kind of thing. */
static bool is_of_kind(const Setting *setting, const Explanation *is) {
    if (setting->type == SETTING_SET) return false;
    bool training = setting->role == ROLE_TRAINING;
    if (is->kind == RECORD_TRAINING) return training;
    if (is->kind == RECORD_CELL) return setting->role != ROLE_BASELINE && !training;
    if (training) return strncmp(setting->key, "task.", 5) == 0;
    return setting->role != ROLE_ROUNDS && (setting->role != ROLE_BASELINE || is->predictor == PREDICTOR_GD);
}

static void print_settings(const Explanation *is) {
    int count, shown = 0;
    const Setting *table = settings_table(&count);
    printf("  settings    ");
    if (is->kind == RECORD_BASELINE) printf("%s; ", predictor_name(is->predictor));
    for (int i = 0; i < count; i++) {
        char text[64];
        SettingValue value = setting_get(&table[i], &is->settings);
        if (!is_of_kind(&table[i], is) || (is->kind == RECORD_TRAINING && value == table[i].default_value)) continue;
        printf("%s%s: %s", shown++ > 0 ? ", " : "", table[i].key, setting_format(&table[i], value, text, sizeof text));
    }
    if (is->kind != RECORD_CELL) printf("%sseed: %u", shown > 0 ? ", " : "", is->settings.training.seed);
    printf("%s\n", is->kind == RECORD_TRAINING ? " (all else by default)" : "");
}

/* What a record says, in a few words. */
static const char *describe(const Record *record, char *text, size_t size) {
    static const char *const outcomes[] = {"done", "diverged", "failed"};
    char ended[32];
    const TrainingRecord *training = &record->of.training;
    if (record->kind == RECORD_TRAINING)
        snprintf(text, size, "%s at attempt %d on %s, rank %d, ended %s", outcomes[training->outcome],
                 (int)training->attempts, training->host, (int)training->rank, utc(training->ended_unix_ms, ended));
    else
        snprintf(text, size, "%s",
                 record->kind == RECORD_MODEL ? "its parameters"
                 : record_is_failure(record)  ? "could not be measured"
                                              : "measured");
    return text;
}

static void print_records(const Explanation *is) {
    for (int i = 0; i < is->n_witnesses; i++) {
        const Witness *witness = &is->witnesses[i];
        char what[512], started[32];
        printf("  record %-2d   %s at byte %" PRIu64 ": %s%s\n", i + 1, TEXT_SHOWN(witness->path), witness->offset,
               TEXT_SHOWN(describe(&witness->record, what, sizeof what)),
               i == is->deciding ? " (decides)"
               : i == is->model  ? " (the kept model)"
                                 : "");
        printf("              %s\n", TEXT_SHOWN(record_fingerprint(&witness->record)));
        printf("              run %s, started %s: %s\n", TEXT_SHOWN(witness->run),
               utc(witness->started_unix_ms, started), TEXT_SHOWN(witness->command_line));
    }
}

static void print_text(const Explanation *is) {
    char id[ID_TEXT_BYTES];
    printf("%s %s: %s\n", record_kind_name(is->kind), id_text(is->id, id), is->state);
    printf("  why         %s\n", TEXT_SHOWN(is->why));
    if (is->kind == RECORD_CELL) printf("  training    %s\n", id_text(is->training_id, id));
    if (!is->job_known)
        printf("  job         not known: --job JOB.yaml tells what is asked for\n");
    else if (!is->asked_for)
        printf("  job         does not ask for it\n");
    if (is->kind == RECORD_TRAINING && is->asked_for)
        printf("  cells       %d of the %d that the job asks for are measured, %d others\n", is->cells_measured,
               is->cells_asked, is->cells_other);
    else if (is->kind == RECORD_TRAINING)
        printf("  cells       %d measured\n", is->cells_other);
    if (is->kind == RECORD_TRAINING) printf("  model       %s\n", is->model >= 0 ? "kept" : "not kept");
    if (is->checkpoint != NULL)
        printf("  checkpoint  %s, step %" PRId64 "\n", TEXT_SHOWN(is->checkpoint), is->checkpoint_step);
    if (is->settings_known) print_settings(is);
    print_records(is);
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static json_t *settings_json(const Explanation *is) {
    int count;
    const Setting *table = settings_table(&count);
    json_t *settings = json_object();
    for (int i = 0; i < count; i++) {
        char text[64];
        SettingValue value = setting_get(&table[i], &is->settings);
        if (!is_of_kind(&table[i], is)) continue;
        setting_format(&table[i], value, text, sizeof text);
        bool words = table[i].type == SETTING_CHOICE || (table[i].keyword != NULL && value == table[i].keyword_value);
        json_object_set_new(settings, table[i].key,
                            words                              ? json_string(text)
                            : table[i].type == SETTING_BOOLEAN ? json_boolean(value != 0)
                            : table[i].type == SETTING_INTEGER ? json_integer((json_int_t)value)
                                                               : json_real(value));
    }
    if (is->kind != RECORD_CELL) json_object_set_new(settings, "seed", json_integer(is->settings.training.seed));
    if (is->kind == RECORD_BASELINE)
        json_object_set_new(settings, "predictor", json_string(predictor_name(is->predictor)));
    return settings;
}

static json_t *records_json(const Explanation *is) {
    json_t *list = json_array();
    for (int i = 0; i < is->n_witnesses; i++) {
        const Witness *witness = &is->witnesses[i];
        char what[512], started[32];
        json_array_append_new(list, json_pack("{s:s, s:o, s:I, s:s, s:s, s:o, s:s, s:s, s:b}", "kind",
                                              record_kind_name(witness->record.kind), "path", text_json(witness->path),
                                              "offset", (json_int_t)witness->offset, "says",
                                              describe(&witness->record, what, sizeof what), "fingerprint",
                                              record_fingerprint(&witness->record), "run", text_json(witness->run),
                                              "started_utc", utc(witness->started_unix_ms, started), "command_line",
                                              witness->command_line, "decides", i == is->deciding));
    }
    return list;
}

static Status print_json(const Explanation *is, Error *err) {
    char id[ID_TEXT_BYTES], training[ID_TEXT_BYTES];
    json_t *checkpoint = is->checkpoint != NULL ? json_pack("{s:o, s:I}", "path", text_json(is->checkpoint), "step",
                                                            (json_int_t)is->checkpoint_step)
                                                : json_null();
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:{s:i, s:i, s:i}, s:o}", "kind", record_kind_name(is->kind),
        "id", id_text(is->id, id), "state", is->state, "why", is->why, "training_id",
        is->kind != RECORD_BASELINE ? json_string(id_text(is->training_id, training)) : json_null(), "asked_for",
        is->job_known ? json_boolean(is->asked_for) : json_null(), "model_kept", is->model >= 0, "checkpoint",
        checkpoint, "settings", is->settings_known ? settings_json(is) : json_null(), "cells", "asked", is->cells_asked,
        "measured", is->cells_measured, "other", is->cells_other, "records", records_json(is));
    return json_output(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17), err);
}

/* --- command ---------------------------------------------------------------------------------------------------- */

/* The job given, else those of the folder; there may be none. */
static Status read_jobs(const char *dir, const char *given, JobList *jobs, char *warning, Error *err) {
    if (given == NULL) return job_list_read(dir, jobs, warning, WARNING_BYTES, err);
    *jobs = (JobList){.items = calloc(1, sizeof *jobs->items)};
    if (jobs->items == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the job %s", given);
    Status status = job_read(given, NULL, 0, &jobs->items[0], err);
    jobs->count = status == STATUS_OK;
    return status;
}

int command_explain(int argc, char **argv) {
    const char *job_path = NULL;
    bool json = false;
    const Option table[] = {
        {.name = "job",
         .type = OPTION_TEXT,
         .value = &job_path,
         .argument = "JOB.yaml",
         .summary = "the job that says what is asked for (default: those that ran in DIR)"},
        {.name = "json", .type = OPTION_FLAG, .value = &json, .summary = "one JSON value on stdout"},
    };
    const Command command = {
        .name = "explain",
        .usage = "DIR [ID] [--job JOB.yaml] [--json]",
        .summary = "why a training, cell or baseline is done, pending, failed, diverged or skipped",
        .details =
            "Without ID every training of the folder is listed, a line each: its id, what became of it, its seed\n"
            "and the settings in which its job's trainings differ.\n\n"
            "ID is the id of a training, a cell or a baseline, or its first digits (at least 4) where they tell it\n"
            "from the others; palinode export shows those of cells and baselines.\n"
            "Shown are the record that decides, with its file and offset, all records of the id in order with\n"
            "the runs that wrote them, its settings, and whether a model or a checkpoint is kept.\n\n"
            "Exit codes: 0 explained, 64 wrong command line, 65 no such id (the nearest is told) or bad data,\n"
            "71 no memory, 74 a file could not be read.",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
        .min_operands = 1,
        .max_operands = 2};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    char warning[WARNING_BYTES] = "";
    JobList jobs = {0};
    Explanation explanation = {0};
    Status status = read_jobs(operands[0], job_path, &jobs, warning, &err);
    print_warnings(warning);
    if (status == STATUS_OK && n_operands == 1)
        status = explain_list(operands[0], &jobs, json, warning, sizeof warning, &err);
    else if (status == STATUS_OK)
        status = explain_id(operands[0], &jobs, operands[1], &explanation, warning, sizeof warning, &err);
    print_warnings(warning);
    if (status == STATUS_OK && n_operands == 2 && json) status = print_json(&explanation, &err);
    if (status == STATUS_OK && n_operands == 2 && !json) print_text(&explanation);
    explanation_free(&explanation);
    job_list_free(&jobs);
    free((void *)operands);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}
