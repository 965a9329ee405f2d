/* What is made durable, and in which order. The linker hands this program's calls of fsync to the function below, which
 * notes them and can fail. */
#include "coordinator/journal/journal.h"

#include "tests/fixtures/wire_samples.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

static char synced[4096]; /* names of the files and folders synced, each after a space */
static const char *broken = "no such file";

int __real_fsync(int descriptor);
int __wrap_fsync(int descriptor);

int __wrap_fsync(int descriptor) {
    char link[64], path[256] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    assert_true(readlink(link, path, sizeof path - 1) > 0);
    const char *name = strrchr(path, '/') + 1;
    assert_in_range(strlen(synced) + strlen(name), 1, sizeof synced - 3);
    strcat(strcat(synced, " "), name);
    if (strstr(name, broken) == NULL) return __real_fsync(descriptor);
    errno = EIO;
    return -1;
}

/* The names synced since the last call, " folder" for the folder itself. */
static const char *synced_now(void) {
    static char names[sizeof synced];
    strcpy(names, synced);
    synced[0] = '\0';
    return names;
}

static void remove_folder(const char *dir) {
    char path[512];
    DIR *entries = opendir(dir);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    closedir(entries);
    assert_int_equal(rmdir(dir), 0);
}

static void models_are_durable_before_the_records_that_promise_them(void **state) {
    char parent[] = "/tmp/palinode-durable-XXXXXX", dir[64], warning[64];
    Record header = sample_record(RECORD_HEADER, 1), end = sample_record(RECORD_END, 2);
    Record work[] = {sample_record(RECORD_TRAINING, 3), sample_record(RECORD_MODEL, 3)};
    Journal *journal;
    Error err = {""};
    assert_non_null(mkdtemp(parent));
    snprintf(dir, sizeof dir, "%s/folder", parent);
    synced_now();
    assert_int_equal(journal_open(dir, &header, UINT64_MAX, &journal, warning, sizeof warning, &err), STATUS_OK);
    char expected[128];
    snprintf(expected, sizeof expected, " %s records-0001.tfrecord folder", strrchr(parent, '/') + 1);
    assert_string_equal(synced_now(), expected);
    assert_int_equal(journal_append(journal, work, 2, NULL, &err), STATUS_OK);
    assert_string_equal(synced_now(), " models-0001.tfrecord folder"); /* the new file's header and entry */
    assert_int_equal(journal_sync(journal, &err), STATUS_OK);
    assert_string_equal(synced_now(), " models-0001.tfrecord records-0001.tfrecord");
    assert_int_equal(journal_sync(journal, &err), STATUS_OK); /* nothing new */
    assert_string_equal(synced_now(), "");
    assert_int_equal(journal_append(journal, work, 1, NULL, &err), STATUS_OK);
    assert_int_equal(journal_sync(journal, &err), STATUS_OK);
    assert_string_equal(synced_now(), " records-0001.tfrecord");
    assert_int_equal(journal_close(journal, &end, &err), STATUS_OK);
    assert_string_equal(synced_now(), " models-0001.tfrecord records-0001.tfrecord");
    record_free(&header);
    record_free(&end);
    record_free(&work[0]);
    record_free(&work[1]);
    remove_folder(dir);
    remove_folder(parent);
}

static void after_a_failed_sync_a_writer_refuses_everything(void **state) {
    char dir[] = "/tmp/palinode-durable-XXXXXX", path[64];
    Record header = sample_record(RECORD_HEADER, 1), cell = sample_record(RECORD_CELL, 2);
    RecordWriter *writer;
    Error err = {""};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.tfrecord", dir);
    assert_int_equal(record_writer_create(path, &header, &writer, &err), STATUS_OK);
    assert_int_equal(record_writer_append(writer, &cell, NULL, &err), STATUS_OK);
    broken = "a.tfrecord";
    assert_int_equal(record_writer_sync(writer, &err), STATUS_IO);
    assert_non_null(strstr(err.text, strerror(EIO)));
    broken = "no such file";
    assert_int_equal(record_writer_sync(writer, &err), STATUS_IO);
    assert_int_equal(record_writer_append(writer, &cell, NULL, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "an earlier write failed"));
    record_writer_close(writer);
    unlink(path);
    broken = "a.tfrecord";
    assert_int_equal(record_writer_create(path, &header, &writer, &err), STATUS_IO);
    broken = "no such file";
    assert_int_equal(access(path, F_OK), -1);
    record_free(&header);
    record_free(&cell);
    remove_folder(dir);
}

static void a_replaced_file_is_durable_under_its_new_name(void **state) {
    char dir[] = "/tmp/palinode-durable-XXXXXX", path[64], expected[512];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/status", dir);
    synced_now();
    assert_int_equal(journal_replace_file(path, "text", NULL), STATUS_OK);
    const char *name = synced_now(); /* " status.tmp-<16 digits nobody can foresee> <folder>" */
    assert_memory_equal(name, " status.tmp-", 12);
    assert_int_equal(strspn(name + 12, "0123456789abcdef"), 16);
    snprintf(expected, sizeof expected, " %s", strrchr(dir, '/') + 1);
    assert_string_equal(name + 28, expected);
    broken = "status.tmp";
    assert_int_equal(journal_replace_file(path, "other", NULL), STATUS_IO);
    broken = "no such file";
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* the temporary file is gone */
}

static Status ignore_check(void *context, const SegmentCheck *check, Error *err) {
    return STATUS_OK;
}

static void a_repair_saves_durably_before_it_cuts(void **state) {
    char dir[] = "/tmp/palinode-durable-XXXXXX", path[64], expected[256];
    Record header = sample_record(RECORD_HEADER, 1);
    RecordWriter *writer;
    Error err = {""};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/records-0001.tfrecord", dir);
    assert_int_equal(record_writer_create(path, &header, &writer, &err), STATUS_OK);
    unsigned long whole = record_writer_size(writer);
    record_writer_close(writer);
    assert_int_equal(truncate(path, (off_t)whole + 5), 0);
    synced_now();
    assert_int_equal(journal_verify(dir, true, ignore_check, NULL, &err), STATUS_OK);
    snprintf(expected, sizeof expected, " records-0001.tfrecord.cut-%lu %s records-0001.tfrecord", whole,
             strrchr(dir, '/') + 1);
    assert_string_equal(synced_now(), expected);
    assert_int_equal(truncate(path, (off_t)whole + 6), 0);
    broken = ".cut-";
    assert_int_equal(journal_verify(dir, true, ignore_check, NULL, &err), STATUS_IO);
    broken = "no such file";
    RecordScan scan;
    assert_int_equal(record_file_scan(path, NULL, NULL, &scan, &err), STATUS_OK);
    assert_int_equal(scan.file_bytes, whole + 6); /* not saved, so not cut */
    record_free(&header);
    remove_folder(dir);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_durable_before_the_records_that_promise_them),
        cmocka_unit_test(after_a_failed_sync_a_writer_refuses_everything),
        cmocka_unit_test(a_replaced_file_is_durable_under_its_new_name),
        cmocka_unit_test(a_repair_saves_durably_before_it_cuts),
    };
    return run_tests(tests, argc, argv);
}
