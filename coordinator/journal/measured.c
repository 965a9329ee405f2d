/* See measured.h. */
#include "coordinator/journal/measured.h"

#include "jobs/settings/identity.h"
#include "proto/wire/record_content.h"

#include <stdlib.h>

/* Where there are no rounds, how they would begin means nothing. */
static bool same_rounds(const EvaluationSettings *a, const EvaluationSettings *b) {
    return a->rounds == b->rounds &&
           (a->rounds == 0 || (a->initial_responses == b->initial_responses && a->right_cosine == b->right_cosine));
}

Status rounds_seen_add(RoundsSeen *seen, const CellRecord *cell, Error *err) {
    EvaluationSettings own = {0};
    record_cell_evaluation(cell, &own);
    for (int i = seen->count; i > 0; i--) /* mostly the last ones again */
        if (same_rounds(&seen->items[i - 1], &own)) return STATUS_OK;
    EvaluationSettings *more = realloc(seen->items, ((size_t)seen->count + 1) * sizeof *more);
    if (more == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the rounds of cells");
    seen->items = more;
    seen->items[seen->count++] = own;
    return STATUS_OK;
}

void rounds_seen_free(RoundsSeen *seen) {
    free(seen->items);
    *seen = (RoundsSeen){0};
}

static bool serves(const EvaluationSettings *rounds, const EvaluationSettings *wanted) {
    if (rounds->rounds <= wanted->rounds) return false;
    return wanted->rounds == 0 ||
           (rounds->initial_responses == wanted->initial_responses && rounds->right_cosine == wanted->right_cosine);
}

const IdEntry *measured_cell(const IdTable *ids, const RoundsSeen *seen, Id training, const CriticSettings *critic,
                             const EvaluationSettings *wanted) {
    const IdEntry *own = id_table_find(ids, cell_id(training, critic, wanted));
    if (own != NULL && own->result) return own;
    for (int i = 0; i < seen->count; i++) {
        if (!serves(&seen->items[i], wanted)) continue;
        EvaluationSettings other = *wanted;
        other.rounds = seen->items[i].rounds;
        other.initial_responses = seen->items[i].initial_responses;
        other.right_cosine = seen->items[i].right_cosine;
        const IdEntry *entry = id_table_find(ids, cell_id(training, critic, &other));
        if (entry != NULL && entry->result) return entry;
    }
    return own;
}
