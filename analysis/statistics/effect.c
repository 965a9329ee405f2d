/* See effect.h. */
#include "analysis/statistics/effect.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>

/* For t >= 0: P = Phi(-delta) + 1/2 sum over j of p(j) I(x; j + 1/2, f/2) + q(j) I(x; j + 1, f/2), x = t^2 / (t^2 + f),
 * p(j) = e^-l l^j / j!, q(j) = delta / sqrt 2 e^-l l^j / Gamma(j + 3/2), l = delta^2 / 2, f the degrees. The incomplete
 * betas I fall with j, each by a term that follows from the one before. */
static double upper_series(double t, double degrees, double delta) {
    enum { TERMS_MAX = 10000 };
    if (t == 0) return gsl_cdf_ugaussian_P(-delta);
    const double half = degrees / 2, lambda = delta * delta / 2, x = t * t / (t * t + degrees);
    const double rest = degrees / (t * t + degrees); /* 1 - x */
    double p = exp(-lambda), q = delta / sqrt(2) * exp(-lambda) / gsl_sf_gamma(1.5);
    double odd = gsl_cdf_beta_P(x, 0.5, half), even = gsl_cdf_beta_P(x, 1, half);
    double odd_step = 2 * exp(half * log(rest) + 0.5 * log(x) - gsl_sf_lnbeta(0.5, half));
    double even_step = half * x * pow(rest, half);
    double sum = 0, left = 1; /* left: the Poisson weights p not summed yet */
    for (int j = 0; j < TERMS_MAX; j++) {
        sum += p * odd + q * even;
        left -= p;
        if (j > lambda && !(fabs(left * odd) > 1e-14)) break;
        odd -= odd_step;
        even -= even_step;
        odd_step *= x * (half + j + 0.5) / (j + 1.5);
        even_step *= x * (half + j + 1) / (j + 2);
        p *= lambda / (j + 1);
        q *= lambda / (j + 1.5);
    }
    return gsl_cdf_ugaussian_P(-delta) + sum / 2;
}

double noncentral_t_cdf(double t, double degrees, double delta) {
    if (fabs(delta) > 37)
        return gsl_cdf_ugaussian_P((t * (1 - 1 / (4 * degrees)) - delta) / sqrt(1 + t * t / (2 * degrees)));
    double p = t >= 0 ? upper_series(t, degrees, delta) : 1 - upper_series(-t, degrees, -delta);
    return fmin(1, fmax(0, p));
}

/* The noncentrality at which P(T <= t) is p: P falls as it grows. */
static double noncentrality_at(double t, double degrees, double p) {
    double low = t - 10 - fabs(t), high = t + 10 + fabs(t);
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (noncentral_t_cdf(t, degrees, middle) > p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

EffectSize effect_size(double mean, double standard_deviation, int n, double confidence) {
    EffectSize result = {NAN, {NAN, NAN}};
    if (n < 2 || !(standard_deviation > 0)) return result;
    double root = sqrt(n);
    result.d_z = mean / standard_deviation;
    result.interval.low = noncentrality_at(result.d_z * root, n - 1, (1 + confidence) / 2) / root;
    result.interval.high = noncentrality_at(result.d_z * root, n - 1, (1 - confidence) / 2) / root;
    return result;
}

Improvement improvement(const double *differences, int n, double confidence) {
    if (n == 0) return (Improvement){NAN, {NAN, NAN}};
    double positive = 0, tail = (1 - confidence) / 2;
    for (int i = 0; i < n; i++)
        positive += differences[i] > 0 ? 1 : differences[i] == 0 ? 0.5 : 0;
    double low = positive > 0 ? gsl_cdf_beta_Pinv(tail, positive, n - positive + 1) : 0;
    double high = positive < n ? gsl_cdf_beta_Pinv(1 - tail, positive + 1, n - positive) : 1;
    return (Improvement){positive / n, {low, high}};
}

double paired_power(double d_z, int n, double alpha, bool two_sided) {
    double degrees = n - 1, delta = d_z * sqrt(n);
    double bound = gsl_cdf_tdist_Qinv(two_sided ? alpha / 2 : alpha, degrees);
    double power = 1 - noncentral_t_cdf(bound, degrees, delta);
    return two_sided ? power + noncentral_t_cdf(-bound, degrees, delta) : power;
}

int seeds_needed(double d_z, double power, double alpha, bool two_sided) {
    double effect = fabs(d_z);
    if (!(effect > 0) || !(paired_power(effect, SEEDS_NEEDED_MAX, alpha, two_sided) >= power)) return 0;
    int few = 1, enough = SEEDS_NEEDED_MAX; /* power grows with n */
    while (enough - few > 1) {
        int middle = few + (enough - few) / 2;
        if (paired_power(effect, middle, alpha, two_sided) >= power)
            enough = middle;
        else
            few = middle;
    }
    return enough;
}
