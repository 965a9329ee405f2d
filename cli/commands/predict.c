/* palinode predict: what a model or a baseline answers to the prompts of a file, or what a model makes of its own
 * answers in rounds. */
#include "cli/commands/commands.h"
#include "cli/shared/inputs.h"
#include "cli/shared/options.h"
#include "worker/measure/evaluate.h"
#include "worker/measure/predictors.h"
#include "worker/measure/rounds.h"

#include <stdlib.h>
#include <string.h>

enum { GD_STEPS = 50 };

typedef struct Request {
    const char *prompts_path, *out_path, *model_path, *predictor_name;
    Predictor predictor;
    int64_t rounds; /* 0: predictions for given responses */
} Request;

/* A model read from a file, ready for prompts. */
typedef struct ReadyModel {
    Shape shape;
    int micro_batch;
    float *parameters;
    Model *model;
} ReadyModel;

static void ready_model_close(ReadyModel *ready) {
    model_free(ready->model);
    free(ready->parameters);
}

/* Reads the model that prompts must fit; to be closed also after a failure. */
static Status ready_model_open(const Request *request, const Prompts *prompts, ReadyModel *ready, Error *err) {
    Settings settings = settings_default();
    const Kernels *kernels = NULL;
    const TaskSettings *task = &settings.training.task;
    *ready = (ReadyModel){0};
    Status status = model_input_read(request->model_path, &settings, &ready->parameters, err);
    if (status == STATUS_OK) status = prompts_fit_model(request->prompts_path, prompts, request->model_path, task, err);
    if (status == STATUS_OK) status = kernels_select(NULL, &kernels, err);
    if (status != STATUS_OK) return status;
    ready->shape = shape_of(&settings.training.model, task);
    ready->micro_batch = model_best_micro_batch(&ready->shape);
    return model_create(&ready->shape, kernels, ready->micro_batch, false, &ready->model, err);
}

static Status predict_by_model(const Request *request, const Prompts *prompts, float *pred, Error *err) {
    ReadyModel ready;
    Status status = ready_model_open(request, prompts, &ready, err);
    if (status == STATUS_OK) predict_all(ready.model, ready.micro_batch, ready.parameters, prompts, pred);
    ready_model_close(&ready);
    return status;
}

/* gd's start matrices: in.gd_start (B, d, d) where the file has it, else those of seed 0; malloc'd. */
static Status read_gd_start(const char *path, const PromptsInput *input, float **out, Error *err) {
    const Prompts *prompts = &input->prompts;
    size_t count = (size_t)prompts->n * (size_t)prompts->d * (size_t)prompts->d;
    const SafeTensor *tensor;
    Status status = safetensors_find_readable(input->file, path, "in.gd_start", &tensor, err);
    if (status != STATUS_OK) return status;
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
    if (!by_model && request->rounds > 0)
        return error_set(err, STATUS_USAGE, "--rounds has no use with --predictor %s: a model corrects its own answers",
                         request->predictor_name);
    return safetensors_may_write(request->out_path, err);
}

static Status predict(const Request *request, Error *err) {
    PromptsInput input = {0};
    float *pred = NULL;
    Status status = prompts_input_read(request->prompts_path, false, &input, err);
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

/* out.answers (B, R + 1, d) and out.rewards (B, R), of the responses made of the first R answers. rewards: room. */
static Status write_rounds(const Request *request, const Prompts *prompts, int initial_responses, const float *answers,
                           float *rewards, Error *err) {
    int rounds = (int)request->rounds;
    for (int p = 0; p < prompts->n; p++)
        memcpy(rewards + (size_t)p * rounds, prompts->seen + (size_t)p * prompts->N + initial_responses,
               (size_t)rounds * sizeof *rewards);
    const SafeTensorOut tensors[] = {
        {.name = "out.answers", .rank = 3, .shape = {prompts->n, rounds + 1, prompts->d}, .data = answers},
        {.name = "out.rewards", .rank = 2, .shape = {prompts->n, rounds}, .data = rewards},
    };
    const char *const metadata[] = {"predictor", request->predictor_name};
    return safetensors_write(request->out_path, tensors, 2, metadata, 1, err);
}

/* Whether the model can make so many rounds of prompts that begin with so many responses. */
static Status check_rounds(const Request *request, const Shape *shape, int initial_responses, Error *err) {
    int most = shape->N - 1 - initial_responses;
    if (!shape->causal)
        return error_set(err, STATUS_DATA, "%s: rounds need a causal model, this one has causal false",
                         request->model_path);
    if (request->rounds > most)
        return error_set(err, STATUS_DATA,
                         "%s: n_points %d and %d initial responses leave room for %d rounds, not %lld",
                         request->prompts_path, shape->N, initial_responses, most, (long long)request->rounds);
    return STATUS_OK;
}

static Status predict_rounds(const Request *request, Error *err) {
    PromptsInput input = {0};
    ReadyModel ready = {0};
    ModelCache *cache = NULL;
    ClosedLoop loop = {.rounds = (int)request->rounds, .critic = {.quality = 1}}; /* clean: nothing is drawn */
    float *answers = NULL, *rewards = NULL;
    Status status = closed_loop_input_read(request->prompts_path, &input, &loop.initial_responses, err);
    if (status != STATUS_OK) return status;
    const Prompts *prompts = &input.prompts;
    status = ready_model_open(request, prompts, &ready, err);
    if (status == STATUS_OK) status = check_rounds(request, &ready.shape, loop.initial_responses, err);
    if (status == STATUS_OK) status = model_cache_create(&ready.shape, MODEL_CACHE_PROMPTS, &cache, err);
    if (status != STATUS_OK) goto done;
    answers = calloc((size_t)prompts->n * (loop.rounds + 1) * prompts->d, sizeof *answers);
    rewards = calloc((size_t)prompts->n * loop.rounds, sizeof *rewards);
    if (answers == NULL || rewards == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory for the answers to %d prompts", prompts->n);
        goto done;
    }
    model_set_parameters(ready.model, ready.parameters);
    closed_loop_run(ready.model, cache, &loop, prompts, answers);
    status = write_rounds(request, prompts, loop.initial_responses, answers, rewards, err);
done:
    free(answers);
    free(rewards);
    model_cache_free(cache);
    ready_model_close(&ready);
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
        {"rounds", 0, OPTION_INTEGER, &request.rounds, "R",
         "rounds of self-correction by a causal model under a clean critic, at most n_points - 1 - n0: prompts are "
         "in.xs, in.y_star (B, N, d) and in.initial_responses (B, n0, d); out.answers (B, R + 1, d) and out.rewards "
         "(B, R) are written",
         .minimum = 1, .maximum = 1e6},
    };
    const Command command = {
        .name = "predict",
        .usage = "--prompts P.safetensors -o OUT.safetensors [--model M.safetensors] [options]",
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
    Status status = check_request(&request, &err);
    if (status == STATUS_OK) status = request.rounds > 0 ? predict_rounds(&request, &err) : predict(&request, &err);
    return status == STATUS_OK ? (int)STATUS_OK : report_error(status, &err);
}
