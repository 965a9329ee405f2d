/* Claims: what a job expects to find, said before it runs. Each names one test of one metric between arms of the job's
 * grid; arms are paired by seed. Reading and checking claims is claims_file.h's and job.h's, testing them is the
 * analysis's; here is what a claim is, and the arithmetic of what a number of seeds can show at best.
 *
 * That arithmetic rests on the exact tests by which claims are tested, each with a smallest p that n seeds can reach:
 *   difference, regression   random signs of the n paired differences (or slopes, one a seed): 2^-n with a direction,
 *                            2^-(n-1) without
 *   equivalence, plateau     two one-sided tests of that kind, each against the margin: 2^-n
 *   trend                    Page's test, blocked by seed, over k ordered levels: (1/k!)^n
 * All claims of a job share its level alpha by Holm's procedure: of m p-values in ascending order, the first must be at
 * most alpha / m, the next alpha / (m - 1), and so on; the first that is not ends it. A claim is beyond reach when it
 * fails even if every claim of the job reaches its smallest p. [Page 1963; Holm 1979] */
#ifndef JOBS_CLAIMS_CLAIMS_H
#define JOBS_CLAIMS_CLAIMS_H

#include "jobs/settings/settings.h"
#include "jobs/yaml/place.h"

enum {
    CLAIMS_MAX = 100,
    CLAIM_ID_BYTES = 101,
    CLAIM_CONDITIONS_MAX = 48, /* at least the number of settings */
    CLAIM_LEVELS_MAX = 100,
    CLAIM_FIRST_INDEX = 2 /* the smallest number of examples at which every metric is defined */
};

typedef enum ClaimTest {
    CLAIM_TREND,       /* the metric rises (falls) along the levels of an axis */
    CLAIM_PLATEAU,     /* from some level below the highest on, it stays within a margin of its best */
    CLAIM_DIFFERENCE,  /* it differs between arms a and b */
    CLAIM_EQUIVALENCE, /* it is the same in both up to a margin */
    CLAIM_REGRESSION   /* it grows (falls) linearly with the critic's self-check accuracy, of CLAIM_ROUNDS with that on
                        * the responses of the rounds */
} ClaimTest;

/* What the metric is a function of: the number of examples, or the round of correction. */
typedef enum ClaimKind { CLAIM_EXAMPLES, CLAIM_ROUNDS } ClaimKind;

/* Of the metric's value: in a, compared with b; along the levels. */
typedef enum ClaimDirection {
    CLAIM_TWO_SIDED,
    CLAIM_INCREASING,
    CLAIM_DECREASING,
    CLAIM_GREATER,
    CLAIM_LESS
} ClaimDirection;

/* Names as in a job file; "?" past the last. */
const char *claim_test_name(int test);
const char *claim_kind_name(int kind);
const char *claim_direction_name(int direction);

typedef struct ClaimCondition {
    const Setting *setting;
    SettingValue value;
    Place place;
} ClaimCondition;

/* Numbers of examples, or rounds: the metric is averaged over them. */
typedef struct ClaimRange {
    Place place; /* nowhere: not given */
    int first, last;
} ClaimRange;

/* What where, a or b say, in the order of the table. */
typedef struct ClaimConditions {
    Place place; /* nowhere: not given */
    bool names_predictor;
    Predictor predictor;
    Place predictor_place;
    ClaimRange at; /* of a and b; its place nowhere: that of the claim */
    int count;
    ClaimCondition items[CLAIM_CONDITIONS_MAX];
} ClaimConditions;

/* One configuration under one critic, over all seeds. */
typedef struct ClaimArm {
    Predictor predictor;
    double level;      /* value of Claim.over; 0 without */
    int first, last;   /* numbers of examples, or rounds, over which its metric is averaged */
    Settings settings; /* the seed in it means nothing; of a baseline nor do model and train */
} ClaimArm;

typedef struct Claim {
    char id[CLAIM_ID_BYTES];
    ClaimTest test;
    ClaimKind kind;
    Metric metric;            /* of CLAIM_EXAMPLES */
    RoundMetric round_metric; /* of CLAIM_ROUNDS */
    ClaimRange at;            /* of the arms that have none of their own; the last where not given */
    ClaimDirection direction;
    const Setting *over; /* of trend, plateau, regression; else NULL */
    double margin;       /* of plateau, equivalence; else 0 */
    ClaimConditions where, a, b;
    Place place, kind_place, over_place;

    int n_arms;
    ClaimArm *arms;  /* a and b; or one for each level, ascending */
    int64_t n_seeds; /* for which the grid has all arms */
} Claim;

/* "kendall_tau", "gain". */
const char *claim_metric_name(const Claim *claim);

/* Whether its own at counts for any arm: not where both a and b have theirs. */
bool claim_names_at(const Claim *claim);

/* "kendall_tau at 15 examples: model.attention softmax greater than model.attention linear". */
const char *claim_sentence(const Claim *claim, char *text, size_t text_bytes);

/* The smallest p that the claim's exact test can give with so many paired seeds (at least one). */
double claim_smallest_p(const Claim *claim, int64_t n_seeds);

/* What a claim can come to at best. */
typedef struct ClaimOutlook {
    double smallest_p;    /* with the seeds that it has */
    bool within_reach;    /* whether Holm's procedure supports it when every claim reaches its smallest p */
    double needed_p;      /* the bound that its smallest p meets or misses there */
    int64_t seeds_needed; /* the fewest that bring it within reach, when every claim has as many */
} ClaimOutlook;

/* outlooks (count) of all claims of a job, at most CLAIMS_MAX; alpha above 0. */
void claims_outlook(const Claim *claims, int count, double alpha, ClaimOutlook *outlooks);

#endif
