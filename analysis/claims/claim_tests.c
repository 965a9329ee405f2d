/* See claim_tests.h. */
#include "analysis/claims/claim_tests.h"

#include "analysis/statistics/ordered.h"
#include "analysis/statistics/page_trend.h"
#include "analysis/statistics/permutation.h"
#include "analysis/statistics/regression.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void verdict_note(Verdict *verdict, const char *format, ...) {
    size_t used = strlen(verdict->notes), size = sizeof verdict->notes;
    if (used > 0 && used + 1 < size) verdict->notes[used++] = '\n';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->notes + used, size - used, format, arguments);
    va_end(arguments);
}

/* What all tests work with. */
typedef struct Bench {
    Verdict *verdict;
    int n, k;             /* seeds, arms */
    double *by_seed;      /* (n, k) the values */
    double *x_by_seed;    /* (n, k) self-check accuracies */
    double *difference;   /* (n) */
    double *work;         /* (n) */
    Resamples *resamples; /* NULL: too few or too many seeds */
} Bench;

static void bench_destroy(Bench *bench) {
    free(bench->by_seed);
    free(bench->x_by_seed);
    free(bench->difference);
    free(bench->work);
    resamples_free(bench->resamples);
}

static Status bench_create(Verdict *verdict, Bench *bench, Error *err) {
    const Pairing *pairing = verdict->pairing;
    const size_t n = (size_t)pairing->n_seeds, k = (size_t)pairing->n_arms;
    *bench = (Bench){.verdict = verdict,
                     .n = pairing->n_seeds,
                     .k = pairing->n_arms,
                     .by_seed = malloc(n * k * sizeof(double)),
                     .x_by_seed = malloc(n * k * sizeof(double)),
                     .difference = malloc(n * sizeof(double)),
                     .work = malloc(n * sizeof(double))};
    Status status = STATUS_OK;
    if (bench->by_seed == NULL || bench->x_by_seed == NULL || bench->difference == NULL || bench->work == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "no memory to test the claim %s", verdict->claim->id);
    else if (n >= BOOTSTRAP_SEEDS_MIN && n <= BOOTSTRAP_SEEDS_MAX)
        status = resamples_create((int)n, BOOTSTRAP_RESAMPLES, &bench->resamples, err);
    if (status != STATUS_OK) {
        bench_destroy(bench);
        return status;
    }
    for (size_t arm = 0; arm < k; arm++)
        for (size_t i = 0; i < n; i++) {
            bench->by_seed[i * k + arm] = pairing->values[arm * n + i];
            bench->x_by_seed[i * k + arm] = pairing->self_check[arm * n + i];
        }
    return STATUS_OK;
}

/* difference = a - b, seed by seed. */
static void subtract(const Bench *bench, int a, int b, double *difference) {
    for (int i = 0; i < bench->n; i++)
        difference[i] = bench->by_seed[i * bench->k + a] - bench->by_seed[i * bench->k + b];
}

/* Mean, intervals and effect sizes of the differences. */
static void describe_differences(const Bench *bench) {
    Verdict *verdict = bench->verdict;
    const double *difference = bench->difference;
    verdict->estimate = mean_interval(difference, bench->n, CONFIDENCE_95);
    verdict->effect =
        effect_size(verdict->estimate.mean, verdict->estimate.standard_deviation, bench->n, CONFIDENCE_95);
    verdict->improvement = improvement(difference, bench->n, CONFIDENCE_95);
    if (bench->resamples != NULL) verdict->bootstrap = bootstrap_t(difference, bench->resamples, CONFIDENCE_95);
}

static bool falls(const Claim *claim) {
    return claim->direction == CLAIM_DECREASING || claim->direction == CLAIM_LESS;
}

/* p of the sign-flip test in the claim's direction, and of the opposite one. */
static void take_p(Verdict *verdict, const SignFlip *test) {
    const Claim *claim = verdict->claim;
    if (claim->direction == CLAIM_TWO_SIDED) {
        verdict->p = test->p_two_sided;
        return; /* two-sided: no opposite */
    }
    verdict->p = falls(claim) ? test->p_less : test->p_greater;
    verdict->p_against = falls(claim) ? test->p_greater : test->p_less;
}

/* "exact", or how it is not. */
static const char *exactness(int n, char text[80]) {
    if (sign_flip_samples(n) == 0) return "exact";
    snprintf(text, 80, "Monte Carlo (%d patterns, Philox stream bootstrap %d)", sign_flip_samples(n), STREAM_SIGNS);
    return text;
}

static const char *sides(const Claim *claim) {
    return claim->direction == CLAIM_TWO_SIDED ? "two-sided" : "one-sided";
}

/* Which intervals come with the estimate. */
static void say_intervals(Bench *bench, const char *bootstrap) {
    Verdict *verdict = bench->verdict;
    if (bench->resamples == NULL)
        snprintf(verdict->intervals, sizeof verdict->intervals, "95 %% interval: Student's t");
    else
        snprintf(verdict->intervals, sizeof verdict->intervals,
                 "95 %% intervals: Student's t and %s (B %d, Philox stream bootstrap %d)", bootstrap,
                 BOOTSTRAP_RESAMPLES, STREAM_RESAMPLES);
}

static void test_difference(Bench *bench) {
    Verdict *verdict = bench->verdict;
    subtract(bench, 0, 1, bench->difference);
    describe_differences(bench);
    SignFlip test = sign_flip(bench->difference, bench->n);
    take_p(verdict, &test);
    strcpy(verdict->estimate_name, "a - b");
    snprintf(verdict->method, sizeof verdict->method, "%s %s sign-flip test of a - b paired by seed",
             sides(verdict->claim), exactness(bench->n, (char[80]){0}));
    say_intervals(bench, "paired bootstrap-t");
}

static void test_equivalence(Bench *bench) {
    Verdict *verdict = bench->verdict;
    double margin = verdict->claim->margin;
    subtract(bench, 0, 1, bench->difference);
    describe_differences(bench);
    verdict->p = equivalence_p(bench->difference, bench->n, margin);
    verdict->p_against = beyond_margin_p(bench->difference, bench->n, margin);
    strcpy(verdict->estimate_name, "a - b");
    snprintf(verdict->method, sizeof verdict->method,
             "two one-sided %s sign-flip tests of a - b paired by seed against -%g and %g",
             exactness(bench->n, (char[80]){0}), margin, margin);
    say_intervals(bench, "paired bootstrap-t");
}

/* What "best" means. */
static bool higher_is_better(const Claim *claim) {
    if (claim->kind == CLAIM_EXAMPLES) return claim->metric == METRIC_KENDALL_TAU;
    return claim->round_metric == ROUND_GAIN || claim->round_metric == ROUND_IMPROVED ||
           claim->round_metric == ROUND_WRONG_TO_RIGHT;
}

static void test_plateau(Bench *bench, double alpha) {
    Verdict *verdict = bench->verdict;
    const Claim *claim = verdict->claim;
    const int k = bench->k;
    Plateau plateau =
        find_plateau(bench->by_seed, bench->n, k, higher_is_better(claim), claim->margin, alpha, bench->work);
    verdict->p = plateau.p;
    verdict->p_against = plateau.p_against;
    verdict->plateau_level = plateau.first < k - 1 ? claim->arms[plateau.first].level : NAN;
    double worst = -1; /* told: the one of the last two that differs more from the best */
    int told = k - 2;
    for (int level = k - 2; level < k; level++) {
        subtract(bench, plateau.best, level, bench->work);
        double size = fabs(mean_interval(bench->work, bench->n, CONFIDENCE_95).mean);
        if (level == plateau.best || !(size > worst)) continue;
        worst = size;
        told = level;
    }
    subtract(bench, plateau.best, told, bench->difference);
    describe_differences(bench);
    snprintf(verdict->estimate_name, sizeof verdict->estimate_name, "%s - %s", verdict->arms[plateau.best].label,
             verdict->arms[told].label);
    snprintf(verdict->method, sizeof verdict->method,
             "two one-sided %s sign-flip tests of best - level paired by seed against -%g and %g for the last two "
             "levels, then downwards until one fails at %g",
             exactness(bench->n, (char[80]){0}), claim->margin, claim->margin, alpha);
    say_intervals(bench, "paired bootstrap-t");
    if (plateau.first < k - 1)
        verdict_note(verdict, "flat from %s on (best mean: %s)", verdict->arms[plateau.first].label,
                     verdict->arms[plateau.best].label);
}

/* A trend can hold although single steps go against it: says which. */
static void note_steps(Bench *bench) {
    Verdict *verdict = bench->verdict;
    const bool down = falls(verdict->claim);
    double p[CLAIM_LEVELS_MAX], corrected[CLAIM_LEVELS_MAX], step[CLAIM_LEVELS_MAX];
    for (int level = 0; level + 1 < bench->k; level++) {
        subtract(bench, level + 1, level, bench->work);
        SignFlip test = sign_flip(bench->work, bench->n);
        p[level] = down ? test.p_greater : test.p_less;
        step[level] = mean_interval(bench->work, bench->n, CONFIDENCE_95).mean;
    }
    holm_adjust(p, bench->k - 1, corrected);
    for (int level = 0; level + 1 < bench->k; level++)
        if (down ? step[level] > 0 : step[level] < 0)
            verdict_note(verdict, "against the trend: from %s to %s the mean %s by %.3g (p %.2g, Holm over %d steps)",
                         verdict->arms[level].label, verdict->arms[level + 1].label, down ? "rises" : "falls",
                         fabs(step[level]), corrected[level], bench->k - 1);
}

static Status test_trend(Bench *bench, Error *err) {
    Verdict *verdict = bench->verdict;
    PageTrend trend;
    Status status = page_trend(bench->by_seed, bench->n, bench->k, &trend, err);
    if (status != STATUS_OK) return status;
    subtract(bench, bench->k - 1, 0, bench->difference);
    describe_differences(bench);
    bool down = falls(verdict->claim);
    verdict->p = down ? trend.p_decreasing : trend.p_increasing;
    verdict->p_against = down ? trend.p_increasing : trend.p_decreasing;
    verdict->mean_rank_correlation = trend.mean_rank_correlation;
    strcpy(verdict->estimate_name, "last level - first");
    snprintf(verdict->method, sizeof verdict->method,
             "Page's test over %d levels blocked by seed, one-sided, %s (L %.6g, mean rank correlation %.3f)", bench->k,
             trend.exact ? "exact" : "by the normal distribution", trend.statistic, trend.mean_rank_correlation);
    say_intervals(bench, "paired bootstrap-t");
    note_steps(bench);
    return STATUS_OK;
}

static void test_regression(Bench *bench) {
    Verdict *verdict = bench->verdict;
    const int k = bench->k;
    for (int i = 0; i < bench->n; i++)
        bench->difference[i] = slope_of(bench->x_by_seed + i * k, bench->by_seed + i * k, k);
    strcpy(verdict->estimate_name, "slope");
    snprintf(verdict->method, sizeof verdict->method,
             "%s %s sign-flip test of the seeds' slopes on self_check_accuracy", sides(verdict->claim),
             exactness(bench->n, (char[80]){0}));
    if (mean_interval(bench->difference, bench->n, CONFIDENCE_95).undefined > 0) {
        verdict->refused = true;
        verdict_note(verdict, "not tested: self_check_accuracy does not vary");
        return;
    }
    describe_differences(bench);
    SignFlip test = sign_flip(bench->difference, bench->n);
    take_p(verdict, &test);
    if (bench->resamples != NULL) {
        Regression line = regress(bench->x_by_seed, bench->by_seed, k, bench->resamples);
        verdict->bootstrap = line.interval;
        verdict->r_squared = line.r_squared;
    }
    say_intervals(bench, "seed-cluster bootstrap-t of the pooled line");
}

Status claim_test(Verdict *verdict, double alpha, Error *err) {
    Bench bench;
    Status status = bench_create(verdict, &bench, err);
    if (status != STATUS_OK) return status;
    switch (verdict->claim->test) {
    case CLAIM_DIFFERENCE:
        test_difference(&bench);
        break;
    case CLAIM_EQUIVALENCE:
        test_equivalence(&bench);
        break;
    case CLAIM_PLATEAU:
        test_plateau(&bench, alpha);
        break;
    case CLAIM_TREND:
        status = test_trend(&bench, err);
        break;
    case CLAIM_REGRESSION:
        test_regression(&bench);
        break;
    }
    bench_destroy(&bench);
    return status;
}
