/* Files that are there whole or not at all: written beside their place, which they take when nothing failed, so that a
 * full disk leaves the file that was there before. What is no regular file (a device, a pipe) is written as it is. */
#ifndef ANALYSIS_OUTPUT_WHOLE_FILE_H
#define ANALYSIS_OUTPUT_WHOLE_FILE_H

#include "proto/base/status.h"

#include <limits.h>
#include <stdio.h>

typedef struct WholeFile {
    FILE *out;
    const char *path;         /* the caller's, until the file is ended */
    char temporary[PATH_MAX]; /* "": path itself is written */
} WholeFile;

/* STATUS_IO: path cannot be written, and there is nothing to end. */
Status whole_file_begin(WholeFile *file, const char *path, Error *err);
/* Closes it. With status STATUS_OK, and no failure to write since it was begun, the file takes its place; else what was
 * written is removed. Returns status, where writing failed with the path before err's words, or STATUS_IO. */
Status whole_file_end(WholeFile *file, Status status, Error *err);

#endif
