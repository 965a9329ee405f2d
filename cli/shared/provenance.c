/* See provenance.h. */
#include "cli/shared/provenance.h"

#include <stdio.h>
#include <stdlib.h>

char *provenance_command_line(int argc, char **argv) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return NULL;
    fputs("palinode", out);
    for (int i = 0; i < argc; i++)
        fprintf(out, " %s", argv[i]);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
