/* What every C test file needs: cmocka, comparisons that NaN fails, and a main that runs all tests or the one named.
 *
 * A test is a function whose name is a sentence, listed in main with cmocka_unit_test(..); CMake finds the names there
 * and registers each as a test of its own. */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Fails unless |actual - expected| <= tolerance; NaN fails. */
#define assert_near(actual, expected, tolerance) check_near((actual), (expected), (tolerance), __FILE__, __LINE__)

static inline void check_near(double actual, double expected, double tolerance, const char *file, int line) {
    double difference = actual > expected ? actual - expected : expected - actual;
    if (!(difference <= tolerance)) {
        print_error("%.9g is not within %.3g of %.9g\n", actual, tolerance, expected);
        _fail(file, line);
    }
}

/* Runs all tests, or the one that argv names; a name that is not there is a failure, not an empty success. */
#undef run_tests /* cmocka has an old macro of that name */
#define run_tests(tests, argc, argv) run_selected((tests), sizeof(tests) / sizeof(tests)[0], argc, argv)

static inline int run_selected(const struct CMUnitTest *tests, size_t count, int argc, char **argv) {
    if (argc < 2) return _cmocka_run_group_tests("all", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        if (strcmp(tests[i].name, argv[1]) == 0) return _cmocka_run_group_tests(argv[1], &tests[i], 1, NULL, NULL);
    fprintf(stderr, "no test is named %s\n", argv[1]);
    return 2;
}

#endif
