/* Exact tests of paired differences by their signs: what claims of difference, equivalence and regression rest on. */
#ifndef ANALYSIS_STATISTICS_PERMUTATION_H
#define ANALYSIS_STATISTICS_PERMUTATION_H

#include <stdbool.h>

enum {
    SIGN_FLIP_EXACT_MAX = 24,  /* differences up to which all 2^n signs are counted */
    SIGN_FLIP_SAMPLES = 99999, /* random patterns beyond: p is never below 1 / (that + 1) */
    SIGN_FLIP_WORK = 100000000 /* signs drawn at most: fewer patterns, but at least 999, for over 1000 differences */
};

typedef struct SignFlip {
    double p_greater;   /* against the alternative that they are above 0 */
    double p_less;      /* below */
    double p_two_sided; /* either */
    bool exact;
} SignFlip;

/* Under the hypothesis that each difference is as likely as its negative, all 2^n patterns of signs are equally likely:
 * p is the share of them whose sum is at least (at most; in absolute value at least) the observed one, the observed
 * pattern among them. The smallest is 2^-n one-sided, 2^-(n-1) two-sided. Beyond SIGN_FLIP_EXACT_MAX differences the
 * share is that of SIGN_FLIP_SAMPLES random patterns (seed STREAM_SIGNS, step n, unit: pattern) and the observed one.
 * differences (n, at least 1), all defined. Exact at any n for symmetric differences (R. A. Fisher, "The design
 * of experiments", 1935, section 21; Phipson and Smyth, "Permutation p-values should never be zero", 2010). */
SignFlip sign_flip(const double *differences, int n);
/* How many random patterns it draws; 0: it counts all. */
int sign_flip_samples(int n);

/* Two one-sided tests of that kind: p of "the differences' centre lies within (-margin, margin)", the larger of the p
 * of "above -margin" and of "below margin"; the smallest is 2^-n (D. J. Schuirmann, "A comparison of the two one-sided
 * tests procedure and the power approach ..", J. Pharmacokinetics and Biopharmaceutics 15, 1987). margin above 0. */
double equivalence_p(const double *differences, int n, double margin);
/* The opposite: p of "the centre lies beyond -margin or margin", twice the smaller of the two one-sided p, at most 1.
 */
double beyond_margin_p(const double *differences, int n, double margin);

#endif
