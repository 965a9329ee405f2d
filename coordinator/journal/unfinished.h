/* Trainings that were begun and not ended: DIR/checkpoints holds one file for each, named by its training id.
 *
 * Children write the files; the coordinator says where, knows how far each has come, and removes a file when the
 * training's record is durable. */
#ifndef COORDINATOR_JOURNAL_UNFINISHED_H
#define COORDINATOR_JOURNAL_UNFINISHED_H

#include "proto/wire/codec.h"

typedef struct Unfinished Unfinished;

/* Looks at DIR/checkpoints; changes nothing. STATUS_IO. */
Status unfinished_open(const char *dir, Unfinished **out, Error *err);
/* Removes half-written files, which are litter of runs that died. alone: no other run works in the folder now, so that
 * all of them are; else only those that nobody has touched for long. */
void unfinished_clear_litter(Unfinished *unfinished, bool alone);
/* Removes the folder when it is empty. Accepts NULL. */
void unfinished_close(Unfinished *unfinished);

/* Number of trainings that have a file. */
size_t unfinished_count(const Unfinished *unfinished);
/* The step that a training's file holds; 0: it has none. */
int64_t unfinished_step(const Unfinished *unfinished, Id training_id);

/* The path of a training's file, malloc'd; makes the folder if there is none. STATUS_IO, STATUS_NO_MEMORY. */
Status unfinished_path(Unfinished *unfinished, Id training_id, char **path, Error *err);
/* A child has saved its training at a step. */
Status unfinished_saved(Unfinished *unfinished, Id training_id, int64_t step, Error *err);
/* A training has ended for good: its file, if it has one, goes with the next sweep. */
void unfinished_ended(Unfinished *unfinished, Id training_id);
/* Removes the files of what has ended: to be called when the records are durable. A file that cannot be removed is left
 * to the next run. */
void unfinished_sweep(Unfinished *unfinished);

#endif
