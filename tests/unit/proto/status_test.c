/* Errors as callers see them. */
#include "tests/harness.h"

#include "proto/base/status.h"

static void an_error_says_what_was_formatted_and_returns_its_status(void **state) {
    (void)state;
    Error err;
    assert_int_equal(error_set(&err, STATUS_DATA, "%s:%d: expected a number", "a.yaml", 7), STATUS_DATA);
    assert_string_equal(err.text, "a.yaml:7: expected a number");
}

static void a_prefix_goes_in_front_with_a_colon(void **state) {
    (void)state;
    Error err;
    error_set(&err, STATUS_IO, "no such file");
    assert_int_equal(error_prefix(&err, STATUS_IO, "job %d", 3), STATUS_IO);
    assert_string_equal(err.text, "job 3: no such file");
}

static void a_long_error_is_cut_and_stays_a_string(void **state) {
    (void)state;
    Error err;
    char long_text[3 * ERROR_TEXT_BYTES];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    error_set(&err, STATUS_IO, "%s", long_text);
    assert_int_equal(strnlen(err.text, sizeof err.text), ERROR_TEXT_BYTES - 1);
    error_prefix(&err, STATUS_IO, "%s", long_text);
    assert_int_equal(strnlen(err.text, sizeof err.text), ERROR_TEXT_BYTES - 1);
    error_set(&err, STATUS_IO, "end");
    error_prefix(&err, STATUS_IO, "%.*s", ERROR_TEXT_BYTES - 3, long_text);
    assert_int_equal(strnlen(err.text, sizeof err.text), ERROR_TEXT_BYTES - 1);
}

static void nobody_has_to_want_the_message(void **state) {
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_USAGE, "unheard"), STATUS_USAGE);
    assert_int_equal(error_prefix(NULL, STATUS_FAILED, "unheard"), STATUS_FAILED);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_what_was_formatted_and_returns_its_status),
        cmocka_unit_test(a_prefix_goes_in_front_with_a_colon),
        cmocka_unit_test(a_long_error_is_cut_and_stays_a_string),
        cmocka_unit_test(nobody_has_to_want_the_message),
    };
    return run_tests(tests, argc, argv);
}
