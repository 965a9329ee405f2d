/* The work that waits: which piece belongs to which class of cost, in a byte or two a piece.
 *
 * A slot is a place where a piece of work may wait; the schedule knows what each stands for. Pieces of one class cost
 * the same, so whoever wants the longest work asks a class for any of its slots. Costs take few values, whatever the
 * size of a grid; should they take more than 60000, further ones are rounded to classes a few percent apart. */
#ifndef COORDINATOR_SCHEDULE_PENDING_H
#define COORDINATOR_SCHEDULE_PENDING_H

#include "coordinator/forecast/cost_model.h"

typedef struct Pending Pending;

typedef struct WorkClass {
    WorkKind kind;
    int rate;          /* class of rate in the cost model */
    double flops;      /* nominal, of one piece */
    double step_flops; /* of one step of a training, else 0 */
    uint64_t waiting;  /* pieces that wait */
    uint64_t cursor;   /* no slot before it waits */
} WorkClass;

/* model must outlive it. STATUS_NO_MEMORY. */
Status pending_create(uint64_t n_slots, CostModel *model, Pending **out, Error *err);
void pending_free(Pending *pending);

/* The class of work of this kind, these settings and this many operations, added when it is new. */
Status pending_class(Pending *pending, WorkKind kind, const TrainingSpec *spec, double flops, int *class, Error *err);
const WorkClass *pending_classes(const Pending *pending, int *count);
/* Pieces that wait, in all classes. */
uint64_t pending_count(const Pending *pending);

/* A piece of a class waits in a slot that was free. STATUS_NO_MEMORY. */
Status pending_put(Pending *pending, uint64_t slot, int class, Error *err);
/* Takes the first piece of a class that waits; there is one. */
uint64_t pending_take(Pending *pending, int class);

#endif
