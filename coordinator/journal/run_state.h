/* How far the runs of a folder are, from outside: their status files and the records themselves.
 *
 * Read without locks while a run is writing. A status file says what its run last knew; whether that run still lives is
 * judged by its process where that is on this host, else by the age of the file (coordinator/journal/segments.h). */
#ifndef COORDINATOR_JOURNAL_RUN_STATE_H
#define COORDINATOR_JOURNAL_RUN_STATE_H

#include "coordinator/journal/standing.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the record files hold, every id counted once by its last record. */
typedef struct Census {
    int64_t trainings_done, trainings_diverged, trainings_failed, cells, baselines;
    char first_failure[512]; /* "seed 3: killed by .." of a training that failed and was not done since; or "" */
} Census;

typedef enum RunState {
    RUN_ENDED,   /* it said so */
    RUN_RUNNING, /* its process lives, or it is on another host and its file is fresh */
    RUN_DIED     /* it never said that it ended, and its process is gone or its file is old */
} RunState;
const char *run_state_name(RunState state);

/* One status-<segment>.json. */
typedef struct SegmentState {
    json_t *status; /* the file's content, an object */
    RunState state;
    double age_s; /* since it was updated */
} SegmentState;

typedef struct FolderState {
    int n_segments;
    SegmentState *segments; /* by segment name */
    Census census;
    Standing standing; /* what its jobs ask for, and how much of it is there */
    int exit_code; /* what --exit-code returns: 0 all done, 75 going on or to be gone on with, else as the last run's */
} FolderState;

/* Reads DIR/status-*.json, the records and the jobs. A status file that cannot be understood is passed over with a line
 * in warning. STATUS_DATA: the folder holds neither records nor status files. Memory: an id a record. */
Status folder_state_read(const char *dir, FolderState **out, char *warning, size_t warning_bytes, Error *err);
void folder_state_free(FolderState *state);
/* The segment that was updated last; NULL: there is none. */
const SegmentState *folder_latest(const FolderState *state);
/* Whether a segment is the latest of its part of the grid; parts as the latest run has divided it. */
bool folder_segment_counts(const FolderState *state, const SegmentState *segment);

/* A number of a status file by its path ("flops", "done"; inner NULL: at the top); NaN where unknown. */
double status_number(const json_t *status, const char *outer, const char *inner);
/* A text of a status file; "" where unknown. */
const char *status_text(const json_t *status, const char *key);

#endif
