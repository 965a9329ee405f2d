/* See warning.h. */
#include "cli/warning.h"

#include <stdio.h>
#include <string.h>

void print_warnings(const char *text) {
    while (*text != '\0') {
        int length = (int)strcspn(text, "\n");
        if (length > 0) fprintf(stderr, "palinode: warning: %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}
