/* See place.h. */
#include "jobs/yaml/place.h"

#include <stdarg.h>
#include <stdio.h>

Status place_prefix(const Source *source, Place place, Status status, Error *err) {
    if (status == STATUS_OK || status == STATUS_NO_MEMORY) return status;
    if (place.option > 0)
        error_prefix(err, status, "--set %.200s", source->options[place.option - 1]);
    else if (place.line > 0)
        error_prefix(err, status, "%.500s:%d:%d", source->path, place.line, place.column);
    else
        error_prefix(err, status, "%.500s", source->path);
    error_show(err);
    return place.option > 0 ? STATUS_USAGE : status;
}

Status place_error(const Source *source, Place place, Error *err, const char *format, ...) {
    char text[ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(err, STATUS_DATA, "%s", text);
    return place_prefix(source, place, STATUS_DATA, err);
}

Status out_of_memory(Error *err) {
    return error_set(err, STATUS_NO_MEMORY, "out of memory while reading a job");
}
