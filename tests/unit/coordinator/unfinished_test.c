/* Files of unfinished trainings: found, kept as long as they are wanted, removed with the records that make them
 * superfluous. */
#include "coordinator/journal/unfinished.h"

#include "tests/harness.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const Id first = {.bytes = {1, 0xab}}, second = {.bytes = {2}};

static Unfinished *open_in(const char *dir, bool alone) {
    Unfinished *unfinished = NULL;
    Error err = {{0}};
    if (unfinished_open(dir, &unfinished, &err) != STATUS_OK) fail_msg("%s", err.text);
    unfinished_clear_litter(unfinished, alone);
    return unfinished;
}

static bool exists(const char *dir, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void touch(const char *path) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

static void a_file_goes_with_the_sweep_after_its_training_ended_and_the_folder_with_the_last(void **state) {
    char dir[] = "/tmp/palinode-unfinished-XXXXXX";
    char *path;
    Error err;
    assert_non_null(mkdtemp(dir));
    Unfinished *unfinished = open_in(dir, true);
    assert_false(exists(dir, "checkpoints"));
    assert_int_equal(unfinished_path(unfinished, first, &path, &err), STATUS_OK);
    touch(path);
    assert_true(exists(dir, "checkpoints/01ab0000000000000000000000000000"));
    assert_int_equal(unfinished_saved(unfinished, first, 70, &err), STATUS_OK);
    assert_int_equal(unfinished_saved(unfinished, first, 90, &err), STATUS_OK);
    assert_int_equal(unfinished_step(unfinished, first), 90);
    assert_int_equal(unfinished_step(unfinished, second), 0);
    assert_int_equal(unfinished_count(unfinished), 1);
    unfinished_ended(unfinished, second);
    unfinished_ended(unfinished, first);
    assert_int_equal(access(path, F_OK), 0); /* its record need not be durable yet */
    unfinished_sweep(unfinished);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(unfinished_count(unfinished), 0);
    unfinished_close(unfinished);
    assert_false(exists(dir, "checkpoints"));
    free(path);
    assert_int_equal(rmdir(dir), 0);
}

static void a_run_finds_the_files_of_earlier_ones_and_clears_away_what_was_half_written(void **state) {
    char dir[] = "/tmp/palinode-unfinished-XXXXXX", path[256], litter[512], other[256];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/checkpoints", dir);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/checkpoints/01ab0000000000000000000000000000", dir);
    snprintf(litter, sizeof litter, "%s.tmp-77", path);
    snprintf(other, sizeof other, "%s/checkpoints/notes.txt", dir);
    touch(path);
    touch(litter);
    touch(other);
    Unfinished *unfinished = open_in(dir, false); /* another run may be writing it this moment */
    assert_int_equal(access(litter, F_OK), 0);
    unfinished_close(unfinished);
    unfinished = open_in(dir, true);
    assert_int_not_equal(access(litter, F_OK), 0);
    assert_int_equal(unfinished_count(unfinished), 1);
    unfinished_close(unfinished);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access(other, F_OK), 0); /* what is not ours is left alone */
    assert_int_equal(unlink(path) + unlink(other), 0);
    unfinished = open_in(dir, false);
    unfinished_close(unfinished);
    assert_int_equal(rmdir(dir), 0);
}

static void another_run_may_remove_the_folder_when_it_finds_it_empty(void **state) {
    char dir[] = "/tmp/palinode-unfinished-XXXXXX";
    char *path;
    Error err;
    assert_non_null(mkdtemp(dir));
    Unfinished *ours = open_in(dir, false), *other = open_in(dir, false);
    assert_int_equal(unfinished_path(ours, first, &path, &err), STATUS_OK);
    free(path);
    unfinished_close(other);
    assert_false(exists(dir, "checkpoints"));
    assert_int_equal(unfinished_path(ours, second, &path, &err), STATUS_OK);
    touch(path);
    unfinished_close(open_in(dir, false));
    assert_int_equal(unlink(path), 0); /* it was still there */
    free(path);
    unfinished_close(ours);
    assert_int_equal(rmdir(dir), 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_goes_with_the_sweep_after_its_training_ended_and_the_folder_with_the_last),
        cmocka_unit_test(a_run_finds_the_files_of_earlier_ones_and_clears_away_what_was_half_written),
        cmocka_unit_test(another_run_may_remove_the_folder_when_it_finds_it_empty),
    };
    return run_tests(tests, argc, argv);
}
