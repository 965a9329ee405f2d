/* The files of a results folder by their names: <kind>-<segment>.tfrecord and status-<segment>.json. */
#ifndef COORDINATOR_SEGMENTS_H
#define COORDINATOR_SEGMENTS_H

#include "coordinator/shard.h"
#include "proto/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Segments that have a file of one kind, numbers in their order. */
typedef struct SegmentList {
    char **names; /* "0001", .. */
    size_t count;
} SegmentList;

/* Lists the segments of kind "records", "models" or "status" in dir. STATUS_IO. */
Status segments_list(const char *dir, const char *kind, SegmentList *out, Error *err);
void segments_free(SegmentList *list);

/* Writes the path of a segment's file of that kind to path (PATH_MAX bytes). */
void segment_path(const char *dir, const char *kind, const char *segment, char *path);

/* The number after the largest that any file in dir has. */
Status segments_next_number(const char *dir, unsigned long *number, Error *err);

/* The content of a segment's status file; NULL: there is none, it is no regular file, or no JSON. */
json_t *segment_status(const char *dir, const char *segment);
/* The part of the grid that the run of a status file does; count 0: all of it. */
Shard segment_shard(const json_t *status);

/* Whether the segment's run seems to be going on: its status file says "running", and its process runs, or, when it
 * is of another machine, the file was rewritten within the last two minutes. */
bool segment_is_alive(const char *dir, const char *segment);

#endif
