/* Which results a folder has under an id, and which cells serve for others.
 *
 * The first rounds of a rollout do not depend on how many follow, and curves depend on no round: a cell with more
 * rounds is an answer to whoever wants fewer, or none, of the same training under the same critic. Rounds that begin
 * with other responses, or are judged otherwise, are others. */
#ifndef COORDINATOR_JOURNAL_MEASURED_H
#define COORDINATOR_JOURNAL_MEASURED_H

#include "coordinator/journal/id_table.h"

/* The different rounds of the cells of a folder: few. */
typedef struct RoundsSeen {
    EvaluationSettings *items; /* (count) of which rounds, initial_responses and right_cosine are meant */
    int count;
} RoundsSeen;

/* Notes those of a cell. STATUS_NO_MEMORY. */
Status rounds_seen_add(RoundsSeen *seen, const CellRecord *cell, Error *err);
void rounds_seen_free(RoundsSeen *seen);

/* What is known of a cell: the entry of its own id, or of one that serves for it and has a result; NULL: nothing. */
const IdEntry *measured_cell(const IdTable *ids, const RoundsSeen *seen, Id training, const CriticSettings *critic,
                             const EvaluationSettings *wanted);

#endif
