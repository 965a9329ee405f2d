/* What became of each claim that a job declares: supported, contradicted or inconclusive, with the numbers behind it.
 *
 * A claim's arms are paired by seed: only seeds for which every arm has a defined value count. The tests are the exact
 * ones that jobs/claims/claims.h names. Each claim has two p-values, one for what it says and one for the opposite:
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
#ifndef ANALYSIS_CLAIMS_VERDICT_H
#define ANALYSIS_CLAIMS_VERDICT_H

#include "analysis/claims/declared.h"
#include "analysis/results/pairing.h"
#include "analysis/statistics/effect.h"

#define VERDICT_LOST_SHARE 0.2

typedef enum Decision { DECISION_SUPPORTED, DECISION_CONTRADICTED, DECISION_INCONCLUSIVE } Decision;

const char *decision_name(Decision decision);

/* One arm (difference, equivalence: a, then b) or level (ascending), over the seeds that count. */
typedef struct VerdictArm {
    const ClaimArm *arm;
    char label[128];       /* what sets it apart from the others: "n_layer 4", "predictor gd" */
    MeanInterval interval; /* of values: mean and 95 % t interval within the metric's range */
    double self_check;     /* mean self-check accuracy of its critic */
    const double *values;  /* (pairing->n_seeds) the claim's metric, by seed */
} VerdictArm;

typedef struct Verdict {
    const Claim *claim;
    const char *job_name;
    char sentence[512]; /* claim_sentence */
    Decision decision;
    bool refused;     /* not tested: notes begin with the reason */
    bool provisional; /* seeds are not finished: the decision may still change */

    Pairing *pairing; /* the seeds that count, their values by arm, and what became of the others */
    int n_arms;
    VerdictArm *arms;

    char estimate_name[300]; /* "a - b", "last level - first", "best - level", "slope" */
    MeanInterval estimate;   /* of the paired differences (slopes): mean, standard deviation, 95 % t interval */
    Interval bootstrap;      /* 95 % bootstrap-t (of a regression: seed-cluster) interval */
    double p, p_holm;        /* for what the claim says */
    double p_against, p_against_holm; /* for the opposite; NaN: there is no such test */
    double smallest_p;                /* that so many seeds can give */
    EffectSize effect;                /* of the differences */
    Improvement improvement;          /* share of seeds on which the difference is positive */
    double plateau_level;             /* of a plateau: the smallest level on it; NaN: none */
    double r_squared;                 /* of a regression */
    double mean_rank_correlation;     /* of a trend: Spearman's, levels with values, over seeds */
    int64_t seeds_needed; /* for 80 % power at the observed effect; 0: no number of seeds would do, or unknown */
    char method[512];     /* the test, in a sentence */
    char intervals[160];  /* which, with B and stream of random numbers */
    char notes[1536];     /* lines for the reader: missing seeds, small n, steps against the trend, reference numbers */
} Verdict;

typedef struct Verdicts {
    int count; /* 0: no claims were declared */
    Verdict *items;
    Declared declared; /* the claims and the level alpha that they share */
} Verdicts;

/* Tests the claims that declared_read finds; the other arguments and errors are its. */
Status verdicts_create(const Table *table, const char *const *dirs, int n_dirs, const char *claims_path, Verdicts **out,
                       char *warning, size_t warning_bytes, Error *err);
void verdicts_free(Verdicts *verdicts);

#endif
