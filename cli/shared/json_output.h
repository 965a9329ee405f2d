/* JSON on stdout, as every --json prints it. */
#ifndef CLI_SHARED_JSON_OUTPUT_H
#define CLI_SHARED_JSON_OUTPUT_H

#include "proto/base/status.h"

#include "proto/wire/settings.h"

#include <jansson.h>

/* Prints value and a line end; flags are jansson's. Takes value; NULL means that it could not be made.
 * STATUS_NO_MEMORY (also for a text that is not UTF-8); main looks after a stdout that cannot be written. */
Status json_output(json_t *value, size_t flags, Error *err);

/* A number, or null where it is undefined or infinite. */
/* A text that may not be UTF-8, such as a path: then as it can be shown (proto/base/text.h). */
json_t *text_json(const char *text);
json_t *number_or_null(double value);
/* The settings of a model and its task, under the names of a model file. */
json_t *model_settings_json(const ModelSettings *model, const TaskSettings *task);

#endif
