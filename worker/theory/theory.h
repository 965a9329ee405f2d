/* The experiment: the hand-set transformer (hand_set.h) in float32 against gradient descent on W in float64
 * (descent.h), on random prompts.
 *
 * A prompt of a seed: x of squared length 1.7 in a random direction, responses in random directions, W_0 uniform on
 * +-1/sqrt d, rewards in random order from 0 up in steps of 1 to 1.5, so that the gap Delta is 1. The step size makes
 * c (N - 1) diam^2 <= 2 for every prompt, where gradient descent takes no two answers apart and errors only add up. */
#ifndef WORKER_THEORY_THEORY_H
#define WORKER_THEORY_THEORY_H

#include "worker/theory/hand_set.h"

enum { THEORY_MOST_POINTS = 50, THEORY_MOST_DIMS = 64 };

typedef struct TheorySettings {
    int d;
    bool any_length; /* of responses: 0.5 to 1.5; else 1 */
    const uint32_t *seeds;
    int n_seeds;
    const Kernels *kernels;
} TheorySettings;

/* One variant on the prompts of all seeds. answer: the test token's p after the blocks of so many steps; expected:
 * W x after as many steps of gradient descent. */
typedef struct TheoryResult {
    int N, steps, blocks, width;
    double sharpness;
    double worst_error; /* largest ||answer - expected|| / diam(y) of a prompt */
    double bound;       /* what is proven for it in exact arithmetic, for variants that are exact in the limit */
    double rounding;    /* allowed on top for float32, at the prompt where that is most */
    bool within;        /* error <= bound + rounding in every prompt */
    double mean_move;   /* mean of ||expected - start|| / diam(y) */
    /* Means of ||answer - expected|| / ||expected - start||: as it is, and after the move was multiplied by the factor
     * that suits the prompt best: 0 is the direction of gradient descent, 1 is at right angles to it. */
    double relative_error, scaled_error;
} TheoryResult;

/* The bound needs the marks to be exactly 0 or 1, which they are from this kappa Delta on. */
extern const double theory_least_sharpness;

/* sharpness: kappa Delta. */
Status theory_measure(const TheorySettings *settings, HandSetVariant variant, int N, int steps, double sharpness,
                      TheoryResult *out, Error *err);

/* The variants that come as near to gradient descent as sharpness allows, so that the bound holds. */
bool theory_is_exact(HandSetVariant variant, int N);

/* "causal", "head A only". */
const char *theory_variant_name(HandSetVariant variant);

#endif
