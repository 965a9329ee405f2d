/* The channel between real ranks: each test runs this program again under mpirun, with the name of a part to play. */
#include "proto/transport/channel.h"
#include "tests/harness.h"
#include "tests/mpi_leaks.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BIG_BYTES = 9000000, COUNT = 300 };

/* --- what ranks play: true when all went well ------------------------------------------------------------------- */

static bool send_filled(Channel *channel, int to, Inbox inbox, size_t size, int value) {
    Bytes bytes = {.data = malloc(size), .size = size};
    if (bytes.data == NULL) return false;
    memset(bytes.data, value, size);
    return channel_send(channel, to, inbox, bytes, NULL) == STATUS_OK;
}

/* Waits for a message of size bytes from that rank, all of them value. */
static bool receive_filled(Channel *channel, Inbox inbox, int expected_from, size_t size, int value) {
    bool received = false, right = true;
    int from;
    Bytes bytes;
    while (!received) {
        if (channel_receive(channel, inbox, &received, &from, &bytes, NULL) != STATUS_OK) return false;
        if (!received) nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    right = from == expected_from && bytes.size == size;
    for (size_t i = 0; right && i < size; i++)
        right = bytes.data[i] == (uint8_t)value;
    bytes_free(&bytes);
    return right;
}

/* Every rank, rank 0 too, sends to the coordinator; the sizes pass every protocol of MPI. */
static bool play_order(Channel *channel) {
    bool right = true;
    int sender = channel_size(channel) - 1;
    if (channel_rank(channel) == sender) {
        for (int i = 0; i < COUNT && right; i++)
            right = send_filled(channel, 0, INBOX_COORDINATOR, (size_t)(i * i), i);
        right = right && send_filled(channel, 0, INBOX_COORDINATOR, BIG_BYTES, 7);
        right = right && send_filled(channel, 0, INBOX_AGENT, 3, 8);
    }
    if (channel_rank(channel) == 0) {
        right = right && receive_filled(channel, INBOX_AGENT, sender, 3, 8); /* inboxes do not wait for each other */
        for (int i = 0; i < COUNT && right; i++)
            right = receive_filled(channel, INBOX_COORDINATOR, sender, (size_t)(i * i), i);
        right = right && receive_filled(channel, INBOX_COORDINATOR, sender, BIG_BYTES, 7);
    } else { /* sends move on while the sender looks for messages */
        bool received;
        int from;
        Bytes bytes;
        while (right && channel_sending(channel)) {
            right = channel_receive(channel, INBOX_AGENT, &received, &from, &bytes, NULL) == STATUS_OK && !received;
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        }
    }
    return right;
}

/* A run that was stopped: the last result of rank 1 is on its way when rank 0 has already left its loop. */
static bool play_nobody_takes(Channel *channel) {
    return channel_rank(channel) != 1 || send_filled(channel, 0, INBOX_COORDINATOR, BIG_BYTES, 1);
}

static int play(const char *part) {
    Channel *channel;
    if (channel_open(&channel, NULL) != STATUS_OK) return 2;
    bool right = strcmp(part, "order") == 0 ? play_order(channel) : play_nobody_takes(channel);
    if (channel_close(channel, NULL) != STATUS_OK) return 3;
    return right ? 0 : 1;
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

static void assert_played(int ranks, const char *transports, const char *part) {
    char self[4096] = "", command[8192];
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    setenv("OMPI_MCA_btl", transports, 1);
    snprintf(command, sizeof command, "timeout -k 1 20 mpirun -n %d --oversubscribe --bind-to none '%s' --play %s",
             ranks, self, part);
    int ended = system(command);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
}

static void messages_of_any_size_arrive_whole_and_in_their_order(void **state) {
    assert_played(1, "self", "order");
    assert_played(2, "self,vader", "order");
    assert_played(3, "self,tcp", "order");
}

static void a_large_message_that_nobody_takes_does_not_hang_the_end(void **state) {
    assert_played(2, "self,vader", "nobody-takes");
    assert_played(3, "self,tcp", "nobody-takes");
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--play") == 0) return play(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_any_size_arrive_whole_and_in_their_order),
        cmocka_unit_test(a_large_message_that_nobody_takes_does_not_hang_the_end),
    };
    return run_tests(tests, argc, argv);
}
