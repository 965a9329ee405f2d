/* What users read while a run goes on. */
#include "coordinator/dispatch/progress.h"

#include "tests/harness.h"

#include <math.h>

static RunView half_way(void) {
    return (RunView){.trainings = 24,
                     .trainings_done = 7,
                     .flops_total = 100e9,
                     .flops_done = 50e9,
                     .elapsed_s = 125,
                     .flops_per_s = 61.2e9,
                     .eta_s = 200,
                     .eta_lower_s = 180,
                     .eta_upper_s = 240,
                     .deadline_s = INFINITY,
                     .running = 2,
                     .n_shown = 2,
                     .loss = {15.207, 14.884},
                     .first_error = "",
                     .stop_reason = ""};
}

static void a_live_line_has_bar_count_losses_rate_and_eta(void **state) {
    char text[256];
    RunView view = half_way();
    progress_live(&view, 0, text, sizeof text);
    assert_string_equal(
        text, "[##########..........] 7/24 trainings  2 running (loss 15.21 14.88)  61.2 GFLOP/s  ETA 3 m 20 s");
    progress_live(&view, 30, text, sizeof text);
    assert_int_equal(strlen(text), 30);
}

static void a_plain_line_says_the_same_in_words(void **state) {
    char text[256];
    RunView view = half_way();
    view.work_failed = 1;
    progress_plain(&view, text, sizeof text);
    assert_string_equal(text,
                        "7/24 trainings (50 % of the work), 1 failed, 2 running (loss 15.21 14.88), 61.2 GFLOP/s, "
                        "2 m 5 s so far, ETA 3 m 20 s (3 m 0 s to 4 m 0 s)");
}

static void a_time_limit_is_shown_when_it_may_come_first(void **state) {
    char text[256];
    RunView view = half_way();
    view.deadline_s = 220;
    progress_plain(&view, text, sizeof text);
    assert_non_null(strstr(text, "ETA 3 m 20 s (3 m 0 s to 4 m 0 s), time limit in 3 m 40 s"));
    view.deadline_s = 241;
    progress_plain(&view, text, sizeof text);
    assert_null(strstr(text, "time limit"));
    view.deadline_s = 10;
    view.draining = true;
    progress_live(&view, 0, text, sizeof text);
    assert_non_null(strstr(text, "2 saving (loss 15.21 14.88)"));
}

static void what_is_not_known_yet_is_said_so(void **state) {
    char text[256];
    RunView view = half_way();
    view.flops_per_s = 0;
    view.eta_s = view.eta_lower_s = view.eta_upper_s = NAN;
    view.loss[0] = view.loss[1] = NAN;
    progress_live(&view, 0, text, sizeof text);
    assert_string_equal(text, "[##########..........] 7/24 trainings  2 running  starting  ETA unknown");
}

static void plain_lines_come_every_30_seconds_or_5_percent(void **state) {
    ProgressPace pace = {0};
    RunView view = half_way();
    assert_true(progress_due(&pace, &view, 0));
    assert_false(progress_due(&pace, &view, 29));
    assert_true(progress_due(&pace, &view, 30));
    view.flops_done += 4.9e9;
    assert_false(progress_due(&pace, &view, 31));
    view.flops_done += 0.2e9;
    assert_true(progress_due(&pace, &view, 31));
}

static void durations_read_well(void **state) {
    char text[DURATION_BYTES];
    assert_string_equal(progress_duration(0.4, text, sizeof text), "0 s");
    assert_string_equal(progress_duration(59.7, text, sizeof text), "1 m 0 s");
    assert_string_equal(progress_duration(7500, text, sizeof text), "2 h 5 m");
    assert_string_equal(progress_duration(356400, text, sizeof text), "4 d 3 h");
    assert_string_equal(progress_duration(NAN, text, sizeof text), "unknown");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_live_line_has_bar_count_losses_rate_and_eta),
        cmocka_unit_test(a_plain_line_says_the_same_in_words),
        cmocka_unit_test(a_time_limit_is_shown_when_it_may_come_first),
        cmocka_unit_test(what_is_not_known_yet_is_said_so),
        cmocka_unit_test(plain_lines_come_every_30_seconds_or_5_percent),
        cmocka_unit_test(durations_read_well),
    };
    return run_tests(tests, argc, argv);
}
