/* See objective.h.
 *
 * Everything is a cosine of unit vectors, so an objective is a function of scores s_j in [-1, 1] and its derivative
 * ("slope") with respect to them; one chain rule takes slopes to the prediction. Scores being that small, exp(s_j) is
 * taken once a response and sums of logarithms become one logarithm of a product. Double throughout. */
#include "worker/train/objective.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double SMALLEST_NORM = 1e-8;

/* A sum of logarithms of positive factors. */
typedef struct LogProduct {
    double product, sum;
} LogProduct;

static void log_product_multiply(LogProduct *log_product, double factor) {
    log_product->product *= factor;
    if (log_product->product > 1e200 || log_product->product < 1e-200) {
        log_product->sum += log(log_product->product);
        log_product->product = 1;
    }
}

static double log_product_value(const LogProduct *log_product) {
    return log_product->sum + log(log_product->product);
}

double normalise(int d, double *vector) {
    double norm = fmax(sqrt(dot_product(d, vector, vector)), SMALLEST_NORM);
    for (int k = 0; k < d; k++)
        vector[k] /= norm;
    return norm;
}

double unit_vector(int d, const float *vector, double *unit) {
    for (int k = 0; k < d; k++)
        unit[k] = vector[k];
    return normalise(d, unit);
}

void ranking_insert(int *ranking, int n, const float *reward) {
    int place = n;
    for (; place > 0 && reward[ranking[place - 1]] < reward[n]; place--)
        ranking[place] = ranking[place - 1];
    ranking[place] = n;
}

double plackett_luce_loss(int n, const double *score, const int *ranking, double *slope) {
    double weight[n], tail[n]; /* exp(score) and its sum over this and all worse responses, by place in the ranking */
    LogProduct normalisers = {.product = 1};
    double chosen = 0, sum = 0;
    for (int k = n - 1; k >= 0; k--) {
        weight[k] = exp(score[ranking[k]]);
        tail[k] = sum += weight[k];
        chosen += score[ranking[k]];
        log_product_multiply(&normalisers, sum);
    }
    if (slope != NULL) {
        double inverse_tails = 0; /* sum over this and all better places of 1 / tail */
        for (int k = 0; k < n; k++) {
            inverse_tails += 1 / tail[k];
            slope[ranking[k]] = weight[k] * inverse_tails - 1;
        }
    }
    return log_product_value(&normalisers) - chosen;
}

/* Mean over pairs with different rewards; softplus(-(s_b - s_w)) = log(exp s_b + exp s_w) - s_b. */
static double bradley_terry_loss(int n, const double *score, const int *ranking, const float *reward, double *slope) {
    double weight[n];
    for (int j = 0; j < n; j++) {
        weight[j] = exp(score[j]);
        slope[j] = 0;
    }
    LogProduct normalisers = {.product = 1};
    double better_sum = 0;
    int pairs = 0;
    for (int k = 0; k < n; k++) {
        int better = ranking[k];
        for (int l = k + 1; l < n; l++) {
            int worse = ranking[l];
            if (reward[better] == reward[worse]) continue;
            double both = weight[better] + weight[worse], wrong = weight[worse] / both;
            log_product_multiply(&normalisers, both);
            better_sum += score[better];
            slope[better] -= wrong;
            slope[worse] += wrong;
            pairs++;
        }
    }
    if (pairs == 0) return 0;
    for (int j = 0; j < n; j++)
        slope[j] /= pairs;
    return (log_product_value(&normalisers) - better_sum) / pairs;
}

void cosine_derivative(int d, int n, const double *unit, double norm, const double *targets, const double *score,
                       const double *slope, double *derivative) {
    double along = 0; /* the part that only lengthens the vector, which a cosine ignores */
    memset(derivative, 0, (size_t)d * sizeof *derivative);
    for (int j = 0; j < n; j++) {
        along += slope[j] * score[j];
        for (int k = 0; k < d; k++)
            derivative[k] += slope[j] * targets[(size_t)j * d + k];
    }
    if (norm <= SMALLEST_NORM) along = 0; /* clamped: the score is linear in the vector */
    for (int k = 0; k < d; k++)
        derivative[k] = (derivative[k] - along * unit[k]) / norm;
}

static double square_loss(int d, const float *pred, const float *y_star, double scale, float *dpred) {
    double sum = 0;
    for (int k = 0; k < d; k++) {
        double difference = (double)pred[k] - y_star[k];
        sum += difference * difference;
        if (dpred != NULL) dpred[k] = (float)(scale * 2 * difference / d);
    }
    return sum / d;
}

/* Loss of the prediction made from the first i responses (unit vectors responses, rewards seen), and its derivative. */
static double cosine_loss(Objective objective, int d, int i, const float *pred, const double *responses,
                          const float *seen, const int *ranking, const float *y_star, double scale, float *dpred) {
    double unit[d], aligned[d], score[i], slope[i];
    double norm = unit_vector(d, pred, unit);
    const double *targets = responses;
    int n = i;
    if (objective == OBJECTIVE_COSINE) {
        unit_vector(d, y_star, aligned);
        targets = aligned;
        n = 1;
    }
    for (int j = 0; j < n; j++)
        score[j] = dot_product(d, unit, targets + (size_t)j * d);

    double loss;
    if (objective == OBJECTIVE_PLACKETT_LUCE) {
        loss = plackett_luce_loss(n, score, ranking, slope);
    } else if (objective == OBJECTIVE_BRADLEY_TERRY) {
        loss = bradley_terry_loss(n, score, ranking, seen, slope);
    } else {
        loss = 1 - score[0];
        slope[0] = -1;
    }
    if (dpred != NULL) {
        double derivative[d];
        cosine_derivative(d, n, unit, norm, targets, score, slope, derivative);
        for (int k = 0; k < d; k++)
            dpred[k] = (float)(scale * derivative[k]);
    }
    return loss;
}

double objective_loss(Objective objective, const Prompts *prompts, const float *pred, double scale, float *dpred) {
    int N = prompts->N, d = prompts->d;
    assert(N >= 3);
    double row_scale = scale / (N - 2), total = 0;
    for (int p = 0; p < prompts->n; p++) {
        size_t first = (size_t)p * N; /* row of response 0 */
        const float *seen = prompts->seen + first;
        double responses[(size_t)N * d];
        int ranking[N];
        double sum = 0;
        for (int i = 0; i < N; i++) {
            size_t at = (first + i) * d;
            float *row = dpred != NULL ? dpred + at : NULL;
            if (i < 2) {
                if (row != NULL) memset(row, 0, (size_t)d * sizeof *row);
            } else if (objective == OBJECTIVE_MSE) {
                sum += square_loss(d, pred + at, prompts->y_star + at, row_scale, row);
            } else {
                sum += cosine_loss(objective, d, i, pred + at, responses, seen, ranking, prompts->y_star + at,
                                   row_scale, row);
            }
            unit_vector(d, prompts->ys + at, responses + (size_t)i * d);
            ranking_insert(ranking, i, seen);
        }
        total += sum / (N - 2);
    }
    return total;
}
