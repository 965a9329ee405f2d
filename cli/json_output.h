/* JSON on stdout, as every --json prints it. */
#ifndef CLI_JSON_OUTPUT_H
#define CLI_JSON_OUTPUT_H

#include "proto/base/status.h"

#include <jansson.h>

/* Prints value and a line end; flags are jansson's. Takes value; NULL means that it could not be made.
 * STATUS_NO_MEMORY (also for a text that is not UTF-8); main looks after a stdout that cannot be written. */
Status json_output(json_t *value, size_t flags, Error *err);

#endif
