/* Two sets of results side by side: what both have, whether it is equal to the bit, and how far apart the means are.
 *
 * Configurations are matched by their settings, and within one the series by seed; a difference is paired, B - A over
 * the seeds that both have. It knows the two summaries, which must outlive it, and nothing of how it is shown. */
#ifndef ANALYSIS_RESULTS_COMPARISON_H
#define ANALYSIS_RESULTS_COMPARISON_H

#include "analysis/results/measure.h"

/* One metric of one configuration at one index. */
typedef struct Difference {
    const Configuration *a, *b;
    Measure measure;
    double mean_a, mean_b; /* over the common seeds at which both are defined */
    MeanInterval interval; /* of B - A; n: those seeds */
    double largest;        /* |B - A| of the seed where it is largest; NaN: n is 0 */
    double t, p, p_holm;   /* Student's paired t and its two-sided p, and that corrected over all that differ; t is NaN
                              for one seed, infinite where all seeds differ by the same; 0, p 1 where none differs */
} Difference;

/* Series of one cell or baseline that both sides have. */
typedef struct BitCount {
    int64_t common, equal; /* equal: every value of every curve is, to the bit */
    int64_t unexplained;   /* not equal, though their numerics fingerprints are */
} BitCount;

typedef enum ComparisonOutcome {
    COMPARISON_NOTHING_COMMON,
    COMPARISON_IDENTICAL, /* both have the same results, equal to the bit */
    COMPARISON_EXTENDED,  /* what both have is equal to the bit; one side or both have more */
    COMPARISON_DIFFERENT
} ComparisonOutcome;

typedef struct Comparison {
    const Summary *a, *b;
    int n_matched; /* configurations that both have, with a common seed or without */
    int n_only_a, n_only_b;
    const Configuration **only_a, **only_b;
    int64_t series_only_a, series_only_b; /* cells and baselines of one side only, in all configurations */
    BitCount bits;
    int64_t outcomes; /* trainings that ended on both sides, but not alike: done, diverged, failed */
    int n_differences;
    Difference *differences; /* by |t|, the largest first; then those without a t, by size; then equal ones */
    double alpha;
    int n_significant; /* of p_holm <= alpha */
} Comparison;

/* Compares every metric at the summaries' number of examples and at the last round that both have. */
Status comparison_create(const Summary *a, const Summary *b, Comparison **out, Error *err);
void comparison_free(Comparison *comparison);

ComparisonOutcome comparison_outcome(const Comparison *comparison);
/* "identical", "nothing_common", .. for programs. */
const char *comparison_outcome_name(ComparisonOutcome outcome);
/* The answer in one sentence: did something alter the results? */
const char *comparison_sentence(const Comparison *comparison, char *text, size_t text_bytes);
/* Whether configurations of either side differ in a setting. */
bool comparison_has_axis(const Comparison *comparison, const Setting *setting);
/* "n_layer 4, q 1, model": every setting in which configurations of either side differ, and the predictor. */
const char *comparison_label(const Comparison *comparison, const Configuration *of, char *text, size_t text_bytes);
/* Settings of which no value is on both sides ("train.steps 100 / 200"), when nothing is common; "" for none. */
const char *comparison_apart(const Comparison *comparison, char *text, size_t text_bytes);

#endif
