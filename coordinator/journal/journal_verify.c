/* journal_verify: checks every file of records in a results folder, and repairs those that a crash left torn.
 *
 * A repair loses nothing: the bytes behind the last whole record are saved and synced before they are cut off. */
#include "coordinator/journal/journal.h"
#include "coordinator/journal/segments.h"
#include "proto/wire/durable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Copies path from byte offset on to the file saved. */
static Status save_tail(const char *path, uint64_t offset, const char *saved, Error *err) {
    char buffer[65536];
    Status status = STATUS_OK;
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0) return error_set(err, STATUS_IO, "%s: cannot open: %s", path, strerror(errno));
    int to = open(saved, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    bool good = to >= 0 && lseek(from, (off_t)offset, SEEK_SET) == (off_t)offset;
    for (ssize_t got = 1; good && got != 0;) {
        got = read(from, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        good = got >= 0 && durable_write(to, buffer, (size_t)got) == 0;
    }
    if (!good || fsync(to) != 0)
        status =
            error_set(err, STATUS_IO, "%s: cannot save what is to be cut off as %s: %s", path, saved, strerror(errno));
    close(from);
    if (to >= 0) close(to);
    return status == STATUS_OK ? durable_entry(saved, err) : status;
}

static Status repair_file(const char *path, const RecordScan *scan, const char *saved, Error *err) {
    if (scan->records > 0) {
        Status status = save_tail(path, scan->whole_bytes, saved, err);
        return status == STATUS_OK ? record_file_cut(path, scan->whole_bytes, err) : status;
    }
    if (rename(path, saved) != 0)
        return error_set(err, STATUS_IO, "%s: cannot rename to %s: %s", path, saved, strerror(errno));
    return durable_entry(path, err);
}

/* A name for what is cut off that nothing has yet: what an earlier repair saved there stays. */
static void name_saved(const char *path, uint64_t offset, char saved[PATH_MAX]) {
    struct stat about;
    snprintf(saved, PATH_MAX, "%s.cut-%" PRIu64, path, offset);
    for (int i = 2; lstat(saved, &about) == 0; i++)
        snprintf(saved, PATH_MAX, "%s.cut-%" PRIu64 "-%d", path, offset, i);
}

/* Whether a file holds what its name says: records in records-*, models in models-*. */
static Status check_content(void *context, uint64_t offset, Record *record, Error *err) {
    if (record->kind != RECORD_HEADER || strcmp(record->of.header.content, context) == 0) return STATUS_OK;
    return error_set(err, STATUS_DATA, "holds %s, expected %s by its name", record->of.header.content,
                     (const char *)context);
}

/* Checks, perhaps repairs, and shows one file; *left counts those whose problem stays. */
static Status verify_file(const char *dir, const char *kind, const char *segment, bool repair, SegmentVisitor visit,
                          void *context, int *left, Error *err) {
    char path[PATH_MAX], saved[PATH_MAX];
    SegmentCheck check = {.path = path, .saved_as = ""};
    Error trouble;
    segment_path(dir, kind, segment, path);
    Status status = record_file_scan(path, check_content, (void *)kind, &check.scan, &trouble);
    if (status == STATUS_NO_MEMORY) return error_set(err, status, "%s", trouble.text);
    if (status != STATUS_OK && check.scan.problem[0] == '\0') { /* the path is shown with every problem */
        size_t skipped = strncmp(trouble.text, path, strlen(path)) == 0 ? strlen(path) + strlen(": ") : 0;
        snprintf(check.scan.problem, sizeof check.scan.problem, "%s", trouble.text + skipped);
    }
    check.alive = segment_is_alive(dir, segment);
    bool in_order = check.scan.problem[0] == '\0' || (check.alive && check.scan.torn);
    bool repairable = !check.alive && (check.scan.records > 0 || check.scan.torn) && status != STATUS_IO;
    if (repair && !in_order && repairable) {
        name_saved(path, check.scan.whole_bytes, saved);
        status = repair_file(path, &check.scan, saved, err);
        if (status != STATUS_OK) return status;
        check.saved_as = saved;
        in_order = true;
    }
    *left += !in_order;
    return visit(context, &check, err);
}

Status journal_verify(const char *dir, bool repair, SegmentVisitor visit, void *context, Error *err) {
    static const char *const kinds[] = {"records", "models"};
    size_t files = 0;
    int left = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        SegmentList segments;
        Status status = segments_list(dir, kinds[k], &segments, err);
        files += segments.count;
        for (size_t i = 0; status == STATUS_OK && i < segments.count; i++)
            status = verify_file(dir, kinds[k], segments.names[i], repair, visit, context, &left, err);
        segments_free(&segments);
        if (status != STATUS_OK) return status;
    }
    if (files == 0) return error_set(err, STATUS_DATA, "%s: holds no record file", dir);
    if (left > 0) return error_set(err, STATUS_FAILED, "%s: %d of %zu files are not in order", dir, left, files);
    return STATUS_OK;
}
