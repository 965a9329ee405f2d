/* What a record says, apart from when and where it was found: its id, its numerics, and how far two records of one id
 * are from each other.
 *
 * Provenance is what may differ between equal runs: time, host, rank, attempts, memory. All the rest is content; equal
 * fingerprints promise equal content to the bit. */
#ifndef PROTO_WIRE_RECORD_CONTENT_H
#define PROTO_WIRE_RECORD_CONTENT_H

#include "proto/base/status.h"
#include "proto/wire/messages.h"

/* "training", "cell", "baseline", "model"; "header", "end", "checkpoint". */
const char *record_kind_name(RecordKind kind);
/* Whether records of this kind have an id and a fingerprint: those that are results or models. */
bool record_has_id(const Record *record);
/* Of a record that has one; a model's is that of its training. */
Id record_id(const Record *record);
const char *record_fingerprint(const Record *record);
/* A training, cell or baseline that failed: no result, only the news that there is none. */
bool record_is_failure(const Record *record);

/* What decides between the records of one id, whatever the order in which they are found: a result counts before a
 * failure, then the one whose fingerprint comes last in version order ("numerics 10" after "numerics 9"). Results of
 * one fingerprint have one content; where they have not, which is a conflict, that with the smaller checksum is taken,
 * so that all readers show the same. Within a folder the last record stands for the earlier ones, but a failure never
 * for a result. */
typedef struct RecordRank {
    bool failure;
    const char *fingerprint; /* borrowed */
    uint32_t checksum;       /* of the content, without provenance */
} RecordRank;

/* STATUS_NO_MEMORY. */
Status record_rank(const Record *record, RecordRank *out, Error *err);
/* Whether a record is taken rather than another one. */
bool record_rank_before(const RecordRank *a, const RecordRank *b);
/* Whether two results of one id contradict each other: equal fingerprints promise equal content. */
bool record_rank_conflict(const RecordRank *a, const RecordRank *b);

/* Sets what a cell's record tells of how it was measured: prompts, and rounds with what belongs to them (of one without
 * rounds that stays). */
void record_cell_evaluation(const CellRecord *cell, EvaluationSettings *evaluation);

/* Where two records of one kind and id differ most. */
typedef struct RecordDifference {
    bool differs;           /* in content; the fingerprint is no part of it */
    char what[128];         /* "kendall_tau with 7 examples", "parameter 12 of 3000", "outcome", .. */
    double a, b;            /* the two values; NaN: undefined, or no number */
    double standard_errors; /* |a - b| in units of the larger standard error of the two; NaN: what has none */
} RecordDifference;

/* Compares the contents of two records of one kind. What has a standard error is preferred, then what differs most in
 * proportion. STATUS_NO_MEMORY. */
Status record_compare(const Record *a, const Record *b, RecordDifference *out, Error *err);

/* "kendall_tau with 7 examples: 0.81 against 0.83, 0.4 standard errors" */
const char *record_difference_text(const RecordDifference *difference, char *text, size_t text_bytes);

#endif
