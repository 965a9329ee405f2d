/* A file of records: protobuf messages in TFRecord framing, first a header, last (after an orderly end) an end record.
 *
 *     u64 length | u32 masked CRC-32C of length | data | u32 masked CRC-32C of data        all little-endian
 *     masked(c) = ((c >> 15) | (c << 17)) + 0xa282ead8
 *
 * One writer appends; readers need no lock: a scan reads up to the last whole record. Nothing appended counts as
 * durable before record_writer_sync returned. Bytes after the last whole record are a torn tail (a crash in
 * mid-append): the writer never appends behind one. CRC-32C is ISA-L's: hardware where the CPU has it, its portable
 * table elsewhere. */
#ifndef PROTO_WIRE_RECORD_FILE_H
#define PROTO_WIRE_RECORD_FILE_H

#include "proto/wire/codec.h"

typedef struct RecordWriter RecordWriter;

/* Creates path (it must not exist) and appends header. The file and its directory entry are synced. On failure no file
 * is left behind. */
Status record_writer_create(const char *path, const Record *header, RecordWriter **out, Error *err);
/* Appends one record (buffered by the kernel only: not durable until synced). On failure the file is cut back to its
 * last whole record, or, if even that fails, the writer refuses everything after. offset (NULL: not wanted) gets the
 * position of the record in the file. */
Status record_writer_append(RecordWriter *writer, const Record *record, uint64_t *offset, Error *err);
/* Makes everything appended so far durable (fsync). After a failure the writer refuses everything: the system may have
 * dropped what it could not write. */
Status record_writer_sync(RecordWriter *writer, Error *err);
uint64_t record_writer_size(const RecordWriter *writer);
/* Closes without syncing; accepts NULL. */
void record_writer_close(RecordWriter *writer);

/* Creates path (it must not exist) with these records, the first a header, and syncs it; its directory entry is left to
 * the caller. On failure no file is left behind. */
Status record_file_create(const char *path, const Record *records, int n_records, Error *err);

/* Where a scan ended. */
typedef struct RecordScan {
    uint64_t whole_bytes; /* length of the whole records from the start */
    uint64_t file_bytes;  /* more than whole_bytes: a torn or damaged tail */
    uint64_t records;
    bool ended;        /* the last whole record is an end record */
    bool torn;         /* the tail is the start of a record that the file's end cuts off, not damage within */
    char problem[256]; /* "" or "record 12 at byte 5310: .."; records are counted from 1, the header */
} RecordScan;

/* Called for each whole record in file order; the callee may take ownership by zeroing *record. Not STATUS_OK stops. */
typedef Status (*RecordVisitor)(void *context, uint64_t offset, Record *record, Error *err);

/* Reads path front to back, as far as it reaches at the moment of the call, one record in memory at a time. A torn or
 * damaged tail is no failure: it is described in *scan (NULL: not wanted). A file whose first record is no header, or
 * one of a newer schema, is STATUS_DATA; a file that cannot be read is STATUS_IO. *scan is filled in every case. */
Status record_file_scan(const char *path, RecordVisitor visit, void *context, RecordScan *scan, Error *err);

/* A record file open to read single records, in any order. */
typedef struct RecordReader RecordReader;

Status record_reader_open(const char *path, RecordReader **out, Error *err);
/* Reads the record at offset. STATUS_DATA when there is no whole record, STATUS_IO. */
Status record_reader_read(RecordReader *reader, uint64_t offset, Record *out, Error *err);
/* Accepts NULL. */
void record_reader_close(RecordReader *reader);

/* The same for one record of a file that is not open. */
Status record_file_read_at(const char *path, uint64_t offset, Record *out, Error *err);

/* Cuts path to its first whole_bytes and syncs it. STATUS_IO. */
Status record_file_cut(const char *path, uint64_t whole_bytes, Error *err);

/* CRC-32C of data, by hardware where there is any, and by the portable table (for tests). */
uint32_t crc32c(const void *data, size_t size);
uint32_t crc32c_portable(const void *data, size_t size);

#endif
