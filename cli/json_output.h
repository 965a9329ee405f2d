/* JSON on stdout, as every --json prints it. */
#ifndef CLI_JSON_OUTPUT_H
#define CLI_JSON_OUTPUT_H

#include "proto/base/status.h"

#include <jansson.h>

/* Prints value and a line end; flags are jansson's. Takes value; NULL means that there was no memory to make it.
 * STATUS_NO_MEMORY; main looks after a stdout that cannot be written. */
Status json_output(json_t *value, size_t flags, Error *err);

#endif
