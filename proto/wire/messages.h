/* Everything that ranks say to each other and that record files hold, as plain C structs with units and shapes.
 *
 * The wire form is proto/schema/palinode.proto, field for field; codec.h turns one into the other. A decoded struct
 * owns its pointers (malloc) and is freed by message_free or record_free. Undefined numbers are NaN here and on the
 * wire, never 0. */
#ifndef PROTO_WIRE_MESSAGES_H
#define PROTO_WIRE_MESSAGES_H

#include "proto/wire/settings.h"

#include <stddef.h>

/* 128-bit identity of a training, a cell or a baseline; printed as 32 hexadecimal digits. */
typedef struct Id {
    uint8_t bytes[16];
} Id;

enum { ID_TEXT_BYTES = 33 };

/* --- what record files hold ------------------------------------------------------------------------------------- */

/* Mean over prompts and its standard error, for one predictor under one critic.
 * value and standard_error: (METRIC_COUNT + more_metrics) x n_points, [metric * n_points + examples]; NaN where
 * undefined, as all is of a metric that came after the version that wrote the record. */
typedef struct Curves {
    int32_t n_points;
    double *value, *standard_error;
    int32_t more_metrics; /* that a newer version measured, kept as they are; not on the wire: the lengths tell */
} Curves;

/* Rounds of correction of one model under one critic: means over prompts and their standard errors.
 * value and standard_error: (ROUND_METRIC_COUNT + more_metrics) x count, [metric * count + round]; as in Curves. */
typedef struct RoundCurves {
    int32_t count; /* R + 1; 0: not measured */
    double *value, *standard_error;
    double self_check_accuracy; /* of the critic on the responses of the closed loop */
    int32_t initial_responses;  /* n0 that the loop began with */
    double right_cosine;        /* above which an answer counted as right */
    int32_t more_metrics;       /* as in Curves */
} RoundCurves;

typedef enum Outcome {
    OUTCOME_DONE = 0,     /* trained */
    OUTCOME_DIVERGED = 1, /* the loss or a parameter stopped being finite: a result, never retried */
    OUTCOME_FAILED = 2    /* the process died or could not work: see reason */
} Outcome;

enum { LOSS_CURVE_POINTS = 500 };

/* One training, ended. */
typedef struct TrainingRecord {
    Id training_id;
    TrainingSpec spec;
    Outcome outcome;
    char *reason;     /* of a failure or divergence, else "" */
    int32_t attempts; /* 1: succeeded at once */
    int64_t steps_done;
    double final_loss;  /* mean of the last tenth of the steps' losses */
    int32_t n_loss;     /* <= LOSS_CURVE_POINTS */
    int64_t *loss_step; /* (n_loss) last step of each averaged stretch, 1-based */
    double *loss;       /* (n_loss) mean loss over that stretch */
    char *fingerprint;  /* numerics fingerprint */
    /* provenance: differs between equal runs */
    double flops; /* nominal, of all steps */
    double wall_s, cpu_s;
    int64_t peak_memory_bytes;
    int32_t rank;
    char *host;
    int64_t ended_unix_ms;
} TrainingRecord;

/* One trained model measured under one critic. */
typedef struct CellRecord {
    Id cell_id, training_id;
    CriticSettings critic;
    int32_t prompts;
    double self_check_accuracy; /* probability that the critic ranks two responses rightly, ties half */
    Curves curves;              /* predictor: model */
    char *fingerprint;
    double wall_s;
    RoundCurves rounds;
    char *failure; /* why it could not be measured: then there are no curves; else "" */
} CellRecord;

/* One baseline predictor measured on the prompts of a seed under one critic. */
typedef struct BaselineRecord {
    Id baseline_id;
    TaskSettings task;
    uint32_t seed;
    CriticSettings critic;
    int32_t prompts;
    Predictor predictor;
    int32_t gd_steps; /* of gd, else 0 */
    double self_check_accuracy;
    Curves curves;
    char *fingerprint;
    double wall_s;
    char *failure; /* as in CellRecord */
} BaselineRecord;

/* The parameters of one trained model, in the order of worker/model/tensors.h. */
typedef struct ModelRecord {
    Id training_id;
    TrainingSpec spec;
    int64_t n_parameters;
    float *parameters; /* (n_parameters) */
    char *fingerprint;
} ModelRecord;

/* First record of every file: where it came from. */
typedef struct HeaderRecord {
    int32_t schema;                 /* SCHEMA_VERSION of the writer */
    char *content;                  /* "records", "models" or "checkpoint" */
    char *version, *commit, *build; /* program version; commit and dirty flag; compiler and flags */
    char *mpi, *blas, *cpu, *host;  /* libraries really loaded; CPU model and host of rank 0 */
    char *rank_hosts;               /* "host cpu" of every rank, one line each, "" when unknown */
    char *scheduler;                /* job ids of a batch system as NAME=value lines, else "" */
    char *command_line, *job_name, *job_text;
    int32_t n_ranks, n_workers;
    int64_t started_unix_ms;
    char *fingerprint;                /* numerics of rank 0, "" in files of older versions */
    int32_t shard_index, shard_count; /* 1-based part of the grid; 0, 0: all of it */
    char *sources;                    /* of a merge: a line for every run whose results it took; of a run: "" */
} HeaderRecord;

/* Last record of a file whose run ended in order. */
typedef struct EndRecord {
    int64_t ended_unix_ms;
    int64_t trainings_done, trainings_failed, trainings_diverged, cells_done, baselines_done; /* of this run */
    char *reason;       /* "done", "interrupted", "limit", "deadline", .. */
    int64_t steps_done; /* optimiser steps of this run that are not lost: of ended trainings and in checkpoints */
} EndRecord;

/* A training between two of its steps: what it goes on from, to the bit. */
typedef struct TrainState {
    int64_t step;       /* done */
    int32_t n_loss;     /* the loss curve so far, as in TrainingRecord */
    int64_t *loss_step; /* (n_loss) */
    double *loss;       /* (n_loss) */
    double stretch_sum; /* of the losses since the curve's last point */
    double tenth_sum;   /* of the losses in the last tenth of the steps */
    int64_t n_parameters;
    float *parameters; /* (n_parameters), as in ModelRecord */
    int64_t n_moments; /* n_parameters, or 0 after the last step, which needs them no more */
    float *m, *v;      /* (n_moments) Adam's moments */
} TrainState;

/* An unfinished training, or a finished one that is still to be measured. */
typedef struct CheckpointRecord {
    Id training_id;
    TrainingSpec spec;
    char *fingerprint; /* numerics of the training */
    TrainState state;
    double wall_s, cpu_s; /* that its steps have taken */
} CheckpointRecord;

enum { SCHEMA_VERSION = 1 };

typedef enum RecordKind {
    RECORD_HEADER = 1,
    RECORD_TRAINING = 2,
    RECORD_CELL = 3,
    RECORD_BASELINE = 4,
    RECORD_MODEL = 5,
    RECORD_END = 6,
    RECORD_CHECKPOINT = 7 /* in checkpoint_file.h's files only */
} RecordKind;

typedef struct Record {
    RecordKind kind;
    union {
        HeaderRecord header;
        TrainingRecord training;
        CellRecord cell;
        BaselineRecord baseline;
        ModelRecord model;
        EndRecord end;
        CheckpointRecord checkpoint;
    } of;
} Record;

/* --- what ranks say --------------------------------------------------------------------------------------------- */

/* One critic of a work item and the id that its result gets. */
typedef struct CriticOrder {
    Id id; /* cell_id, or for WORK_BASELINES the baseline_id */
    CriticSettings critic;
    Predictor predictor; /* PREDICTOR_MODEL for a cell */
} CriticOrder;

typedef enum WorkKind {
    WORK_TRAINING = 1,   /* train, then evaluate under every critic */
    WORK_EVALUATION = 2, /* parameters are given: evaluate only */
    WORK_BASELINES = 3   /* no model: baselines on the prompts of (task, seed) */
} WorkKind;

/* What one child process does. */
typedef struct WorkItem {
    uint64_t work; /* the coordinator's number for it */
    WorkKind kind;
    Id training_id;
    TrainingSpec spec;
    EvaluationSettings evaluation;
    int32_t attempt; /* 1: first */
    int32_t n_orders;
    CriticOrder *orders;
    int64_t n_parameters; /* of WORK_EVALUATION, else 0 */
    float *parameters;
    bool keep_model;           /* send the parameters back */
    char *kernels;             /* kernel path to use, "" for the best */
    char *checkpoint;          /* file of an unfinished training, "": none is kept */
    double checkpoint_every_s; /* elapsed time between two checkpoints */
    char *model_fingerprint;   /* of WORK_EVALUATION: numerics that the parameters were trained with, else "" */
} WorkItem;

/* An agent tells the coordinator who it is. */
typedef struct Hello {
    int32_t rank, workers;
    char *host, *cpu, *fingerprint;
    uint64_t free_memory_bytes;
} Hello;

/* How far a piece of work has come. */
typedef struct Progress {
    uint64_t work;
    int64_t step;
    double loss;        /* mean since the last report; NaN before the first */
    double flops_done;  /* nominal, of this work, with those of the steps before first_step */
    int64_t saved_step; /* of the checkpoint on disk; 0: none */
    int64_t first_step; /* steps that it did not do itself: those of the checkpoint it went on from */
    char *notice;       /* what the user should know, said once: a checkpoint that cannot be used or saved; else "" */
} Progress;

/* A child is done: everything that it found. */
typedef struct WorkDone {
    uint64_t work;
    int32_t n_records;
    Record *records; /* a TrainingRecord and ModelRecord where one was trained, CellRecords, BaselineRecords */
} WorkDone;

/* A child saved its training and ended: told to drain. */
typedef struct WorkPaused {
    uint64_t work;
    int64_t step; /* saved; 0: there was nothing to save */
} WorkPaused;

/* Whose fault a failure is: only the training's own count against its retries. */
typedef enum FailureCause {
    FAILURE_TRAINING = 0,      /* crash, out of memory, an error of its own */
    FAILURE_INFRASTRUCTURE = 1 /* no process could be started, a file system failed, .. */
} FailureCause;

/* A child ended without a result. */
typedef struct WorkFailed {
    uint64_t work;
    int32_t rank;
    char *host, *reason; /* "killed by signal 9 (Killed) at step 120", an error's text, .. */
    FailureCause cause;
} WorkFailed;

typedef enum MessageKind {
    MESSAGE_HELLO = 1,    /* agent -> coordinator, once */
    MESSAGE_WORK = 2,     /* coordinator -> agent -> child */
    MESSAGE_PROGRESS = 3, /* child -> agent -> coordinator */
    MESSAGE_DONE = 4,     /* child -> agent -> coordinator */
    MESSAGE_FAILED = 5,   /* agent -> coordinator */
    MESSAGE_STOP = 6,     /* coordinator -> agent: kill what runs, finish; a rank -> coordinator: it was told to end */
    MESSAGE_DRAIN = 7,    /* coordinator -> agent -> child: save and end */
    MESSAGE_PAUSED = 8    /* child -> agent -> coordinator: its answer to MESSAGE_DRAIN, unless it is done */
} MessageKind;

typedef struct Message {
    MessageKind kind;
    union {
        Hello hello;
        WorkItem work;
        Progress progress;
        WorkDone done;
        WorkFailed failed;
        WorkPaused paused;
    } of;
} Message;

#endif
