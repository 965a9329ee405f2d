/* Finding an id by its first digits, among all that are offered. */
#ifndef COORDINATOR_JOURNAL_ID_SEARCH_H
#define COORDINATOR_JOURNAL_ID_SEARCH_H

#include "proto/wire/codec.h"

enum { ID_PREFIX_DIGITS = 4 }; /* at least */

typedef struct IdSearch {
    char prefix[ID_TEXT_BYTES]; /* lower case */
    Id found[2];                /* different ones, at most two: one more than wanted */
    int n_found;
    RecordKind kind; /* of found[0] */
    Id nearest;      /* of those that do not begin with prefix: shares the most digits with it */
    int shared;      /* digits; -1: nothing was offered */
} IdSearch;

/* STATUS_USAGE unless text is 4 to 32 hexadecimal digits. */
Status id_search_begin(const char *text, IdSearch *search, Error *err);
void id_search_offer(IdSearch *search, Id id, RecordKind kind);
/* *id is the one that was meant. STATUS_DATA: none is, and what is nearest, or several are. where: "DIR", for messages.
 */
Status id_search_end(const IdSearch *search, const char *where, Id *id, Error *err);

#endif
