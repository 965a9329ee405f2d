/* Gradient descent on the ranking loss of one prompt: the reference that the hand-set transformer is held against.
 *
 * Plain float64 on the full matrix W, written from the loss as it stands, residuals and all: it shares neither code nor
 * algebra with the transformer. */
#ifndef WORKER_THEORY_DESCENT_H
#define WORKER_THEORY_DESCENT_H

/* One query x (d) and N responses ys (N, d), ranked: ranking[0] is the index of the best. The reward that a matrix W
 * (d, d) gives a response is -||y - W x||^2. */
typedef struct RankedResponses {
    int d, N;
    const float *x, *ys;
    const int *ranking;
} RankedResponses;

/* Plackett-Luce loss of the ranking, -sum over i < N - 1 of log(exp r_i / sum over j >= i of exp r_j) with r_i the
 * reward of the i-th best; N = 2: Bradley-Terry. gradient (d, d): the derivative with respect to W, or NULL. */
double descent_loss(const RankedResponses *responses, const double *W, double *gradient);

/* steps times W -= rate dL/dW. */
void descent_run(const RankedResponses *responses, double rate, int steps, double *W);

/* answer (d) = W x. */
void descent_answer(const RankedResponses *responses, const double *W, double *answer);

#endif
