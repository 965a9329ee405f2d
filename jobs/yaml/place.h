/* Where something was written (a line of the job file, or an option that overrides it), so that every message can say
 * so. */
#ifndef JOBS_YAML_PLACE_H
#define JOBS_YAML_PLACE_H

#include "proto/base/status.h"

/* All zero: nowhere, a default. */
typedef struct Place {
    int line, column; /* in the file, from 1 */
    int option;       /* 1 for the first override, ..; 0: in the file */
} Place;

/* What places refer to. */
typedef struct Source {
    const char *path;
    const char *const *options; /* "model.n_layer=2,4" */
} Source;

static inline int place_known(Place place) {
    return place.line > 0 || place.option > 0;
}

/* Sets err to "path:line:column: message" and returns STATUS_DATA, or for an option to "--set option: message" and
 * STATUS_USAGE. */
Status place_error(const Source *source, Place place, Error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts the place in front of what err says already. Running out of memory has no place and stays what it is. */
Status place_prefix(const Source *source, Place place, Status status, Error *err);

/* STATUS_NO_MEMORY with its message. */
Status out_of_memory(Error *err);

#endif
