/* The coordinator's loop with an agent that the test plays: draining, pauses, failures, and what is counted. */
#include "coordinator/dispatch/dispatch.h"

#include "tests/harness.h"
#include "tests/mpi_leaks.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const char job_text_3[] = "model: {n_layer: 1, n_head: 1, n_embd: 4}\n"
                                 "train: {steps: 100, batch_size: 8}\n"
                                 "evaluate: {prompts: 4, baselines: []}\n"
                                 "seeds: {first: 0, count: 3}\n";

static Channel *channel; /* MPI starts once a process */

typedef struct Bench {
    char dir[40];
    Job *job;
    Journal *journal;
    CostModel *costs;
    Schedule *schedule;
    Unfinished *unfinished;
    Roster roster;
    Hello here;
    Dispatch *dispatch;
    double now_s;
    int said;        /* notices */
    char words[512]; /* the last of them */
} Bench;

static void note(void *context, const char *text) {
    Bench *bench = context;
    bench->said++;
    snprintf(bench->words, sizeof bench->words, "%s", text);
}

static Message order(void);

static void open_limited_bench(Bench *bench, const char *text, int workers, double limit_s) {
    Error err = {{0}};
    char warning[256];
    Record header = {.kind = RECORD_HEADER, .of.header = {.schema = SCHEMA_VERSION, .content = "records"}};
    *bench = (Bench){.dir = "/tmp/palinode-dispatch-XXXXXX", .now_s = 100};
    assert_non_null(mkdtemp(bench->dir));
    for (Message rest = order(); rest.kind != 0; rest = order()) /* of the test before */
        message_free(&rest);
    bench->here = (Hello){.workers = workers, .host = "here", .cpu = "", .fingerprint = "numerics"};
    bench->roster = (Roster){.n_ranks = 1, .n_workers = workers, .ranks = &bench->here};
    if (job_parse("test.yaml", text, NULL, 0, &bench->job, &err) != STATUS_OK ||
        journal_open(bench->dir, &header, 0, &bench->journal, warning, sizeof warning, &err) != STATUS_OK ||
        unfinished_open(bench->dir, &bench->unfinished, &err) != STATUS_OK ||
        cost_model_create(&bench->costs, &err) != STATUS_OK ||
        schedule_create(bench->job, bench->journal, bench->costs, &(ScheduleOptions){.retries = 1, .kernels = ""},
                        &bench->schedule, &err) != STATUS_OK ||
        dispatch_create(channel, &bench->roster, bench->schedule, bench->journal, bench->costs, bench->unfinished,
                        &(DispatchOptions){.max_failures = -1,
                                           .checkpoint_every_s = 7,
                                           .deadline = deadline_after(bench->now_s, limit_s)},
                        note, bench, &bench->dispatch, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void open_bench(Bench *bench, const char *text, int workers) {
    open_limited_bench(bench, text, workers, INFINITY);
}

static void close_bench(Bench *bench) {
    char command[64];
    dispatch_free(bench->dispatch);
    schedule_free(bench->schedule);
    cost_model_free(bench->costs);
    unfinished_close(bench->unfinished);
    assert_int_equal(journal_close(bench->journal, NULL, NULL), STATUS_OK);
    job_free(bench->job);
    snprintf(command, sizeof command, "rm -r %s", bench->dir);
    assert_int_equal(system(command), 0);
}

static void step(Bench *bench, double seconds) {
    Error err = {{0}};
    bool moved;
    bench->now_s += seconds;
    if (dispatch_step(bench->dispatch, bench->now_s, &moved, &err) != STATUS_OK) fail_msg("%s", err.text);
}

/* The next order to the agent; kind 0: there is none. To be freed by message_free. */
static Message order(void) {
    bool received;
    int from;
    Bytes bytes;
    Message message = {0};
    Error err = {{0}};
    if (channel_receive(channel, INBOX_AGENT, &received, &from, &bytes, &err) != STATUS_OK) fail_msg("%s", err.text);
    if (!received) return message;
    if (message_decode(bytes.data, bytes.size, &message, &err) != STATUS_OK) fail_msg("%s", err.text);
    bytes_free(&bytes);
    return message;
}

static void expect_order(MessageKind kind) {
    Message message = order();
    assert_int_equal(message.kind, kind);
    message_free(&message);
}

static void answer(const Message *message) {
    Error err = {{0}};
    if (channel_send_message(channel, 0, INBOX_COORDINATOR, message, &err) != STATUS_OK) fail_msg("%s", err.text);
}

static void answer_done(const WorkItem *item, int64_t steps) {
    Record record = {.kind = RECORD_TRAINING,
                     .of.training = {.training_id = item->training_id, .spec = item->spec, .steps_done = steps}};
    answer(&(Message){.kind = MESSAGE_DONE, .of.done = {.work = item->work, .n_records = 1, .records = &record}});
}

static void answer_progress(const WorkItem *item, int64_t first_step, int64_t saved_step) {
    answer(&(Message){
        .kind = MESSAGE_PROGRESS,
        .of.progress = {
            .work = item->work, .step = saved_step, .loss = NAN, .first_step = first_step, .saved_step = saved_step}});
}

static EndRecord end_of(const Bench *bench) {
    EndRecord end;
    dispatch_end_record(bench->dispatch, &end);
    return end;
}

static void a_drained_run_stops_when_all_have_saved_and_counts_their_steps(void **state) {
    Bench bench;
    Error err;
    open_bench(&bench, job_text_3, 2);
    step(&bench, 0);
    Message a = order(), b = order();
    assert_int_equal(a.kind, MESSAGE_WORK);
    assert_int_equal(b.kind, MESSAGE_WORK);
    assert_non_null(strstr(a.of.work.checkpoint, "/checkpoints/"));
    assert_near(a.of.work.checkpoint_every_s, 7, 0);
    answer_progress(&a.of.work, 20, 30); /* it went on from step 20 */
    step(&bench, 1);
    assert_int_equal(dispatch_drain(bench.dispatch, "interrupted", bench.now_s + 10, &err), STATUS_OK);
    expect_order(MESSAGE_DRAIN);
    answer(&(Message){.kind = MESSAGE_PAUSED, .of.paused = {.work = a.of.work.work, .step = 50}});
    step(&bench, 1);
    expect_order(0); /* b is not back, and nothing new is given out */
    answer_done(&b.of.work, 100);
    step(&bench, 1);
    expect_order(MESSAGE_STOP);
    assert_int_equal(dispatch_result(bench.dispatch), STATUS_INCOMPLETE);
    EndRecord end = end_of(&bench);
    assert_string_equal(end.reason, "interrupted");
    assert_int_equal(end.steps_done, 30 + 100);
    assert_int_equal(unfinished_step(bench.unfinished, a.of.work.training_id), 50);
    message_free(&a);
    message_free(&b);
    close_bench(&bench);
}

static void what_has_not_saved_at_the_end_of_the_grace_period_is_stopped_without(void **state) {
    Bench bench;
    Error err;
    open_bench(&bench, job_text_3, 1);
    step(&bench, 0);
    Message a = order();
    answer_progress(&a.of.work, 0, 40);
    step(&bench, 1);
    assert_int_equal(dispatch_drain(bench.dispatch, "interrupted", bench.now_s + 10, &err), STATUS_OK);
    assert_int_equal(dispatch_drain(bench.dispatch, "deadline", bench.now_s + 5, &err), STATUS_OK); /* sooner */
    expect_order(MESSAGE_DRAIN);
    step(&bench, 4.9);
    expect_order(0);
    step(&bench, 0.2);
    expect_order(MESSAGE_STOP);
    EndRecord end = end_of(&bench);
    assert_string_equal(end.reason, "interrupted");
    assert_int_equal(end.steps_done, 40);
    message_free(&a);
    close_bench(&bench);
}

static void a_drain_in_which_the_last_training_ends_is_done(void **state) {
    Bench bench;
    Error err;
    open_bench(&bench, "seeds: 0\nevaluate: {baselines: []}\n", 1);
    step(&bench, 0);
    Message a = order();
    assert_int_equal(dispatch_drain(bench.dispatch, "interrupted", bench.now_s + 10, &err), STATUS_OK);
    expect_order(MESSAGE_DRAIN);
    answer_done(&a.of.work, 3000);
    step(&bench, 1);
    expect_order(MESSAGE_STOP);
    assert_int_equal(dispatch_result(bench.dispatch), STATUS_OK);
    message_free(&a);
    close_bench(&bench);
}

static void a_checkpoint_goes_when_its_training_is_on_record_and_not_before(void **state) {
    Bench bench;
    open_bench(&bench, job_text_3, 1);
    step(&bench, 0);
    Message a = order();
    FILE *file = fopen(a.of.work.checkpoint, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    answer_progress(&a.of.work, 0, 40);
    answer(&(Message){.kind = MESSAGE_FAILED, .of.failed = {.work = a.of.work.work, .host = "", .reason = "crashed"}});
    step(&bench, 1);
    assert_int_equal(access(a.of.work.checkpoint, F_OK), 0); /* the next attempt goes on from it */
    Message again = order();
    assert_int_equal(again.kind, MESSAGE_WORK);
    assert_true(id_equal(again.of.work.training_id, a.of.work.training_id));
    answer_progress(&again.of.work, 40, 0);
    answer_done(&again.of.work, 100);
    step(&bench, 1);
    assert_int_not_equal(access(a.of.work.checkpoint, F_OK), 0);
    assert_int_equal(end_of(&bench).steps_done, 100);
    message_free(&a);
    message_free(&again);
    Message next = order();
    message_free(&next);
    close_bench(&bench);
}

static void fail_for_the_machine(const WorkItem *item) {
    answer(&(Message){.kind = MESSAGE_FAILED,
                      .of.failed = {.work = item->work,
                                    .host = "here",
                                    .reason = "the process could not be started: no more processes",
                                    .cause = FAILURE_INFRASTRUCTURE}});
}

/* The one rank there is fails to start anything: it is left alone for longer and longer, and then the run ends. */
static void a_machine_that_starts_nothing_burns_no_retry_and_ends_the_run(void **state) {
    Bench bench;
    open_bench(&bench, job_text_3, 1);
    int failures = 0;
    double began_s = bench.now_s;
    for (int i = 0; i < 400 && !dispatch_stopping(bench.dispatch); i++) {
        step(&bench, 0.1);
        Message message = order();
        if (message.kind == MESSAGE_WORK) {
            assert_int_equal(message.of.work.attempt, 1);
            fail_for_the_machine(&message.of.work);
            failures++;
        }
        message_free(&message);
    }
    assert_int_equal(failures, 5);
    assert_true(bench.now_s - began_s > 0.5 + 1 + 2 + 4);
    assert_string_equal(bench.words, "no rank is left that can work: saving and stopping; what failed them is above");
    assert_int_equal(dispatch_result(bench.dispatch), STATUS_IO);
    RunView view;
    dispatch_view(bench.dispatch, bench.now_s, &view);
    assert_int_equal(view.work_failed, 0);
    assert_non_null(strstr(view.first_error, "could not be started: no more processes"));
    assert_string_equal(end_of(&bench).reason, "machine failed");
    close_bench(&bench);
}

/* A rank of many places fills them together: what then fails together is one failure. */
static void failures_of_one_moment_count_once_and_are_said_once(void **state) {
    Bench bench;
    open_bench(&bench, job_text_3, 3);
    step(&bench, 0);
    for (int i = 0; i < 3; i++) {
        Message message = order();
        assert_int_equal(message.kind, MESSAGE_WORK);
        fail_for_the_machine(&message.of.work);
        message_free(&message);
    }
    step(&bench, 0);
    assert_int_equal(bench.said, 1);
    expect_order(0);
    step(&bench, 0.6);
    Message message = order();
    assert_int_equal(message.kind, MESSAGE_WORK);
    assert_false(dispatch_ending(bench.dispatch));
    message_free(&message);
    close_bench(&bench);
}

static void a_rank_that_works_again_has_its_failures_forgotten(void **state) {
    Bench bench;
    open_bench(&bench, job_text_3, 1);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 5; i++) {
            step(&bench, 100);
            Message message = order();
            assert_int_equal(message.kind, MESSAGE_WORK);
            assert_int_equal(message.of.work.attempt, 1);
            if (i < 4)
                fail_for_the_machine(&message.of.work);
            else
                answer_done(&message.of.work, 100);
            message_free(&message);
            step(&bench, 0);
        }
    expect_order(MESSAGE_STOP);
    assert_int_equal(dispatch_result(bench.dispatch), STATUS_OK);
    close_bench(&bench);
}

static void a_training_that_fails_too_often_is_recorded_and_its_first_error_is_kept(void **state) {
    Bench bench;
    open_bench(&bench, "seeds: 0\nevaluate: {baselines: []}\n", 1);
    for (int attempt = 1; attempt <= 2; attempt++) {
        step(&bench, 1);
        Message message = order();
        assert_int_equal(message.kind, MESSAGE_WORK);
        assert_int_equal(message.of.work.attempt, attempt);
        answer(&(Message){.kind = MESSAGE_FAILED,
                          .of.failed = {.work = message.of.work.work, .host = "here", .reason = "killed"}});
        message_free(&message);
        step(&bench, 1);
        assert_int_equal(bench.said, attempt); /* at once */
        assert_non_null(strstr(bench.words, attempt == 1 ? "killed; trying it again" : "killed; giving it up"));
    }
    expect_order(MESSAGE_STOP);
    assert_int_equal(dispatch_result(bench.dispatch), STATUS_FAILED);
    assert_int_equal(end_of(&bench).trainings_failed, 1);
    close_bench(&bench);
}

static void before_the_time_is_over_all_are_drained(void **state) {
    Bench bench;
    open_limited_bench(&bench, job_text_3, 1, 100); /* slack 5 s */
    step(&bench, 0);
    Message a = order();
    assert_int_equal(a.kind, MESSAGE_WORK);
    step(&bench, 94);
    expect_order(0);
    step(&bench, 1.1);
    expect_order(MESSAGE_DRAIN);
    RunView view;
    dispatch_view(bench.dispatch, bench.now_s, &view);
    assert_true(view.draining);
    assert_near(view.deadline_s, 100 - 95.1, 1e-9);
    answer(&(Message){.kind = MESSAGE_PAUSED, .of.paused = {.work = a.of.work.work, .step = 60}});
    step(&bench, 0.5);
    expect_order(MESSAGE_STOP);
    assert_int_equal(dispatch_result(bench.dispatch), STATUS_INCOMPLETE);
    assert_string_equal(end_of(&bench).reason, "deadline");
    dispatch_view(bench.dispatch, bench.now_s, &view);
    assert_near(view.drain_took_s, 0.5, 1e-9);
    message_free(&a);
    close_bench(&bench);
}

/* Baselines cannot be saved: when they do not fit and nothing else is left, waiting would be in vain. */
static void a_run_that_can_begin_nothing_more_in_its_time_ends_at_once(void **state) {
    Bench bench;
    open_limited_bench(&bench,
                       "model: {n_layer: 1, n_head: 1, n_embd: 4}\ntrain: {steps: 1, batch_size: 8}\n"
                       "evaluate: {prompts: 4, baselines: [gd]}\nseeds: {count: 2}\n",
                       1, 100);
    int baselines = 0;
    while (!dispatch_ending(bench.dispatch)) { /* of two sets of baselines, a minute each, one fits */
        step(&bench, 0);
        Message message = order();
        assert_int_equal(message.kind, MESSAGE_WORK);
        bool training = message.of.work.kind == WORK_TRAINING;
        baselines += !training;
        bench.now_s += training ? 0.1 : 60;
        if (training)
            answer_done(&message.of.work, 1);
        else
            answer(&(Message){.kind = MESSAGE_DONE, .of.done = {.work = message.of.work.work}});
        message_free(&message);
        step(&bench, 0);
    }
    assert_int_equal(baselines, 1);
    assert_true(bench.now_s < 100 + 61);
    assert_non_null(strstr(bench.words, "nothing that is left can be begun in the time that is left"));
    assert_string_equal(end_of(&bench).reason, "deadline");
    close_bench(&bench);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drained_run_stops_when_all_have_saved_and_counts_their_steps),
        cmocka_unit_test(what_has_not_saved_at_the_end_of_the_grace_period_is_stopped_without),
        cmocka_unit_test(a_drain_in_which_the_last_training_ends_is_done),
        cmocka_unit_test(a_checkpoint_goes_when_its_training_is_on_record_and_not_before),
        cmocka_unit_test(a_machine_that_starts_nothing_burns_no_retry_and_ends_the_run),
        cmocka_unit_test(failures_of_one_moment_count_once_and_are_said_once),
        cmocka_unit_test(a_rank_that_works_again_has_its_failures_forgotten),
        cmocka_unit_test(a_training_that_fails_too_often_is_recorded_and_its_first_error_is_kept),
        cmocka_unit_test(before_the_time_is_over_all_are_drained),
        cmocka_unit_test(a_run_that_can_begin_nothing_more_in_its_time_ends_at_once),
    };
    Error err = {{0}};
    if (channel_open(&channel, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    int failed = run_tests(tests, argc, argv);
    return channel_close(channel, &err) == STATUS_OK ? failed : 3;
}
