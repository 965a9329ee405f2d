/* See whole_file.h. */
#include "analysis/output/whole_file.h"

#include "proto/wire/durable_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static Status cannot_be_written(const char *path, Error *err) {
    return error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
}

Status whole_file_begin(WholeFile *file, const char *path, Error *err) {
    struct stat about;
    *file = (WholeFile){.path = path};
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) {
        file->out = fopen(path, "w");
        return file->out != NULL ? STATUS_OK : cannot_be_written(path, err);
    }
    int descriptor;
    Status status = durable_temporary(path, file->temporary, &descriptor, err);
    if (status != STATUS_OK) return status;
    file->out = fdopen(descriptor, "w");
    if (file->out != NULL) return STATUS_OK;
    close(descriptor);
    unlink(file->temporary);
    return cannot_be_written(path, err);
}

Status whole_file_end(WholeFile *file, Status status, Error *err) {
    bool failed = ferror(file->out) != 0;
    if (status != STATUS_OK && failed) error_prefix(err, status, "%s", file->path);
    if ((fclose(file->out) != 0 || failed) && status == STATUS_OK) status = cannot_be_written(file->path, err);
    if (file->temporary[0] == '\0') return status;
    if (status == STATUS_OK && rename(file->temporary, file->path) != 0) status = cannot_be_written(file->path, err);
    if (status != STATUS_OK) unlink(file->temporary);
    return status;
}
