/* The few operations that durable files are made of: write everything, sync a directory entry, replace atomically. */
#ifndef PROTO_WIRE_DURABLE_FILE_H
#define PROTO_WIRE_DURABLE_FILE_H

#include "proto/base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Writes all of data to descriptor, through short writes and interruptions. On failure errno is set, and part of data
 * may have been written. */
int durable_write(int descriptor, const void *data, size_t size);

/* The same for n_parts pieces in one go, without joining them in memory; parts is used up. */
struct iovec;
int durable_write_parts(int descriptor, struct iovec *parts, int n_parts);

/* Makes the directory entry of path (a file just created, renamed or removed) durable. STATUS_IO. */
Status durable_entry(const char *path, Error *err);

/* A new file beside path, path.tmp-<16 random hexadecimal digits>: nobody can foresee its name, and no link that lies
 * there is followed. *descriptor is open for writing; NULL: only the name is wanted, of a file that the caller makes.
 * It is renamed or removed by the caller; those that processes which died left are known by ".tmp-". STATUS_IO. */
Status durable_temporary(const char *path, char temporary[PATH_MAX], int *descriptor, Error *err);

/* Renames from to to where nothing is called so yet; *taken: something is, and nothing was done. STATUS_IO. */
Status durable_claim(const char *from, const char *to, bool *taken, Error *err);

/* Writes data to path so that it holds either its old content or all of the new one, whenever the machine stops:
 * temporary file beside it, fsync, rename, fsync of the directory. STATUS_IO. */
Status durable_replace(const char *path, const void *data, size_t size, Error *err);

#endif
