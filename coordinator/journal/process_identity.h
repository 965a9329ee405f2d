/* Who a process is, for others that find its number in a status file: numbers are given again, after a reboot, in a
 * container that is started anew, or when they have run out. */
#ifndef COORDINATOR_JOURNAL_PROCESS_IDENTITY_H
#define COORDINATOR_JOURNAL_PROCESS_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>

/* Of this process, as a status file keeps it: {"start_ticks": when it began, in clock ticks since the machine did,
 * "boot_id": which start of the machine that was, "pid_namespace": in which its number counts}; null where the system
 * does not tell. */
json_t *process_identity(void);

typedef enum ProcessLife {
    PROCESS_ENDED,  /* it is not there any more */
    PROCESS_RUNS,   /* this very process is there */
    PROCESS_UNKNOWN /* its number means nothing here: another machine, start of the machine, or container */
} ProcessLife;

/* What this machine knows of a status file's process. identity NULL or null (of older versions): a process of that
 * number which runs this program may be it (PROCESS_UNKNOWN), another or none is not. */
ProcessLife process_life(const char *host, json_int_t pid, const json_t *identity);

#endif
