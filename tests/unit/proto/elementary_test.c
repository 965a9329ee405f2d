/* Elementary functions are as exact as they say, and numbers made of them do not depend on the instruction set. */
#include "tests/harness.h"

#include "proto/base/elementary.h"
#include "proto/base/rng.h"

#include <math.h>

enum { MANY = 200000 };
static const RngStream STREAM = {.purpose = 2, .seed = 9, .step = 1};

/* Fails unless value is within so many units in the last place of expected. */
static void assert_ulps(double value, long double expected, double ulps) {
    assert_near((double)(value - expected), 0, ulps * 0x1p-53 * (double)fabsl(expected));
}

static void the_logarithm_is_exact_to_4_units_in_the_last_place(void **state) {
    (void)state;
    assert_true(elementary_log(1) == 0);
    for (uint32_t e = 0; e < MANY; e++) {
        double u = (rng_bits(STREAM, e) + 0.5) * 0x1p-32;
        assert_ulps(elementary_log(u), logl(u), 4);
        assert_ulps(elementary_log(1 / u), logl(1 / u), 4);
    }
    for (int exponent = -1000; exponent <= 1000; exponent++)
        for (double u = 0.70; u < 0.72; u += 0.0001)
            assert_ulps(elementary_log(ldexp(u, exponent)), logl(ldexp(u, exponent)), 4);
}

static void the_exponential_is_exact_to_16_units_in_the_last_place(void **state) {
    (void)state;
    assert_true(elementary_exp(0) == 1);
    for (uint32_t e = 0; e <= MANY; e++) {
        double x = e * (2.0 / MANY) - 1;
        assert_ulps(elementary_exp(x), expl(x), 16);
    }
}

static void cosine_and_sine_are_exact_to_1e_15(void **state) {
    (void)state;
    for (uint32_t e = 0; e < MANY; e++) {
        uint32_t turn = e < 9 ? (e << 29) - (e & 1) : rng_bits(STREAM, e); /* eighths of a turn, then anything */
        long double angle = (turn + 0.5L) * 0x1p-31L * 3.14159265358979323846264338327950288L;
        double cosine, sine;
        elementary_cosine_sine(turn, &cosine, &sine);
        assert_near((double)(cosine - cosl(angle)), 0, 1e-15);
        assert_near((double)(sine - sinl(angle)), 0, 1e-15);
    }
}

static void what_is_no_number_stays_none(void **state) {
    (void)state;
    assert_true(isnan(elementary_log(NAN)));
    assert_false(isfinite(elementary_log(INFINITY)));
    assert_true(isnan(elementary_exp(NAN)));
}

/* This file is compiled for the plainest CPU, rng.c for all of them. */
static void normals_are_the_same_on_every_cpu(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    static float z[COUNT];
    rng_normal(STREAM, 0, COUNT, z);
    for (uint32_t e = 0; e < COUNT; e += 2) {
        double u = (rng_bits(STREAM, e) + 0.5) * 0x1p-32, radius = sqrt(-2.0 * elementary_log(u)), cosine, sine;
        elementary_cosine_sine(rng_bits(STREAM, e + 1), &cosine, &sine);
        assert_true(z[e] == (float)(radius * cosine));
        assert_true(z[e + 1] == (float)(radius * sine));
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_logarithm_is_exact_to_4_units_in_the_last_place),
        cmocka_unit_test(the_exponential_is_exact_to_16_units_in_the_last_place),
        cmocka_unit_test(cosine_and_sine_are_exact_to_1e_15),
        cmocka_unit_test(what_is_no_number_stays_none),
        cmocka_unit_test(normals_are_the_same_on_every_cpu),
    };
    return run_tests(tests, argc, argv);
}
