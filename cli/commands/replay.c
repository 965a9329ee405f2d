/* palinode replay: does a recorded training again, in this process and by the recipe of the workers, and compares. */
#include "cli/commands/commands.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "cli/shared/replay_recorded.h"
#include "cli/shared/terminal.h"
#include "cli/shared/warning.h"
#include "coordinator/dispatch/progress.h"
#include "jobs/settings/identity.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/wire/codec.h"
#include "proto/wire/record_content.h"
#include "worker/kernels/kernels.h"
#include "worker/work/run_work.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNING_BYTES = 4096, KERNELS_BYTES = 32 };

/* One recorded result beside its replay. */
typedef struct Comparison {
    RecordKind kind;
    Id id;
    const char *recorded_fingerprint, *fingerprint;
    bool compared;      /* false: the replay has diverged before it */
    bool same_numerics; /* so that the bits must be equal */
    RecordDifference difference;
} Comparison;

typedef struct Replay {
    Recorded recorded;
    char path[KERNELS_BYTES]; /* of the kernels recorded */
    const Kernels *kernels;   /* that it is done with */
    bool path_available;      /* they are those */
    WorkDone *done;           /* what was done again, in n_done pieces */
    int n_done;
    Comparison *comparisons;
    int n_comparisons;
    double elapsed_s;
    Terminal terminal;
    double last_shown_s;
} Replay;

/* --- doing it again --------------------------------------------------------------------------------------------- */

/* "avx2" of "numerics 2; kernels avx2; ..", of a training in bf16 without the suffix. */
static void path_of(const char *fingerprint, char path[KERNELS_BYTES]) {
    const char *name = strstr(fingerprint, "kernels ");
    path[0] = '\0';
    if (name != NULL && sscanf(name, "kernels %31[^;]", path) != 1) path[0] = '\0';
    char *suffix = strstr(path, "bf16");
    if (suffix != NULL) suffix[suffix > path && suffix[-1] == '-' ? -1 : 0] = '\0';
}

/* The recorded kernels where this machine has them, else its best. For a training in bf16 its cells, which are measured
 * in float32, name the path better. */
static Status choose_kernels(Replay *replay, Error *err) {
    const Recorded *recorded = &replay->recorded;
    const Record *witness = recorded_find(recorded, recorded->kind, recorded->id);
    bool bf16 = witness->kind == RECORD_TRAINING && witness->of.training.spec.train.precision == PRECISION_BF16;
    for (int i = 0; bf16 && i < recorded->n_records; i++)
        if (recorded->records[i].kind == RECORD_CELL &&
            strstr(recorded->records[i].of.cell.fingerprint, "; model of") == NULL)
            witness = &recorded->records[i];
    path_of(record_fingerprint(witness), replay->path);
    Error unavailable;
    replay->path_available =
        replay->path[0] != '\0' && kernels_select(replay->path, &replay->kernels, &unavailable) == STATUS_OK;
    return replay->path_available ? STATUS_OK : kernels_select(NULL, &replay->kernels, err);
}

static void show_progress(void *context, const Progress *progress) {
    Replay *replay = context;
    char text[128];
    double now_s = clock_monotonic_s();
    if (!replay->terminal.live || now_s - replay->last_shown_s < 0.2) return;
    replay->last_shown_s = now_s;
    snprintf(text, sizeof text, "step %" PRId64 ", loss %.4g", progress->step, progress->loss);
    terminal_live(&replay->terminal, text);
}

/* Does one piece of work, whose records are kept to be compared. */
static Status do_work(Replay *replay, WorkItem *item, Error *err) {
    WorkDone *more = realloc(replay->done, ((size_t)replay->n_done + 1) * sizeof *more);
    if (more == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d pieces of work done again", replay->n_done + 1);
    replay->done = more;
    item->kernels = (char *)replay->kernels->name;
    item->checkpoint = "";
    item->attempt = 1;
    Status status = run_work(item, 0, "", show_progress, replay, &replay->done[replay->n_done], err);
    replay->n_done += status == STATUS_OK;
    return status;
}

static EvaluationSettings evaluation_of(const CellRecord *cell) {
    EvaluationSettings evaluation = settings_default().evaluation;
    record_cell_evaluation(cell, &evaluation);
    return evaluation;
}

static bool same_evaluation(const EvaluationSettings *a, const EvaluationSettings *b) {
    return a->prompts == b->prompts && a->rounds == b->rounds && a->initial_responses == b->initial_responses &&
           a->right_cosine == b->right_cosine;
}

/* Fills orders with the recorded cells that are measured as evaluation says; marks them as taken. */
static int take_orders(const Recorded *recorded, const EvaluationSettings *evaluation, bool *taken,
                       CriticOrder *orders) {
    int n = 0;
    for (int i = 0; i < recorded->n_records; i++) {
        const CellRecord *cell = &recorded->records[i].of.cell;
        if (recorded->records[i].kind != RECORD_CELL || taken[i]) continue;
        EvaluationSettings own = evaluation_of(cell);
        if (!same_evaluation(&own, evaluation)) continue;
        taken[i] = true;
        orders[n++] = (CriticOrder){.id = cell->cell_id, .critic = cell->critic, .predictor = PREDICTOR_MODEL};
    }
    return n;
}

static const ModelRecord *replayed_model(const Replay *replay) {
    for (int i = 0; i < replay->done[0].n_records; i++)
        if (replay->done[0].records[i].kind == RECORD_MODEL) return &replay->done[0].records[i].of.model;
    return NULL;
}

/* The first cell that no piece of work has taken yet, or NULL. */
static const CellRecord *next_cell(const Recorded *recorded, const bool *taken) {
    for (int i = 0; i < recorded->n_records; i++)
        if (recorded->records[i].kind == RECORD_CELL && !taken[i]) return &recorded->records[i].of.cell;
    return NULL;
}

/* Trains, and measures the cells; those of a job with other prompts or rounds in a piece of work of their own. */
static Status replay_training(Replay *replay, Error *err) {
    const Recorded *recorded = &replay->recorded;
    const TrainingRecord *training = &recorded_find(recorded, RECORD_TRAINING, recorded->id)->of.training;
    bool *taken = calloc((size_t)recorded->n_records, sizeof *taken);
    CriticOrder *orders = calloc((size_t)recorded->n_records, sizeof *orders);
    Status status = taken != NULL && orders != NULL
                        ? STATUS_OK
                        : error_set(err, STATUS_NO_MEMORY, "no memory for the order to measure %d records again",
                                    recorded->n_records);
    WorkItem item = {.kind = WORK_TRAINING,
                     .training_id = training->training_id,
                     .spec = training->spec,
                     .evaluation = settings_default().evaluation,
                     .keep_model = true,
                     .orders = orders};
    const CellRecord *cell = status == STATUS_OK ? next_cell(recorded, taken) : NULL;
    const ModelRecord *model = NULL;
    while (status == STATUS_OK && (replay->n_done == 0 || (cell != NULL && model != NULL))) {
        if (cell != NULL) item.evaluation = evaluation_of(cell);
        item.n_orders = take_orders(recorded, &item.evaluation, taken, orders);
        status = do_work(replay, &item, err);
        if (status != STATUS_OK) break;
        model = replayed_model(replay); /* none: it has diverged, and nothing can be measured */
        item.kind = WORK_EVALUATION;
        item.n_parameters = model != NULL ? model->n_parameters : 0;
        item.parameters = model != NULL ? model->parameters : NULL;
        cell = next_cell(recorded, taken);
    }
    free(taken);
    free(orders);
    return status;
}

static Status replay_baseline(Replay *replay, Error *err) {
    const BaselineRecord *baseline = &replay->recorded.records[0].of.baseline;
    CriticOrder order = {.id = baseline->baseline_id, .critic = baseline->critic, .predictor = baseline->predictor};
    WorkItem item = {.kind = WORK_BASELINES,
                     .spec = settings_default().training,
                     .evaluation = settings_default().evaluation,
                     .n_orders = 1,
                     .orders = &order};
    item.spec.task = baseline->task;
    item.spec.seed = baseline->seed;
    item.evaluation.prompts = baseline->prompts;
    if (baseline->predictor == PREDICTOR_GD) item.evaluation.gd_steps = baseline->gd_steps;
    return do_work(replay, &item, err);
}

/* --- comparing -------------------------------------------------------------------------------------------------- */

static const Record *replayed(const Replay *replay, RecordKind kind, Id id) {
    for (int d = 0; d < replay->n_done; d++)
        for (int i = 0; i < replay->done[d].n_records; i++) {
            const Record *record = &replay->done[d].records[i];
            if (record->kind == kind && id_equal(record_id(record), id)) return record;
        }
    return NULL;
}

/* A cell shows the numerics of its model's training too, whatever its own fingerprint says. */
static Status compare(Replay *replay, Error *err) {
    const Recorded *recorded = &replay->recorded;
    bool same_training = true;
    replay->comparisons = calloc((size_t)recorded->n_records, sizeof *replay->comparisons);
    if (replay->comparisons == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory to compare %d records", recorded->n_records);
    const Record *training = recorded_find(recorded, RECORD_TRAINING, recorded->id);
    if (training != NULL)
        same_training = strcmp(record_fingerprint(training),
                               record_fingerprint(replayed(replay, RECORD_TRAINING, recorded->id))) == 0;
    for (int i = 0; i < recorded->n_records; i++) {
        const Record *was = &recorded->records[i], *is = replayed(replay, was->kind, record_id(was));
        Comparison *comparison = &replay->comparisons[replay->n_comparisons++];
        *comparison = (Comparison){.kind = was->kind,
                                   .id = record_id(was),
                                   .recorded_fingerprint = record_fingerprint(was),
                                   .compared = is != NULL};
        if (is == NULL) continue;
        comparison->fingerprint = record_fingerprint(is);
        comparison->same_numerics =
            same_training && strcmp(comparison->recorded_fingerprint, comparison->fingerprint) == 0;
        Status status = record_compare(was, is, &comparison->difference, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* Results that differ, or are missing, although the numerics are the same. */
static int alarms(const Replay *replay) {
    int count = 0;
    for (int i = 0; i < replay->n_comparisons; i++)
        count += replay->comparisons[i].same_numerics && replay->comparisons[i].difference.differs;
    return count;
}

static bool identical(const Replay *replay) {
    for (int i = 0; i < replay->n_comparisons; i++)
        if (!replay->comparisons[i].compared || replay->comparisons[i].difference.differs) return false;
    return true;
}

/* The comparison with the largest difference in standard errors; NULL: none differs in them. */
static const Comparison *largest(const Replay *replay) {
    const Comparison *most = NULL;
    for (int i = 0; i < replay->n_comparisons; i++) {
        const Comparison *one = &replay->comparisons[i];
        double errors = one->difference.standard_errors;
        if (one->compared && errors > 0 && (most == NULL || errors > most->difference.standard_errors)) most = one;
    }
    return most;
}

/* --- telling ---------------------------------------------------------------------------------------------------- */

static void print_text(const Replay *replay) {
    char id[ID_TEXT_BYTES], time[DURATION_BYTES], text[256];
    const Recorded *recorded = &replay->recorded;
    const Comparison *first = &replay->comparisons[0];
    for (int i = 0; i < replay->n_comparisons; i++)
        if (replay->comparisons[i].kind == recorded->kind) first = &replay->comparisons[i];
    printf("%s %s replayed in %s\n", record_kind_name(recorded->kind), id_text(recorded->id, id),
           progress_duration(replay->elapsed_s, time, sizeof time));
    printf("  recorded  %s\n  here      %s\n", TEXT_SHOWN(first->recorded_fingerprint), TEXT_SHOWN(first->fingerprint));
    if (!replay->path_available)
        printf("            (this machine has no kernels '%s'; the best of its own, '%s', were used)\n", replay->path,
               replay->kernels->name);
    for (int i = 0; i < replay->n_comparisons; i++) {
        const Comparison *one = &replay->comparisons[i];
        printf("  %-8s  %s: ", record_kind_name(one->kind), id_text(one->id, id));
        if (!one->compared)
            printf("the replay has diverged before it\n");
        else if (!one->difference.differs)
            printf("the same bits\n");
        else
            printf("differs in %s\n", record_difference_text(&one->difference, text, sizeof text));
    }
    const Comparison *most = largest(replay);
    if (identical(replay))
        printf("all results are the same to the bit\n");
    else if (alarms(replay) == 0 && most != NULL)
        printf("under other numerics, for information: the largest difference is %.3g standard errors\n",
               most->difference.standard_errors);
    else if (alarms(replay) == 0)
        printf("under other numerics, for information: no measured mean differs\n");
}

static json_t *comparisons_json(const Replay *replay) {
    json_t *list = json_array();
    for (int i = 0; i < replay->n_comparisons; i++) {
        const Comparison *one = &replay->comparisons[i];
        char id[ID_TEXT_BYTES];
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:o, s:o, s:o, s:s, s:s}", "kind", record_kind_name(one->kind),
                      "id", id_text(one->id, id), "compared", one->compared, "same_numerics", one->same_numerics,
                      "identical", one->compared && !one->difference.differs, "what", one->difference.what, "recorded",
                      number_or_null(one->difference.a), "replayed", number_or_null(one->difference.b),
                      "standard_errors", number_or_null(one->difference.standard_errors), "recorded_fingerprint",
                      one->recorded_fingerprint, "fingerprint", one->compared ? one->fingerprint : ""));
    }
    return list;
}

static Status print_json(const Replay *replay, Error *err) {
    char id[ID_TEXT_BYTES];
    const Comparison *most = largest(replay);
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:o, s:f, s:o}", "kind", record_kind_name(replay->recorded.kind), "id",
        id_text(replay->recorded.id, id), "recorded_kernels", replay->path, "kernels", replay->kernels->name,
        "kernels_available", replay->path_available, "identical", identical(replay), "alarms", alarms(replay),
        "largest_standard_errors", most != NULL ? number_or_null(most->difference.standard_errors) : json_null(),
        "elapsed_s", replay->elapsed_s, "results", comparisons_json(replay));
    return json_output(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17), err);
}

/* --- command ---------------------------------------------------------------------------------------------------- */

static void replay_free(Replay *replay) {
    for (int d = 0; d < replay->n_done; d++) {
        Message message = {.kind = MESSAGE_DONE, .of.done = replay->done[d]};
        message_free(&message);
    }
    free(replay->done);
    free(replay->comparisons);
    recorded_free(&replay->recorded);
}

static Status replay_id(const char *dir, const char *digits, bool json, Error *err) {
    char warning[WARNING_BYTES] = "";
    Replay replay = {.terminal = terminal_open(false)};
    Status status = recorded_read(dir, digits, &replay.recorded, warning, sizeof warning, err);
    print_warnings(warning);
    if (status != STATUS_OK) return status;
    double start_s = clock_monotonic_s();
    status = choose_kernels(&replay, err);
    if (status == STATUS_OK)
        status =
            replay.recorded.kind == RECORD_BASELINE ? replay_baseline(&replay, err) : replay_training(&replay, err);
    terminal_clear(&replay.terminal);
    replay.elapsed_s = clock_monotonic_s() - start_s;
    if (status == STATUS_OK) status = compare(&replay, err);
    if (status == STATUS_OK && json) status = print_json(&replay, err);
    if (status == STATUS_OK && !json) print_text(&replay);
    if (status == STATUS_OK && alarms(&replay) > 0)
        status = error_set(err, STATUS_FAILED,
                           "determinism alarm: %d of %d results differ from the record under the same numerics",
                           alarms(&replay), replay.n_comparisons);
    replay_free(&replay);
    return status;
}

int command_replay(int argc, char **argv) {
    bool json = false;
    const Option table[] = {
        {.name = "json", .type = OPTION_FLAG, .value = &json, .summary = "one JSON value on stdout"},
    };
    const Command command = {
        .name = "replay",
        .usage = "DIR ID [--json]",
        .summary = "do a recorded training again and compare it bit for bit",
        .details =
            "ID is the id of a training, of one of its cells, or of a baseline, or its first digits (at least 4).\n"
            "The training is done in this process with its recorded settings, and with the recorded kernels where\n"
            "this machine has them; its loss curve, its parameters (if they were kept) and all its cells are\n"
            "compared. Nothing is written.\n\n"
            "Under the same numerics fingerprint the bits must be the same; where they are not, it is an alarm.\n"
            "Under another, the largest difference is information.\n\n"
            "Exit codes: 0 the same bits, or other numerics; 1 determinism alarm; 64 wrong command line; 65 no\n"
            "such result; 71 no memory; 74 a file could not be read, or this process cannot have its memory.",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
        .min_operands = 2,
        .max_operands = 2};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    Status status = replay_id(operands[0], operands[1], json, &err);
    free((void *)operands);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}
