/* See json_output.h. */
#include "cli/json_output.h"

#include <stdio.h>
#include <stdlib.h>

Status json_output(json_t *value, size_t flags, Error *err) {
    char *text = value != NULL ? json_dumps(value, flags) : NULL;
    json_decref(value);
    if (text == NULL) return error_set(err, STATUS_NO_MEMORY, "no JSON can be made of the result: no memory, or a text in it is not UTF-8");
    puts(text);
    free(text);
    return STATUS_OK;
}
