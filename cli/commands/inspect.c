/* palinode inspect: what did a model learn? Where the predicting token looks, whether it follows the rewards, and how
 * many steps of gradient descent each layer is worth. */
#include "analysis/figures/figure_maps.h"
#include "analysis/figures/gnuplot.h"
#include "analysis/output/sheet.h"
#include "cli/commands/commands.h"
#include "cli/run/run_folder.h"
#include "cli/shared/inputs.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "worker/inspect/inspection.h"

#include <math.h>
#include <stdlib.h>

enum { AT_DEFAULT = 15 };

typedef struct Request {
    const char *model_path, *job_path, *out_path; /* job_path, out_path NULL: none */
    TextList overrides;
    int64_t prompts, seed, at; /* prompts 0, seed and at -1: not given */
    bool json, png;
} Request;

/* --- as text ------------------------------------------------------------------------------------------------------ */

static void print_head(const Request *request, const Inspection *inspection) {
    const InspectionSettings *settings = &inspection->settings;
    printf("%s: n_layer %d, n_head %d, n_embd %d, attention %s, ffn %s, causal %s, n_dims %d, n_points %d\n",
           request->model_path, (int)settings->model.n_layer, (int)settings->model.n_head, (int)settings->model.n_embd,
           attention_name(settings->model.attention), settings->model.ffn ? "true" : "false",
           settings->model.causal ? "true" : "false", (int)settings->task.n_dims, (int)settings->task.n_points);
    printf("mean over %d prompts of seed %u, critique quality %g (%s, %s), prediction from %d examples\n\n",
           settings->prompts, (unsigned)settings->seed, settings->critic.quality,
           critic_noise_name(settings->critic.noise), critic_feedback_name(settings->critic.feedback),
           settings->examples);
}

enum { NUMBER_BYTES = 32 };

/* "-" where undefined, and no minus sign before a zero. */
static const char *number_text(int decimals, double value, char text[NUMBER_BYTES]) {
    double unit = pow(10, -decimals);
    if (isnan(value)) return "-";
    snprintf(text, NUMBER_BYTES, "%.*f", decimals, round(value / unit) * unit + 0.0);
    return text;
}

/* Right-aligned. */
static void add_number(Sheet *sheet, int letters, int decimals, double value) {
    char text[NUMBER_BYTES];
    sheet_add(sheet, "%*s", letters, number_text(decimals, value, text));
}

static void add_of_target(Sheet *sheet, Target target, const Estimate *estimate) {
    char text[16];
    int letters = text_letters(target_name(target, text));
    add_number(sheet, letters < 5 ? 5 : letters, 2, estimate->mean);
}

static Status print_sheet(Sheet *sheet, Error *err) {
    bool complete = sheet != NULL && sheet_complete(sheet);
    if (complete) sheet_print(sheet, stdout);
    sheet_free(sheet);
    return complete ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for a table");
}

static Status print_heads(const Inspection *inspection, Error *err) {
    const InspectionSettings *settings = &inspection->settings;
    int L = settings->model.n_layer, H = settings->model.n_head;
    Sheet *sheet = sheet_create(1 + L * H, 2 + TOKEN_KINDS + 2);
    printf("Where token x_%d looks: percent of its attention%s on the tokens of a kind, and Kendall's tau between its\n"
           "attention on the responses' tokens and their rewards (1: the higher the reward, the more attention)\n\n",
           settings->examples, settings->model.attention == ATTENTION_LINEAR ? " (of absolute scores)" : "");
    if (sheet == NULL) return print_sheet(sheet, err);
    sheet_add(sheet, "layer");
    sheet_add(sheet, "head");
    for (TokenKind kind = 0; kind < TOKEN_KINDS; kind++)
        sheet_add(sheet, "%6s", token_kind_name(kind));
    sheet_add(sheet, "tau of y");
    sheet_add(sheet, "tau of r");
    for (int k = 0; k < L * H; k++) {
        const HeadInspection *head = &inspection->heads[k];
        sheet_add(sheet, k % H == 0 ? "%5d" : "%.0d", k % H == 0 ? k / H + 1 : 0);
        sheet_add(sheet, "%4d", k % H + 1);
        for (TokenKind kind = 0; kind < TOKEN_KINDS; kind++)
            add_number(sheet, 6, 1, 100 * head->mass[kind].mean);
        add_number(sheet, 8, 2, head->follows_reward[TOKEN_Y].mean);
        add_number(sheet, 8, 2, head->follows_reward[TOKEN_R].mean);
        sheet->section[1 + k] = k % H == 0 && k > 0 && H > 1;
    }
    return print_sheet(sheet, err);
}

static Status print_layers(const Inspection *inspection, Error *err) {
    int L = inspection->settings.model.n_layer;
    char text[16];
    Sheet *sheet = sheet_create(1 + (L + 1) + 1, 1 + TARGETS + 2);
    printf("\nWhat would be answered after each layer (0: from the query alone; %d: the prediction): its cosine with\n"
           "gradient descent after k steps (gd k), with the responses' mean and contrast, with the right answer y*;\n"
           "and Kendall's tau, how it ranks the responses (1: as their true rewards do)\n\n",
           L);
    if (sheet == NULL) return print_sheet(sheet, err);
    sheet_add(sheet, "after layer");
    for (Target target = 0; target < TARGETS; target++)
        sheet_add(sheet, "%5s", target_name(target, text));
    sheet_add(sheet, "  tau");
    sheet_add(sheet, "nearest");
    for (int k = 0; k <= L; k++) {
        const AnswerInspection *answer = &inspection->layers[k];
        int nearest = inspection_nearest(answer);
        sheet_add(sheet, "%11d", k);
        for (Target target = 0; target < TARGETS; target++)
            add_of_target(sheet, target, &answer->cosine[target]);
        add_number(sheet, 5, 2, answer->kendall_tau.mean);
        sheet_add(sheet, "%s", nearest < 0 ? "-" : target_name((Target)nearest, text));
    }
    sheet->section[2 + L] = true;
    sheet_add(sheet, "its own tau");
    for (Target target = 0; target < TARGETS; target++)
        add_of_target(sheet, target, &inspection->baseline[target].kendall_tau);
    sheet_add(sheet, "%s", "");
    sheet_add(sheet, "%s", "");
    return print_sheet(sheet, err);
}

/* The largest standard error of count estimates, or most where that is larger; NaN where all are undefined. */
static double largest_error(const Estimate *estimates, int count, double most) {
    for (int i = 0; i < count; i++)
        most = fmax(most, estimates[i].standard_error);
    return most;
}

static void print_errors(const Inspection *inspection) {
    const ModelSettings *model = &inspection->settings.model;
    double mass = NAN, tau = NAN, cosine = NAN;
    char texts[3][NUMBER_BYTES];
    for (int k = 0; k < model->n_layer * model->n_head; k++) {
        mass = largest_error(inspection->heads[k].mass, TOKEN_KINDS, mass);
        tau = largest_error(inspection->heads[k].follows_reward, TOKEN_KINDS, tau);
    }
    for (int k = 0; k <= model->n_layer; k++) {
        cosine = largest_error(inspection->layers[k].cosine, TARGETS, cosine);
        tau = largest_error(&inspection->layers[k].kendall_tau, 1, tau);
    }
    if (inspection->settings.prompts > 1)
        printf("\nStandard errors over prompts: at most %s %% of attention, %s of a tau, %s of a cosine.\n",
               number_text(1, 100 * mass, texts[0]), number_text(3, tau, texts[1]), number_text(3, cosine, texts[2]));
    else
        printf("\nOne prompt: no standard errors.\n");
}

static Status print_text(const Request *request, const Inspection *inspection, Error *err) {
    print_head(request, inspection);
    Status status = print_heads(inspection, err);
    if (status == STATUS_OK) status = print_layers(inspection, err);
    if (status == STATUS_OK) print_errors(inspection);
    return status;
}

/* --- as JSON ------------------------------------------------------------------------------------------------------ */

static json_t *estimate_json(const Estimate *estimate) {
    return json_pack("{s:o, s:o, s:i}", "mean", number_or_null(estimate->mean), "standard_error",
                     number_or_null(estimate->standard_error), "prompts", estimate->count);
}

static json_t *head_json(const Inspection *inspection, int k) {
    const HeadInspection *head = &inspection->heads[k];
    int H = inspection->settings.model.n_head;
    json_t *mass = json_object();
    for (TokenKind kind = 0; kind < TOKEN_KINDS; kind++)
        json_object_set_new(mass, token_kind_name(kind), estimate_json(&head->mass[kind]));
    return json_pack("{s:i, s:i, s:o, s:{s:o, s:o}}", "layer", k / H + 1, "head", k % H + 1, "mass", mass,
                     "tau_with_reward", "y", estimate_json(&head->follows_reward[TOKEN_Y]), "r",
                     estimate_json(&head->follows_reward[TOKEN_R]));
}

static json_t *answer_json(const AnswerInspection *answer) {
    char text[16];
    json_t *cosines = json_object();
    for (Target target = 0; target < TARGETS; target++)
        json_object_set_new(cosines, target_name(target, text), estimate_json(&answer->cosine[target]));
    return json_pack("{s:o, s:o}", "kendall_tau", estimate_json(&answer->kendall_tau), "cosine", cosines);
}

static json_t *layer_json(const Inspection *inspection, int k) {
    char text[16];
    json_t *layer = answer_json(&inspection->layers[k]);
    int nearest = inspection_nearest(&inspection->layers[k]);
    json_object_set_new(layer, "layers", json_integer(k));
    json_object_set_new(layer, "nearest", nearest < 0 ? json_null() : json_string(target_name((Target)nearest, text)));
    return layer;
}

static Status print_json(const Inspection *inspection, Error *err) {
    const InspectionSettings *settings = &inspection->settings;
    char text[16];
    json_t *heads = json_array(), *layers = json_array(), *targets = json_object();
    for (int k = 0; k < settings->model.n_layer * settings->model.n_head; k++)
        json_array_append_new(heads, head_json(inspection, k));
    for (int k = 0; k <= settings->model.n_layer; k++)
        json_array_append_new(layers, layer_json(inspection, k));
    for (Target target = 0; target < TARGETS; target++)
        json_object_set_new(targets, target_name(target, text), answer_json(&inspection->baseline[target]));
    json_t *root = json_pack(
        "{s:o, s:s, s:i, s:I, s:i, s:{s:f, s:s, s:s}, s:o, s:o, s:o}", "model",
        model_settings_json(&settings->model, &settings->task), "task_noise", task_noise_name(settings->task.noise),
        "prompts", settings->prompts, "seed", (json_int_t)settings->seed, "examples", settings->examples, "critic",
        "quality", settings->critic.quality, "noise", critic_noise_name(settings->critic.noise), "feedback",
        critic_feedback_name(settings->critic.feedback), "heads", heads, "layers", layers, "targets", targets);
    return json_output(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9), err);
}

/* --- as figures --------------------------------------------------------------------------------------------------- */

enum { HEAD_MAPS = TOKEN_KINDS + 2 };

static Status draw(Figure *figure, const Request *request, Error *err) {
    Status status = figure != NULL ? gnuplot_draw(figure, request->out_path, request->png, err)
                                   : error_set(err, STATUS_NO_MEMORY, "no memory for a figure");
    if (status == STATUS_OK) fprintf(stderr, "palinode: wrote %s/%s.svg\n", request->out_path, figure->name);
    figure_free(figure);
    return status;
}

/* "attention": a map of layers and heads for each kind of token, and two of what follows the reward. */
static Status draw_heads(const Request *request, const Inspection *inspection, Error *err) {
    static const char *const titles[HEAD_MAPS] = {"attention on x",  "on y", "on r", "on itself", "τ: y with reward",
                                                  "τ: r with reward"};
    int L = inspection->settings.model.n_layer, H = inspection->settings.model.n_head, cells = L * H;
    double *values = calloc((size_t)HEAD_MAPS * (size_t)cells, sizeof *values);
    if (values == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a figure of %d layers", L);
    HeatMap maps[HEAD_MAPS];
    for (int map = 0; map < HEAD_MAPS; map++) {
        bool is_mass = map < TOKEN_KINDS;
        double *of_map = values + (size_t)map * (size_t)cells;
        for (int k = 0; k < cells; k++) {
            const HeadInspection *head = &inspection->heads[k];
            of_map[k] =
                is_mass ? head->mass[map].mean : head->follows_reward[map == TOKEN_KINDS ? TOKEN_Y : TOKEN_R].mean;
        }
        maps[map] = (HeatMap){.title = titles[map],
                              .x_label = "head",
                              .y_label = map == 0 ? "layer" : "",
                              .n_columns = H,
                              .n_rows = L,
                              .values = of_map,
                              .colours = {.from = is_mass ? 0 : -1, .to = 1, .diverging = !is_mass}};
    }
    Status status = draw(figure_maps("attention", maps, HEAD_MAPS), request, err);
    free(values);
    return status;
}

/* "layers": what the residual stream would answer after each layer, beside gd, the other targets, and the rewards. */
static Status draw_layers(const Request *request, const Inspection *inspection, Error *err) {
    enum { COLUMNS = TARGETS + 1, OTHERS = TARGETS - INSPECTION_GD };
    static const char *const tau[] = {"τ"};
    int rows = inspection->settings.model.n_layer + 1;
    char steps[INSPECTION_GD][16], (*numbers)[16] = calloc((size_t)rows, sizeof *numbers);
    const char *gd[INSPECTION_GD], *others[OTHERS], **names = calloc((size_t)rows, sizeof *names);
    double *values = calloc((size_t)rows * COLUMNS, sizeof *values);
    double *of_others = values + rows * INSPECTION_GD, *of_tau = of_others + rows * OTHERS;
    if (numbers == NULL || names == NULL || values == NULL) {
        free(numbers);
        free(names);
        free(values);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a figure of %d layers", rows - 1);
    }
    for (int k = 0; k < INSPECTION_GD; k++) {
        snprintf(steps[k], sizeof steps[k], "%d", inspection_gd_steps[k]);
        gd[k] = steps[k];
    }
    for (int k = 0; k < OTHERS; k++)
        others[k] = target_name(TARGET_MEAN + k, NULL);
    for (int row = 0; row < rows; row++) {
        const AnswerInspection *answer = &inspection->layers[row];
        snprintf(numbers[row], sizeof numbers[row], "%d", row);
        names[row] = numbers[row];
        for (int k = 0; k < INSPECTION_GD; k++)
            values[row * INSPECTION_GD + k] = answer->cosine[k].mean;
        for (int k = 0; k < OTHERS; k++)
            of_others[row * OTHERS + k] = answer->cosine[TARGET_MEAN + k].mean;
        of_tau[row] = answer->kendall_tau.mean;
    }
    const ColourScale colours = {.from = -1, .to = 1, .diverging = true};
    const HeatMap maps[] = {
        {"Cosine with gradient descent", "steps", "answer after layer", INSPECTION_GD, rows, values, gd, names,
         colours},
        {"with other answers", "", "", OTHERS, rows, of_others, others, names, colours},
        {"Kendall's τ", "", "", 1, rows, of_tau, tau, names, colours},
    };
    Status status = draw(figure_maps("layers", maps, 3), request, err);
    free(numbers);
    free(names);
    free(values);
    return status;
}

/* --- command line ------------------------------------------------------------------------------------------------- */

/* Settings of what is looked at: the job's first critic and seed, unless the command line says otherwise. */
static Status settle(const Request *request, const ModelInJob *input, InspectionSettings *out, Error *err) {
    const TrainingSpec *spec = &input->settings.training;
    int last = spec->task.n_points - 1;
    *out = (InspectionSettings){
        .model = spec->model,
        .task = spec->task,
        .critic = job_critic(input->job, 0),
        .seed = request->seed >= 0 ? (uint32_t)request->seed : spec->seed,
        .prompts = request->prompts > 0 ? (int)request->prompts : input->settings.evaluation.prompts,
        .examples = request->at >= 0    ? (int)request->at
                    : last < AT_DEFAULT ? last
                                        : AT_DEFAULT,
    };
    if (out->examples <= last) return STATUS_OK;
    return error_set(err, STATUS_USAGE, "--at %d: expected a number of examples from 2 to %d, n_points - 1 of %s",
                     out->examples, last, request->model_path);
}

static Status check_request(const Request *request, Error *err) {
    if (request->model_path == NULL)
        return error_set(err, STATUS_USAGE, "inspect needs --model M.safetensors: the model to look into");
    if (request->png && request->out_path == NULL)
        return error_set(err, STATUS_USAGE, "--png has no use without -o DIR, where figures go");
    return STATUS_OK;
}

static Status inspect(const Request *request, Error *err) {
    ModelInJob input;
    InspectionSettings settings;
    Inspection inspection = {0};
    const Kernels *kernels = NULL;
    Status status = model_in_job_read(request->model_path, request->job_path, &request->overrides, &input, err);
    if (status == STATUS_OK) status = settle(request, &input, &settings, err);
    if (status == STATUS_OK && request->out_path != NULL) status = run_folder_make(request->out_path, err);
    if (status == STATUS_OK) status = kernels_select(NULL, &kernels, err);
    if (status == STATUS_OK) status = inspection_of(&settings, kernels, input.parameters, &inspection, err);
    if (status == STATUS_OK)
        status = request->json ? print_json(&inspection, err) : print_text(request, &inspection, err);
    fflush(stdout); /* the tables are there before figures take their time */
    if (status == STATUS_OK && request->out_path != NULL) status = draw_heads(request, &inspection, err);
    if (status == STATUS_OK && request->out_path != NULL) status = draw_layers(request, &inspection, err);
    inspection_free(&inspection);
    model_in_job_close(&input);
    return status;
}

int command_inspect(int argc, char **argv) {
    Request request = {.seed = -1, .at = -1};
    const Option options[] = {
        {"model", 0, OPTION_TEXT, &request.model_path, "M.safetensors", .summary = "the model to look into"},
        {"output", 'o', OPTION_TEXT, &request.out_path, "DIR",
         .summary = "folder for the heat maps attention.svg and layers.svg (default: none are drawn)"},
        {"prompts", 0, OPTION_INTEGER, &request.prompts, "P",
         .summary = "prompts that means are taken over (default: the job's evaluate.prompts, 1024)", .minimum = 1,
         .maximum = 1048576},
        {"seed", 0, OPTION_INTEGER, &request.seed, "S", .summary = "seed of the prompts (default: the job's first, 0)",
         .minimum = 0, .maximum = UINT32_MAX},
        {"at", 0, OPTION_INTEGER, &request.at, "K",
         .summary = "number of examples of the prediction (default 15, or n_points - 1 if that is less)", .minimum = 2,
         .maximum = 65535},
        {"set", 0, OPTION_LIST, &request.overrides, "KEY=VALUE",
         .summary = "override a setting of the job, as evaluate.critique_quality=0.5; repeatable"},
        {"png", 0, OPTION_FLAG, &request.png, NULL, .summary = "draw figures as PNG as well"},
        {"json", 0, OPTION_FLAG, &request.json, NULL,
         .summary = "one JSON value on stdout, with all standard errors; null where undefined"},
    };
    const Command command = {
        .name = "inspect",
        .usage = "--model M.safetensors [JOB.yaml] [-o DIR] [options]",
        .summary = "what a trained model learned: its attention, and what each layer answers",
        .details = "The critic is the job's first, or a perfect one. docs/inspect.md tells how to read the tables.",
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
    if (status == STATUS_OK) status = inspect(&request, &err);
    free((void *)request.overrides.items);
    free((void *)operands);
    return status == STATUS_OK ? (int)STATUS_OK : report_error(status, &err);
}
