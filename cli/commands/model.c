/* palinode model: takes a kept model out of the results, as a safetensors file. */
#include "cli/commands/commands.h"
#include "cli/shared/options.h"
#include "cli/shared/warning.h"
#include "coordinator/journal/id_search.h"
#include "coordinator/journal/journal.h"
#include "worker/files/model_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WARNING_BYTES = 1024 };

static Status offer_training(void *context, uint64_t offset, Record *record, Error *err) {
    if (record->kind == RECORD_TRAINING) id_search_offer(context, record->of.training.training_id, RECORD_TRAINING);
    return STATUS_OK;
}

/* The training whose id begins with digits. All digits are taken as they are: a model may be kept without a record. */
static Status find_training(const char *dir, const char *digits, Id *id, Error *err) {
    char warning[WARNING_BYTES] = "";
    IdSearch search;
    Status status = id_search_begin(digits, &search, err);
    if (status != STATUS_OK || id_from_text(search.prefix, id)) return status;
    status = journal_read(dir, offer_training, &search, warning, sizeof warning, err);
    return status == STATUS_OK ? id_search_end(&search, dir, id, err) : status;
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
    if (access(dir, F_OK) != 0)
        return error_set(err, STATUS_IO, "%s: cannot read the folder: %s", dir, strerror(errno));
    Status status = find_training(dir, id_given, &id, err);
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
