/* palinode plan: what a job would do and what it would cost, without doing it, and which of its claims its seeds could
 * never support. */
#include "cli/commands/commands.h"
#include "cli/plan/prospect.h"
#include "cli/run/resume.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "cli/shared/warning.h"
#include "coordinator/dispatch/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct PlanOptions {
    const char *dir, *models;
    TextList overrides;
    int64_t ranks, workers;
    double walltime_s, rate_gflops;
    const char *shard;
    bool json;
} PlanOptions;

static int workers_of(const PlanOptions *options) {
    return (int)(options->ranks * options->workers);
}

static void print_prediction(const PlanOptions *options, const Estimate *cost) {
    char time[DURATION_BYTES], lower[DURATION_BYTES], upper[DURATION_BYTES], longest[DURATION_BYTES];
    const Outlook *outlook = &cost->outlook;
    int workers = workers_of(options);
    printf("rate           %.3g GFLOP/s a worker (%s)\n", cost->rate / 1e9, cost->source);
    printf("core-hours     %.3g\n", outlook->work_s / 3600);
    printf("makespan       %s (%s to %s) with %d worker%s; the longest piece alone takes %s\n",
           progress_duration(outlook->end_s, time, sizeof time),
           progress_duration(outlook->lower_s, lower, sizeof lower),
           progress_duration(outlook->upper_s, upper, sizeof upper), workers, workers == 1 ? "" : "s",
           progress_duration(outlook->longest_s, longest, sizeof longest));
    if (isfinite(cost->jobs))
        printf("batch jobs     %.0f of %s walltime\n", cost->jobs,
               progress_duration(options->walltime_s, time, sizeof time));
}

static void print_text(const Job *job, const char *dir, const ScheduleTotals *totals, const PlanOptions *options,
                       const Estimate *cost) {
    printf("job            %s\n", job_name(job));
    if (totals->shard.count > 0)
        printf("shard          %d of %d; what follows is of this part alone\n", totals->shard.index,
               totals->shard.count);
    printf("trainings      %llu, of them %llu done, %llu diverged, %llu failed before\n",
           (unsigned long long)totals->trainings, (unsigned long long)totals->trainings_done,
           (unsigned long long)totals->trainings_diverged, (unsigned long long)totals->trainings_failed);
    printf("cells          %llu (%d critic%s a training), of them %llu done\n", (unsigned long long)totals->cells,
           job_critics(job), job_critics(job) == 1 ? "" : "s", (unsigned long long)totals->cells_done);
    if (totals->cells_served > 0)
        printf("               %llu of those have more rounds than are asked for\n",
               (unsigned long long)totals->cells_served);
    if (totals->results_failed > 0)
        printf("               %llu cells and baselines failed before and are left alone (run --rerun failed)\n",
               (unsigned long long)totals->results_failed);
    printf("to do          %llu to train, %llu kept models to evaluate, baselines of %llu (task, seed) pairs\n",
           (unsigned long long)totals->to_train, (unsigned long long)totals->to_evaluate,
           (unsigned long long)totals->baseline_sets);
    if (totals->to_retrain > 0)
        printf("               %llu of them are trained again: their models were not kept\n",
               (unsigned long long)totals->to_retrain);
    if (totals->begun > 0)
        printf("               %llu of them go on from their checkpoints\n", (unsigned long long)totals->begun);
    printf("work           %.4g PFLOP nominal; the largest piece %.4g PFLOP\n", totals->flops / 1e15,
           totals->longest_flops / 1e15);
    if (isfinite(cost->rate)) print_prediction(options, cost);
    printf("folder         %s\n", dir);
    printf("files          job.yaml, job.resolved.yaml and, for each run, records-*.tfrecord, status-*.json%s\n",
           totals->models_bytes > 0 ? ", models-*.tfrecord" : "");
    if (totals->models_bytes > 0)
        printf("kept models    %.3g GB (--models discard keeps none; new critics then train again)\n",
               (double)totals->models_bytes / 1e9);
}

/* What the job claims, and what is beyond its seeds whatever comes out. */
static void print_claims(const Job *job) {
    int count;
    const Claim *claims = job_claims(job, &count);
    ClaimOutlook outlooks[CLAIMS_MAX];
    if (count == 0) return;
    claims_outlook(claims, count, job_alpha(job), outlooks);
    printf("claims         %d, sharing the level %g by Holm's procedure\n", count, job_alpha(job));
    bool all_within_reach = true;
    for (int i = 0; i < count; i++) {
        char sentence[1024];
        printf("               %s: %s\n", claims[i].id, claim_sentence(&claims[i], sentence, sizeof sentence));
        all_within_reach = all_within_reach && outlooks[i].within_reach;
    }
    for (int i = 0; i < count; i++)
        if (!outlooks[i].within_reach)
            printf(
                "               claim %s can never be supported with %lld seed%s: its smallest p is %.3g, Holm over %d "
                "claim%s needs %.3g; %lld seeds would do\n",
                claims[i].id, (long long)claims[i].n_seeds, claims[i].n_seeds == 1 ? "" : "s", outlooks[i].smallest_p,
                count, count == 1 ? "" : "s", outlooks[i].needed_p, (long long)outlooks[i].seeds_needed);
    if (!all_within_reach)
        printf("               (smallest p of n seeds: 2^-n, two-sided 2^-(n-1); of a trend over k levels (1/k!)^n)\n");
}

static json_t *claims_json(const Job *job) {
    int count;
    const Claim *claims = job_claims(job, &count);
    ClaimOutlook outlooks[CLAIMS_MAX];
    claims_outlook(claims, count, job_alpha(job), outlooks);
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        char sentence[1024];
        json_t *claim =
            json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:b, s:I}", "id", claims[i].id, "test",
                      claim_test_name((int)claims[i].test), "sentence",
                      claim_sentence(&claims[i], sentence, sizeof sentence), "seeds", (json_int_t)claims[i].n_seeds,
                      "smallest_p", outlooks[i].smallest_p, "needed_p", outlooks[i].needed_p, "within_reach",
                      outlooks[i].within_reach, "seeds_needed", (json_int_t)outlooks[i].seeds_needed);
        if (json_array_append_new(list, claim) != 0) { /* no memory: then neither is there a list */
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *real_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static Status print_json(const Job *job, const ScheduleTotals *totals, const PlanOptions *options, const Estimate *cost,
                         Error *err) {
    json_t *root = json_pack(
        "{s:s, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:I, s:o, s:o, "
        "s:I, s:f, s:o, s:I, s:o, s:o, s:o, s:s}",
        "job", job_name(job), "trainings", "total", (json_int_t)totals->trainings, "done",
        (json_int_t)totals->trainings_done, "diverged", (json_int_t)totals->trainings_diverged, "failed",
        (json_int_t)totals->trainings_failed, "cells", "total", (json_int_t)totals->cells, "done",
        (json_int_t)totals->cells_done, "served", (json_int_t)totals->cells_served, "results_failed",
        (json_int_t)totals->results_failed, "to_train", (json_int_t)totals->to_train, "to_retrain",
        (json_int_t)totals->to_retrain, "to_evaluate", (json_int_t)totals->to_evaluate, "baseline_sets",
        (json_int_t)totals->baseline_sets, "flops", totals->flops, "longest_flops", totals->longest_flops,
        "rate_gflops", real_or_null(cost->rate / 1e9), "core_hours", real_or_null(cost->outlook.work_s / 3600),
        "workers", (json_int_t)workers_of(options), "makespan_s", real_or_null(cost->outlook.end_s), "batch_jobs",
        real_or_null(cost->jobs), "models_bytes", (json_int_t)totals->models_bytes, "alpha", job_alpha(job), "claims",
        claims_json(job), "begun", (json_int_t)totals->begun, "makespan_lower_s", real_or_null(cost->outlook.lower_s),
        "makespan_upper_s", real_or_null(cost->outlook.upper_s), "longest_s", real_or_null(cost->outlook.longest_s),
        "rate_source", cost->source);
    return json_output(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9), err);
}

static Status plan(const char *path, const PlanOptions *options, Error *err) {
    Job *job = NULL;
    Prospect prospect = {0};
    char dir[4096], changes[1280] = "";
    ScheduleOptions scheduling = {
        .keep_models = options->models[0] == 'k', .kernels = "", .workers = workers_of(options)};
    if (options->shard != NULL && !shard_parse(options->shard, &scheduling.shard))
        return error_set(err, STATUS_USAGE,
                         "--shard: expected I/N, part I of N equal parts of the grid (2/8), not '%s'", options->shard);
    Status status = job_read(path, options->overrides.items, options->overrides.count, &job, err);
    if (status != STATUS_OK) return status;
    print_warnings(job_warnings(job));
    snprintf(dir, sizeof dir, "%s%s", options->dir != NULL ? "" : "results/",
             options->dir != NULL ? options->dir : job_name(job));
    status = prospect_open(job, dir, &scheduling, options->rate_gflops * 1e9, options->walltime_s, &prospect, err);
    if (status == STATUS_OK) status = resume_job_changes(dir, job, changes, sizeof changes, err);
    if (status == STATUS_OK) {
        const ScheduleTotals *totals = schedule_totals(prospect.schedule);
        if (options->json) {
            status = print_json(job, totals, options, &prospect.estimate, err);
        } else {
            print_text(job, dir, totals, options, &prospect.estimate);
            if (changes[0] != '\0') printf("changes        %s\n", changes);
            print_claims(job);
        }
    }
    prospect_close(&prospect);
    job_free(job);
    return status;
}

int command_plan(int argc, char **argv) {
    PlanOptions options = {.models = "keep", .ranks = 1, .workers = 1};
    const Option table[] = {
        {.name = "output",
         .letter = 'o',
         .type = OPTION_TEXT,
         .value = &options.dir,
         .argument = "DIR",
         .summary = "folder whose results count as done (default results/<job name>)"},
        {.name = "set",
         .type = OPTION_LIST,
         .value = &options.overrides,
         .argument = "KEY=VALUES",
         .summary = "override a setting of the job file (repeatable)"},
        {.name = "ranks",
         .type = OPTION_INTEGER,
         .value = &options.ranks,
         .argument = "R",
         .minimum = 1,
         .maximum = 1e6,
         .summary = "ranks to predict the makespan for (default 1)"},
        {.name = "workers-per-rank",
         .type = OPTION_INTEGER,
         .value = &options.workers,
         .argument = "K",
         .minimum = 1,
         .maximum = 1024,
         .summary = "trainings at a time on each rank (default 1)"},
        {.name = "walltime",
         .type = OPTION_DURATION,
         .value = &options.walltime_s,
         .argument = "TIME",
         .summary = "walltime of a batch job (2h, HH:MM:SS): how many jobs are needed"},
        {.name = "rate",
         .type = OPTION_REAL,
         .value = &options.rate_gflops,
         .argument = "GFLOPS",
         .minimum = 1e-3,
         .maximum = 1e6,
         .summary = "GFLOP/s of one worker, e.g. of the cluster's nodes (default: learned from the folder's records, "
                    "else measured here)"},
        {.name = "shard",
         .type = OPTION_TEXT,
         .value = &options.shard,
         .argument = "I/N",
         .environment = "PALINODE_SHARD",
         .summary = "plan part I of N equal parts of the grid, as run does"},
        {.name = "models",
         .type = OPTION_TEXT,
         .value = &options.models,
         .argument = "WHAT",
         .choices = "keep|discard",
         .summary = "keep or discard trained parameters, as run does (default keep)"},
        {.name = "json", .type = OPTION_FLAG, .value = &options.json, .summary = "one JSON value on stdout"},
    };
    const Command command = {.name = "plan",
                             .usage = "JOB.yaml [-o DIR] [options]",
                             .summary = "what a job would do, and what it would cost; does no work",
                             .options = table,
                             .n_options = sizeof table / sizeof table[0],
                             .min_operands = 1,
                             .max_operands = 1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    Status status = plan(operands[0], &options, &err);
    free((void *)operands);
    free((void *)options.overrides.items);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}
