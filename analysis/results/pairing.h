/* Arms side by side, seed by seed: which seeds every arm has, and what became of the others.
 *
 * Comparisons are between results of the same seed, which share prompts and initial weights. A seed that any arm lacks
 * is left out of all, and counted by the reason. */
#ifndef ANALYSIS_RESULTS_PAIRING_H
#define ANALYSIS_RESULTS_PAIRING_H

#include "analysis/results/summary.h"
#include "jobs/claims/claims.h"

/* Of a seed in an arm; worse is larger. */
typedef enum SeedState {
    SEED_HAS,        /* there is a value */
    SEED_ABSENT,     /* nobody asked for it */
    SEED_UNFINISHED, /* asked for, not there yet */
    SEED_UNDEFINED,  /* measured, and the metric is not defined */
    SEED_FAILED,
    SEED_DIVERGED,
    SEED_STATE_COUNT
} SeedState;

/* "diverged", .. */
const char *seed_state_name(SeedState state);

typedef struct Pairing {
    int n_arms;
    int n_seeds;                 /* that every arm has */
    int n_wanted;                /* that some arm was asked for or has */
    int lost[SEED_STATE_COUNT];  /* the wanted ones that do not count, by the worst state of an arm */
    int n_mixed;                 /* of n_seeds: whose arms differ in their numerics fingerprint */
    uint32_t *seeds;             /* (n_seeds) ascending */
    double *values, *self_check; /* (n_arms, n_seeds) */
} Pairing;

/* What is compared of a series; NaN: undefined. */
typedef double (*SeriesValue)(const Series *series, const void *context);

/* The arms of a claim, found in the table by all settings that training, critic and number of prompts consist of.
 * STATUS_NO_MEMORY. */
Status pairing_of_claim(const Table *table, const Claim *claim, Pairing **out, Error *err);
/* Configurations of a summary as arms. Seeds that are not there count as absent. */
Status pairing_of_configurations(const Table *table, const Configuration *const *arms, int n_arms, SeriesValue value,
                                 const void *context, Pairing **out, Error *err);
void pairing_free(Pairing *pairing);

#endif
