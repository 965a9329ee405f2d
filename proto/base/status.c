/* See status.h. */
#include "proto/base/status.h"

#include "proto/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Status error_set(Error *err, Status status, const char *format, ...) {
    if (err != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(err->text, sizeof err->text, format, arguments);
        va_end(arguments);
    }
    return status;
}

Status error_prefix(Error *err, Status status, const char *format, ...) {
    if (err != NULL) {
        char before[ERROR_TEXT_BYTES];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(before, sizeof before, format, arguments);
        va_end(arguments);
        size_t used = strnlen(before, sizeof before);
        snprintf(before + used, sizeof before - used, ": %s", err->text);
        memcpy(err->text, before, sizeof before);
    }
    return status;
}

void error_show(Error *err) {
    char text[ERROR_TEXT_BYTES];
    if (err == NULL) return;
    memcpy(text, err->text, sizeof text);
    text_shown(text, err->text, sizeof err->text);
}
