/* See warning.h. */
#include "cli/shared/warning.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

void print_warnings(const char *text) {
    while (*text != '\0') {
        int length = (int)strcspn(text, "\n");
        char line[TEXT_SHOWN_BYTES];
        snprintf(line, sizeof line, "%.*s", length, text);
        if (length > 0) fprintf(stderr, "palinode: warning: %s\n", TEXT_SHOWN(line));
        text += length + (text[length] == '\n');
    }
}
