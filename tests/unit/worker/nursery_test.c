/* The nursery and its streams: children are started, heard, buried, and never outlive it. */
#include "proto/transport/stream.h"
#include "tests/harness.h"
#include "worker/process/nursery.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Obeys the first byte of the first frame: echo the frame, exit with a code, crash, hang, or tell the pid and hang. */
static int obedient_child(void *context, int fd) {
    MessageKind kind;
    Bytes bytes;
    bool ended;
    if (stream_read(fd, &kind, &bytes, &ended, NULL) != STATUS_OK || ended) return 99;
    switch (bytes.data[0]) {
    case 'e':
        return stream_write(fd, kind, &bytes, NULL) == STATUS_OK ? 0 : 98;
    case 'x':
        return 7;
    case 's':
        raise(SIGSEGV);
        return 97;
    case 'p': {
        pid_t pid = getpid();
        stream_write(fd, kind, &(Bytes){.data = (uint8_t *)&pid, .size = sizeof pid}, NULL);
        for (;;)
            pause();
    }
    default:
        for (;;)
            pause();
    }
}

static Nursery *open_nursery(void) {
    Nursery *nursery;
    Error err;
    assert_int_equal(nursery_start(obedient_child, NULL, &nursery, &err), STATUS_OK);
    return nursery;
}

static int spawn(Nursery *nursery, uint64_t token) {
    int ends[2];
    Error err;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(nursery_spawn(nursery, token, ends[1], &err), STATUS_OK);
    return ends[0];
}

static ChildNews wait_for_exit(Nursery *nursery) {
    bool any = false;
    ChildNews exit = {0};
    Error err = {{0}};
    for (int i = 0; i < 500 && !(any && exit.pid == 0); i++) { /* that it has started is no end */
        poll(&(struct pollfd){.fd = nursery_fd(nursery), .events = POLLIN}, 1, 10);
        if (nursery_news(nursery, &any, &exit, &err) != STATUS_OK) fail_msg("%s", err.text);
    }
    assert_true(any && exit.pid == 0);
    return exit;
}

static void order(int fd, const char *text) {
    assert_int_equal(stream_write(fd, MESSAGE_WORK, &(Bytes){.data = (uint8_t *)text, .size = strlen(text)}, NULL),
                     STATUS_OK);
}

static pid_t spawn_waiting(Nursery *nursery, int *fd) {
    MessageKind kind;
    Bytes bytes;
    bool ended;
    pid_t child;
    *fd = spawn(nursery, 1);
    order(*fd, "p");
    assert_int_equal(stream_read(*fd, &kind, &bytes, &ended, NULL), STATUS_OK);
    assert_int_equal(bytes.size, sizeof child);
    memcpy(&child, bytes.data, sizeof child);
    bytes_free(&bytes);
    assert_int_equal(kill(child, 0), 0);
    return child;
}

static void a_childs_frames_and_exit_code_come_back(void **state) {
    Nursery *nursery = open_nursery();
    int echo = spawn(nursery, 1), leave = spawn(nursery, 2);
    order(echo, "echo");
    MessageKind kind;
    Bytes bytes;
    bool ended;
    assert_int_equal(stream_read(echo, &kind, &bytes, &ended, NULL), STATUS_OK);
    assert_false(ended);
    assert_int_equal(kind, MESSAGE_WORK);
    assert_int_equal(bytes.size, 4);
    assert_memory_equal(bytes.data, "echo", 4);
    bytes_free(&bytes);
    ChildNews exit = wait_for_exit(nursery);
    assert_int_equal(exit.token, 1);
    assert_true(WIFEXITED(exit.wait_status) && WEXITSTATUS(exit.wait_status) == 0);
    order(leave, "x");
    exit = wait_for_exit(nursery);
    assert_int_equal(exit.token, 2);
    assert_int_equal(WEXITSTATUS(exit.wait_status), 7);
    close(echo);
    close(leave);
    nursery_stop(nursery);
}

static void a_child_is_announced_by_its_process_before_its_exit(void **state) {
    Nursery *nursery = open_nursery();
    int fd;
    pid_t child = spawn_waiting(nursery, &fd);
    ChildNews news;
    bool any = false;
    for (int i = 0; i < 500 && !any; i++) {
        poll(&(struct pollfd){.fd = nursery_fd(nursery), .events = POLLIN}, 1, 10);
        assert_int_equal(nursery_news(nursery, &any, &news, NULL), STATUS_OK);
    }
    assert_int_equal(news.token, 1);
    assert_int_equal(news.pid, child);
    assert_int_equal(nursery_kill(nursery, 1, NULL), STATUS_OK);
    news = wait_for_exit(nursery);
    assert_int_equal(news.token, 1);
    assert_int_equal(WTERMSIG(news.wait_status), SIGKILL);
    close(fd);
    nursery_stop(nursery);
}

static void a_crash_and_a_kill_are_reported_and_harm_nobody_else(void **state) {
    Nursery *nursery = open_nursery();
    int crash = spawn(nursery, 1), hang = spawn(nursery, 2), echo = spawn(nursery, 3);
    order(crash, "s");
    ChildNews exit = wait_for_exit(nursery);
    assert_int_equal(exit.token, 1);
    assert_true(WIFSIGNALED(exit.wait_status));
    order(hang, "h");
    assert_int_equal(nursery_kill(nursery, 2, NULL), STATUS_OK);
    exit = wait_for_exit(nursery);
    assert_int_equal(exit.token, 2);
    assert_int_equal(WTERMSIG(exit.wait_status), SIGKILL);
    order(echo, "e");
    exit = wait_for_exit(nursery);
    assert_int_equal(exit.token, 3);
    assert_int_equal(WEXITSTATUS(exit.wait_status), 0);
    close(crash);
    close(hang);
    close(echo);
    nursery_stop(nursery);
}

/* Starts a child that only waits, as token 1; *fd gets its socket. */
static pid_t parent_of(pid_t pid) {
    char path[64], line[256];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (parent == 0 && fgets(line, sizeof line, in) != NULL)
        sscanf(line, "PPid: %d", &parent);
    fclose(in);
    return parent;
}

static void signals_that_ask_a_run_to_end_spare_the_nursery_and_its_children(void **state) {
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    Nursery *nursery = open_nursery();
    int fd;
    pid_t child = spawn_waiting(nursery, &fd), house = parent_of(child);
    assert_true(house > 1 && house != getpid());
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(kill(child, numbers[i]), 0);
        assert_int_equal(kill(house, numbers[i]), 0);
    }
    assert_int_equal(nursery_kill(nursery, 1, NULL), STATUS_OK);
    ChildNews exit = wait_for_exit(nursery); /* from a nursery that lives, of a child that lived until now */
    assert_int_equal(exit.token, 1);
    assert_int_equal(WTERMSIG(exit.wait_status), SIGKILL);
    nursery_stop(nursery);
    close(fd);
}

static void no_child_outlives_the_nursery(void **state) {
    Nursery *nursery = open_nursery();
    int fd;
    pid_t child = spawn_waiting(nursery, &fd);
    nursery_stop(nursery);
    assert_int_equal(kill(child, 0), -1);
    assert_int_equal(errno, ESRCH);
    close(fd);
}

static void frames_of_any_size_pass_a_stream_that_never_blocks(void **state) {
    Nursery *nursery = open_nursery();
    const size_t sizes[] = {1, 4096, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        Stream stream;
        Error err;
        Bytes sent = {.data = malloc(sizes[i]), .size = sizes[i]}, back = {0};
        MessageKind kind = 0;
        bool moved, got = false;
        assert_non_null(sent.data);
        for (size_t j = 0; j < sizes[i]; j++)
            sent.data[j] = (uint8_t)(j * 31);
        sent.data[0] = 'e';
        assert_int_equal(stream_open(&stream, spawn(nursery, i), &err), STATUS_OK);
        assert_int_equal(stream_queue(&stream, MESSAGE_DONE, &sent, &err), STATUS_OK);
        for (int turn = 0; turn < 20000 && !got; turn++) {
            moved = false;
            assert_int_equal(stream_pump(&stream, &moved, &err), STATUS_OK);
            assert_int_equal(stream_next(&stream, &got, &kind, &back, &err), STATUS_OK);
            if (!moved) usleep(100);
        }
        assert_true(got);
        assert_int_equal(kind, MESSAGE_DONE);
        assert_int_equal(back.size, sent.size);
        assert_memory_equal(back.data, sent.data, sent.size);
        bytes_free(&sent);
        bytes_free(&back);
        stream_close(&stream);
        wait_for_exit(nursery);
    }
    nursery_stop(nursery);
}

static void what_is_no_frame_is_refused_before_it_is_waited_for(void **state) {
    int ends[2];
    Stream stream;
    Error err;
    MessageKind kind;
    Bytes bytes;
    bool moved = false, any, ended;
    uint8_t nonsense[64];
    memset(nonsense, 0xff, sizeof nonsense);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(stream_open(&stream, ends[0], &err), STATUS_OK);
    assert_int_equal(write(ends[1], nonsense, sizeof nonsense), sizeof nonsense);
    assert_int_equal(stream_pump(&stream, &moved, &err), STATUS_OK);
    assert_true(moved);
    assert_int_equal(stream_next(&stream, &any, &kind, &bytes, &err), STATUS_DATA);
    assert_false(any);
    assert_int_equal(write(ends[0], nonsense, sizeof nonsense), sizeof nonsense);
    assert_int_equal(stream_read(ends[1], &kind, &bytes, &ended, &err), STATUS_DATA);
    stream_close(&stream);
    close(ends[1]);
}

/* More children than a socket holds reports: the nursery must go on taking orders. */
static void many_deaths_that_nobody_asks_for_do_not_block_the_nursery(void **state) {
    enum { CHILDREN = 600 };
    Nursery *nursery = open_nursery();
    int fd;
    bool seen[CHILDREN] = {false};
    for (int i = 0; i < CHILDREN; i++)
        close(spawn(nursery, (uint64_t)i)); /* finds its socket closed and exits */
    fd = spawn(nursery, CHILDREN);
    order(fd, "e");
    MessageKind kind;
    Bytes bytes;
    bool ended;
    assert_int_equal(stream_read(fd, &kind, &bytes, &ended, NULL), STATUS_OK);
    bytes_free(&bytes);
    for (int i = 0; i <= CHILDREN; i++) {
        ChildNews exit = wait_for_exit(nursery);
        if (exit.token == CHILDREN) continue;
        assert_in_range(exit.token, 0, CHILDREN - 1);
        assert_false(seen[exit.token]);
        seen[exit.token] = true;
    }
    close(fd);
    nursery_stop(nursery);
}

/* A stopped nursery could neither obey nor end, and its rank would wait for it. */
static void a_nursery_that_somebody_stopped_still_kills_and_ends(void **state) {
    Nursery *nursery = open_nursery();
    int fd = spawn(nursery, 1);
    order(fd, "p");
    MessageKind kind;
    Bytes bytes;
    bool ended;
    pid_t child;
    char path[64], line[256];
    int parent = 0;
    assert_int_equal(stream_read(fd, &kind, &bytes, &ended, NULL), STATUS_OK);
    memcpy(&child, bytes.data, sizeof child);
    bytes_free(&bytes);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(sscanf(strrchr(line, ')'), ") %*c %d", &parent), 1);
    int other = spawn(nursery, 2);
    order(other, "h");
    assert_int_equal(kill(parent, SIGSTOP), 0);
    assert_int_equal(nursery_kill(nursery, 2, NULL), STATUS_OK);
    assert_int_equal(wait_for_exit(nursery).token, 2);
    assert_int_equal(kill(parent, SIGSTOP), 0);
    nursery_stop(nursery);
    assert_int_equal(kill(child, 0), -1); /* and it has waited for its children */
    close(fd);
    close(other);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_childs_frames_and_exit_code_come_back),
        cmocka_unit_test(a_child_is_announced_by_its_process_before_its_exit),
        cmocka_unit_test(a_crash_and_a_kill_are_reported_and_harm_nobody_else),
        cmocka_unit_test(signals_that_ask_a_run_to_end_spare_the_nursery_and_its_children),
        cmocka_unit_test(no_child_outlives_the_nursery),
        cmocka_unit_test(frames_of_any_size_pass_a_stream_that_never_blocks),
        cmocka_unit_test(what_is_no_frame_is_refused_before_it_is_waited_for),
        cmocka_unit_test(many_deaths_that_nobody_asks_for_do_not_block_the_nursery),
        cmocka_unit_test(a_nursery_that_somebody_stopped_still_kills_and_ends),
    };
    return run_tests(tests, argc, argv);
}
