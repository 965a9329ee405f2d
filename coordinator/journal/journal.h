/* The results folder: what is already known, and the one writer that adds to it.
 *
 * DIR holds job.yaml, job.resolved.yaml, and per run (segment) records-<segment>.tfrecord, models-<segment>.tfrecord
 * and status-<segment>.json. A journal is opened by rank 0 only: it scans every segment for what is done, then appends
 * to a new segment of its own. Models are made durable before the training record that promises them. Readers (status,
 * analyze, export) use journal_read and never lock. */
#ifndef COORDINATOR_JOURNAL_JOURNAL_H
#define COORDINATOR_JOURNAL_JOURNAL_H

#include "proto/wire/record_file.h"

typedef struct Journal Journal;

/* What is known of a training. A failure never hides a result, whichever is on record first. */
typedef enum TrainingState { TRAINING_UNKNOWN = 0, TRAINING_DONE, TRAINING_DIVERGED, TRAINING_FAILED } TrainingState;

/* The same of a cell or a baseline. */
typedef enum ResultState { RESULT_UNKNOWN = 0, RESULT_MEASURED, RESULT_FAILED } ResultState;

/* What is known of a training after a further outcome: a failure never hides a result. */
TrainingState journal_state_after(TrainingState before, Outcome outcome);

/* Creates dir if need be, indexes its segments (a damaged tail is left alone and reported through warning, one line per
 * segment, "" when all is well), and starts segment <segment> ("0001", .. : the next free number) with header.
 * models_limit_bytes: a model is dropped when its parameters would take journal_models_bytes past it. A segment that
 * is no record file, or of a newer schema, is STATUS_DATA with its path. */
Status journal_open(const char *dir, const Record *header, uint64_t models_limit_bytes, Journal **out, char *warning,
                    size_t warning_bytes, Error *err);
/* Only indexes: no file is made; every append is refused. A dir that does not exist is an empty journal. */
Status journal_open_reader(const char *dir, Journal **out, char *warning, size_t warning_bytes, Error *err);
/* Makes a writer of a reader, as journal_open would have: so that what is known can be looked at before anything is
 * made. On failure it is still to be closed. */
Status journal_start(Journal *journal, const Record *header, uint64_t models_limit_bytes, Error *err);
const char *journal_segment(const Journal *journal);

TrainingState journal_training(const Journal *journal, Id training_id);
/* What is known of a cell; it may be answered by one with more rounds (measured.h): then *served (NULL: not wanted). */
ResultState journal_cell(const Journal *journal, Id training, const CriticSettings *critic,
                         const EvaluationSettings *evaluation, bool *served);
/* What is known of the very cell or baseline that has this id. */
ResultState journal_result(const Journal *journal, Id id);
bool journal_has_model(const Journal *journal, Id training_id);
/* The numerics fingerprints of the results found when it was opened, each once: the first for index 0; NULL past the
 * last. */
const char *journal_fingerprint(const Journal *journal, size_t index);
/* Bytes of the parameters of all kept models (4 each), in all segments. */
uint64_t journal_models_bytes(const Journal *journal);
/* Reads a kept model (its parameters are freed by record_free). STATUS_DATA when there is none. */
Status journal_read_model(const Journal *journal, Id training_id, Record *out, Error *err);

/* Appends the records of one finished piece of work (models to the models file, the rest to the records file). The
 * index stays as the journal was opened: a run never asks for what it did itself, and its memory stays flat. Durable
 * only after journal_sync. *dropped_model (NULL: not wanted) tells whether a model was dropped for the limit. */
Status journal_append(Journal *journal, const Record *records, int n_records, bool *dropped_model, Error *err);
/* Makes everything appended durable: models first, then records. */
Status journal_sync(Journal *journal, Error *err);
/* Appends an end record, syncs, closes. NULL end: closes without (as after an error). Accepts NULL. */
Status journal_close(Journal *journal, const Record *end, Error *err);

/* Calls visit for every record of every records-*.tfrecord in dir, segments in name order (models are not visited).
 * warning as in journal_open. */
Status journal_read(const char *dir, RecordVisitor visit, void *context, char *warning, size_t warning_bytes,
                    Error *err);

/* Where a record of a results folder is. */
typedef struct RecordPlace {
    const char *path, *segment; /* until the next call of the visitor */
    uint64_t offset;
} RecordPlace;

typedef Status (*PlacedVisitor)(void *context, const RecordPlace *place, Record *record, Error *err);

/* As journal_read, with the place of every record, and models too: after all others. */
Status journal_visit(const char *dir, PlacedVisitor visit, void *context, char *warning, size_t warning_bytes,
                     Error *err);

/* What journal_verify found in one file. */
typedef struct SegmentCheck {
    const char *path;
    RecordScan scan;      /* scan.problem: "" when every byte belongs to a whole record */
    bool alive;           /* its run goes on: a torn tail is where it is writing, and it is not repaired */
    const char *saved_as; /* "", or after a repair the file beside it that holds the bytes cut off */
} SegmentCheck;

typedef Status (*SegmentVisitor)(void *context, const SegmentCheck *check, Error *err);

/* Checks every record of every records-*.tfrecord and models-*.tfrecord in dir and tells visit about each file. With
 * repair, a torn or damaged tail is saved as <file>.cut-<offset> and cut off, every whole record before it is kept, and
 * a file without one whole record is set aside as <file>.cut-0. Not repaired: what is no record file, a newer schema, a
 * segment whose run seems to go on (status-<segment>.json).
 * STATUS_FAILED when problems are left, STATUS_DATA when dir holds no record file, STATUS_IO. */
Status journal_verify(const char *dir, bool repair, SegmentVisitor visit, void *context, Error *err);

/* Writes text to path atomically: temporary file, fsync, rename. */
Status journal_replace_file(const char *path, const char *text, Error *err);

#endif
