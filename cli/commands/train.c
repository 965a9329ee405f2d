/* palinode train: one training without a grid, either as a job file describes it, or on one fixed batch from a file
 * (for comparison with another program, step by step). */
#include "worker/train/train.h"
#include "cli/commands/commands.h"
#include "cli/shared/inputs.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "cli/shared/terminal.h"
#include "coordinator/dispatch/progress.h"
#include "jobs/job/job.h"
#include "jobs/settings/identity.h"
#include "proto/base/clock.h"
#include "proto/wire/cost.h"
#include "worker/work/run_work.h"

#include <math.h>
#include <stdlib.h>

typedef struct Request {
    const char *job_path, *out_path; /* job_path NULL: a fixed batch */
    TextList overrides;
    const char *model_path, *data_path, *objective_name; /* of a fixed batch; NULL: not given */
    int64_t steps;                                       /* 0: not given */
    double learning_rate;                                /* 0: not given */
    bool json, quiet;
} Request;

/* --- one training of a job -------------------------------------------------------------------------------------- */

typedef struct Teller {
    Terminal terminal;
    int64_t steps;
    double flops_total, started_s;
    ProgressPace pace;
} Teller;

static void show_progress(void *context, const Progress *progress) {
    Teller *teller = context;
    double now_s = clock_monotonic_s(), share = progress->flops_done / teller->flops_total;
    RunView view = {.flops_done = progress->flops_done, .flops_total = teller->flops_total, .running = 1};
    if (teller->terminal.quiet || isnan(progress->loss)) return;
    if (!teller->terminal.live && !progress_due(&teller->pace, &view, now_s)) return;
    char eta[DURATION_BYTES], text[128];
    progress_duration((now_s - teller->started_s) * (1 - share) / share, eta, sizeof eta);
    snprintf(text, sizeof text, "step %lld/%lld  loss %.4f  ETA %s", (long long)progress->step,
             (long long)teller->steps, progress->loss, eta);
    if (teller->terminal.live)
        terminal_live(&teller->terminal, text);
    else
        terminal_say(&teller->terminal, text);
}

/* The one training that the job describes. */
static Status find_training(const Request *request, TrainingSpec *spec, Error *err) {
    Job *job = NULL;
    Status status = job_of_one_model_read(request->job_path, &request->overrides, &job, err);
    if (status != STATUS_OK) return status;
    if (job_trainings(job) != 1)
        status = error_set(err, STATUS_USAGE,
                           "%s describes %llu trainings, train expects exactly one: choose with --set, as --set "
                           "seeds=0 (palinode run does them all)",
                           request->job_path, (unsigned long long)job_trainings(job));
    for (uint64_t i = 0; status == STATUS_OK && !job_training(job, i, spec);)
        i++;
    job_free(job);
    return status;
}

/* The result on stdout. */
static Status print_training(const Request *request, const TrainingRecord *record, Error *err) {
    char id[ID_TEXT_BYTES];
    if (!request->json) {
        printf("training %s: final loss %.4f after %lld steps, %.1f s\n", id_text(record->training_id, id),
               record->final_loss, (long long)record->steps_done, record->wall_s);
        return STATUS_OK;
    }
    json_t *steps = json_array(), *losses = json_array();
    for (int i = 0; i < record->n_loss; i++) {
        json_array_append_new(steps, json_integer(record->loss_step[i]));
        json_array_append_new(losses, json_real(record->loss[i]));
    }
    return json_output(json_pack("{s:s, s:I, s:f, s:f, s:s, s:o, s:o}", "training_id", id_text(record->training_id, id),
                                 "steps", (json_int_t)record->steps_done, "final_loss", record->final_loss, "wall_s",
                                 record->wall_s, "fingerprint", record->fingerprint, "loss_step", steps, "loss",
                                 losses),
                       JSON_COMPACT, err);
}

/* Writes the model of a finished training and prints what it is; a diverged one is a failure without a file. */
static Status keep_training(const Request *request, const WorkDone *done, Error *err) {
    const TrainingRecord *training = NULL;
    const ModelRecord *model = NULL;
    for (int i = 0; i < done->n_records; i++) {
        if (done->records[i].kind == RECORD_TRAINING) training = &done->records[i].of.training;
        if (done->records[i].kind == RECORD_MODEL) model = &done->records[i].of.model;
    }
    if (training == NULL || model == NULL)
        return error_set(err, STATUS_FAILED, "the training diverged and nothing is written: %s",
                         training != NULL ? training->reason : "no record");
    Status status = model_file_write(request->out_path, &model->spec.model, &model->spec.task, model->parameters, err);
    return status == STATUS_OK ? print_training(request, training, err) : status;
}

static Status train_job(const Request *request, Error *err) {
    TrainingSpec spec;
    WorkDone done = {0};
    Status status = find_training(request, &spec, err);
    if (status != STATUS_OK) return status;
    WorkItem item = {.kind = WORK_TRAINING,
                     .training_id = training_id(&spec),
                     .spec = spec,
                     .evaluation = settings_default().evaluation,
                     .attempt = 1,
                     .keep_model = true,
                     .kernels = ""};
    Teller teller = {.terminal = terminal_open(request->quiet),
                     .steps = spec.train.steps,
                     .flops_total = cost_work_flops(&item),
                     .started_s = clock_monotonic_s()};
    status = run_work(&item, 0, "", show_progress, &teller, &done, err);
    terminal_clear(&teller.terminal);
    if (status == STATUS_OK) status = keep_training(request, &done, err);
    Message message = {.kind = MESSAGE_DONE, .of.done = done};
    message_free(&message);
    return status;
}

/* --- one fixed batch -------------------------------------------------------------------------------------------- */

/* Prints or collects the loss before each step. */
static void take_loss(void *context, int64_t step, double loss) {
    json_t *losses = context;
    if (losses != NULL)
        json_array_append_new(losses, isfinite(loss) ? json_real(loss) : json_null());
    else
        printf("%8lld  %.9g\n", (long long)step, loss);
}

static Status train_on_prompts(const Request *request, const TrainingSpec *spec, const Prompts *prompts,
                               float *parameters, Error *err) {
    const Kernels *kernels;
    TrainResult result;
    json_t *losses = request->json ? json_array() : NULL;
    Status status = kernels_select(NULL, &kernels, err);
    if (status == STATUS_OK && !request->json) printf("%8s  loss before it\n", "step");
    if (status == STATUS_OK) status = train(spec, kernels, prompts, parameters, take_loss, losses, &result, err);
    if (status == STATUS_OK) {
        if (result.diverged)
            status = error_set(err, STATUS_FAILED, "the training diverged at step %lld and nothing is written",
                               (long long)result.diverged_step);
        train_result_free(&result);
    }
    if (status == STATUS_OK && request->json) return json_output(losses, JSON_COMPACT, err);
    json_decref(losses);
    return status;
}

static Status train_batch(const Request *request, Error *err) {
    Settings settings = settings_default();
    TrainingSpec *spec = &settings.training;
    float *parameters = NULL;
    PromptsInput input = {0};
    Status status = model_input_read(request->model_path, &settings, &parameters, err);
    if (request->objective_name != NULL)
        spec->train.objective = (Objective)objective_from_name(request->objective_name);
    bool needs_answer = spec->train.objective == OBJECTIVE_COSINE || spec->train.objective == OBJECTIVE_MSE;
    if (status == STATUS_OK) status = prompts_input_read(request->data_path, needs_answer, &input, err);
    if (status == STATUS_OK)
        status = prompts_fit_model(request->data_path, &input.prompts, request->model_path, &spec->task, err);
    if (status == STATUS_OK) {
        spec->train.steps = request->steps;
        spec->train.learning_rate = request->learning_rate;
        spec->train.batch_size = input.prompts.n;
        status = train_on_prompts(request, spec, &input.prompts, parameters, err);
    }
    if (status == STATUS_OK) status = model_file_write(request->out_path, &spec->model, &spec->task, parameters, err);
    prompts_input_close(&input);
    free(parameters);
    return status;
}

/* --- command line ----------------------------------------------------------------------------------------------- */

static Status check_request(const Request *request, Error *err) {
    bool of_batch = request->model_path != NULL || request->data_path != NULL || request->objective_name != NULL ||
                    request->steps != 0 || request->learning_rate != 0;
    if (request->job_path != NULL && of_batch)
        return error_set(err, STATUS_USAGE,
                         "--model, --data, --steps, --learning-rate and --objective are for a "
                         "fixed batch; with a job file use --set, as --set train.steps=100");
    if (request->job_path == NULL && request->overrides.count > 0)
        return error_set(err, STATUS_USAGE, "--set overrides a job file, and none is given");
    if (request->job_path == NULL && (request->model_path == NULL || request->data_path == NULL ||
                                      request->steps == 0 || request->learning_rate == 0))
        return error_set(err, STATUS_USAGE,
                         "train needs a job file, or all of --model, --data, --steps and --learning-rate");
    if (request->out_path == NULL)
        return error_set(err, STATUS_USAGE, "train needs -o OUT.safetensors: where the model goes");
    return safetensors_may_write(request->out_path, err);
}

int command_train(int argc, char **argv) {
    Request request = {0};
    const Option options[] = {
        {"output", 'o', OPTION_TEXT, &request.out_path, "OUT.safetensors", .summary = "where the model goes"},
        {"set", 0, OPTION_LIST, &request.overrides, "KEY=VALUE",
         .summary = "override a setting of the job, as model.n_layer=2 or seeds=0; repeatable"},
        {"model", 0, OPTION_TEXT, &request.model_path, "INIT.safetensors",
         .summary = "fixed batch: the model to start from"},
        {"data", 0, OPTION_TEXT, &request.data_path, "P.safetensors",
         .summary = "fixed batch: its prompts, as palinode predict reads them; every step uses them all"},
        {"steps", 0, OPTION_INTEGER, &request.steps, "K", .summary = "fixed batch: Adam steps", .minimum = 1,
         .maximum = 2147483648.0},
        {"learning-rate", 0, OPTION_REAL, &request.learning_rate, "R", .summary = "fixed batch: Adam's rate",
         .minimum = 1e-12, .maximum = 10},
        {"objective", 0, OPTION_TEXT, &request.objective_name, "NAME",
         .summary = "fixed batch: plackett_luce (the default), bradley_terry, cosine or mse; the last two need "
                    "in.y_star",
         .choices = "plackett_luce|bradley_terry|cosine|mse"},
        {"json", 0, OPTION_FLAG, &request.json, NULL,
         .summary = "one JSON value on stdout: of a job an object with the loss curve, of a fixed batch the losses"},
        {"quiet", 0, OPTION_FLAG, &request.quiet, NULL, .summary = "no progress on stderr"},
    };
    const Command command = {
        .name = "train",
        .usage = "(JOB.yaml | --model INIT --data P --steps K --learning-rate R) -o OUT.safetensors [options]",
        .summary = "one training, its parameters to a safetensors file",
        .details = "The job must describe exactly one training. On a fixed batch the loss before each step is printed.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .max_operands = 1,
    };
    Error err = {{0}};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    if (n_operands == 1) request.job_path = operands[0];
    Status status = check_request(&request, &err);
    if (status == STATUS_OK)
        status = request.job_path != NULL ? train_job(&request, &err) : train_batch(&request, &err);
    free((void *)request.overrides.items);
    free((void *)operands);
    return status == STATUS_OK ? (int)STATUS_OK : report_error(status, &err);
}
