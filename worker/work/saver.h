/* The checkpoint file of one piece of work: what it goes on from, when the next checkpoint is due, how long its steps
 * have taken in all processes together, and what the user should know of a file that cannot be used or written. Nothing
 * here makes a training fail. */
#ifndef WORKER_WORK_SAVER_H
#define WORKER_WORK_SAVER_H

#include "proto/wire/codec.h"

typedef struct Saver {
    const WorkItem *item;
    const char *fingerprint; /* of the training's numerics */
    int64_t first_step;      /* that the file had when this process began; 0: none */
    int64_t saved_step;      /* that the file has now */
    double wall_s, cpu_s;    /* of earlier processes' steps; after saver_finish of all steps */
    double start_s, start_cpu_s, last_s;
    TrainState finished; /* step 0: the training goes on. Else what saver_save_finished saves */
    bool failure_told;
    char notice[512]; /* what is still to be told, "": nothing */
} Saver;

/* Work without checkpoint (no training, or item->checkpoint "" or NULL) has a saver that does nothing. */
void saver_start(Saver *saver, const WorkItem *item, const char *fingerprint);
/* Loads the checkpoint to go on from; *from (freed by record_free of a Record holding it) is filled when the result is
 * true. A file that is damaged, foreign or of other numerics is left alone until the next save, and noted. */
bool saver_load(Saver *saver, CheckpointRecord *from);
/* Whether a checkpoint should be saved now. */
bool saver_due(const Saver *saver);
/* Saves state, if it is not what the file has. */
void saver_save(Saver *saver, const TrainState *state);
/* The training is done: from now on *state, without moments, is what there is to save, as long as its arrays live. */
void saver_finish(Saver *saver, const TrainState *state);
void saver_save_finished(Saver *saver);
/* The time that all steps so far took. */
void saver_times(const Saver *saver, double *wall_s, double *cpu_s);

#endif
