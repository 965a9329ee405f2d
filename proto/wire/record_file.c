/* See record_file.h. The writer makes one write of each frame; the reader checks a length before it believes it, and
 * never asks for more memory than the file has bytes. */
#include "proto/wire/record_file.h"

#include "proto/wire/durable_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <isa-l/crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEAD_BYTES = 12, FOOT_BYTES = 4 }; /* length and its checksum; checksum of the data */

/* --- checksums -------------------------------------------------------------------------------------------------- */

typedef unsigned int IscsiFunction(unsigned char *buffer, int size, unsigned int initial);

/* ISA-L leaves the inversions before and after to the caller, and counts bytes in an int. */
static uint32_t crc32c_by(IscsiFunction *iscsi, const void *data, size_t size) {
    unsigned char *rest = (unsigned char *)data; /* read only; the library's signature lacks the const */
    unsigned int state = UINT32_MAX;
    while (size > 0) {
        int stretch = size < (1u << 30) ? (int)size : 1 << 30;
        state = iscsi(rest, stretch, state);
        rest += stretch;
        size -= (size_t)stretch;
    }
    return ~state;
}

uint32_t crc32c(const void *data, size_t size) {
    return crc32c_by(crc32_iscsi, data, size);
}

uint32_t crc32c_portable(const void *data, size_t size) {
    return crc32c_by(crc32_iscsi_base, data, size);
}

static uint32_t masked_checksum(const void *data, size_t size) {
    uint32_t checksum = crc32c(data, size);
    return (checksum >> 15 | checksum << 17) + 0xa282ead8u;
}

static void store_little_endian(uint8_t *place, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        place[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t load_little_endian(const uint8_t *place, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)place[i] << 8 * i;
    return value;
}

/* --- writer ----------------------------------------------------------------------------------------------------- */

struct RecordWriter {
    int descriptor;
    uint64_t size; /* bytes of whole records */
    bool refuses;  /* the file may hold something else than what was appended */
    char path[];
};

/* Appends one frame; on failure cuts the file back to its whole records. */
static Status append_frame(RecordWriter *writer, const Bytes *data, Error *err) {
    uint8_t head[HEAD_BYTES], foot[FOOT_BYTES];
    size_t frame_bytes = HEAD_BYTES + data->size + FOOT_BYTES;
    store_little_endian(head, data->size, 8);
    store_little_endian(head + 8, masked_checksum(head, 8), 4);
    store_little_endian(foot, masked_checksum(data->data, data->size), 4);
    struct iovec parts[] = {{head, HEAD_BYTES}, {data->data, data->size}, {foot, FOOT_BYTES}};
    if (durable_write_parts(writer->descriptor, parts, 3) == 0) {
        writer->size += frame_bytes;
        return STATUS_OK;
    }
    error_set(err, STATUS_IO, "%s: cannot append %zu bytes at byte %" PRIu64 ": %s", writer->path, frame_bytes,
              writer->size, strerror(errno));
    writer->refuses = ftruncate(writer->descriptor, (off_t)writer->size) != 0;
    return STATUS_IO;
}

static Status open_writer(const char *path, RecordWriter **out, Error *err) {
    RecordWriter *writer = malloc(sizeof *writer + strlen(path) + 1);
    if (writer == NULL) return error_set(err, STATUS_NO_MEMORY, "%s: no memory for a writer", path);
    *writer = (RecordWriter){.descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666)};
    strcpy(writer->path, path);
    if (writer->descriptor < 0) {
        Status status = error_set(err, STATUS_IO, "%s: cannot create: %s", path, strerror(errno));
        free(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

static Status check_usable(const RecordWriter *writer, Error *err) {
    if (!writer->refuses) return STATUS_OK;
    return error_set(err, STATUS_IO, "%s: an earlier write failed; nothing more is added to this file", writer->path);
}

Status record_writer_append(RecordWriter *writer, const Record *record, uint64_t *offset, Error *err) {
    Bytes data = {0};
    uint64_t place = writer->size;
    Status status = check_usable(writer, err);
    if (status != STATUS_OK) return status;
    status = record_encode(record, &data, err);
    if (status != STATUS_OK) return error_prefix(err, status, "%s", writer->path);
    status = append_frame(writer, &data, err);
    bytes_free(&data);
    if (status == STATUS_OK && offset != NULL) *offset = place;
    return status;
}

Status record_writer_sync(RecordWriter *writer, Error *err) {
    Status status = check_usable(writer, err);
    if (status == STATUS_OK && fsync(writer->descriptor) != 0) {
        writer->refuses = true;
        status = error_set(err, STATUS_IO, "%s: cannot sync: %s", writer->path, strerror(errno));
    }
    if (status == STATUS_OK && access(writer->path, F_OK) != 0 && errno == ENOENT) {
        writer->refuses = true;
        status = error_set(err, STATUS_IO, "%s: was removed or renamed while it was written to", writer->path);
    }
    return status;
}

/* Creates path with these records, synced, and with a durable entry if wanted. */
static Status create_with(const char *path, const Record *records, int n_records, bool entry, RecordWriter **out,
                          Error *err) {
    RecordWriter *writer = NULL;
    assert(n_records >= 1 && records[0].kind == RECORD_HEADER);
    Status status = open_writer(path, &writer, err);
    if (status != STATUS_OK) return status;
    for (int i = 0; i < n_records && status == STATUS_OK; i++)
        status = record_writer_append(writer, &records[i], NULL, err);
    if (status == STATUS_OK) status = record_writer_sync(writer, err);
    if (status == STATUS_OK && entry) status = durable_entry(path, err);
    if (status == STATUS_OK) {
        *out = writer;
        return STATUS_OK;
    }
    unlink(path);
    record_writer_close(writer);
    return status;
}

Status record_writer_create(const char *path, const Record *header, RecordWriter **out, Error *err) {
    return create_with(path, header, 1, true, out, err);
}

Status record_file_create(const char *path, const Record *records, int n_records, Error *err) {
    RecordWriter *writer = NULL;
    Status status = create_with(path, records, n_records, false, &writer, err);
    record_writer_close(writer);
    return status;
}

uint64_t record_writer_size(const RecordWriter *writer) {
    return writer->size;
}

void record_writer_close(RecordWriter *writer) {
    if (writer == NULL) return;
    close(writer->descriptor);
    free(writer);
}

/* --- reader ----------------------------------------------------------------------------------------------------- */

typedef struct FrameReader {
    FILE *file;
    uint64_t offset, file_bytes; /* of the next frame; as found when opened */
    uint8_t *data;               /* of the last frame read */
    size_t size, capacity;
    bool torn; /* the last frame was cut off by the file's end */
} FrameReader;

static Status reader_open(FrameReader *reader, const char *path, Error *err) {
    struct stat about; /* first: opening a pipe would wait for its writer */
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return error_set(err, STATUS_IO, "%s: is not a regular file", path);
    *reader = (FrameReader){.file = fopen(path, "rbe")};
    if (reader->file == NULL) return error_set(err, STATUS_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fileno(reader->file), &about) != 0) {
        fclose(reader->file);
        return error_set(err, STATUS_IO, "%s: cannot be examined: %s", path, strerror(errno));
    }
    reader->file_bytes = (uint64_t)about.st_size;
    return STATUS_OK;
}

static void reader_close(FrameReader *reader) {
    fclose(reader->file);
    free(reader->data);
}

/* Says that the file ends within a frame. */
static Status file_ends(FrameReader *reader, uint64_t got, uint64_t size, const char *part, Error *err) {
    reader->torn = true;
    return error_set(err, STATUS_DATA, "the file ends after %" PRIu64 " of %" PRIu64 " %s bytes", got, size, part);
}

static Status read_part(FrameReader *reader, void *to, size_t size, const char *part, Error *err) {
    size_t got = fread(to, 1, size, reader->file);
    if (got == size) return STATUS_OK;
    if (ferror(reader->file)) return error_set(err, STATUS_IO, "cannot read: %s", strerror(errno));
    return file_ends(reader, got, size, part, err); /* it has shrunk since it was opened */
}

/* Reads the frame at reader->offset into reader->data. STATUS_DATA says what is wrong with it. */
static Status read_frame(FrameReader *reader, Error *err) {
    uint8_t head[HEAD_BYTES];
    uint64_t left = reader->file_bytes - reader->offset;
    reader->torn = false;
    if (left < HEAD_BYTES) return file_ends(reader, left, HEAD_BYTES, "header", err);
    Status status = read_part(reader, head, HEAD_BYTES, "header", err);
    if (status != STATUS_OK) return status;
    uint64_t size = load_little_endian(head, 8);
    if (load_little_endian(head + 8, 4) != masked_checksum(head, 8))
        return error_set(err, STATUS_DATA, "the checksum of the length is wrong");
    if (size > INT32_MAX)
        return error_set(err, STATUS_DATA, "a length of %" PRIu64 " bytes is beyond the limit of 2 GiB", size);
    size_t body_bytes = (size_t)size + FOOT_BYTES;
    if (left - HEAD_BYTES < body_bytes) return file_ends(reader, left - HEAD_BYTES, body_bytes, "data", err);
    if (body_bytes > reader->capacity) {
        uint8_t *data = realloc(reader->data, body_bytes);
        if (data == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a record of %" PRIu64 " bytes", size);
        reader->data = data;
        reader->capacity = body_bytes;
    }
    status = read_part(reader, reader->data, body_bytes, "data", err);
    if (status != STATUS_OK) return status;
    if (load_little_endian(reader->data + size, 4) != masked_checksum(reader->data, size))
        return error_set(err, STATUS_DATA, "the checksum of the data is wrong");
    reader->size = (size_t)size;
    reader->offset += HEAD_BYTES + body_bytes;
    return STATUS_OK;
}

/* The first record of a file must be a header of a schema that this program knows. */
static Status check_header(const Record *record, Error *err) {
    if (record->kind != RECORD_HEADER)
        return error_set(err, STATUS_DATA, "the first record is not a header; expected a palinode record file");
    int schema = record->of.header.schema;
    if (schema < 1 || schema > SCHEMA_VERSION)
        return error_set(err, STATUS_DATA, "has schema %d, expected 1 to %d; a newer palinode may read it", schema,
                         SCHEMA_VERSION);
    return STATUS_OK;
}

/* Reads, decodes and visits the next record. What is wrong with the file goes to scan->problem, with STATUS_OK unless
 * it is the first record that is wrong. */
static Status scan_record(FrameReader *reader, RecordVisitor visit, void *context, RecordScan *scan, Error *err) {
    Record record = {0};
    uint64_t offset = reader->offset;
    Error trouble = {""};
    Status status = read_frame(reader, &trouble);
    if (status == STATUS_OK) status = record_decode(reader->data, reader->size, &record, &trouble);
    if (status != STATUS_OK)
        error_prefix(&trouble, status, "record %" PRIu64 " at byte %" PRIu64, scan->records + 1, offset);
    if (status == STATUS_OK && scan->records == 0) status = check_header(&record, &trouble);
    if (status != STATUS_OK) {
        if (status == STATUS_DATA) {
            snprintf(scan->problem, sizeof scan->problem, "%s", trouble.text);
            scan->torn = reader->torn;
            if (scan->records > 0) status = STATUS_OK;
        }
        if (status != STATUS_OK) error_set(err, status, "%s", trouble.text);
        record_free(&record);
        return status;
    }
    scan->records++;
    scan->whole_bytes = reader->offset;
    scan->ended = record.kind == RECORD_END;
    if (visit != NULL) status = visit(context, offset, &record, err);
    record_free(&record);
    return status;
}

Status record_file_scan(const char *path, RecordVisitor visit, void *context, RecordScan *scan, Error *err) {
    RecordScan unwanted;
    if (scan == NULL) scan = &unwanted;
    *scan = (RecordScan){0};
    FrameReader reader;
    Status status = reader_open(&reader, path, err);
    if (status != STATUS_OK) return status;
    scan->file_bytes = reader.file_bytes;
    if (reader.file_bytes == 0) {
        scan->torn = true;
        snprintf(scan->problem, sizeof scan->problem, "the file is empty, expected a header record");
        status = error_set(err, STATUS_DATA, "%s", scan->problem);
    }
    while (status == STATUS_OK && scan->problem[0] == '\0' && reader.offset < reader.file_bytes)
        status = scan_record(&reader, visit, context, scan, err);
    reader_close(&reader);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, status, "%s", path);
}

/* A reader that stays open keeps no more memory than this. */
enum { KEPT_BYTES = 1 << 16 };

struct RecordReader {
    FrameReader frames;
    char path[];
};

Status record_reader_open(const char *path, RecordReader **out, Error *err) {
    RecordReader *reader = malloc(sizeof *reader + strlen(path) + 1);
    if (reader == NULL) return error_set(err, STATUS_NO_MEMORY, "%s: no memory for a reader", path);
    Status status = reader_open(&reader->frames, path, err);
    if (status != STATUS_OK) {
        free(reader);
        return status;
    }
    strcpy(reader->path, path);
    *out = reader;
    return STATUS_OK;
}

Status record_reader_read(RecordReader *reader, uint64_t offset, Record *out, Error *err) {
    FrameReader *frames = &reader->frames;
    Status status = STATUS_OK;
    frames->offset = offset;
    if (offset >= frames->file_bytes)
        status = error_set(err, STATUS_DATA, "is beyond the file's %" PRIu64 " bytes", frames->file_bytes);
    else if (fseeko(frames->file, (off_t)offset, SEEK_SET) != 0)
        status = error_set(err, STATUS_IO, "cannot seek: %s", strerror(errno));
    if (status == STATUS_OK) status = read_frame(frames, err);
    if (status == STATUS_OK) status = record_decode(frames->data, frames->size, out, err);
    if (frames->capacity > KEPT_BYTES) {
        free(frames->data);
        frames->data = NULL;
        frames->capacity = 0;
    }
    return status == STATUS_OK ? STATUS_OK
                               : error_prefix(err, status, "%s: record at byte %" PRIu64, reader->path, offset);
}

void record_reader_close(RecordReader *reader) {
    if (reader == NULL) return;
    reader_close(&reader->frames);
    free(reader);
}

Status record_file_read_at(const char *path, uint64_t offset, Record *out, Error *err) {
    RecordReader *reader;
    Status status = record_reader_open(path, &reader, err);
    if (status != STATUS_OK) return error_prefix(err, status, "record at byte %" PRIu64, offset);
    status = record_reader_read(reader, offset, out, err);
    record_reader_close(reader);
    return status;
}

Status record_file_cut(const char *path, uint64_t whole_bytes, Error *err) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return error_set(err, STATUS_IO, "%s: cannot open: %s", path, strerror(errno));
    Status status = STATUS_OK;
    if (ftruncate(descriptor, (off_t)whole_bytes) != 0 || fsync(descriptor) != 0)
        status =
            error_set(err, STATUS_IO, "%s: cannot cut to %" PRIu64 " bytes: %s", path, whole_bytes, strerror(errno));
    close(descriptor);
    return status;
}
