/* What is begun before a time limit, and when the draining begins. */
#include "coordinator/forecast/deadline.h"

#include "tests/harness.h"

#include <math.h>

static void the_slack_is_a_twentieth_of_the_limit_and_at_most_a_minute(void **state) {
    Deadline quarter = deadline_after(100, 900), day = deadline_after(100, 86400);
    assert_near(quarter.end_s, 1000, 0);
    assert_near(deadline_drain_at(&quarter, 10), 1000 - 45 - 10, 1e-9);
    assert_near(deadline_drain_at(&day, 10), 86500 - 60 - 10, 1e-9);
    Deadline none = deadline_after(100, INFINITY), over = deadline_after(100, -5);
    assert_true(isinf(deadline_drain_at(&none, 10)));
    assert_true(deadline_drain_at(&over, 0) < 100);
}

static void saving_takes_the_step_under_way_and_the_bytes_and_no_less_than_it_took_before(void **state) {
    assert_near(deadline_save_s(3, 0, 0), 6, 1e-12);
    assert_near(deadline_save_s(NAN, 500e6, 0), 10, 1e-9);
    assert_near(deadline_save_s(3, 500e6, 0), 16, 1e-9);
    assert_near(deadline_save_s(3, 500e6, 40), 40, 1e-12);
    assert_near(deadline_save_s(0, 0, NAN), 0, 1e-12);
}

static void work_fits_by_its_upper_quantile_and_what_is_not_known_may_be_tried(void **state) {
    Forecast forecast = {.expected_s = 80, .lower_s = 60, .upper_s = 110}, unknown = {NAN, NAN, NAN};
    assert_true(deadline_fits(&forecast, 110));
    assert_false(deadline_fits(&forecast, 100));
    assert_true(deadline_fits(&forecast, INFINITY));
    assert_true(deadline_fits(&unknown, 1));
}

static void a_training_is_worth_beginning_when_it_gets_some_steps_further(void **state) {
    assert_true(deadline_worth_beginning(1, 10));
    assert_false(deadline_worth_beginning(10, 10));
    assert_true(deadline_worth_beginning(NAN, 1));
    assert_false(deadline_worth_beginning(NAN, 0.1));
    assert_false(deadline_worth_beginning(0.001, -1));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slack_is_a_twentieth_of_the_limit_and_at_most_a_minute),
        cmocka_unit_test(saving_takes_the_step_under_way_and_the_bytes_and_no_less_than_it_took_before),
        cmocka_unit_test(work_fits_by_its_upper_quantile_and_what_is_not_known_may_be_tried),
        cmocka_unit_test(a_training_is_worth_beginning_when_it_gets_some_steps_further),
    };
    return run_tests(tests, argc, argv);
}
