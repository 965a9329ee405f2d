/* The signals that ask a run to end: INT, TERM, HUP, USR1.
 *
 * Libraries take the liberty of catching them, one before main begins (UCX, which Open MPI 5 brings along, catches
 * SIGHUP). What the caller of the program has set, nohup's ignored SIGHUP say, is therefore noted before any library
 * can do anything, and put back. */
#ifndef CLI_SHARED_SIGNALS_H
#define CLI_SHARED_SIGNALS_H

#include "proto/base/status.h"

/* Every such signal is again ignored, if the caller of the program ignores it, or else does what it does by default. */
void signals_restore(void);

/* Blocks those that the caller does not ignore, in this thread and in those that it makes from now on; *watched becomes
 * a descriptor that they can be read from (signalfd). */
Status signals_block(int *watched, Error *err);
/* The next signal that came, or 0. Never waits. */
int signals_take(int watched);

/* Somebody who looks for signals while nobody else can: a thread that calls told with the first one that comes. It
 * may call what it likes, and should end the process. */
typedef struct SignalGuard SignalGuard;
Status signal_guard_start(int watched, void (*told)(void *context, int number), void *context, SignalGuard **out,
                          Error *err);
/* From here on signals wait to be taken. Accepts NULL. */
void signal_guard_end(SignalGuard *guard);

#endif
