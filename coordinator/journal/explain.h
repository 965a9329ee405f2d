/* What a results folder and its job know of one training, cell or baseline, and which record decides it. */
#ifndef COORDINATOR_JOURNAL_EXPLAIN_H
#define COORDINATOR_JOURNAL_EXPLAIN_H

#include "coordinator/journal/journal.h"
#include "jobs/job/job_list.h"

/* A record of the id, with the run that wrote it. */
typedef struct Witness {
    char *path, *run, *command_line; /* run: its segment */
    uint64_t offset;
    int64_t started_unix_ms; /* of the run */
    Record record;           /* a model without its parameters */
} Witness;

typedef struct Explanation {
    Id id, training_id; /* training_id: of a cell its training's, of a baseline all zero */
    RecordKind kind;    /* RECORD_TRAINING, RECORD_CELL or RECORD_BASELINE */
    const char *state;  /* "done", "diverged", "failed", "pending" or "skipped" */
    char why[768];
    bool job_known, asked_for;
    bool settings_known;
    Settings
        settings; /* of a training its own, of a cell the critic's and the evaluation's, of a baseline the task's too */
    Predictor predictor;
    int n_witnesses;
    Witness *witnesses; /* in the order of files and offsets, models last */
    int deciding;       /* the one that decides, or -1 */
    int model;          /* the one that holds the kept model, or -1 */
    char *checkpoint;   /* path of the file of a begun training; NULL: none */
    int64_t checkpoint_step;
    int cells_asked, cells_measured; /* of a training: those that the job asks for, and of them those in records */
    int cells_other;                 /* in records, not asked for by the job */
} Explanation;

/* Explains the id that begins with digits. jobs: what is asked for; none may be known. STATUS_DATA: nothing has that id
 * (what is nearest), or several things have; STATUS_USAGE: it is no id; else as journal_read. */
Status explain_id(const char *dir, const JobList *jobs, const char *digits, Explanation *out, char *warning,
                  size_t warning_bytes, Error *err);
void explanation_free(Explanation *explanation);

#endif
