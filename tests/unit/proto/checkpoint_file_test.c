/* The file of an unfinished training: what was written comes back, and nothing that is not whole is ever believed. The
 * linker hands this program's calls of fsync and rename to the functions below. */
#include "proto/wire/checkpoint_file.h"

#include "tests/fixtures/wire_samples.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP = 7, STEPS = 20 };

static enum { CALM, FAIL_FSYNC, DIE_IN_FSYNC, DIE_BEFORE_RENAME, DIE_AFTER_RENAME } trouble;

int __real_fsync(int descriptor);
int __wrap_fsync(int descriptor);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_fsync(int descriptor) {
    if (trouble == DIE_IN_FSYNC) raise(SIGKILL);
    if (trouble != FAIL_FSYNC) return __real_fsync(descriptor);
    errno = ENOSPC;
    return -1;
}

int __wrap_rename(const char *from, const char *to) {
    if (trouble == DIE_BEFORE_RENAME) raise(SIGKILL);
    int result = __real_rename(from, to);
    if (trouble == DIE_AFTER_RENAME) raise(SIGKILL);
    return result;
}

/* A consistent checkpoint of a few values. */
static Record sample_checkpoint(int64_t step) {
    Record record = sample_record(RECORD_CHECKPOINT, (uint32_t)step);
    record.of.checkpoint.state.step = step;
    record.of.checkpoint.spec.train.steps = STEPS;
    record.of.checkpoint.training_id = (Id){{5}};
    return record;
}

static const Id MINE = {{5}};

typedef struct Folder {
    char name[64], path[96];
} Folder;

static Folder make_folder(void) {
    Folder folder = {.name = "/tmp/palinode-checkpoint-XXXXXX"};
    assert_non_null(mkdtemp(folder.name));
    snprintf(folder.path, sizeof folder.path, "%s/00", folder.name);
    return folder;
}

static int files_in(const Folder *folder) {
    int count = 0;
    DIR *entries = opendir(folder->name);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

static void remove_folder(const Folder *folder) {
    assert_int_equal(checkpoint_file_remove(folder->path, NULL), STATUS_OK);
    assert_int_equal(rmdir(folder->name), 0);
}

static void write_step(const Folder *folder, int64_t step) {
    Record record = sample_checkpoint(step);
    Error err;
    if (checkpoint_file_write(folder->path, &record.of.checkpoint, &err) != STATUS_OK) fail_msg("%s", err.text);
    record_free(&record);
}

/* Fails unless the file is that of write_step(step). */
static void assert_holds(const Folder *folder, int64_t step) {
    Record expected = sample_checkpoint(step), found = {.kind = RECORD_CHECKPOINT};
    bool exists;
    int64_t head_step;
    Error err;
    if (checkpoint_file_read(folder->path, MINE, &exists, &found.of.checkpoint, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_true(exists);
    assert_true(sample_equal(&record_binding, &expected, &found));
    assert_int_equal(checkpoint_file_step(folder->path, MINE, &head_step, &err), STATUS_OK);
    assert_int_equal(head_step, step);
    record_free(&expected);
    record_free(&found);
}

static void a_checkpoint_comes_back_and_replaces_the_one_before(void **state) {
    Folder folder = make_folder();
    bool exists = true;
    int64_t step = 9;
    assert_int_equal(checkpoint_file_read(folder.path, MINE, &exists, NULL, NULL), STATUS_OK);
    assert_false(exists);
    assert_int_equal(checkpoint_file_step(folder.path, MINE, &step, NULL), STATUS_OK);
    assert_int_equal(step, 0);
    write_step(&folder, STEP);
    assert_holds(&folder, STEP);
    write_step(&folder, STEP + 1);
    assert_holds(&folder, STEP + 1);
    assert_int_equal(files_in(&folder), 1);
    assert_int_equal(checkpoint_file_remove(folder.path, NULL), STATUS_OK);
    assert_int_equal(files_in(&folder), 0);
    remove_folder(&folder);
}

static void a_checkpoint_of_another_training_or_without_sense_is_refused(void **state) {
    Folder folder = make_folder();
    CheckpointRecord unused;
    bool exists;
    int64_t step;
    Error err;
    write_step(&folder, STEP);
    assert_int_equal(checkpoint_file_read(folder.path, (Id){{6}}, &exists, &unused, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "is of training 05000000"));
    assert_int_equal(checkpoint_file_step(folder.path, (Id){{6}}, &step, &err), STATUS_DATA);
    Record record = sample_checkpoint(STEPS + 1);
    assert_int_equal(checkpoint_file_write(folder.path, &record.of.checkpoint, &err), STATUS_OK);
    assert_int_equal(checkpoint_file_read(folder.path, MINE, &exists, &unused, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "is of step 21, expected 1 to 20"));
    record.of.checkpoint.state.step = STEP;
    record.of.checkpoint.state.n_moments = 0; /* allowed after the last step only */
    assert_int_equal(checkpoint_file_write(folder.path, &record.of.checkpoint, &err), STATUS_OK);
    assert_int_equal(checkpoint_file_read(folder.path, MINE, &exists, &unused, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "has 0 moments for 3 parameters"));
    record.of.checkpoint.state.step = STEPS;
    assert_int_equal(checkpoint_file_write(folder.path, &record.of.checkpoint, &err), STATUS_OK);
    Record found = {.kind = RECORD_CHECKPOINT};
    assert_int_equal(checkpoint_file_read(folder.path, MINE, &exists, &found.of.checkpoint, &err), STATUS_OK);
    record_free(&found);
    record_free(&record);
    remove_folder(&folder);
}

static size_t read_bytes(const char *path, uint8_t *bytes, size_t most) {
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, bytes, most);
    close(fd);
    assert_true(n > 0 && (size_t)n < most);
    return (size_t)n;
}

static void write_bytes(const char *path, const uint8_t *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void assert_refused(const Folder *folder, const char *what, size_t at) {
    CheckpointRecord unused;
    bool exists;
    Error err = {""};
    Status status = checkpoint_file_read(folder->path, MINE, &exists, &unused, &err);
    if (status != STATUS_DATA || strstr(err.text, folder->path) == NULL)
        fail_msg("%s at byte %zu: status %d, %s", what, at, status, err.text);
}

static void a_file_cut_or_spoilt_at_any_byte_is_never_believed(void **state) {
    enum { MOST = 8192 };
    static uint8_t bytes[MOST];
    Folder folder = make_folder();
    write_step(&folder, STEP);
    size_t size = read_bytes(folder.path, bytes, MOST);
    for (size_t cut = 0; cut < size; cut++) {
        write_bytes(folder.path, bytes, cut);
        assert_refused(&folder, "cut", cut);
    }
    for (size_t at = 0; at < size; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1 << bit);
            write_bytes(folder.path, bytes, size);
            assert_refused(&folder, "spoilt", at);
            bytes[at] ^= (uint8_t)(1 << bit);
        }
    bytes[size] = 0;
    write_bytes(folder.path, bytes, size + 1);
    assert_refused(&folder, "one byte more", size);
    write_bytes(folder.path, bytes, size);
    assert_holds(&folder, STEP);
    remove_folder(&folder);
}

/* Writes step STEP + 1 in a process of its own that dies as told; the folder then holds a whole checkpoint. */
static void die_while_writing(int how, int64_t expected_step) {
    Folder folder = make_folder();
    write_step(&folder, STEP);
    pid_t pid = fork();
    if (pid == 0) {
        Record record = sample_checkpoint(STEP + 1);
        trouble = how;
        checkpoint_file_write(folder.path, &record.of.checkpoint, NULL);
        _exit(0);
    }
    int wait_status;
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    assert_true(WIFSIGNALED(wait_status));
    assert_holds(&folder, expected_step);
    assert_int_equal(files_in(&folder), how == DIE_AFTER_RENAME ? 1 : 2);
    write_step(&folder, STEP + 2);
    assert_holds(&folder, STEP + 2);
    remove_folder(&folder); /* with what the dead process left */
}

static void a_process_that_dies_while_writing_leaves_a_whole_checkpoint(void **state) {
    die_while_writing(DIE_IN_FSYNC, STEP);
    die_while_writing(DIE_BEFORE_RENAME, STEP);
    die_while_writing(DIE_AFTER_RENAME, STEP + 1);
}

static void a_full_disk_is_told_and_the_old_checkpoint_stays(void **state) {
    Folder folder = make_folder();
    Record record = sample_checkpoint(STEP + 1);
    Error err = {""};
    write_step(&folder, STEP);
    trouble = FAIL_FSYNC;
    assert_int_equal(checkpoint_file_write(folder.path, &record.of.checkpoint, &err), STATUS_IO);
    trouble = CALM;
    assert_non_null(strstr(err.text, strerror(ENOSPC)));
    assert_holds(&folder, STEP);
    assert_int_equal(files_in(&folder), 1);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 300;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(checkpoint_file_write(folder.path, &record.of.checkpoint, &err), STATUS_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(err.text, strerror(EFBIG)));
    assert_holds(&folder, STEP);
    assert_int_equal(files_in(&folder), 1);
    record_free(&record);
    remove_folder(&folder);
    assert_int_equal(checkpoint_file_write(folder.path, &record.of.checkpoint, &err), STATUS_IO); /* no such folder */
}

static void two_processes_never_mix_their_bytes(void **state) {
    Folder folder = make_folder();
    pid_t writers[2];
    for (int k = 0; k < 2; k++) {
        writers[k] = fork();
        if (writers[k] == 0) {
            Record record = sample_checkpoint(STEP + k);
            for (int turn = 0; turn < 3; turn++)
                if (checkpoint_file_write(folder.path, &record.of.checkpoint, NULL) != STATUS_OK) _exit(1);
            _exit(0);
        }
    }
    int wait_status, seen = 0, writing = 2;
    while (writing > 0) {
        Record record = {.kind = RECORD_CHECKPOINT};
        bool exists;
        Error err;
        if (checkpoint_file_read(folder.path, MINE, &exists, &record.of.checkpoint, &err) != STATUS_OK)
            fail_msg("%s", err.text);
        seen += exists;
        if (exists) record_free(&record);
        for (int k = 0; k < 2; k++)
            if (waitpid(writers[k], &wait_status, WNOHANG) == writers[k]) {
                assert_int_equal(wait_status, 0);
                writing--;
            }
    }
    assert_true(seen > 0);
    assert_int_equal(files_in(&folder), 1);
    remove_folder(&folder);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_comes_back_and_replaces_the_one_before),
        cmocka_unit_test(a_checkpoint_of_another_training_or_without_sense_is_refused),
        cmocka_unit_test(a_file_cut_or_spoilt_at_any_byte_is_never_believed),
        cmocka_unit_test(a_process_that_dies_while_writing_leaves_a_whole_checkpoint),
        cmocka_unit_test(a_full_disk_is_told_and_the_old_checkpoint_stays),
        cmocka_unit_test(two_processes_never_mix_their_bytes),
    };
    return run_tests(tests, argc, argv);
}
