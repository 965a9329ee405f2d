/* Where a merge goes: a staging folder beside OUT whose files take their places in OUT when all of them are whole. */
#ifndef COORDINATOR_JOURNAL_MERGE_TARGET_H
#define COORDINATOR_JOURNAL_MERGE_TARGET_H

#include "coordinator/journal/segments.h"

#include <limits.h>
#include <stdint.h>

enum { TARGET_PATH_BYTES = PATH_MAX - 256 }; /* room for names of files in it */

/* A job file that was in OUT before. */
typedef struct OldJob {
    char name[256];
    size_t size;
    uint32_t checksum;
} OldJob;

typedef struct MergeTarget {
    char out[TARGET_PATH_BYTES], staging[TARGET_PATH_BYTES];
    bool replaces;               /* out holds an earlier merge: one more source */
    SegmentList records, models; /* of the earlier merge */
    OldJob *jobs;                /* (n_jobs) */
    size_t n_jobs;
} MergeTarget;

/* Looks at out without changing anything. STATUS_USAGE: it holds something else than merges. */
Status merge_target_open(const char *out, MergeTarget *target, Error *err);
/* Whether dir is out under whatever name. */
bool merge_target_is(const MergeTarget *target, const char *dir);

/* Whether files of the earlier merge that were there when it was opened are gone: another merge has taken its place. */
bool merge_target_has_changed(const MergeTarget *target);

/* Makes the staging folder, beside out, under a name that nobody can foresee ("out.merge-<random>"). STATUS_IO. */
Status merge_target_stage(MergeTarget *target, Error *err);

/* Writes the job files of all dirs to the staging folder: under their own name where all agree, else each as
 * job.NAME.CHECKSUM.yaml or .resolved.yaml, so that names depend on contents alone. */
Status merge_target_add_jobs(const MergeTarget *target, const char *const *dirs, int n_dirs, Error *err);

/* Moves all files of the staging folder (segment "0001") into out; then removes those of the earlier merge. Nothing
 * that another merge or a run put there meanwhile is lost. STATUS_INCOMPLETE: out was new, and another merge has made
 * it. */
Status merge_target_publish(const MergeTarget *target, Error *err);
/* Removes the staging folder, if there is one, and frees the lists. */
void merge_target_close(MergeTarget *target);

#endif
