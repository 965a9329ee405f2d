/* status-<segment>.json: how far a run is, for whoever looks from outside. Replaced atomically, read without locks. */
#ifndef COORDINATOR_DISPATCH_STATUS_FILE_H
#define COORDINATOR_DISPATCH_STATUS_FILE_H

#include "coordinator/dispatch/dispatch.h"

/* Writes the status file of a segment. exit_code: -1 while the run goes on. JSON keys: segment, state ("running" or
 * "ended"), reason, exit_code (null while running), pid, host, process {start_ticks,
 * boot_id, pid_namespace}, started_unix_ms, updated_unix_ms, ranks, workers,
 * trainings {total, done, diverged, failed, running}, work {total, done, failed}, cells_done, baselines_done,
 * steps_done, flops {total, done}, rate_gflops, eta_s, eta_lower_s and eta_upper_s (four cases of five are between),
 * deadline_unix_ms (null: no time limit), draining, drain_s (how long that took), shard {index, count} (null: all of
 * the grid), losses, first_error. Unknown numbers are null. */
Status status_file_write(const char *dir, const char *segment, const RunView *view, int64_t started_unix_ms,
                         int exit_code, Error *err);

#endif
