/* Record files: the framing, and what readers say of files that were cut, spoilt or never were record files. */
#include "proto/wire/record_file.h"

#include "tests/fixtures/wire_samples.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_RECORDS = 7 };

typedef struct Fixture {
    char folder[64], path[96], copy[96];
    uint64_t start[N_RECORDS + 1]; /* of each record; last: the file's size */
} Fixture;

/* A folder with a file of one record of each kind, header first, end last. */
static Fixture *make_files(void) {
    static const RecordKind kinds[N_RECORDS] = {RECORD_HEADER, RECORD_TRAINING,   RECORD_CELL, RECORD_BASELINE,
                                                RECORD_MODEL,  RECORD_CHECKPOINT, RECORD_END};
    Fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->folder, "/tmp/palinode-record-file-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/a.tfrecord", fixture->folder);
    snprintf(fixture->copy, sizeof fixture->copy, "%s/b.tfrecord", fixture->folder);
    Record header = sample_record(RECORD_HEADER, 1);
    RecordWriter *writer;
    Error err = {""};
    if (record_writer_create(fixture->path, &header, &writer, &err) != STATUS_OK) fail_msg("%s", err.text);
    record_free(&header);
    for (int i = 1; i < N_RECORDS; i++) {
        Record record = sample_record(kinds[i], (uint32_t)(100 * i));
        assert_int_equal(record_writer_append(writer, &record, &fixture->start[i], &err), STATUS_OK);
        record_free(&record);
    }
    assert_int_equal(record_writer_sync(writer, &err), STATUS_OK);
    fixture->start[N_RECORDS] = record_writer_size(writer);
    record_writer_close(writer);
    return fixture;
}

static void remove_files(Fixture *fixture) {
    unlink(fixture->path);
    unlink(fixture->copy);
    rmdir(fixture->folder);
    free(fixture);
}

static uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *data = malloc(1 << 20);
    *size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

static void write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static Status count_kinds(void *context, uint64_t offset, Record *record, Error *err) {
    ((int *)context)[record->kind]++;
    return STATUS_OK;
}

/* --- checksums -------------------------------------------------------------------------------------------------- */

static void the_checksum_is_crc32c(void **state) {
    assert_int_equal(crc32c("123456789", 9), 0xE3069283);
    assert_int_equal(crc32c_portable("123456789", 9), 0xE3069283);
    assert_int_equal(crc32c("", 0), 0);
}

static void hardware_and_portable_checksums_agree_at_all_lengths_and_alignments(void **state) {
    uint8_t data[400];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i * 31 + 7 * i);
    for (size_t start = 0; start < 64; start++)
        for (size_t size = 0; size <= 300; size++)
            assert_int_equal(crc32c(data + start, size), crc32c_portable(data + start, size));
}

/* --- framing ---------------------------------------------------------------------------------------------------- */

static void a_frame_is_length_checksum_data_checksum(void **state) {
    Fixture *fixture = make_files();
    size_t size;
    uint8_t *file = read_file(fixture->path, &size);
    Record header = sample_record(RECORD_HEADER, 1);
    Bytes bytes;
    assert_int_equal(record_encode(&header, &bytes, NULL), STATUS_OK);
    assert_int_equal(fixture->start[1], bytes.size + 16);
    assert_int_equal(file[0] | file[1] << 8, bytes.size);
    assert_int_equal(file[2] | file[3] | file[4] | file[5] | file[6] | file[7], 0);
    uint32_t checksum = crc32c_portable(file, 8), masked = ((checksum >> 15) | (checksum << 17)) + 0xa282ead8u;
    assert_int_equal(file[8] | file[9] << 8 | file[10] << 16 | (uint32_t)file[11] << 24, masked);
    assert_memory_equal(file + 12, bytes.data, bytes.size);
    bytes_free(&bytes);
    record_free(&header);
    free(file);
    remove_files(fixture);
}

static void a_file_is_scanned_in_order_and_read_at_any_record(void **state) {
    Fixture *fixture = make_files();
    int kinds[RECORD_KINDS + 1] = {0};
    RecordScan scan;
    Error err = {""};
    if (record_file_scan(fixture->path, count_kinds, kinds, &scan, &err) != STATUS_OK) fail_msg("%s", err.text);
    for (int kind = 1; kind <= RECORD_KINDS; kind++)
        assert_int_equal(kinds[kind], 1);
    assert_int_equal(scan.records, N_RECORDS);
    assert_int_equal(scan.whole_bytes, fixture->start[N_RECORDS]);
    assert_int_equal(scan.file_bytes, fixture->start[N_RECORDS]);
    assert_true(scan.ended);
    assert_string_equal(scan.problem, "");
    Record expected = sample_record(RECORD_MODEL, 400), record;
    assert_int_equal(record_file_read_at(fixture->path, fixture->start[4], &record, &err), STATUS_OK);
    assert_true(sample_equal(&record_binding, &expected, &record));
    record_free(&record);
    record_free(&expected);
    assert_int_equal(record_file_read_at(fixture->path, fixture->start[4] + 1, &record, &err), STATUS_DATA);
    assert_int_equal(record_file_read_at(fixture->path, fixture->start[N_RECORDS], &record, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "beyond the file's"));
    remove_files(fixture);
}

static Status take_third(void *context, uint64_t offset, Record *record, Error *err) {
    if (record->kind != RECORD_CELL) return STATUS_OK;
    *(Record *)context = *record;
    *record = (Record){0};
    return error_set(err, STATUS_FAILED, "enough");
}

static void a_visitor_may_keep_a_record_and_stop(void **state) {
    Fixture *fixture = make_files();
    Record kept = {0}, expected = sample_record(RECORD_CELL, 200);
    RecordScan scan;
    Error err = {""};
    assert_int_equal(record_file_scan(fixture->path, take_third, &kept, &scan, &err), STATUS_FAILED);
    assert_non_null(strstr(err.text, "enough"));
    assert_int_equal(scan.records, 3);
    assert_true(sample_equal(&record_binding, &expected, &kept));
    record_free(&kept);
    record_free(&expected);
    remove_files(fixture);
}

/* --- writer ----------------------------------------------------------------------------------------------------- */

static void a_file_that_exists_is_never_overwritten(void **state) {
    Fixture *fixture = make_files();
    Record header = sample_record(RECORD_HEADER, 1);
    RecordWriter *writer;
    Error err = {""};
    struct stat about;
    assert_int_equal(record_writer_create(fixture->path, &header, &writer, &err), STATUS_IO);
    assert_non_null(strstr(err.text, fixture->path));
    assert_int_equal(stat(fixture->path, &about), 0);
    assert_int_equal(about.st_size, fixture->start[N_RECORDS]);
    record_free(&header);
    remove_files(fixture);
}

static void a_full_disk_leaves_whole_records_and_the_writer_usable(void **state) {
    Fixture *fixture = make_files();
    Record header = sample_record(RECORD_HEADER, 1), cell = sample_record(RECORD_CELL, 50);
    RecordWriter *writer;
    RecordScan scan;
    Error err = {""};
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN); /* a write then fails as on a full disk, after a short one */
    assert_int_equal(record_writer_create(fixture->copy, &header, &writer, &err), STATUS_OK);
    assert_int_equal(record_writer_append(writer, &cell, NULL, &err), STATUS_OK);
    uint64_t whole = record_writer_size(writer);
    limit = (struct rlimit){.rlim_cur = whole + 40, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    Status status = record_writer_append(writer, &cell, NULL, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, STATUS_IO);
    assert_non_null(strstr(err.text, strerror(EFBIG)));
    assert_int_equal(record_writer_size(writer), whole);
    assert_int_equal(record_file_scan(fixture->copy, NULL, NULL, &scan, &err), STATUS_OK);
    assert_int_equal(scan.file_bytes, whole);
    assert_int_equal(record_writer_append(writer, &cell, NULL, &err), STATUS_OK);
    assert_int_equal(record_file_scan(fixture->copy, NULL, NULL, &scan, &err), STATUS_OK);
    assert_int_equal(scan.records, 3);
    assert_int_equal(scan.whole_bytes, scan.file_bytes);
    record_writer_close(writer);
    record_free(&header);
    record_free(&cell);
    remove_files(fixture);
}

static void a_file_whose_header_cannot_be_written_is_not_left_behind(void **state) {
    Fixture *fixture = make_files();
    Record header = sample_record(RECORD_HEADER, 1);
    RecordWriter *writer;
    Error err = {""};
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 20, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    Status status = record_writer_create(fixture->copy, &header, &writer, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, STATUS_IO);
    assert_int_equal(access(fixture->copy, F_OK), -1);
    assert_int_equal(record_writer_create("/nonexistent/folder/a.tfrecord", &header, &writer, &err), STATUS_IO);
    record_free(&header);
    remove_files(fixture);
}

/* --- damage ----------------------------------------------------------------------------------------------------- */

static void a_file_cut_at_any_byte_keeps_the_whole_records_before(void **state) {
    Fixture *fixture = make_files();
    size_t size;
    uint8_t *file = read_file(fixture->path, &size);
    write_file(fixture->copy, file, size);
    for (size_t cut = size - 1, whole = N_RECORDS - 1; cut < size; cut--) { /* until cut wraps round */
        while (fixture->start[whole] > cut)
            whole--;
        char expected[128];
        size_t rest = cut - fixture->start[whole], body = fixture->start[whole + 1] - fixture->start[whole] - 12;
        if (cut == 0)
            strcpy(expected, "the file is empty, expected a header record");
        else
            snprintf(expected, sizeof expected, "record %zu at byte %zu: the file ends after %zu of %zu %s bytes",
                     whole + 1, (size_t)fixture->start[whole], rest < 12 ? rest : rest - 12, rest < 12 ? 12 : body,
                     rest < 12 ? "header" : "data");
        int kinds[RECORD_KINDS + 1] = {0};
        RecordScan scan;
        Error err = {""};
        assert_int_equal(truncate(fixture->copy, (off_t)cut), 0);
        Status status = record_file_scan(fixture->copy, count_kinds, kinds, &scan, &err);
        assert_int_equal(status, whole == 0 ? STATUS_DATA : STATUS_OK);
        assert_int_equal(scan.records, whole);
        assert_int_equal(scan.whole_bytes, fixture->start[whole]);
        assert_int_equal(scan.file_bytes, cut);
        assert_false(scan.ended);
        bool whole_file = whole > 0 && rest == 0;
        assert_string_equal(scan.problem, whole_file ? "" : expected);
        assert_int_equal(scan.torn, !whole_file);
        if (whole == 0) assert_non_null(strstr(err.text, expected));
        if (whole == 0) assert_non_null(strstr(err.text, fixture->copy));
    }
    free(file);
    remove_files(fixture);
}

static void one_flipped_bit_anywhere_in_a_record_is_found_and_placed(void **state) {
    Fixture *fixture = make_files();
    size_t size;
    uint8_t *file = read_file(fixture->path, &size);
    const size_t record = 2, start = fixture->start[record], end = fixture->start[record + 1];
    int descriptor = open(fixture->path, O_WRONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    for (size_t byte = start; byte < end; byte++) {
        char expected[128];
        snprintf(expected, sizeof expected, "record %zu at byte %zu: the checksum of the %s is wrong", record + 1,
                 start, byte < start + 12 ? "length" : "data");
        RecordScan scan;
        uint8_t flipped = file[byte] ^ (uint8_t)(1u << byte % 8);
        assert_int_equal(pwrite(descriptor, &flipped, 1, (off_t)byte), 1);
        assert_int_equal(record_file_scan(fixture->path, NULL, NULL, &scan, NULL), STATUS_OK);
        assert_int_equal(pwrite(descriptor, &file[byte], 1, (off_t)byte), 1);
        assert_string_equal(scan.problem, expected);
        assert_int_equal(scan.records, record);
        assert_int_equal(scan.whole_bytes, start);
        assert_false(scan.torn);
    }
    close(descriptor);
    free(file);
    remove_files(fixture);
}

/* Appends data in a correct frame. */
static void append_framed(const char *path, const void *data, uint64_t length, size_t size) {
    uint8_t head[12], foot[4];
    uint32_t sums[2] = {0};
    memcpy(head, &length, 8); /* little-endian machines */
    sums[0] = crc32c_portable(head, 8);
    sums[1] = crc32c_portable(data, size);
    for (int i = 0; i < 2; i++)
        sums[i] = ((sums[i] >> 15) | (sums[i] << 17)) + 0xa282ead8u;
    memcpy(head + 8, &sums[0], 4);
    memcpy(foot, &sums[1], 4);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(head, 1, 12, file) + fwrite(data, 1, size, file) + fwrite(foot, 1, 4, file), size + 16);
    assert_int_equal(fclose(file), 0);
}

static void what_is_framed_rightly_but_no_record_is_damage_too(void **state) {
    Fixture *fixture = make_files();
    RecordScan scan;
    char expected[128];
    append_framed(fixture->path, "\xff\xff\xff", 3, 3);
    assert_int_equal(record_file_scan(fixture->path, NULL, NULL, &scan, NULL), STATUS_OK);
    snprintf(expected, sizeof expected,
             "record %d at byte %zu: 3 bytes are no protobuf message of type palinode.Record", N_RECORDS + 1,
             (size_t)fixture->start[N_RECORDS]);
    assert_string_equal(scan.problem, expected);
    assert_int_equal(scan.records, N_RECORDS);
    remove_files(fixture);
}

static void an_absurd_length_with_a_right_checksum_is_not_believed(void **state) {
    Fixture *fixture = make_files();
    RecordScan scan;
    append_framed(fixture->path, "", 1ull << 62, 0);
    assert_int_equal(record_file_scan(fixture->path, NULL, NULL, &scan, NULL), STATUS_OK);
    assert_non_null(strstr(scan.problem, "a length of 4611686018427387904 bytes is beyond the limit of 2 GiB"));
    assert_int_equal(record_file_cut(fixture->path, scan.whole_bytes, NULL), STATUS_OK);
    append_framed(fixture->path, "", 2000000000, 0);
    assert_int_equal(record_file_scan(fixture->path, NULL, NULL, &scan, NULL), STATUS_OK);
    assert_non_null(strstr(scan.problem, "the file ends after 4 of 2000000004 data bytes"));
    assert_true(scan.torn);
    remove_files(fixture);
}

static void a_cut_file_is_whole_again(void **state) {
    Fixture *fixture = make_files();
    RecordScan scan;
    Error err = {""};
    append_framed(fixture->path, "torn", 400, 4);
    assert_int_equal(record_file_scan(fixture->path, NULL, NULL, &scan, &err), STATUS_OK);
    assert_true(scan.whole_bytes < scan.file_bytes);
    assert_int_equal(record_file_cut(fixture->path, scan.whole_bytes, &err), STATUS_OK);
    assert_int_equal(record_file_scan(fixture->path, NULL, NULL, &scan, &err), STATUS_OK);
    assert_int_equal(scan.file_bytes, fixture->start[N_RECORDS]);
    assert_string_equal(scan.problem, "");
    assert_true(scan.ended);
    assert_int_equal(record_file_cut("/nonexistent", 0, &err), STATUS_IO);
    remove_files(fixture);
}

/* --- what never was a record file of ours ----------------------------------------------------------------------- */

static void missing_and_foreign_files_are_refused_by_name(void **state) {
    Fixture *fixture = make_files();
    RecordScan scan;
    Error err = {""};
    assert_int_equal(record_file_scan(fixture->copy, NULL, NULL, &scan, &err), STATUS_IO);
    assert_non_null(strstr(err.text, fixture->copy));
    assert_int_equal(record_file_scan(fixture->folder, NULL, NULL, &scan, &err), STATUS_IO);
    const char text[] = "name: depth\nmodel: {n_layer: 5}\n";
    write_file(fixture->copy, text, strlen(text));
    assert_int_equal(record_file_scan(fixture->copy, NULL, NULL, &scan, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "record 1 at byte 0: the checksum of the length is wrong"));
    assert_false(scan.torn);
    Record end = sample_record(RECORD_END, 1);
    Bytes bytes;
    assert_int_equal(record_encode(&end, &bytes, NULL), STATUS_OK);
    write_file(fixture->copy, "", 0);
    append_framed(fixture->copy, bytes.data, bytes.size, bytes.size);
    assert_int_equal(record_file_scan(fixture->copy, NULL, NULL, &scan, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "the first record is not a header"));
    bytes_free(&bytes);
    record_free(&end);
    remove_files(fixture);
}

static void a_newer_schema_is_refused(void **state) {
    Fixture *fixture = make_files();
    RecordWriter *writer;
    RecordScan scan;
    Error err = {""};
    Record header = sample_record(RECORD_HEADER, 1);
    header.of.header.schema = SCHEMA_VERSION + 1;
    assert_int_equal(record_writer_create(fixture->copy, &header, &writer, &err), STATUS_OK);
    record_writer_close(writer);
    assert_int_equal(record_file_scan(fixture->copy, NULL, NULL, &scan, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "has schema 2, expected 1 to 1"));
    record_free(&header);
    remove_files(fixture);
}

static void a_file_is_readable_while_it_grows(void **state) {
    Fixture *fixture = make_files();
    Record header = sample_record(RECORD_HEADER, 1), cell = sample_record(RECORD_CELL, 50);
    RecordWriter *writer;
    RecordScan scan;
    Error err = {""};
    assert_int_equal(record_writer_create(fixture->copy, &header, &writer, &err), STATUS_OK);
    for (uint64_t records = 1; records < 5; records++) {
        assert_int_equal(record_file_scan(fixture->copy, NULL, NULL, &scan, &err), STATUS_OK);
        assert_int_equal(scan.records, records);
        assert_string_equal(scan.problem, "");
        assert_int_equal(record_writer_append(writer, &cell, NULL, &err), STATUS_OK);
    }
    record_writer_close(writer);
    record_free(&header);
    record_free(&cell);
    remove_files(fixture);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_crc32c),
        cmocka_unit_test(hardware_and_portable_checksums_agree_at_all_lengths_and_alignments),
        cmocka_unit_test(a_frame_is_length_checksum_data_checksum),
        cmocka_unit_test(a_file_is_scanned_in_order_and_read_at_any_record),
        cmocka_unit_test(a_visitor_may_keep_a_record_and_stop),
        cmocka_unit_test(a_file_that_exists_is_never_overwritten),
        cmocka_unit_test(a_full_disk_leaves_whole_records_and_the_writer_usable),
        cmocka_unit_test(a_file_whose_header_cannot_be_written_is_not_left_behind),
        cmocka_unit_test(a_file_cut_at_any_byte_keeps_the_whole_records_before),
        cmocka_unit_test(one_flipped_bit_anywhere_in_a_record_is_found_and_placed),
        cmocka_unit_test(what_is_framed_rightly_but_no_record_is_damage_too),
        cmocka_unit_test(an_absurd_length_with_a_right_checksum_is_not_believed),
        cmocka_unit_test(a_cut_file_is_whole_again),
        cmocka_unit_test(missing_and_foreign_files_are_refused_by_name),
        cmocka_unit_test(a_newer_schema_is_refused),
        cmocka_unit_test(a_file_is_readable_while_it_grows),
    };
    return run_tests(tests, argc, argv);
}
