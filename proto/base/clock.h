/* The time, in the units that the rest of the program uses. */
#ifndef PROTO_BASE_CLOCK_H
#define PROTO_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline double clock_read_s(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds since some fixed moment: for durations. */
static inline double clock_monotonic_s(void) {
    return clock_read_s(CLOCK_MONOTONIC);
}

/* CPU seconds of this process. */
static inline double clock_cpu_s(void) {
    return clock_read_s(CLOCK_PROCESS_CPUTIME_ID);
}

/* Milliseconds since 1970, UTC: for records and files. */
static inline int64_t clock_unix_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
