/* See id_search.h. */
#include "coordinator/journal/id_search.h"

#include <ctype.h>
#include <string.h>

Status id_search_begin(const char *text, IdSearch *search, Error *err) {
    size_t length = strlen(text);
    *search = (IdSearch){.shared = -1};
    if (length < ID_PREFIX_DIGITS || length >= ID_TEXT_BYTES || text[strspn(text, "0123456789abcdefABCDEF")] != '\0')
        return error_set(err, STATUS_USAGE, "'%s': expected an id, %d to %d hexadecimal digits", text, ID_PREFIX_DIGITS,
                         ID_TEXT_BYTES - 1);
    for (size_t i = 0; i < length; i++)
        search->prefix[i] = (char)tolower((unsigned char)text[i]);
    return STATUS_OK;
}

void id_search_offer(IdSearch *search, Id id, RecordKind kind) {
    char text[ID_TEXT_BYTES];
    int shared = 0;
    id_text(id, text);
    while (search->prefix[shared] != '\0' && search->prefix[shared] == text[shared])
        shared++;
    if (search->prefix[shared] != '\0') {
        if (shared > search->shared) {
            search->shared = shared;
            search->nearest = id;
        }
        return;
    }
    for (int i = 0; i < search->n_found; i++)
        if (id_equal(search->found[i], id)) return;
    if (search->n_found == 0) search->kind = kind;
    if (search->n_found < 2) search->found[search->n_found++] = id;
}

Status id_search_end(const IdSearch *search, const char *where, Id *id, Error *err) {
    char first[ID_TEXT_BYTES], second[ID_TEXT_BYTES];
    if (search->n_found == 1) {
        *id = search->found[0];
        return STATUS_OK;
    }
    if (search->n_found == 2)
        return error_set(err, STATUS_DATA, "%s: %s is the beginning of several ids, such as %s and %s", where,
                         search->prefix, id_text(search->found[0], first), id_text(search->found[1], second));
    if (search->shared < 0) return error_set(err, STATUS_DATA, "%s: nothing there has an id", where);
    return error_set(err, STATUS_DATA, "%s: no id begins with %s; the nearest is %s, the same in its first %d digit%s",
                     where, search->prefix, id_text(search->nearest, first), search->shared,
                     search->shared == 1 ? "" : "s");
}
