/* See objective.h.
 *
 * Everything is a cosine of unit vectors, so an objective is a function of scores s_j in [-1, 1] and its derivative
 * ("slope") with respect to them; one chain rule takes slopes to the prediction (ranked.h). Scores being that small,
 * exp(s_j) is taken once a response and sums of logarithms become logarithms of products. */
#include "worker/train/objective.h"

#include "worker/task/ranked.h"

#include <assert.h>

/* Mean over pairs with different rewards (n); softplus(-(s_b - s_w)) = log(exp s_b + exp s_w) - s_b. */
LANES_INLINE void lanes_bradley_terry(int n, const Lanes *score, const Lanes *rewards, double *loss, Lanes *slope) {
    enum { FACTORS = 16 }; /* in a product before its logarithm is taken */
    Lanes weight[n], product, pairs = {0};
    FOR_LANES (l) {
        product[l] = 1;
        loss[l] = 0;
    }
    for (int k = 0; k < n; k++)
        FOR_LANES (l) {
            weight[k][l] = elementary_exp(score[k][l]);
            slope[k][l] = 0;
        }
    int factors = 0;
    for (int better = 0; better < n; better++)
        for (int worse = better + 1; worse < n; worse++) {
            FOR_LANES (l) {
                double both = weight[better][l] + weight[worse][l], wrong = weight[worse][l] / both;
                double differ = rewards[better][l] != rewards[worse][l] ? 1 : 0;
                product[l] *= differ > 0 ? both : 1;
                loss[l] -= differ * score[better][l];
                slope[better][l] -= differ * wrong;
                slope[worse][l] += differ * wrong;
                pairs[l] += differ;
            }
            if (++factors % FACTORS == 0)
                FOR_LANES (l) {
                    loss[l] += elementary_log(product[l]);
                    product[l] = 1;
                }
        }
    FOR_LANES (l) {
        double share = pairs[l] > 0 ? 1 / pairs[l] : 0;
        loss[l] = (loss[l] + elementary_log(product[l])) * share;
        for (int k = 0; k < n; k++)
            slope[k][l] *= share;
    }
}

/* Losses of the predictions (d) made from n responses (n, d) that stand by reward (n), and their derivatives (d).
 * aligned (d): y*, a unit vector. */
LANES_INLINE void lanes_loss(Objective objective, int d, int n, Lanes *pred, const Lanes *rewards,
                             const Lanes *responses, const Lanes *aligned, double *loss, Lanes *derivative) {
    Lanes norm, score[n], slope[n];
    const Lanes *targets = objective == OBJECTIVE_COSINE ? aligned : responses;
    if (objective == OBJECTIVE_COSINE) n = 1;
    lanes_normalise(d, pred, norm);
    for (int k = 0; k < n; k++)
        lanes_dot_product(d, pred, targets + (size_t)k * d, score[k]);
    if (objective == OBJECTIVE_PLACKETT_LUCE)
        lanes_plackett_luce(n, score, loss, slope);
    else if (objective == OBJECTIVE_BRADLEY_TERRY)
        lanes_bradley_terry(n, score, rewards, loss, slope);
    else
        FOR_LANES (l) {
            loss[l] = 1 - score[0][l];
            slope[0][l] = -1;
        }
    lanes_cosine_derivative(d, n, pred, norm, targets, score, slope, derivative);
}

/* For up to LANES prompts: loss of each, summed over context sizes, and dpred (n, N, d; NULL: not wanted), scaled. */
FOR_EVERY_CPU static void group_loss(Objective objective, const Prompts *group, const float *pred, double scale,
                                     Lanes loss, float *dpred) {
    int n = group->n, N = group->N, d = group->d;
    size_t row = (size_t)N * d;
    Lanes rewards[N], responses[row], reward, response[d], unit[d], aligned[d], derivative[d], part, norm;
    memset(loss, 0, sizeof(Lanes));
    for (int i = 0; i < N; i++) {
        size_t at = (size_t)i * d;
        if (i >= 2) {
            lanes_load(n, row, d, pred + at, unit);
            lanes_load(n, row, d, group->y_star + at, aligned);
            lanes_normalise(d, aligned, norm);
            lanes_loss(objective, d, i, unit, rewards, responses, aligned, part, derivative);
            FOR_LANES (l)
                loss[l] += part[l];
        }
        for (int p = 0; p < n && dpred != NULL; p++)
            for (int k = 0; k < d; k++)
                dpred[p * row + at + k] = i < 2 ? 0 : (float)(scale * derivative[k][p]);
        lanes_load(n, (size_t)N, 1, group->seen + i, &reward);
        lanes_load(n, row, d, group->ys + at, response);
        lanes_normalise(d, response, norm);
        lanes_insert(d, i, reward, response, rewards, responses);
    }
}

/* The mean over dimensions of the squared difference to y*, for one prompt: as group_loss. */
static double square_loss(const Prompts *prompt, const float *pred, double scale, float *dpred) {
    int d = prompt->d;
    double sum = 0;
    for (int k = 0; k < prompt->N * d; k++) {
        double difference = k / d < 2 ? 0 : (double)pred[k] - prompt->y_star[k];
        sum += difference * difference;
        if (dpred != NULL) dpred[k] = (float)(scale * 2 * difference / d);
    }
    return sum / d;
}

double objective_loss(Objective objective, const Prompts *prompts, const float *pred, double scale, float *dpred) {
    int N = prompts->N, together = objective == OBJECTIVE_MSE ? 1 : LANES;
    assert(N >= 3);
    double row_scale = scale / (N - 2), total = 0;
    for (int first = 0; first < prompts->n; first += together) {
        int n = prompts->n - first < together ? prompts->n - first : together;
        Prompts group = prompts_slice(prompts, first, n);
        size_t at = (size_t)first * N * prompts->d;
        float *derivative = dpred != NULL ? dpred + at : NULL;
        Lanes loss;
        if (objective == OBJECTIVE_MSE)
            loss[0] = square_loss(&group, pred + at, row_scale, derivative);
        else
            group_loss(objective, &group, pred + at, row_scale, loss, derivative);
        for (int p = 0; p < n; p++)
            total += loss[p] / (N - 2);
    }
    return total;
}
