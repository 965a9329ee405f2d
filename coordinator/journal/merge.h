/* The union of several results folders by id, in a folder of its own.
 *
 * Which record of an id is taken depends on the records alone, not on the order or the grouping of the folders:
 * 1. Of one folder its own answer, as every reader takes it: the last record, but a failure never hides a result.
 * 2. Of several folders: a result before a failure; then the numerics fingerprint that comes last in version order;
 *    then, contents being equal, the record whose encoded bytes (its provenance) come first.
 * So a merge is commutative, associative and idempotent, and the records of OUT, ordered by kind and id, are the same
 * bytes however it was reached. Two results of one id under one fingerprint that differ are a conflict: nobody can tell
 * which is right, and nothing is chosen. */
#ifndef COORDINATOR_JOURNAL_MERGE_H
#define COORDINATOR_JOURNAL_MERGE_H

#include "coordinator/journal/journal.h"
#include "proto/wire/record_content.h"

/* Two records of one id. Texts are the callee's to copy. */
typedef struct MergeDifference {
    RecordKind kind;
    Id id;
    const char *path, *other_path; /* of the record that would be taken, and of the other */
    uint64_t offset, other_offset;
    const char *fingerprint, *other_fingerprint;
    RecordDifference difference;
} MergeDifference;

typedef void (*MergeListener)(void *context, const MergeDifference *found);

typedef struct MergeOptions {
    bool leave_out_conflicts; /* make OUT without the ids in conflict */
    MergeListener conflict;   /* for every record in conflict with the one that would be taken */
    MergeListener numerics;   /* whenever results under different numerics differ by more than all before */
    void *context;
} MergeOptions;

typedef struct MergeSummary {
    int folders;
    uint64_t found;                                                         /* records with an id, in all folders */
    uint64_t trainings_done, trainings_diverged, trainings_failed;          /* taken */
    uint64_t cells, baselines, models, conflicts, under_different_numerics; /* ids */
} MergeSummary;

/* Merges dirs into out, which appears as a whole or not at all: a folder that does not exist, is empty, or holds
 * nothing but merges; such an earlier merge counts as one more source and is replaced. header: of the program that
 * merges; its job and sources are filled in from the folders. job.yaml and job.resolved.yaml are kept where all agree,
 * else each job as job.NAME.CHECKSUM.yaml. Two passes: an index of 40 bytes a record in memory, and of the records one
 * or two. warning: as journal_open. STATUS_FAILED: there are conflicts (out is made only with leave_out_conflicts).
 * STATUS_USAGE: out holds something else. STATUS_DATA: a folder holds no records. */
Status merge_folders(const char *out, const char *const *dirs, int n_dirs, const Record *header,
                     const MergeOptions *options, MergeSummary *summary, char *warning, size_t warning_bytes,
                     Error *err);

#endif
