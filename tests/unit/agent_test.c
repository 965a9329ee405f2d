/* The agent against children of every kind: an answer passes whole, whatever else a child does becomes one failure with
 * its reason, and the place is free again. */
#include "worker/agent.h"

#include "proto/transport/stream.h"
#include "tests/harness.h"
#include "tests/mpi_leaks.h"

#include <signal.h>
#include <stdlib.h>
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

/* Gives the agent a piece of work and returns the coordinator's next message. */
static Message answer_to(uint32_t seed, uint64_t work) {
    Error err = {{0}};
    Message order = {.kind = MESSAGE_WORK, .of.work = {.work = work, .kind = WORK_TRAINING, .kernels = ""}};
    Message answer;
    Bytes bytes;
    bool received = false, moved;
    int from;
    order.of.work.spec.seed = seed;
    if (channel_send_message(bench()->channel, 0, INBOX_AGENT, &order, &err) != STATUS_OK) fail_msg("%s", err.text);
    for (int turn = 0; turn < 5000 && !received; turn++) {
        moved = false;
        if (agent_step(bench()->agent, &moved, &err) != STATUS_OK ||
            channel_receive(bench()->channel, INBOX_COORDINATOR, &received, &from, &bytes, &err) != STATUS_OK)
            fail_msg("%s", err.text);
        if (!moved) agent_wait(bench()->agent, 1000000);
    }
    if (!received) fail_msg("no answer to a child of kind %u", seed);
    if (message_decode(bytes.data, bytes.size, &answer, &err) != STATUS_OK) fail_msg("%s", err.text);
    bytes_free(&bytes);
    return answer;
}

static void assert_failure(uint32_t seed, uint64_t work, const char *reason) {
    Message answer = answer_to(seed, work);
    assert_int_equal(answer.kind, MESSAGE_FAILED);
    assert_int_equal(answer.of.failed.work, work);
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
        assert_failure(1, work++, "killed by signal 9");
        assert_failure(9, work++, "exited with code 5 and no result");
        assert_failure(2, work++, "killed by signal 9");
        assert_failure(3, work++, "cannot be understood");
        assert_failure(4, work++, "cannot be understood");
        assert_failure(5, work++, "no answer to its work");
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_big_answer_passes_whole),
        cmocka_unit_test(whatever_else_a_child_does_is_one_failure_with_its_reason),
    };
    int failed = run_tests(tests, argc, argv);
    if (failed > 0) return failed;
    agent_free(bench()->agent);
    nursery_stop(bench()->nursery);
    return channel_close(bench()->channel, NULL) == STATUS_OK ? 0 : 1;
}
