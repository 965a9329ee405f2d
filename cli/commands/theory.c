/* palinode theory: weights set by hand run gradient descent in context. Prints how near they come, over sharpness and
 * beside the proven bound, and how far off they are with a piece taken away. */
#include "worker/theory/theory.h"
#include "cli/commands/commands.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEEDS = 1000, MOST_COLUMNS = 16, ABLATION_STEPS = 1 };

/* What comes as near to gradient descent as sharpness allows; the last for N = 2 only. */
static const HandSetVariant exact_variants[] = {HAND_SET_BIDIRECTIONAL, HAND_SET_CAUSAL, HAND_SET_NO_FFN};
enum { N_EXACT_VARIANTS = sizeof exact_variants / sizeof exact_variants[0] };

static const HandSetVariant ablations[] = {
    HAND_SET_BIDIRECTIONAL, HAND_SET_LINEAR_ATTENTION, HAND_SET_HEAD_A_ONLY, HAND_SET_HEAD_B_ONLY, HAND_SET_NO_FFN,
    HAND_SET_NO_MASK,       HAND_SET_NO_ACCUMULATOR,   HAND_SET_CAUSAL_MASK, HAND_SET_NO_NORMS /* last: only with
                                                                                                  responses of any
                                                                                                  length */
};
enum { N_ABLATIONS = sizeof ablations / sizeof ablations[0] };

typedef struct Request {
    const char *n_text, *seeds_text, *sharpness_text, *responses, *kernels;
    int64_t steps, dims;
    bool json;
    double n[MOST_COLUMNS], sharpness[MOST_COLUMNS], seed_numbers[MOST_SEEDS];
    int n_count, sharpness_count;
    uint32_t seeds[MOST_SEEDS];
    TheorySettings settings;
} Request;

/* What the checks at the end of the table say. */
typedef struct Verdict {
    double sharpest_error; /* worst error at the greatest sharpness */
    double rounding;       /* the largest allowance */
    int outside;           /* cells above bound and rounding */
} Verdict;

/* --- the command line ------------------------------------------------------------------------------------------- */

/* "2,3,5" or "0-19", from low to high; whole: whole numbers only, which may be given as ranges. */
static Status parse_numbers(const char *source, const char *text, bool whole, double low, double high, int most,
                            double *numbers, int *count, Error *err) {
    *count = 0;
    for (const char *at = text;; at++) {
        char *end;
        double first = strtod(at, &end), last = first;
        bool valid = end != at;
        if (valid && whole && *end == '-') {
            at = end + 1;
            last = strtod(at, &end);
            valid = end != at;
        }
        valid = valid && (*end == ',' || *end == '\0') && first >= low && last <= high && first <= last;
        if (!valid || (whole && (first != floor(first) || last != floor(last))))
            return error_set(err, STATUS_USAGE, "%s %s: expected %s from %.10g to %.10g, as in %s", source, text,
                             whole ? "whole numbers" : "numbers", low, high, whole ? "2,3,5 or 0-19" : "2,10,40");
        if (*count + (last - first) >= most)
            return error_set(err, STATUS_USAGE, "%s %s: expected at most %d numbers", source, text, most);
        for (double number = first; number <= last; number++)
            numbers[(*count)++] = number;
        if (*end == '\0') return STATUS_OK;
        at = end;
    }
}

static Status settle(Request *request, Error *err) {
    TheorySettings *settings = &request->settings;
    Status status = parse_numbers("--n", request->n_text, true, 2, THEORY_MOST_POINTS, MOST_COLUMNS, request->n,
                                  &request->n_count, err);
    if (status == STATUS_OK)
        status = parse_numbers("--sharpness", request->sharpness_text, false, theory_least_sharpness, 1000,
                               MOST_COLUMNS, request->sharpness, &request->sharpness_count, err);
    if (status == STATUS_OK)
        status = parse_numbers("--seeds", request->seeds_text, true, 0, UINT32_MAX, MOST_SEEDS, request->seed_numbers,
                               &settings->n_seeds, err);
    if (status != STATUS_OK) return status;
    for (int i = 0; i < settings->n_seeds; i++)
        request->seeds[i] = (uint32_t)request->seed_numbers[i];
    settings->seeds = request->seeds;
    settings->d = (int)request->dims;
    settings->any_length = strcmp(request->responses, "any") == 0;
    return kernels_select(request->kernels, &settings->kernels, err);
}

static double greatest_sharpness(const Request *request) {
    double greatest = request->sharpness[0];
    for (int i = 1; i < request->sharpness_count; i++)
        greatest = fmax(greatest, request->sharpness[i]);
    return greatest;
}

/* --- measuring -------------------------------------------------------------------------------------------------- */

static const char *exact_name(HandSetVariant variant) {
    return variant == HAND_SET_NO_FFN ? "attention only" : theory_variant_name(variant);
}

/* One row of the table of errors: a variant and an N over all sharpnesses. */
static Status measure_row(const Request *request, HandSetVariant variant, int N, TheoryResult *row, Verdict *verdict,
                          Error *err) {
    for (int i = 0; i < request->sharpness_count; i++) {
        double sharpness = request->sharpness[i];
        Status status = theory_measure(&request->settings, variant, N, (int)request->steps, sharpness, &row[i], err);
        if (status != STATUS_OK) return status;
        verdict->outside += !row[i].within;
        verdict->rounding = fmax(verdict->rounding, row[i].rounding);
        if (sharpness == greatest_sharpness(request) && !(row[i].worst_error <= verdict->sharpest_error))
            verdict->sharpest_error = row[i].worst_error;
    }
    return STATUS_OK;
}

/* --- as tables -------------------------------------------------------------------------------------------------- */

static void print_head(const Request *request) {
    const TheorySettings *settings = &request->settings;
    printf("A transformer with weights set by hand, against gradient descent on the full matrix W\n\n"
           "Plackett-Luce loss (N = 2: Bradley-Terry), d %d, responses of length %s, %d prompt%s (seeds %s)\n"
           "transformer: float32, kernels %s; gradient descent: float64\n\n",
           settings->d, settings->any_length ? "0.5 to 1.5" : "1", settings->n_seeds, settings->n_seeds == 1 ? "" : "s",
           request->seeds_text, settings->kernels->name);
    printf("Error after %d step%s, ||p - W x|| / diam(y), of the worst prompt\n", (int)request->steps,
           request->steps == 1 ? "" : "s");
    printf("  sharpness kappa Delta           ");
    for (int i = 0; i < request->sharpness_count; i++)
        printf(" %9g", request->sharpness[i]);
    putchar('\n');
}

static void print_row(const Request *request, HandSetVariant variant, const TheoryResult *row) {
    printf("  %-15s %3d %6d %6.2f", exact_name(variant), row->N, row->blocks, row->mean_move);
    for (int i = 0; i < request->sharpness_count; i++)
        printf(" %c%8.1e", row[i].within ? ' ' : '!', row[i].worst_error);
    putchar('\n');
    fflush(stdout);
}

/* The bound is the same for every variant and N. */
static void print_bound(const Request *request, const TheoryResult *row) {
    printf("  proven bound                    ");
    for (int i = 0; i < request->sharpness_count; i++)
        printf("  %8.1e", row[i].bound);
    printf("\n  %-15s %3s %6s %6s\n", "", "N", "blocks", "moved");
}

static Status print_errors(const Request *request, Verdict *verdict, Error *err) {
    bool first = true;
    print_head(request);
    for (int v = 0; v < N_EXACT_VARIANTS; v++)
        for (int i = 0; i < request->n_count; i++) {
            TheoryResult row[MOST_COLUMNS];
            int N = (int)request->n[i];
            if (!theory_is_exact(exact_variants[v], N)) continue;
            Status status = measure_row(request, exact_variants[v], N, row, verdict, err);
            if (status != STATUS_OK) return status;
            if (first) print_bound(request, row);
            print_row(request, exact_variants[v], row);
            first = false;
        }
    printf("blocks: layers. moved: how far gradient descent itself goes, ||W x - W_0 x|| / diam(y), mean.\n\n");
    if (verdict->outside == 0)
        printf("Every error is within the bound and what is allowed for float32 rounding (at most %.1e).\n",
               verdict->rounding);
    else
        printf("NOT within the bound and what is allowed for float32 rounding (at most %.1e): the %d marked with !\n",
               verdict->rounding, verdict->outside);
    printf("The largest error at sharpness %g is %.1e.\n\n", greatest_sharpness(request), verdict->sharpest_error);
    return STATUS_OK;
}

static void print_ablation(const TheoryResult *result, bool last) {
    double error = result->relative_error;
    char text[16], after[16] = "";
    snprintf(text, sizeof text, error >= 0.005 && error < 100 ? "%.2f" : "%.0e", error);
    if (error >= 0.005) snprintf(after, sizeof after, " (%.2f)", result->scaled_error);
    printf("  %5s%*s", text, last ? 0 : -(int)sizeof " (0.00)" + 1, after);
}

static Status print_ablations(const Request *request, Error *err) {
    double sharpness = greatest_sharpness(request);
    printf(
        "What each piece is for: error after one step at sharpness %g, ||p - W x|| / ||W x - W_0 x||, mean over\n"
        "prompts; in brackets after scaling each prompt's step as suits it best (0: right direction, 1: right angle)\n",
        sharpness);
    printf("  %-20s", "");
    for (int i = 0; i < request->n_count; i++)
        printf(i < request->n_count - 1 ? "   N = %-7d" : "   N = %d", (int)request->n[i]);
    putchar('\n');
    for (int a = 0; a < N_ABLATIONS; a++) {
        if (ablations[a] == HAND_SET_NO_NORMS && !request->settings.any_length) continue;
        printf("  %-20s", theory_variant_name(ablations[a]));
        for (int i = 0; i < request->n_count; i++) {
            TheoryResult result;
            Status status = theory_measure(&request->settings, ablations[a], (int)request->n[i], ABLATION_STEPS,
                                           sharpness, &result, err);
            if (status != STATUS_OK) return status;
            print_ablation(&result, i == request->n_count - 1);
        }
        putchar('\n');
    }
    return STATUS_OK;
}

/* --- as JSON ---------------------------------------------------------------------------------------------------- */

static json_t *error_json(HandSetVariant variant, const TheoryResult *result) {
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:f, s:o, s:f, s:f, s:b, s:o}", "variant", exact_name(variant),
                     "n_points", result->N, "steps", result->steps, "blocks", result->blocks, "width", result->width,
                     "sharpness", result->sharpness, "worst_error", number_or_null(result->worst_error), "bound",
                     result->bound, "rounding", result->rounding, "within", (int)result->within, "mean_move",
                     number_or_null(result->mean_move));
}

static Status errors_json(const Request *request, json_t *errors, Verdict *verdict, Error *err) {
    for (int v = 0; v < N_EXACT_VARIANTS; v++)
        for (int i = 0; i < request->n_count; i++) {
            TheoryResult row[MOST_COLUMNS];
            if (!theory_is_exact(exact_variants[v], (int)request->n[i])) continue;
            Status status = measure_row(request, exact_variants[v], (int)request->n[i], row, verdict, err);
            if (status != STATUS_OK) return status;
            for (int column = 0; column < request->sharpness_count; column++)
                json_array_append_new(errors, error_json(exact_variants[v], &row[column]));
        }
    return STATUS_OK;
}

static Status ablations_json(const Request *request, json_t *list, Error *err) {
    for (int a = 0; a < N_ABLATIONS; a++)
        for (int i = 0; i < request->n_count; i++) {
            TheoryResult result;
            if (ablations[a] == HAND_SET_NO_NORMS && !request->settings.any_length) continue;
            Status status = theory_measure(&request->settings, ablations[a], (int)request->n[i], ABLATION_STEPS,
                                           greatest_sharpness(request), &result, err);
            if (status != STATUS_OK) return status;
            json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:f, s:o, s:o}", "variant",
                                                  theory_variant_name(ablations[a]), "n_points", result.N, "steps",
                                                  result.steps, "sharpness", result.sharpness, "relative_error",
                                                  number_or_null(result.relative_error), "after_best_factor",
                                                  number_or_null(result.scaled_error)));
        }
    return STATUS_OK;
}

static Status print_json(const Request *request, Verdict *verdict, Error *err) {
    const TheorySettings *settings = &request->settings;
    char fingerprint[256];
    json_t *errors = json_array(), *list = json_array();
    kernels_fingerprint(settings->kernels, fingerprint, sizeof fingerprint);
    Status status = errors_json(request, errors, verdict, err);
    if (status == STATUS_OK) status = ablations_json(request, list, err);
    json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:b, s:o, s:o}", "n_dims", settings->d, "responses",
                             request->responses, "seeds", request->seeds_text, "numerics", fingerprint, "within",
                             verdict->outside == 0, "errors", errors, "ablations", list);
    if (status == STATUS_OK) return json_output(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9), err);
    json_decref(root);
    return status;
}

int command_theory(int argc, char **argv) {
    Request request = {.n_text = "2,3,5,10,20",
                       .seeds_text = "0-19",
                       .sharpness_text = "2,6,10,15,20,30,40",
                       .responses = "unit",
                       .steps = 20,
                       .dims = 5};
    const Option options[] = {
        {.name = "n",
         .type = OPTION_TEXT,
         .value = &request.n_text,
         .argument = "LIST",
         .summary = "numbers of responses in a prompt, 2 to 50 (default 2,3,5,10,20)"},
        {.name = "steps",
         .type = OPTION_INTEGER,
         .value = &request.steps,
         .argument = "K",
         .minimum = 1,
         .maximum = 10000,
         .summary = "steps of gradient descent, N - 1 blocks each (default 20)"},
        {.name = "sharpness",
         .type = OPTION_TEXT,
         .value = &request.sharpness_text,
         .argument = "LIST",
         .summary = "values of kappa Delta, at least 1.77, where the bound begins (default 2,6,10,15,20,30,40)"},
        {.name = "seeds",
         .type = OPTION_TEXT,
         .value = &request.seeds_text,
         .argument = "LIST",
         .summary = "a prompt for each, as 0-19 (the default) or 3,7"},
        {.name = "dims",
         .type = OPTION_INTEGER,
         .value = &request.dims,
         .argument = "D",
         .minimum = 2,
         .maximum = THEORY_MOST_DIMS,
         .summary = "length of queries and responses (default 5)"},
        {.name = "responses",
         .type = OPTION_TEXT,
         .value = &request.responses,
         .argument = "LENGTH",
         .choices = "unit|any",
         .summary = "unit: all of length 1 (the default); any: of lengths from 0.5 to 1.5"},
        {.name = "kernels",
         .type = OPTION_TEXT,
         .value = &request.kernels,
         .argument = "PATH",
         .summary = "kernel path (default: the best that this CPU runs)"},
        {.name = "json", .type = OPTION_FLAG, .value = &request.json, .summary = "one JSON value on stdout"},
    };
    const Command command = {
        .name = "theory",
        .usage = "[--n LIST] [--steps K] [--sharpness LIST] [--seeds LIST] [--json]",
        .summary = "weights set by hand against gradient descent, and what each piece is for",
        .details =
            "Exit code 1 if an error is above the proven bound. docs/theory.md explains the construction and the "
            "tables.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
    };
    Error err = {{0}};
    Verdict verdict = {0};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    free((void *)operands);
    Status status = settle(&request, &err);
    if (status == STATUS_OK && request.json) {
        status = print_json(&request, &verdict, &err);
    } else if (status == STATUS_OK) {
        status = print_errors(&request, &verdict, &err);
        if (status == STATUS_OK) status = print_ablations(&request, &err);
    }
    if (status != STATUS_OK) return report_error(status, &err);
    return verdict.outside == 0 ? STATUS_OK : STATUS_FAILED;
}
