/* palinode predict: what a model or a baseline answers to the prompts of a file. */
#include "cli/commands.h"
#include "cli/inputs.h"
#include "cli/options.h"
#include "worker/evaluate/evaluate.h"
#include "worker/evaluate/predictors.h"

#include <stdlib.h>

enum { GD_STEPS = 50 };

typedef struct Request {
    const char *prompts_path, *out_path, *model_path, *predictor_name;
    Predictor predictor;
} Request;

static Status predict_by_model(const Request *request, const Prompts *prompts, float *pred, Error *err) {
    Settings settings = settings_default();
    float *parameters = NULL;
    Model *model = NULL;
    int micro_batch = 0;
    const Kernels *kernels = NULL;
    const TaskSettings *task = &settings.training.task;
    Status status = model_input_read(request->model_path, &settings, &parameters, err);
    if (status == STATUS_OK) status = prompts_fit_model(request->prompts_path, prompts, request->model_path, task, err);
    if (status == STATUS_OK) status = kernels_select(NULL, &kernels, err);
    if (status == STATUS_OK) {
        Shape shape = shape_of(&settings.training.model, task);
        micro_batch = model_best_micro_batch(&shape);
        status = model_create(&shape, kernels, micro_batch, false, &model, err);
    }
    if (status == STATUS_OK) predict_all(model, micro_batch, parameters, prompts, pred);
    model_free(model);
    free(parameters);
    return status;
}

/* gd's start matrices: in.gd_start (B, d, d) where the file has it, else those of seed 0; malloc'd. */
static Status read_gd_start(const char *path, const PromptsInput *input, float **out, Error *err) {
    const Prompts *prompts = &input->prompts;
    size_t count = (size_t)prompts->n * (size_t)prompts->d * (size_t)prompts->d;
    const SafeTensor *tensor = safetensors_find(input->file, "in.gd_start");
    if (tensor != NULL && (tensor->rank != 3 || tensor->shape[0] != prompts->n || tensor->shape[1] != prompts->d ||
                           tensor->shape[2] != prompts->d))
        return error_set(err, STATUS_DATA, "%s: tensor \"in.gd_start\": expected shape (%d, %d, %d)", path, prompts->n,
                         prompts->d, prompts->d);
    float *start = malloc(count * sizeof *start);
    if (start == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for %zu start weights of gd", count);
    if (tensor != NULL)
        safetensors_floats(tensor, start);
    else
        gd_start_draw(0, 0, prompts->n, prompts->d, start);
    *out = start;
    return STATUS_OK;
}

static Status predict_by_baseline(const Request *request, const PromptsInput *input, float *pred, Error *err) {
    float *gd_start = NULL;
    Status status = STATUS_OK;
    if (request->predictor == PREDICTOR_GD) status = read_gd_start(request->prompts_path, input, &gd_start, err);
    if (status == STATUS_OK) predictor_apply(request->predictor, &input->prompts, gd_start, GD_STEPS, pred);
    free(gd_start);
    return status;
}

static Status write_predictions(const Request *request, const Prompts *prompts, const float *pred, Error *err) {
    const SafeTensorOut tensor = {
        .name = "out.pred", .rank = 3, .shape = {prompts->n, prompts->N, prompts->d}, .data = pred};
    const char *const metadata[] = {"predictor", request->predictor_name};
    return safetensors_write(request->out_path, &tensor, 1, metadata, 1, err);
}

static Status check_request(Request *request, Error *err) {
    request->predictor = (Predictor)predictor_from_name(request->predictor_name);
    bool by_model = request->predictor == PREDICTOR_MODEL;
    if (request->prompts_path == NULL)
        return error_set(err, STATUS_USAGE, "predict needs --prompts P.safetensors: the prompts to answer");
    if (request->out_path == NULL)
        return error_set(err, STATUS_USAGE, "predict needs -o OUT.safetensors: where the predictions go");
    if (by_model && request->model_path == NULL)
        return error_set(err, STATUS_USAGE, "predict needs --model M.safetensors, or a --predictor other than model");
    if (!by_model && request->model_path != NULL)
        return error_set(err, STATUS_USAGE, "--model has no use with --predictor %s", request->predictor_name);
    return safetensors_may_write(request->out_path, err);
}

static Status predict(Request *request, Error *err) {
    PromptsInput input = {0};
    float *pred = NULL;
    Status status = check_request(request, err);
    if (status != STATUS_OK) return status;
    status = prompts_input_read(request->prompts_path, false, &input, err);
    if (status != STATUS_OK) return status;
    size_t count = (size_t)input.prompts.n * (size_t)input.prompts.N * (size_t)input.prompts.d;
    pred = calloc(count, sizeof *pred);
    if (pred == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory for %zu predictions", count);
    } else {
        status = request->predictor == PREDICTOR_MODEL ? predict_by_model(request, &input.prompts, pred, err)
                                                       : predict_by_baseline(request, &input, pred, err);
    }
    if (status == STATUS_OK) status = write_predictions(request, &input.prompts, pred, err);
    free(pred);
    prompts_input_close(&input);
    return status;
}

int command_predict(int argc, char **argv) {
    Request request = {.predictor_name = "model"};
    const Option options[] = {
        {"prompts", 0, OPTION_TEXT, &request.prompts_path, "P.safetensors",
         .summary =
             "prompts: in.xs, in.ys (B, N, d), in.rs (B, N, 1), and in.rs_seen where predictors see other rewards"},
        {"output", 'o', OPTION_TEXT, &request.out_path, "OUT.safetensors",
         .summary = "where the predictions go: out.pred (B, N, d), row i made from the first i responses"},
        {"model", 0, OPTION_TEXT, &request.model_path, "M.safetensors", .summary = "the model that answers"},
        {"predictor", 0, OPTION_TEXT, &request.predictor_name, "NAME",
         "model (the default), or a baseline: gd, mean, best, contrast, exact. gd starts from in.gd_start (B, d, d) "
         "where the prompts file has it",
         .choices = "model|gd|mean|best|contrast|exact"},
    };
    const Command command = {
        .name = "predict",
        .usage = "--prompts P.safetensors -o OUT.safetensors [--model M.safetensors] [--predictor NAME]",
        .summary = "predictions of a model or a baseline for given prompts",
        .details = "One file may hold the model and the prompts. Predictions that are undefined (best of no response) "
                   "are NaN.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
    };
    Error err = {{0}};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    free((void *)operands);
    Status status = predict(&request, &err);
    return status == STATUS_OK ? (int)STATUS_OK : report_error(status, &err);
}
