/* See words.h. Distance is Levenshtein's: insertions, deletions and replacements of one byte. */
#include "jobs/settings/words.h"

#include "proto/base/text.h"

#include <ctype.h>
#include <string.h>

enum { WORD_BYTES = 64 }; /* longer words are not misspelt keys */

const char *words_quote(const char *text, char quoted[QUOTED_BYTES]) {
    quoted[0] = '\'';
    text_shown(text, quoted + 1, QUOTED_BYTES - 2);
    strcat(quoted, "'");
    return quoted;
}

bool words_name_allowed(const char *text) {
    size_t length = strnlen(text, NAME_BYTES);
    if (length == 0 || length == NAME_BYTES || !isalnum((unsigned char)text[0])) return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL) return false;
    return true;
}

static int edit_distance(const char *a, size_t a_length, const char *b) {
    int row[WORD_BYTES + 1]; /* row[i]: distance between the first i bytes of a and the bytes of b read so far */
    for (size_t i = 0; i <= a_length; i++)
        row[i] = (int)i;
    for (; *b != '\0'; b++) {
        int diagonal = row[0];
        row[0]++;
        for (size_t i = 1; i <= a_length; i++) {
            int best = diagonal + (a[i - 1] != *b);
            diagonal = row[i];
            if (row[i] + 1 < best) best = row[i] + 1;
            if (row[i - 1] + 1 < best) best = row[i - 1] + 1;
            row[i] = best;
        }
    }
    return row[a_length];
}

void nearest_offer(Nearest *nearest, const char *word, const char *candidate, int penalty, const char *answer) {
    size_t length = strnlen(word, WORD_BYTES + 1);
    if (length > WORD_BYTES) return;
    int distance = edit_distance(word, length, candidate);
    if (distance > 1 + (int)strlen(candidate) / 4) return;
    distance += penalty;
    if (nearest->best != NULL && distance >= nearest->distance) return;
    nearest->best = answer;
    nearest->distance = distance;
}
