/* See signals.h. */
#include "cli/shared/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
enum { N_NUMBERS = sizeof numbers / sizeof numbers[0] };
static bool ignored[N_NUMBERS];

/* Runs before the constructors of shared libraries do. */
static void note_dispositions(void) {
    for (int i = 0; i < N_NUMBERS; i++) {
        struct sigaction found;
        ignored[i] = sigaction(numbers[i], NULL, &found) == 0 && found.sa_handler == SIG_IGN;
    }
}
__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = note_dispositions;

void signals_restore(void) {
    for (int i = 0; i < N_NUMBERS; i++)
        signal(numbers[i], ignored[i] ? SIG_IGN : SIG_DFL);
}

Status signals_block(int *watched, Error *err) {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (int i = 0; i < N_NUMBERS; i++)
        if (!ignored[i]) sigaddset(&wanted, numbers[i]);
    *watched = -1;
    if (sigprocmask(SIG_BLOCK, &wanted, NULL) == 0) *watched = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*watched < 0) return error_set(err, STATUS_IO, "cannot watch signals: %s", strerror(errno));
    return STATUS_OK;
}

int signals_take(int watched) {
    struct signalfd_siginfo info;
    return read(watched, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

struct SignalGuard {
    pthread_t thread;
    int watched, over; /* over: an eventfd, readable when the guard shall go */
    void (*told)(void *context, int number);
    void *context;
};

static void *stand_guard(void *argument) {
    SignalGuard *guard = argument;
    struct pollfd waiting[2] = {{.fd = guard->over, .events = POLLIN}, {.fd = guard->watched, .events = POLLIN}};
    while (poll(waiting, 2, -1) < 0 || waiting[0].revents == 0) {
        int number = signals_take(guard->watched);
        if (number == 0) continue;
        guard->told(guard->context, number);
        break;
    }
    return NULL;
}

Status signal_guard_start(int watched, void (*told)(void *context, int number), void *context, SignalGuard **out,
                          Error *err) {
    SignalGuard *guard = malloc(sizeof *guard);
    if (guard == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a thread that looks for signals");
    *guard = (SignalGuard){.watched = watched, .over = eventfd(0, EFD_CLOEXEC), .told = told, .context = context};
    int problem = guard->over < 0 ? errno : pthread_create(&guard->thread, NULL, stand_guard, guard);
    if (problem == 0) {
        *out = guard;
        return STATUS_OK;
    }
    if (guard->over >= 0) close(guard->over);
    free(guard);
    return error_set(err, STATUS_IO, "cannot start a thread that looks for signals: %s", strerror(problem));
}

void signal_guard_end(SignalGuard *guard) {
    if (guard == NULL) return;
    while (eventfd_write(guard->over, 1) < 0 && errno == EINTR)
        ;
    pthread_join(guard->thread, NULL);
    close(guard->over);
    free(guard);
}
