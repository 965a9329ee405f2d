/* The bootstrap over seeds: samples drawn from a sample.
 *
 * Which seeds each resample holds is drawn once for a number of seeds and serves every configuration and every
 * difference between two, so that what is compared has been resampled alike. The draws are a function of the number of
 * seeds alone (stream RNG_BOOTSTRAP of proto/base/rng.h), so equal results give equal intervals. */
#ifndef ANALYSIS_STATISTICS_BOOTSTRAP_H
#define ANALYSIS_STATISTICS_BOOTSTRAP_H

#include "proto/base/status.h"

#include <stdint.h>

enum {
    BOOTSTRAP_RESAMPLES = 1999, /* B: (B + 1) 0.025 and (B + 1) 0.975 are whole numbers */
    BOOTSTRAP_SEEDS_MIN = 5,    /* with fewer, resamples of one seed only reach into the interval's tails */
    BOOTSTRAP_SEEDS_MAX = 10000 /* with more, the mean is normal enough for t */
};

typedef struct Resamples {
    int n, count;      /* seeds; resamples */
    uint32_t *index;   /* (count, n) below n */
    double *work;      /* (count) what a statistic comes to in each */
    double *seed_work; /* (n) */
} Resamples;

/* index b n + i is floor(n bits / 2^32) of 32 random bits: seed STREAM_RESAMPLES, step n, unit b, element i. n from 1
 * to BOOTSTRAP_SEEDS_MAX. */
Status resamples_create(int n, int count, Resamples **out, Error *err);
void resamples_free(Resamples *resamples);

typedef struct Interval {
    double low, high; /* NaN: there is none */
} Interval;

/* The bootstrap-t interval of the mean of values (resamples->n, all defined): with s the standard deviation and
 * t*(b) = (m*(b) - m) / (s*(b) / sqrt(n)) of each resample, [m - t*[1 - a] s / sqrt(n), m - t*[a] s / sqrt(n)],
 * a = (1 - confidence) / 2 and t*[a] the (B + 1) a-th smallest. A resample of one value over and over has t* infinite.
 * NaN for fewer than BOOTSTRAP_SEEDS_MIN values. Second-order accurate, so better than t under skew (Efron and
 * Tibshirani, "An introduction to the bootstrap", 1993, 12.5; Davison and Hinkley, "Bootstrap methods and their
 * application", 1997, 5.2). Of paired differences it is the paired bootstrap-t interval. */
Interval bootstrap_t(const double *values, const Resamples *resamples, double confidence);

/* The interval [m - t*[1 - a] error, m - t*[a] error] of studentised values in resamples->work (reordered). */
Interval bootstrap_interval(double mean, double error, const Resamples *resamples, double confidence);

/* The k-th smallest (from 0) of values (count), which are reordered. */
double select_smallest(double *values, int count, int k);

#endif
