/* palinode model: takes a kept model out of the results, as a safetensors file. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/warning.h"
#include "coordinator/journal.h"
#include "worker/checkpoint/model_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNING_BYTES = 1024, MIN_PREFIX_DIGITS = 4 };

/* Trainings whose id begins with prefix. */
typedef struct Search {
    const char *prefix;
    Id found[2]; /* different ones, at most two: one more than wanted */
    int n_found;
} Search;

static Status look_at(void *context, uint64_t offset, Record *record, Error *err) {
    Search *search = context;
    char text[ID_TEXT_BYTES];
    if (record->kind != RECORD_TRAINING || search->n_found == 2) return STATUS_OK;
    Id id = record->of.training.training_id;
    bool known = search->n_found == 1 && id_equal(id, search->found[0]);
    if (!known && strncmp(id_text(id, text), search->prefix, strlen(search->prefix)) == 0)
        search->found[search->n_found++] = id;
    return STATUS_OK;
}

/* The id that text means: all its digits, or enough leading ones to tell it from the other trainings in dir. */
static Status resolve_id(const char *dir, const char *text, Id *id, Error *err) {
    char lower[ID_TEXT_BYTES] = "", first[ID_TEXT_BYTES], second[ID_TEXT_BYTES], warning[WARNING_BYTES] = "";
    size_t length = strlen(text);
    if (length < MIN_PREFIX_DIGITS || length >= ID_TEXT_BYTES || text[strspn(text, "0123456789abcdefABCDEF")] != '\0')
        return error_set(err, STATUS_USAGE, "'%s': expected a training's id, %d to %d hexadecimal digits", text,
                         MIN_PREFIX_DIGITS, ID_TEXT_BYTES - 1);
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)tolower((unsigned char)text[i]);
    if (id_from_text(lower, id)) return STATUS_OK;
    Search search = {.prefix = lower};
    Status status = journal_read(dir, look_at, &search, warning, sizeof warning, err);
    if (status != STATUS_OK) return status;
    if (search.n_found == 0) return error_set(err, STATUS_DATA, "%s: no training's id begins with %s", dir, lower);
    if (search.n_found == 2)
        return error_set(err, STATUS_DATA, "%s: %s is the beginning of several trainings' ids, such as %s and %s", dir,
                         lower, id_text(search.found[0], first), id_text(search.found[1], second));
    *id = search.found[0];
    return STATUS_OK;
}

static Status write_model(const char *dir, const char *out_path, const ModelRecord *record, Error *err) {
    Shape shape = shape_of(&record->spec.model, &record->spec.task);
    if ((size_t)record->n_parameters != tensors_parameters(&shape))
        return error_set(err, STATUS_DATA, "%s: the model has %lld parameters, expected %zu by its settings", dir,
                         (long long)record->n_parameters, tensors_parameters(&shape));
    return model_file_write(out_path, &record->spec.model, &record->spec.task, record->parameters, err);
}

static Status take_model(const char *dir, const char *id_given, const char *out_path, Error *err) {
    Journal *journal = NULL;
    Record record = {0};
    Id id;
    char warning[WARNING_BYTES] = "";
    Status status = resolve_id(dir, id_given, &id, err);
    if (status == STATUS_OK) status = journal_open_reader(dir, &journal, warning, sizeof warning, err);
    if (status != STATUS_OK) return status;
    print_warnings(warning);
    status = journal_read_model(journal, id, &record, err);
    if (status == STATUS_OK) {
        status = write_model(dir, out_path, &record.of.model, err);
        record_free(&record);
    }
    journal_close(journal, NULL, NULL);
    return status;
}

int command_model(int argc, char **argv) {
    const char *out_path = NULL;
    const Option options[] = {
        {"output", 'o', OPTION_TEXT, &out_path, "M.safetensors", .summary = "where the model goes"},
    };
    const Command command = {
        .name = "model",
        .usage = "DIR ID -o M.safetensors",
        .summary = "take a kept model out of results",
        .details = "ID is a training's id, or its first digits (at least 4) where they tell it from the others.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_operands = 2,
        .max_operands = 2,
    };
    Error err = {{0}};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Status status = out_path == NULL
                        ? error_set(&err, STATUS_USAGE, "model needs -o M.safetensors: where the model goes")
                        : safetensors_may_write(out_path, &err);
    if (status == STATUS_OK) status = take_model(operands[0], operands[1], out_path, &err);
    free((void *)operands);
    return status == STATUS_OK ? (int)STATUS_OK : report_error(status, &err);
}
