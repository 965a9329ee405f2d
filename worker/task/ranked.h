/* Cosines of predictions with ranked responses, LANES prompts side by side: what the objectives and gd have in common.
 *
 * The responses that a prediction has seen stand by reward, best first: place k is the k-th best in every lane, so that
 * loops over lanes have no branches and become vector code. Sums over responses are running sums along the places, and
 * a context of i responses costs O(i). Double throughout; no lane sees another. Only for files compiled without
 * contraction, inside functions marked FOR_EVERY_CPU: then every CPU gives the same bits. */
#ifndef WORKER_TASK_RANKED_H
#define WORKER_TASK_RANKED_H

#include "proto/base/elementary.h"

#include <math.h>
#include <stddef.h>

enum { LANES = 8 };
typedef double Lanes[LANES]; /* one number of each prompt; Lanes v[d]: a vector of each */

/* A loop over lanes; unrolled before it is made a vector it would become neither. */
#define FOR_LANES(l) _Pragma("GCC unroll 1") for (int l = 0; l < LANES; l++)
#define LANES_INLINE static inline __attribute__((always_inline))

static const double SMALLEST_NORM = 1e-8;

/* vector (d) of each of n prompts from from[prompt * stride]; lanes that are left over repeat the last. */
LANES_INLINE void lanes_load(int n, size_t stride, int d, const float *from, Lanes *vector) {
    FOR_LANES (l)
        for (int k = 0; k < d; k++)
            vector[k][l] = from[(size_t)(l < n ? l : n - 1) * stride + (size_t)k];
}

/* product = a b, of vectors (d). */
LANES_INLINE void lanes_dot_product(int d, const Lanes *a, const Lanes *b, Lanes product) {
    FOR_LANES (l)
        product[l] = 0;
    for (int k = 0; k < d; k++)
        FOR_LANES (l)
            product[l] += a[k][l] * b[k][l];
}

/* Divides vector (d) by its norm, clamped at SMALLEST_NORM. */
LANES_INLINE void lanes_normalise(int d, Lanes *vector, Lanes norm) {
    Lanes inverse;
    lanes_dot_product(d, vector, vector, norm);
    FOR_LANES (l) {
        double root = sqrt(norm[l]);
        norm[l] = root > SMALLEST_NORM ? root : SMALLEST_NORM;
        inverse[l] = 1 / norm[l];
    }
    for (int k = 0; k < d; k++)
        FOR_LANES (l)
            vector[k][l] *= inverse[l];
}

/* Puts a response (d) in its place among n by reward, after those of equal reward: rewards (n + 1), responses
 * (n + 1, d). reward and response are used up. */
LANES_INLINE void lanes_insert(int d, int n, Lanes reward, Lanes *response, Lanes *rewards, Lanes *responses) {
    int64_t placed[LANES] = {0}; /* if so, what was at its place is moving down */
    for (int k = 0; k < n; k++) {
        FOR_LANES (l) {
            double here = rewards[k][l];
            placed[l] |= reward[l] > here;
            rewards[k][l] = placed[l] ? reward[l] : here;
            reward[l] = placed[l] ? here : reward[l];
        }
        for (int c = 0; c < d; c++)
            FOR_LANES (l) {
                double here = responses[k * d + c][l];
                responses[k * d + c][l] = placed[l] ? response[c][l] : here;
                response[c][l] = placed[l] ? here : response[c][l];
            }
    }
    memcpy(rewards[n], reward, sizeof(Lanes));
    memcpy(responses[n * d], response, (size_t)d * sizeof(Lanes));
}

/* Loss (NULL: not wanted) of a ranking by score (n >= 1), and slope (n), its derivative with respect to score. */
LANES_INLINE void lanes_plackett_luce(int n, const Lanes *score, double *loss, Lanes *slope) {
    enum { FACTORS = 16 }; /* in a product before its logarithm is taken */
    Lanes tail[n], sum = {0}, product, better = {0};
    FOR_LANES (l) {
        product[l] = 1;
        if (loss != NULL) loss[l] = 0;
    }
    for (int k = n - 1; k >= 0; k--) {
        FOR_LANES (l) {
            slope[k][l] = elementary_exp(score[k][l]);
            tail[k][l] = sum[l] += slope[k][l]; /* over this and all worse responses */
        }
        if (loss == NULL) continue;
        FOR_LANES (l) {
            product[l] *= sum[l];
            loss[l] -= score[k][l];
        }
        if (k % FACTORS == 0)
            FOR_LANES (l) {
                loss[l] += elementary_log(product[l]);
                product[l] = 1;
            }
    }
    for (int k = 0; k < n; k++)
        FOR_LANES (l) {
            better[l] += 1 / tail[k][l]; /* over this and all better places */
            slope[k][l] = slope[k][l] * better[l] - 1;
        }
}

/* derivative (d) with respect to a vector of a function of its n cosines with targets (n, d; unit vectors): unit and
 * norm as lanes_normalise gives them, score (n) the cosines, slope (n) the derivative with respect to score. */
LANES_INLINE void lanes_cosine_derivative(int d, int n, const Lanes *unit, const Lanes norm, const Lanes *targets,
                                          const Lanes *score, const Lanes *slope, Lanes *derivative) {
    Lanes along = {0}, inverse; /* the part that only lengthens the vector, which a cosine ignores */
    for (int c = 0; c < d; c++)
        FOR_LANES (l)
            derivative[c][l] = 0;
    for (int k = 0; k < n; k++) {
        FOR_LANES (l)
            along[l] += slope[k][l] * score[k][l];
        for (int c = 0; c < d; c++)
            FOR_LANES (l)
                derivative[c][l] += slope[k][l] * targets[k * d + c][l];
    }
    FOR_LANES (l) {
        inverse[l] = 1 / norm[l];
        along[l] = norm[l] <= SMALLEST_NORM ? 0 : along[l]; /* clamped: the score is linear in the vector */
    }
    for (int c = 0; c < d; c++)
        FOR_LANES (l)
            derivative[c][l] = (derivative[c][l] - along[l] * unit[c][l]) * inverse[l];
}

#endif
