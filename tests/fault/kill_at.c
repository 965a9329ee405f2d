/* A library to be preloaded (LD_PRELOAD) that kills one training process of a run, or has it compute for ever
 * (KILL_HOW=spin), at a point of its life, to the bit the same point every time. The program under test knows nothing
 * of it.
 *
 * KILL_AT names the point, KILL_COUNT (default 1) the how manieth time, KILL_ONCE a file that must not exist: the
 * process that dies makes it, and no other dies after it. Points:
 *   start      has its name, and no order yet
 *   question   looks for an order to drain: once before its steps, between steps, and between pieces of an evaluation
 *   fsync      has written a checkpoint and is about to sync it
 *   rename     .. and is about to put it in place
 *   renamed    .. has put it in place
 *   answer     is about to answer: its records are complete
 *   half       has sent the head of its answer, not the content
 *   answered   has sent its answer */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES = 12, MESSAGE_DONE = 4 }; /* of proto/transport/stream.h */

static int in_trial; /* this process is a training's */

static void reached(const char *point) {
    static int count;
    const char *wanted = getenv("KILL_AT"), *times = getenv("KILL_COUNT"), *once = getenv("KILL_ONCE");
    if (!in_trial || wanted == NULL || once == NULL || strcmp(wanted, point) != 0) return;
    if (++count != (times != NULL ? atoi(times) : 1)) return;
    int fd = open(once, O_CREAT | O_EXCL | O_WRONLY, 0666);
    if (fd < 0) return;
    dprintf(fd, "%s %d\n", point, (int)getpid());
    const char *how = getenv("KILL_HOW");
    for (volatile int spin = how != NULL && strcmp(how, "spin") == 0; spin;)
        ;
    raise(SIGKILL);
}

int prctl(int option, ...) {
    static int (*real)(int, unsigned long, unsigned long, unsigned long, unsigned long);
    va_list arguments;
    va_start(arguments, option);
    unsigned long first = va_arg(arguments, unsigned long);
    va_end(arguments);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "prctl");
    int result = real(option, first, 0, 0, 0);
    if (option == PR_SET_NAME && strcmp((const char *)first, "palinode:trial") == 0) {
        in_trial = 1;
        reached("start");
    }
    return result;
}

int poll(struct pollfd *fds, nfds_t n, int timeout) {
    static int (*real)(struct pollfd *, nfds_t, int);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "poll");
    if (in_trial) reached("question");
    return real(fds, n, timeout);
}

int fsync(int fd) {
    static int (*real)(int);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    reached("fsync");
    return real(fd);
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "rename");
    reached("rename");
    int result = real(from, to);
    reached("renamed");
    return result;
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    static ssize_t (*real)(int, const void *, size_t, int);
    static int answering;
    uint32_t kind = 0;
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "send");
    if (in_trial && !answering && size == HEAD_BYTES) memcpy(&kind, (const char *)data + 8, sizeof kind);
    if (kind == MESSAGE_DONE) {
        reached("answer");
        ssize_t sent = real(fd, data, size, flags);
        answering = 1;
        reached("half");
        return sent;
    }
    ssize_t sent = real(fd, data, size, flags);
    if (answering) reached("answered");
    return sent;
}
