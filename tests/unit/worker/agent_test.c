/* The agent against children of every kind: an answer passes whole, whatever else a child does becomes one failure with
 * its reason, and the place is free again. */
#include "worker/process/agent.h"

#include "proto/base/clock.h"
#include "proto/transport/stream.h"
#include "tests/harness.h"
#include "tests/mpi_leaks.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BIG_MODEL = 2300000 };

static void send_done(int fd, uint64_t work, int n_parameters) {
    Record record = {.kind = RECORD_MODEL, .of.model = {.n_parameters = n_parameters, .fingerprint = ""}};
    record.of.model.parameters = calloc((size_t)n_parameters + 1, sizeof(float));
    Message done = {.kind = MESSAGE_DONE, .of.done = {.work = work, .n_records = 1, .records = &record}};
    Bytes bytes;
    if (record.of.model.parameters == NULL || message_encode(&done, &bytes, NULL) != STATUS_OK) _exit(96);
    stream_write(fd, MESSAGE_DONE, &bytes, NULL);
    bytes_free(&bytes);
    free(record.of.model.parameters);
}

static void send_progress(int fd, uint64_t work, int64_t step) {
    Message progress = {.kind = MESSAGE_PROGRESS, .of.progress = {.work = work, .step = step}};
    Bytes bytes;
    if (message_encode(&progress, &bytes, NULL) != STATUS_OK) _exit(96);
    if (stream_write(fd, MESSAGE_PROGRESS, &bytes, NULL) != STATUS_OK) _exit(93);
    bytes_free(&bytes);
}

static void send_paused(int fd, uint64_t work, int64_t step) {
    Message paused = {.kind = MESSAGE_PAUSED, .of.paused = {.work = work, .step = step}};
    Bytes bytes;
    if (message_encode(&paused, &bytes, NULL) != STATUS_OK) _exit(96);
    stream_write(fd, MESSAGE_PAUSED, &bytes, NULL);
    bytes_free(&bytes);
}

static void use_cpu(double seconds) {
    for (double start_s = clock_cpu_s(); clock_cpu_s() - start_s < seconds;)
        ;
}

/* Does what the seed of its order says. */
static int child_of_a_kind(void *context, int fd) {
    MessageKind kind;
    Bytes bytes;
    bool ended;
    Message order;
    uint8_t nonsense[100000];
    memset(nonsense, 0xa5, sizeof nonsense);
    if (stream_read(fd, &kind, &bytes, &ended, NULL) != STATUS_OK || ended) return 99;
    if (message_decode(bytes.data, bytes.size, &order, NULL) != STATUS_OK) return 98;
    switch (order.of.work.spec.seed) {
    case 0:
        send_done(fd, order.of.work.work, BIG_MODEL);
        return 0;
    case 1:
        raise(SIGKILL);
        return 97;
    case 2:
        close(fd); /* and never ends */
        break;
    case 3:
        for (;;) /* no frames at all, without end */
            if (write(fd, nonsense, sizeof nonsense) < 0) break;
        break;
    case 4:
        stream_write(fd, MESSAGE_DONE, &(Bytes){.data = nonsense, .size = sizeof nonsense}, NULL);
        break;
    case 5:
        send_done(fd, order.of.work.work + 1, 1); /* the answer to other work */
        break;
    case 6:
        send_progress(fd, order.of.work.work, 120);
        for (;;) /* computes and says nothing */
            ;
    case 7:
        send_progress(fd, order.of.work.work, 3);
        raise(SIGSTOP);
        return 95;
    case 8:
        for (int step = 1; step <= 30; step++) { /* slow, but it comes on */
            use_cpu(0.04);
            send_progress(fd, order.of.work.work, step);
        }
        send_done(fd, order.of.work.work, 1);
        return 0;
    case 10:
        for (;;) { /* moves its lips only */
            use_cpu(0.01);
            send_progress(fd, order.of.work.work, 1);
        }
    case 11: /* answers a drain with a pause, anything else not at all */
        if (stream_read(fd, &kind, &bytes, &ended, NULL) != STATUS_OK || ended || kind != MESSAGE_DRAIN) return 94;
        send_paused(fd, order.of.work.work, 33);
        return 0;
    case 12:
        return STATUS_IO;
    default:
        return 5;
    }
    for (;;)
        pause();
}

typedef struct Bench {
    Nursery *nursery;
    Channel *channel;
    Agent *agent;
} Bench;

/* MPI starts once in a process: all tests share one bench. */
static Bench *bench(void) {
    static Bench only;
    Error err = {{0}};
    Message hello;
    Bytes bytes;
    bool received;
    int from;
    if (only.agent != NULL) return &only;
    if (nursery_start(child_of_a_kind, NULL, &only.nursery, &err) != STATUS_OK ||
        channel_open(&only.channel, &err) != STATUS_OK ||
        agent_create(only.channel, only.nursery, 2, "", &only.agent, &err) != STATUS_OK ||
        channel_receive(only.channel, INBOX_COORDINATOR, &received, &from, &bytes, &err) != STATUS_OK || !received ||
        message_decode(bytes.data, bytes.size, &hello, &err) != STATUS_OK || hello.kind != MESSAGE_HELLO)
        fail_msg("%s", err.text);
    message_free(&hello);
    bytes_free(&bytes);
    return &only;
}

/* Gives the agent a message. */
static void tell_agent(Message *message) {
    Error err = {{0}};
    if (channel_send_message(bench()->channel, 0, INBOX_AGENT, message, &err) != STATUS_OK) fail_msg("%s", err.text);
}

static void give_work(uint32_t seed, uint64_t work) {
    tell_agent(&(Message){.kind = MESSAGE_WORK,
                          .of.work = {.work = work, .kind = WORK_TRAINING, .kernels = "", .spec.seed = seed}});
}

/* One turn of the agent's loop; whether the coordinator has got a message. */
static bool turn(Message *out) {
    Error err = {{0}};
    Bytes bytes;
    bool received, moved = false;
    int from;
    if (agent_step(bench()->agent, &moved, &err) != STATUS_OK ||
        channel_receive(bench()->channel, INBOX_COORDINATOR, &received, &from, &bytes, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    if (!moved) agent_wait(bench()->agent, 1000000);
    if (!received) return false;
    if (message_decode(bytes.data, bytes.size, out, &err) != STATUS_OK) fail_msg("%s", err.text);
    bytes_free(&bytes);
    return true;
}

/* The coordinator's next message that is no progress. */
static Message next_answer(void) {
    Message answer;
    for (double start_s = clock_monotonic_s(); clock_monotonic_s() - start_s < 60;) {
        if (!turn(&answer)) continue;
        if (answer.kind != MESSAGE_PROGRESS) return answer;
        message_free(&answer);
    }
    fail_msg("no answer");
    return answer;
}

static Message answer_to(uint32_t seed, uint64_t work) {
    give_work(seed, work);
    return next_answer();
}

static void assert_failure(uint32_t seed, uint64_t work, FailureCause cause, const char *reason) {
    Message answer = answer_to(seed, work);
    assert_int_equal(answer.kind, MESSAGE_FAILED);
    assert_int_equal(answer.of.failed.work, work);
    assert_int_equal(answer.of.failed.cause, cause);
    if (strstr(answer.of.failed.reason, reason) == NULL) fail_msg("the reason is: %s", answer.of.failed.reason);
    message_free(&answer);
}

static void a_big_answer_passes_whole(void **state) {
    Message answer = answer_to(0, 7);
    assert_int_equal(answer.kind, MESSAGE_DONE);
    assert_int_equal(answer.of.done.work, 7);
    assert_int_equal(answer.of.done.n_records, 1);
    assert_int_equal(answer.of.done.records[0].of.model.n_parameters, BIG_MODEL);
    message_free(&answer);
}

static void whatever_else_a_child_does_is_one_failure_with_its_reason(void **state) {
    uint64_t work = 10;
    for (int turn = 0; turn < 2; turn++) { /* more than there are places: each is free again */
        assert_failure(1, work++, FAILURE_TRAINING, "killed by signal 9 (Killed); not by palinode, perhaps");
        assert_failure(9, work++, FAILURE_TRAINING, "exited with code 5 and no result");
        assert_failure(2, work++, FAILURE_TRAINING, "killed by signal 9");
        assert_failure(3, work++, FAILURE_TRAINING, "cannot be understood");
        assert_failure(4, work++, FAILURE_TRAINING, "cannot be understood");
        assert_failure(5, work++, FAILURE_TRAINING, "no answer to its work");
    }
}

static void a_child_without_progress_is_killed_whether_it_computes_or_not(void **state) {
    agent_set_patience(bench()->agent, 0.1);
    assert_failure(6, 40, FAILURE_TRAINING, " s of CPU time after step 120: killed");
    assert_failure(7, 41, FAILURE_TRAINING, "neither progress nor CPU time for");
    assert_failure(10, 42, FAILURE_TRAINING, "no progress for");
    agent_set_patience(bench()->agent, 60);
}

static void a_slow_child_is_waited_for(void **state) {
    agent_set_patience(bench()->agent, 0.5); /* it takes 1.2 s of CPU time */
    Message answer = answer_to(8, 50);
    assert_int_equal(answer.kind, MESSAGE_DONE);
    message_free(&answer);
    agent_set_patience(bench()->agent, 60);
}

/* The agent's time is not the world's: it was away for longer than the child's patience lasts. */
static void an_agent_that_was_away_blames_nobody(void **state) {
    Message message;
    agent_set_patience(bench()->agent, 0.1);
    give_work(7, 60); /* stops itself */
    for (int k = 0; k < 300 && !turn(&message); k++)
        ;
    assert_int_equal(message.kind, MESSAGE_PROGRESS);
    message_free(&message);
    for (int k = 0; k < 3; k++) {
        usleep(700000); /* 2.1 s, which count as 0.3 */
        assert_false(turn(&message));
    }
    message = next_answer(); /* when it has been awake for a second */
    assert_int_equal(message.kind, MESSAGE_FAILED);
    message_free(&message);
    agent_set_patience(bench()->agent, 60);
}

static void what_the_machine_refuses_is_not_the_trainings_fault(void **state) {
    struct rlimit before, few;
    int fd = dup(0), next = dup(0);
    assert_true(fd > 0 && next > 0);
    assert_failure(12, 70, FAILURE_INFRASTRUCTURE, "exited with code 74");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)fd; /* no more descriptors than there are */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_failure(0, 71, FAILURE_INFRASTRUCTURE, "cannot make a socket pair: Too many open files");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(fd);
    close(next);
    Message answer = answer_to(0, 72); /* nothing is broken */
    assert_int_equal(answer.kind, MESSAGE_DONE);
    message_free(&answer);
}

static void assert_paused(uint64_t work) {
    Message answer = next_answer();
    assert_int_equal(answer.kind, MESSAGE_PAUSED);
    assert_int_equal(answer.of.paused.work, work);
    assert_int_equal(answer.of.paused.step, 33);
    message_free(&answer);
}

/* The last test: the agent stays so. */
static void a_drain_reaches_every_child_and_frees_its_place(void **state) {
    Message message;
    give_work(11, 80);
    give_work(11, 81);
    for (int k = 0; k < 20; k++)
        assert_false(turn(&message));
    tell_agent(&(Message){.kind = MESSAGE_DRAIN});
    tell_agent(&(Message){.kind = MESSAGE_DRAIN});
    Message first = next_answer(), second = next_answer();
    assert_int_equal(first.kind, MESSAGE_PAUSED);
    assert_int_equal(second.kind, MESSAGE_PAUSED);
    assert_int_equal(first.of.paused.work + second.of.paused.work, 80 + 81);
    message_free(&first);
    message_free(&second);
    give_work(11, 82); /* crossed the drain on its way */
    assert_paused(82);
    give_work(11, 83);
    give_work(11, 84);
    assert_int_equal(next_answer().kind, MESSAGE_PAUSED);
    assert_int_equal(next_answer().kind, MESSAGE_PAUSED);
    tell_agent(&(Message){.kind = MESSAGE_STOP});
    for (int k = 0; k < 20; k++)
        assert_false(turn(&message));
    assert_true(agent_finished(bench()->agent));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_big_answer_passes_whole),
        cmocka_unit_test(whatever_else_a_child_does_is_one_failure_with_its_reason),
        cmocka_unit_test(a_child_without_progress_is_killed_whether_it_computes_or_not),
        cmocka_unit_test(a_slow_child_is_waited_for),
        cmocka_unit_test(an_agent_that_was_away_blames_nobody),
        cmocka_unit_test(what_the_machine_refuses_is_not_the_trainings_fault),
        cmocka_unit_test(a_drain_reaches_every_child_and_frees_its_place),
    };
    int failed = run_tests(tests, argc, argv);
    if (failed > 0) return failed;
    agent_free(bench()->agent);
    nursery_stop(bench()->nursery);
    return channel_close(bench()->channel, NULL) == STATUS_OK ? 0 : 1;
}
