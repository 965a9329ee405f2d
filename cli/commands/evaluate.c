/* palinode evaluate: measures one model, wherever it was trained, as `run` would: the same work item, the same prompts
 * for the same seed, the same numbers. */
#include "cli/commands/commands.h"
#include "cli/shared/inputs.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "jobs/job/job.h"
#include "proto/wire/codec.h"
#include "worker/work/run_work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 8 };

typedef struct Request {
    const char *model_path, *job_path; /* job_path NULL: no job */
    TextList overrides;
    bool json;
} Request;

/* One model measured: cells in the order of the job's critics, and the baselines beside them. */
typedef struct Measured {
    Settings settings;
    WorkDone cells, baselines;
} Measured;

static void work_done_free(WorkDone *done) {
    Message message = {.kind = MESSAGE_DONE, .of.done = *done};
    message_free(&message);
}

/* --- measuring -------------------------------------------------------------------------------------------------- */

static Status measure_cells(const Job *job, const WorkItem *common, const float *parameters, WorkDone *out,
                            Error *err) {
    WorkItem item = *common;
    Shape shape = shape_of(&item.spec.model, &item.spec.task);
    item.kind = WORK_EVALUATION;
    item.n_parameters = (int64_t)tensors_parameters(&shape);
    item.parameters = (float *)parameters;
    item.n_orders = job_critics(job);
    item.orders = calloc((size_t)item.n_orders + 1, sizeof *item.orders);
    if (item.orders == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d measurements of a model", item.n_orders);
    for (int i = 0; i < item.n_orders; i++)
        item.orders[i] = (CriticOrder){.critic = job_critic(job, i), .predictor = PREDICTOR_MODEL};
    Status status = run_work(&item, 0, "", NULL, NULL, out, err);
    free(item.orders);
    return status;
}

static Status measure_baselines(const Job *job, const WorkItem *common, WorkDone *out, Error *err) {
    WorkItem item = *common;
    item.kind = WORK_BASELINES;
    item.orders = calloc((size_t)job_critics(job) * PREDICTOR_COUNT + 1, sizeof *item.orders);
    if (item.orders == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the measurements of the baselines");
    for (int i = 0; i < job_critics(job); i++)
        for (int predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT; predictor++)
            if (item.evaluation.baselines & (1u << predictor))
                item.orders[item.n_orders++] =
                    (CriticOrder){.critic = job_critic(job, i), .predictor = (Predictor)predictor};
    Status status = run_work(&item, 0, "", NULL, NULL, out, err);
    free(item.orders);
    return status;
}

static Status measure(const Request *request, Measured *out, Error *err) {
    ModelInJob input;
    Status status = model_in_job_read(request->model_path, request->job_path, &request->overrides, &input, err);
    out->settings = input.settings;
    if (status == STATUS_OK) {
        WorkItem common = {
            .spec = out->settings.training, .evaluation = out->settings.evaluation, .attempt = 1, .kernels = ""};
        status = measure_cells(input.job, &common, input.parameters, &out->cells, err);
        if (status == STATUS_OK && common.evaluation.baselines != 0)
            status = measure_baselines(input.job, &common, &out->baselines, err);
    }
    model_in_job_close(&input);
    return status;
}

/* The next baseline record under a critic, searching from *at on; NULL when there is none left. */
static const BaselineRecord *next_baseline(const Measured *measured, const CriticSettings *critic, int *at) {
    while (*at < measured->baselines.n_records) {
        const Record *record = &measured->baselines.records[(*at)++];
        const CriticSettings *other = &record->of.baseline.critic;
        if (record->kind == RECORD_BASELINE && other->quality == critic->quality && other->noise == critic->noise &&
            other->feedback == critic->feedback)
            return &record->of.baseline;
    }
    return NULL;
}

/* --- results as JSON -------------------------------------------------------------------------------------------- */

/* Adds "NAME": [..], "NAME_se": [..] to object. */
static void add_metric(json_t *object, const char *name, const double *value, const double *standard_error, int count) {
    char key[64];
    json_t *values = json_array(), *errors = json_array();
    for (int i = 0; i < count; i++) {
        json_array_append_new(values, number_or_null(value[i]));
        json_array_append_new(errors, number_or_null(standard_error[i]));
    }
    snprintf(key, sizeof key, "%s_se", name);
    json_object_set_new(object, name, values);
    json_object_set_new(object, key, errors);
}

static void add_curves(json_t *object, const Curves *curves) {
    for (Metric metric = 0; metric < METRIC_COUNT; metric++) {
        size_t at = curves_at(curves, metric, 0);
        add_metric(object, metric_name(metric), curves->value + at, curves->standard_error + at, curves->n_points);
    }
}

static json_t *rounds_json(const RoundCurves *curves) {
    json_t *object = json_object();
    json_object_set_new(object, "self_check_accuracy", number_or_null(curves->self_check_accuracy));
    for (RoundMetric metric = 0; metric < ROUND_METRIC_COUNT; metric++) {
        size_t at = round_curves_at(curves, metric, 0);
        add_metric(object, round_metric_name(metric), curves->value + at, curves->standard_error + at, curves->count);
    }
    return object;
}

static json_t *cell_json(const Measured *measured, const CellRecord *cell) {
    json_t *object = json_object(), *baselines = json_object();
    json_object_set_new(object, "critique_quality", json_real(cell->critic.quality));
    json_object_set_new(object, "noise", json_string(critic_noise_name(cell->critic.noise)));
    json_object_set_new(object, "feedback", json_string(critic_feedback_name(cell->critic.feedback)));
    json_object_set_new(object, "self_check_accuracy", number_or_null(cell->self_check_accuracy));
    add_curves(object, &cell->curves);
    const BaselineRecord *baseline;
    for (int at = 0; (baseline = next_baseline(measured, &cell->critic, &at)) != NULL;) {
        json_t *curves = json_object();
        add_curves(curves, &baseline->curves);
        json_object_set_new(baselines, predictor_name(baseline->predictor), curves);
    }
    json_object_set_new(object, "baselines", baselines);
    if (cell->rounds.count > 0) json_object_set_new(object, "rounds", rounds_json(&cell->rounds));
    return object;
}

static Status print_json(const Measured *measured, Error *err) {
    json_t *root = json_object(), *cells = json_array();
    for (int i = 0; i < measured->cells.n_records; i++)
        if (measured->cells.records[i].kind == RECORD_CELL)
            json_array_append_new(cells, cell_json(measured, &measured->cells.records[i].of.cell));
    json_object_set_new(root, "cells", cells);
    json_object_set_new(root, "model",
                        model_settings_json(&measured->settings.training.model, &measured->settings.training.task));
    json_object_set_new(root, "prompts", json_integer(measured->settings.evaluation.prompts));
    json_object_set_new(root, "seed", json_integer(measured->settings.training.seed));
    json_object_set_new(root, "task_noise", json_string(task_noise_name(measured->settings.training.task.noise)));
    return json_output(root, JSON_COMPACT, err);
}

/* --- results as tables ------------------------------------------------------------------------------------------ */

/* Indices to show: all from first to last, or MAX_COLUMNS of them evenly spread. */
static int choose_columns(int first, int last, int columns[MAX_COLUMNS]) {
    int available = last - first + 1, count = available < MAX_COLUMNS ? available : MAX_COLUMNS;
    for (int i = 0; i < count; i++)
        columns[i] = first + (available <= MAX_COLUMNS ? i : (int)lround(i * (available - 1.0) / (MAX_COLUMNS - 1)));
    return count;
}

static void print_heading(const char *name, const int *columns, int n_columns, const char *unit) {
    printf("  %-18s", name);
    for (int i = 0; i < n_columns; i++)
        printf(" %8d", columns[i]);
    printf("   %s\n", unit);
}

static void print_row(const char *name, const double *values, const int *columns, int n_columns) {
    printf("    %-16s", name);
    for (int i = 0; i < n_columns; i++)
        if (isfinite(values[columns[i]]))
            printf(" %8.4f", values[columns[i]]);
        else
            printf(" %8s", "-");
    putchar('\n');
}

static void print_rounds(const RoundCurves *rounds) {
    int columns[MAX_COLUMNS], n_columns = choose_columns(0, rounds->count - 1, columns);
    printf("  rounds of self-correction: self-check accuracy %.3f on their responses\n", rounds->self_check_accuracy);
    print_heading("", columns, n_columns, "round");
    for (RoundMetric metric = 0; metric < ROUND_METRIC_COUNT; metric++) {
        size_t row = round_curves_at(rounds, metric, 0);
        print_row(round_metric_name(metric), rounds->value + row, columns, n_columns);
        print_row("standard error", rounds->standard_error + row, columns, n_columns);
    }
}

static void print_cell(const Measured *measured, const CellRecord *cell) {
    int columns[MAX_COLUMNS], n_columns = choose_columns(2, cell->curves.n_points - 1, columns);
    printf("critique quality %g, noise %s, feedback %s: self-check accuracy %.3f\n", cell->critic.quality,
           critic_noise_name(cell->critic.noise), critic_feedback_name(cell->critic.feedback),
           cell->self_check_accuracy);
    for (Metric metric = 0; metric < METRIC_COUNT; metric++) {
        size_t row = curves_at(&cell->curves, metric, 0);
        print_heading(metric_name(metric), columns, n_columns, "examples");
        print_row("model", cell->curves.value + row, columns, n_columns);
        print_row("standard error", cell->curves.standard_error + row, columns, n_columns);
        const BaselineRecord *baseline;
        for (int at = 0; (baseline = next_baseline(measured, &cell->critic, &at)) != NULL;)
            print_row(predictor_name(baseline->predictor), baseline->curves.value + row, columns, n_columns);
    }
    if (cell->rounds.count > 0) print_rounds(&cell->rounds);
    putchar('\n');
}

static void print_tables(const Request *request, const Measured *measured) {
    const TrainingSpec *spec = &measured->settings.training;
    printf("%s: n_layer %d, n_head %d, n_embd %d, attention %s, ffn %s, causal %s, n_dims %d, n_points %d\n",
           request->model_path, (int)spec->model.n_layer, (int)spec->model.n_head, (int)spec->model.n_embd,
           attention_name(spec->model.attention), spec->model.ffn ? "true" : "false",
           spec->model.causal ? "true" : "false", (int)spec->task.n_dims, (int)spec->task.n_points);
    printf("mean over %d prompts of seed %u\n\n", (int)measured->settings.evaluation.prompts, (unsigned)spec->seed);
    for (int i = 0; i < measured->cells.n_records; i++)
        if (measured->cells.records[i].kind == RECORD_CELL) print_cell(measured, &measured->cells.records[i].of.cell);
}

int command_evaluate(int argc, char **argv) {
    Request request = {0};
    const Option options[] = {
        {"model", 0, OPTION_TEXT, &request.model_path, "M.safetensors", .summary = "the model to measure"},
        {"set", 0, OPTION_LIST, &request.overrides, "KEY=VALUE",
         .summary =
             "override a setting of the job, as evaluate.prompts=4096 or evaluate.critique_quality=1,0.5; repeatable"},
        {"json", 0, OPTION_FLAG, &request.json, NULL, .summary = "one JSON value on stdout, null where undefined"},
    };
    const Command command = {
        .name = "evaluate",
        .usage = "--model M.safetensors [JOB.yaml] [--set KEY=VALUE] [--json]",
        .summary = "measure a trained model, also one trained with PyTorch",
        .details = "Critics, prompts and baselines are the job's, or the defaults; the prompts are those of its first "
                   "seed, or of seed 0.\nThe model's own settings win; a job that gives others is refused.\n"
                   "With --set evaluate.rounds=7 the model corrects its own answers in 7 rounds as well.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .max_operands = 1,
    };
    Error err = {{0}};
    Measured measured = {0};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    if (n_operands == 1) request.job_path = operands[0];
    Status status = STATUS_OK;
    if (request.model_path == NULL)
        status = error_set(&err, STATUS_USAGE, "evaluate needs --model M.safetensors: the model to measure");
    if (status == STATUS_OK) status = measure(&request, &measured, &err);
    if (status == STATUS_OK && request.json)
        status = print_json(&measured, &err);
    else if (status == STATUS_OK)
        print_tables(&request, &measured);
    work_done_free(&measured.cells);
    work_done_free(&measured.baselines);
    free((void *)request.overrides.items);
    free((void *)operands);
    return status == STATUS_OK ? (int)STATUS_OK : report_error(status, &err);
}
