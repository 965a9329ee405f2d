/* The few operations that durable files are made of: write everything, sync a directory entry, replace atomically. */
#ifndef PROTO_WIRE_DURABLE_FILE_H
#define PROTO_WIRE_DURABLE_FILE_H

#include "proto/base/status.h"

#include <limits.h>
#include <stddef.h>

/* Writes all of data to descriptor, through short writes and interruptions. On failure errno is set, and part of data
 * may have been written. */
int durable_write(int descriptor, const void *data, size_t size);

/* The same for n_parts pieces in one go, without joining them in memory; parts is used up. */
struct iovec;
int durable_write_parts(int descriptor, struct iovec *parts, int n_parts);

/* Makes the directory entry of path (a file just created, renamed or removed) durable. STATUS_IO. */
Status durable_entry(const char *path, Error *err);

/* The name of a temporary file beside path that is this process's alone, also among those of other hosts (and of
 * containers, where many have one number): path.tmp-<host>-<process>. STATUS_IO: too long. */
Status durable_temporary(const char *path, char temporary[PATH_MAX], Error *err);

/* Writes data to path so that it holds either its old content or all of the new one, whenever the machine stops:
 * temporary file beside it, fsync, rename, fsync of the directory. STATUS_IO. */
Status durable_replace(const char *path, const void *data, size_t size, Error *err);

#endif
