/* See durable_file.h. */
#include "proto/wire/durable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

int durable_write_parts(int descriptor, struct iovec *parts, int n_parts) {
    while (n_parts > 0) {
        ssize_t written = writev(descriptor, parts, n_parts);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -1;
        for (; n_parts > 0 && (size_t)written >= parts->iov_len; parts++, n_parts--)
            written -= (ssize_t)parts->iov_len;
        if (n_parts > 0) {
            parts->iov_base = (char *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

int durable_write(int descriptor, const void *data, size_t size) {
    struct iovec part = {.iov_base = (void *)data, .iov_len = size}; /* read only; the type has no const */
    return durable_write_parts(descriptor, &part, 1);
}

Status durable_entry(const char *path, Error *err) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);
    if (snprintf(folder, sizeof folder, "%.*s", length > 0 ? length : 1, length > 0 ? path : ".") >= PATH_MAX)
        return error_set(err, STATUS_IO, "%s: the path is too long", path);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return error_set(err, STATUS_IO, "%s: cannot open the folder: %s", folder, strerror(errno));
    Status status = STATUS_OK;
    /* Some network file systems cannot sync a directory; there is nothing more to be done about it. */
    if (fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP)
        status = error_set(err, STATUS_IO, "%s: cannot sync the folder: %s", folder, strerror(errno));
    close(descriptor);
    return status;
}

Status durable_temporary(const char *path, char temporary[PATH_MAX], int *descriptor, Error *err) {
    enum { ATTEMPTS = 10 };
    int made = -1;
    for (int i = 0; i < ATTEMPTS && made < 0; i++) {
        uint64_t random;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return error_set(err, STATUS_IO, "%s: no random number for a temporary file: %s", path, strerror(errno));
        if (snprintf(temporary, PATH_MAX, "%s.tmp-%016" PRIx64, path, random) >= PATH_MAX)
            return error_set(err, STATUS_IO, "%s: the path is too long", path);
        if (descriptor == NULL) return STATUS_OK;
        made = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (made < 0 && errno != EEXIST) break;
    }
    if (made < 0) return error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    *descriptor = made;
    return STATUS_OK;
}

/* link() fails where something is, also over a network; file systems without links may know a rename that does. */
Status durable_claim(const char *from, const char *to, bool *taken, Error *err) {
    *taken = false;
    bool linked = link(from, to) == 0;
    bool moved = linked && unlink(from) == 0;
    if (!linked && errno != EEXIST) moved = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0;
    if (moved) return durable_entry(to, err);
    *taken = errno == EEXIST;
    return *taken ? STATUS_OK : error_set(err, STATUS_IO, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
}

Status durable_replace(const char *path, const void *data, size_t size, Error *err) {
    char temporary[PATH_MAX];
    int descriptor;
    Status status = durable_temporary(path, temporary, &descriptor, err);
    if (status != STATUS_OK) return status;
    bool written = durable_write(descriptor, data, size) == 0 && fsync(descriptor) == 0;
    int problem = errno;
    if (close(descriptor) != 0 && written) {
        problem = errno;
        written = false;
    }
    if (written && rename(temporary, path) != 0) {
        problem = errno;
        written = false;
    }
    if (!written) {
        unlink(temporary);
        return error_set(err, STATUS_IO, "%s: cannot write: %s", path, strerror(problem));
    }
    return durable_entry(path, err);
}
