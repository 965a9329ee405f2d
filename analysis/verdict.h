/* What became of each claim that a job declares: supported, contradicted or inconclusive, with the numbers behind it.
 *
 * A claim's arms are paired by seed: only seeds for which every arm has a defined value count. The tests are the exact
 * ones that jobs/claims.h names. Each claim has two p-values, one for what it says and one for the opposite:
 *
 *   test          supported rejects                          contradicted rejects
 *   difference    no difference, in the declared direction   no difference, against it (two-sided: never contradicted)
 *   trend         no order among the levels (Page)           the same, in the reversed order
 *   regression    a slope of 0, as difference                as difference
 *   equivalence   |a - b| >= margin (both sides)             |a - b| <= margin
 *   plateau       the last two levels are not both within    every level below the last is within the margin of the
 *                 the margin of the best                     best (claimed flat, and it still moves)
 *
 * Both kinds are corrected by Holm's procedure over all claims tested together, each kind by itself; a claim is
 * supported (contradicted) when its corrected p is at most alpha, otherwise inconclusive. So the chance of any wrong
 * "supported" is at most alpha, and so is that of any wrong "contradicted". A comparison is refused (inconclusive, with
 * the reason) when fewer than two seeds have all arms, or when more than VERDICT_LOST_SHARE of the seeds are lost to
 * trainings that diverged or failed: what is left is then a selection. Seeds that are merely not finished make the
 * verdict provisional. Mixed numerics fingerprints are flagged. */
#ifndef ANALYSIS_VERDICT_H
#define ANALYSIS_VERDICT_H

#include "analysis/statistics.h"
#include "analysis/table.h"

#define VERDICT_LOST_SHARE 0.2

typedef enum Decision { DECISION_SUPPORTED, DECISION_CONTRADICTED, DECISION_INCONCLUSIVE } Decision;

const char *decision_name(Decision decision);

/* One arm (difference, equivalence: a, then b) or level (ascending), over the seeds that count. */
typedef struct VerdictArm {
    const ClaimArm *arm;
    char label[128];                 /* what sets it apart from the others: "n_layer 4", "predictor gd" */
    MeanInterval interval;           /* of values: mean and 95 % t interval */
    double self_check;               /* mean self-check accuracy of its critic */
    const double *values;            /* (n_seeds) the claim's metric, by seed */
    const double *self_check_values; /* (n_seeds) */
} VerdictArm;

typedef struct Verdict {
    const Claim *claim;
    const char *job_name;
    char sentence[512]; /* claim_sentence */
    Decision decision;
    bool refused;     /* not tested: notes begin with the reason */
    bool provisional; /* seeds are not finished: the decision may still change */

    int n_seeds;                                      /* for which every arm has a value */
    uint32_t *seeds;                                  /* (n_seeds) ascending */
    int n_wanted;                                     /* seeds that any arm was asked for or has */
    int n_diverged, n_failed, n_unfinished, n_absent; /* of the wanted ones that do not count, by the worst reason */
    int n_arms;
    VerdictArm *arms;

    const char *estimate_name; /* "a - b", "last level - first", "best - level", "slope" */
    MeanInterval estimate;     /* of the paired differences (slopes): mean, standard deviation, 95 % t interval */
    double bootstrap_low, bootstrap_high; /* 95 % bootstrap-t (of a regression: seed-cluster) interval */
    double p, p_holm;                     /* for what the claim says */
    double p_against, p_against_holm;     /* for the opposite; NaN: there is no such test */
    double smallest_p;                    /* that so many seeds can give */
    double d_z, d_z_low, d_z_high;        /* mean over standard deviation of the differences, exact 95 % interval */
    double improvement, improvement_low, improvement_high; /* share of seeds on which the difference is positive */
    double plateau_level;                                  /* of a plateau: the smallest level on it; NaN: none */
    double r_squared;                                      /* of a regression */
    double mean_rank_correlation;                          /* of a trend: Spearman's, levels with values, over seeds */
    int64_t seeds_needed; /* for 80 % power at the observed effect; 0: no number of seeds would do, or unknown */
    char method[512];     /* one sentence: the tests, B and stream of random numbers */
    char notes[1024];     /* lines for the reader: missing seeds, small n, steps against the trend, reference numbers */
} Verdict;

typedef struct Verdicts {
    int count; /* 0: no claims were declared */
    Verdict *items;
    double alpha;
    int n_jobs;
    Job **jobs; /* whose claims these are */
} Verdicts;

/* Tests the claims of every dir's job (DIR/job.resolved.yaml, else the job text in the records' header), each claim
 * once however many dirs declare it. claims_path: NULL, or a file whose claims (and alpha) are tested in place of
 * those, a job file or only that part of one, against the grid of the first dir's job. warning: a line per job that
 * could not be read. STATUS_DATA, STATUS_IO: claims_path is wrong, with its place. */
Status verdicts_create(const Table *table, const char *const *dirs, int n_dirs, const char *claims_path, Verdicts **out,
                       char *warning, size_t warning_bytes, Error *err);
void verdicts_free(Verdicts *verdicts);

#endif
