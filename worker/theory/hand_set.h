/* A transformer whose weights are set by hand, so that its blocks run gradient descent on the ranking loss of their
 * prompt (descent.h). It has two heads and a ReLU feed-forward network, no LayerNorm, biases or positions.
 *
 * A prompt is N response tokens in any order and a test token at the end. With p = W x, one step of gradient descent is
 *
 *     p += 2 c sum over i < N - 1 of [ y of the i-th best - mean of the responses not yet ranked ],    c = rate ||x||^2
 *
 * where the mean is weighted by the softmax of 2 p.y - ||y||^2. A block makes one term of the sum: head A reads the
 * best response left (softmax of kappa r), head B the weighted mean, the feed-forward network marks the response as
 * picked. The block of the last term adds the sum to p instead. docs/theory.md says more; nothing here knows where
 * prompts come from. */
#ifndef WORKER_THEORY_HAND_SET_H
#define WORKER_THEORY_HAND_SET_H

#include "worker/kernels/kernels.h"

/* The construction, and what becomes of it when a piece is taken away. */
typedef enum HandSetVariant {
    HAND_SET_BIDIRECTIONAL,    /* every token sees every token */
    HAND_SET_CAUSAL,           /* tokens see what is before them; the test token carries the mask in its query */
    HAND_SET_NO_FFN,           /* heads add to p: exact for N = 2, Bradley-Terry by attention alone */
    HAND_SET_LINEAR_ATTENTION, /* scores in place of their softmax */
    HAND_SET_HEAD_A_ONLY,      /* only the best response left is added */
    HAND_SET_HEAD_B_ONLY,      /* only the weighted mean is subtracted; head A still finds what to mark */
    HAND_SET_NO_MASK,          /* nothing is marked as picked */
    HAND_SET_NO_ACCUMULATOR,   /* heads add to p at once, in the middle of a step */
    HAND_SET_CAUSAL_MASK,      /* a causal mask on HAND_SET_BIDIRECTIONAL */
    HAND_SET_NO_NORMS,         /* ||y||^2 is not carried: exact only for responses of one length */
    HAND_SET_VARIANTS
} HandSetVariant;

typedef struct HandSetSpec {
    HandSetVariant variant;
    int d, N;
    double kappa;          /* sharpness of head A */
    double gap;            /* Delta: no two rewards of a prompt are closer */
    double largest_reward; /* rewards lie in [0, largest_reward] */
    double step;           /* c */
} HandSetSpec;

/* Coordinates of a token; a variant that has no use for one leaves it 0. */
typedef struct HandSetLayout {
    int response; /* d: y_j, 0 in the test token */
    int answer;   /* d: p; the test token's is the output */
    int sum;      /* d: what the step under way adds to p */
    int reward, square /* ||y||^2 */, picked, winner /* reward of the response picked last */, is_test, one;
    int above, at; /* causal: grid points each: is the reward above the point; is the winner's at it */
    int grid, width;
} HandSetLayout;

typedef enum FeedForwardKind {
    FEED_FORWARD_FEATURES, /* causal, first block: above, from the reward */
    FEED_FORWARD_SELECT,   /* marks what is picked: picked, or at */
    FEED_FORWARD_COMMIT,   /* p += sum; sum, marks and winner become 0 */
    FEED_FORWARD_KINDS
} FeedForwardKind;

typedef struct HandSet HandSet;

/* prompts: most in one call. */
Status hand_set_create(const HandSetSpec *spec, const Kernels *kernels, int prompts, HandSet **out, Error *err);
void hand_set_free(HandSet *set);

HandSetLayout hand_set_layout(const HandSetSpec *spec);

/* Blocks that run so many steps. */
int hand_set_blocks(const HandSetSpec *spec, int steps);

/* tokens (n, N + 1, width) from responses ys (n, N, d), their rewards rs (n, N) and answers (n, d), W_0 x: what a
 * linear read-in of x, y, ||y||^2, r and the role gives. */
void hand_set_embed(const HandSet *set, int n, const float *ys, const float *rs, const float *answers, float *tokens);

/* All blocks of so many steps, tokens (n, N + 1, width) in place. */
void hand_set_run(HandSet *set, int n, int steps, float *tokens);

/* The two halves of a block: tokens += c_proj(attention(c_attn(tokens))), tokens += out(relu(in(tokens))). */
void hand_set_attention(HandSet *set, int n, float *tokens);
void hand_set_feed_forward(HandSet *set, FeedForwardKind kind, int n, float *tokens);

#endif
