/* See segments.h. */
#include "coordinator/journal/segments.h"

#include "coordinator/journal/process_identity.h"
#include "proto/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *suffix_of(const char *kind) {
    return strcmp(kind, "status") == 0 ? ".json" : ".tfrecord";
}

/* A copy of the segment in a file name of that kind, NULL if the name is another, or (sets *failed) without memory. */
static char *segment_in(const char *name, const char *kind, bool *failed) {
    const char *suffix = suffix_of(kind);
    size_t size = strlen(name), before = strlen(kind) + 1, after = strlen(suffix);
    if (size <= before + after || strncmp(name, kind, before - 1) != 0 || name[before - 1] != '-' ||
        strcmp(name + size - after, suffix) != 0)
        return NULL;
    char *segment = malloc(size - before - after + 1);
    *failed = segment == NULL;
    if (segment == NULL) return NULL;
    memcpy(segment, name + before, size - before - after);
    segment[size - before - after] = '\0';
    return segment;
}

Status segments_list(const char *dir, const char *kind, SegmentList *out, Error *err) {
    struct dirent **entries = NULL;
    bool failed = false;
    *out = (SegmentList){0};
    int n = scandir(dir, &entries, NULL, versionsort);
    if (n < 0) return error_set(err, STATUS_IO, "%s: cannot read the folder: %s", dir, strerror(errno));
    out->names = calloc((size_t)n + 1, sizeof *out->names);
    failed = out->names == NULL;
    for (int i = 0; i < n; i++) {
        char *segment = failed ? NULL : segment_in(entries[i]->d_name, kind, &failed);
        if (segment != NULL) out->names[out->count++] = segment;
        free(entries[i]);
    }
    free(entries);
    if (!failed) return STATUS_OK;
    segments_free(out);
    return error_set(err, STATUS_NO_MEMORY, "%s: no memory for a list of %d files", dir, n);
}

void segments_free(SegmentList *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (SegmentList){0};
}

void segment_path(const char *dir, const char *kind, const char *segment, char *path) {
    snprintf(path, PATH_MAX, "%s/%s-%s%s", dir, kind, segment, suffix_of(kind));
}

Status segments_next_number(const char *dir, unsigned long *number, Error *err) {
    static const char *const kinds[] = {"records", "models", "status"};
    *number = 1;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        SegmentList list;
        Status status = segments_list(dir, kinds[k], &list, err);
        if (status != STATUS_OK) return status;
        for (size_t i = 0; i < list.count; i++) {
            char *end;
            unsigned long taken = strtoul(list.names[i], &end, 10);
            if (*end == '\0' && taken >= *number && taken < ULONG_MAX) *number = taken + 1;
        }
        segments_free(&list);
    }
    return STATUS_OK;
}

json_t *segment_status(const char *dir, const char *segment) {
    char path[PATH_MAX];
    struct stat state;
    segment_path(dir, "status", segment, path);
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a FIFO would have no end */
    if (descriptor < 0) return NULL;
    bool regular = fstat(descriptor, &state) == 0 && S_ISREG(state.st_mode);
    json_t *status = regular ? json_loadfd(descriptor, 0, NULL) : NULL;
    close(descriptor);
    return status;
}

Shard segment_shard(const json_t *status) {
    Shard shard = {0};
    if (json_unpack((json_t *)status, "{s:{s:i, s:i}}", "shard", "index", &shard.index, "count", &shard.count) != 0)
        return (Shard){0};
    return shard;
}

SegmentLife segment_life(const char *dir, const char *segment) {
    const char *state = "", *host = "";
    json_int_t pid = 0, updated_ms = 0;
    SegmentLife life = SEGMENT_ENDED;
    json_t *root = segment_status(dir, segment);
    bool known = root != NULL && json_unpack(root, "{s:s, s:I, s:s, s:I}", "state", &state, "pid", &pid, "host", &host,
                                             "updated_unix_ms", &updated_ms) == 0;
    if (known && strcmp(state, "running") == 0) {
        ProcessLife process = process_life(host, pid, json_object_get(root, "process"));
        bool fresh = clock_unix_ms() - updated_ms < SEGMENT_SILENCE_MS;
        life = process == PROCESS_RUNS               ? SEGMENT_RUNS
               : process == PROCESS_UNKNOWN && fresh ? SEGMENT_FRESH
                                                     : SEGMENT_ENDED;
    }
    json_decref(root);
    return life;
}

bool segment_is_alive(const char *dir, const char *segment) {
    return segment_life(dir, segment) != SEGMENT_ENDED;
}
