/* Words in messages: quoting what a user wrote, and finding the known word that a misspelt one was meant to be. */
#ifndef JOBS_SETTINGS_WORDS_H
#define JOBS_SETTINGS_WORDS_H

#include <stdbool.h>

enum { QUOTED_BYTES = 64, NAME_BYTES = 101 };

/* text in single quotes as it can be shown (proto/base/text.h), cut after about 50 bytes. */
const char *words_quote(const char *text, char quoted[QUOTED_BYTES]);

/* Whether a text may be the name of a job or a claim: letters, digits, - _ . and the first of them a letter or digit.
 */
bool words_name_allowed(const char *text);

/* The known word that a misspelt one most likely meant: start from zero, offer every candidate, read best (NULL: none
 * is near). The first of equally near candidates wins. */
typedef struct Nearest {
    const char *best;
    int distance; /* of best */
} Nearest;

/* Offers answer for a word because candidate may be what it meant; penalty: edits that count on top. */
void nearest_offer(Nearest *nearest, const char *word, const char *candidate, int penalty, const char *answer);

#endif
