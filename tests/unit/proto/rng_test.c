/* Random numbers: the generator is Philox4x32-10, elements do not depend on how they are asked for, moments are right.
 */
#include "tests/harness.h"

#include "proto/base/rng.h"

#include <math.h>
#include <stdbool.h>

static const RngStream STREAM = {.purpose = 2, .seed = 0x01234567, .step = 7, .unit = 5};

static void bits_are_those_of_philox(void **state) {
    (void)state;
    const RngStream zeros = {0}; /* the published known answer for counter 0 and key 0 */
    const uint32_t published[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    /* From a second implementation, in Python. */
    const uint32_t expected[8] = {0xfdddf023, 0xe334f77f, 0x634b5cf4, 0xa3322006,
                                  0x2e425be1, 0x7371cb7a, 0x36c25946, 0x5e02e0f2};
    for (uint32_t e = 0; e < 4; e++)
        assert_int_equal(rng_bits(zeros, e), published[e]);
    for (uint32_t e = 0; e < 8; e++)
        assert_int_equal(rng_bits(STREAM, e), expected[e]);
}

static void a_uniform_is_the_upper_24_bits(void **state) {
    (void)state;
    float u[8];
    rng_uniform(STREAM, 0, 8, u);
    for (uint32_t e = 0; e < 8; e++)
        assert_true(u[e] == (float)(rng_bits(STREAM, e) >> 8) / 16777216.0F);
}

static void normals_are_box_muller_pairs(void **state) {
    (void)state;
    const double expected[8] = {0.09838120709252715, -0.08399667217429664, -0.8939373222958146, -1.0464477352266148,
                                -1.7626819805381686, 0.5610577258677358,   -1.1797942639320262, 1.3009806010559368};
    float z[8];
    rng_normal(STREAM, 0, 8, z);
    for (int e = 0; e < 8; e++)
        assert_near(z[e], expected[e], 1e-7);
}

static void an_element_is_the_same_wherever_a_range_begins(void **state) {
    (void)state;
    enum { COUNT = 40 };
    float whole[COUNT], part[COUNT];
    for (int normal = 0; normal < 2; normal++) {
        void (*fill)(RngStream, uint32_t, uint32_t, float *) = normal ? rng_normal : rng_uniform;
        fill(STREAM, 0, COUNT, whole);
        for (uint32_t first = 0; first < 9; first++)
            for (uint32_t n = 0; n <= 9; n++) {
                fill(STREAM, first, n, part);
                assert_memory_equal(part, whole + first, n * sizeof *part);
            }
    }
}

static void rows_of_many_units_are_those_of_each(void **state) {
    (void)state;
    enum { UNITS = 23, MOST = 13 };
    float rows[UNITS * MOST], row[MOST];
    for (int normal = 0; normal < 2; normal++)
        for (uint32_t first = 0; first < 6; first++)
            for (uint32_t n = 0; n <= MOST; n++)
                for (uint32_t units = 0; units <= UNITS; units += 1 + units / 2) {
                    (normal ? rng_normal_units : rng_uniform_units)(STREAM, units, first, n, rows);
                    for (uint32_t u = 0; u < units; u++) {
                        RngStream stream = STREAM;
                        stream.unit += u;
                        (normal ? rng_normal : rng_uniform)(stream, first, n, row);
                        assert_memory_equal(rows + u * n, row, n * sizeof *row);
                    }
                }
}

static void streams_differ_in_every_coordinate(void **state) {
    (void)state;
    RngStream others[4] = {STREAM, STREAM, STREAM, STREAM};
    others[0].purpose++;
    others[1].seed++;
    others[2].step++;
    others[3].unit++;
    for (int k = 0; k < 4; k++)
        for (uint32_t e = 0; e < 8; e++)
            assert_int_not_equal(rng_bits(others[k], e), rng_bits(STREAM, e));
}

/* Mean of the power-th powers of n values. */
static double moment(const float *values, int n, int power) {
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += pow(values[k], power);
    return sum / n;
}

enum { MANY = 1 << 18 };

static void uniforms_have_the_moments_of_a_uniform(void **state) {
    (void)state;
    static float u[MANY];
    rng_uniform(STREAM, 0, MANY, u);
    bool inside = true;
    for (int k = 0; k < MANY; k++)
        inside &= u[k] >= 0 && u[k] < 1;
    assert_true(inside);
    for (int power = 1; power <= 4; power++) {
        double expected = 1.0 / (power + 1), variance = 1.0 / (2 * power + 1) - expected * expected;
        assert_near(moment(u, MANY, power), expected, 5 * sqrt(variance / MANY));
    }
}

static void normals_have_the_moments_of_a_normal(void **state) {
    (void)state;
    static float z[MANY];
    const double moments[9] = {1, 0, 1, 0, 3, 0, 15, 0, 105};
    rng_normal(STREAM, 0, MANY, z);
    for (int power = 1; power <= 4; power++) {
        double variance = moments[2 * power] - moments[power] * moments[power];
        assert_near(moment(z, MANY, power), moments[power], 5 * sqrt(variance / MANY));
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_those_of_philox),
        cmocka_unit_test(a_uniform_is_the_upper_24_bits),
        cmocka_unit_test(normals_are_box_muller_pairs),
        cmocka_unit_test(an_element_is_the_same_wherever_a_range_begins),
        cmocka_unit_test(rows_of_many_units_are_those_of_each),
        cmocka_unit_test(streams_differ_in_every_coordinate),
        cmocka_unit_test(uniforms_have_the_moments_of_a_uniform),
        cmocka_unit_test(normals_have_the_moments_of_a_normal),
    };
    return run_tests(tests, argc, argv);
}
