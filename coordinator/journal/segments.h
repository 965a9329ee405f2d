/* The files of a results folder by their names: <kind>-<segment>.tfrecord and status-<segment>.json. */
#ifndef COORDINATOR_JOURNAL_SEGMENTS_H
#define COORDINATOR_JOURNAL_SEGMENTS_H

#include "jobs/grid/shard.h"
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

typedef enum SegmentLife {
    SEGMENT_ENDED, /* its status file says so, its process is gone, or nothing was heard of it for long */
    SEGMENT_FRESH, /* its process cannot be seen from here (another machine, container, ..), its file is fresh */
    SEGMENT_RUNS   /* its process is there */
} SegmentLife;

/* How long a run of which only the file is known may be silent; it rewrites it every two seconds. */
enum { SEGMENT_SILENCE_MS = 120000 };

SegmentLife segment_life(const char *dir, const char *segment);
/* Whether the segment's run seems to be going on: SEGMENT_FRESH counts as well. */
bool segment_is_alive(const char *dir, const char *segment);

#endif
