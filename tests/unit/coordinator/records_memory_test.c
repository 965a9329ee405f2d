/* Every allocation of the codec, of record files, of the journal and of a merge, failed in turn: each time
 * STATUS_NO_MEMORY and nothing lost. The linker hands this program's calls of malloc, calloc, realloc and free to the
 * functions below. */
#include "coordinator/journal/explain.h"
#include "coordinator/journal/merge.h"
#include "proto/wire/checkpoint_file.h"

#include "tests/fixtures/wire_samples.h"

#include <dirent.h>
#include <unistd.h>

enum { MOST_BLOCKS = 4096 };

static long asked, failing;       /* allocations so far; the one to fail, 0: none */
static void *blocks[MOST_BLOCKS]; /* allocated here and not freed yet; what the C library allocates is not among them */
static int n_blocks;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *block);

static bool refuse(void) {
    return failing > 0 && ++asked == failing;
}

static void *note(void *block) {
    assert_in_range(n_blocks, 0, MOST_BLOCKS - 1);
    if (block != NULL) blocks[n_blocks++] = block;
    return block;
}

static void forget(const void *block) {
    for (int i = n_blocks - 1; i >= 0; i--)
        if (blocks[i] == block) {
            blocks[i] = blocks[--n_blocks];
            return;
        }
}

void *__wrap_malloc(size_t size) {
    return refuse() ? NULL : note(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
    return refuse() ? NULL : note(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size) {
    if (refuse()) return NULL;
    forget(old);
    return note(__real_realloc(old, size));
}

void __wrap_free(void *block) {
    forget(block);
    __real_free(block);
}

/* Runs attempt with its first, second, .. allocation failing until it succeeds; returns how many it makes. What
 * attempt makes it frees. */
static long fail_in_turn(Status (*attempt)(void *context, Error *err), void *context) {
    Error err;
    assert_int_equal(attempt(context, &err), STATUS_OK); /* what libraries allocate once is allocated now */
    for (long k = 1;; k++) {
        int before = n_blocks;
        asked = 0;
        failing = k;
        Status status = attempt(context, &err);
        failing = 0;
        if (asked < k) {
            assert_int_equal(status, STATUS_OK);
            return k - 1;
        }
        if (status != STATUS_NO_MEMORY) fail_msg("allocation %ld: status %d, %s", k, status, err.text);
        assert_int_equal(n_blocks, before);
    }
}

/* --- codec ------------------------------------------------------------------------------------------------------ */

typedef struct Sample {
    Record record;
    Message message;
    Bytes bytes;
    bool is_message;
} Sample;

static Status encode(void *context, Error *err) {
    const Sample *sample = context;
    Bytes bytes = {0};
    Status status = sample->is_message ? message_encode(&sample->message, &bytes, err)
                                       : record_encode(&sample->record, &bytes, err);
    bytes_free(&bytes);
    return status;
}

static Status decode(void *context, Error *err) {
    const Sample *sample = context;
    Record record = {0};
    Message message = {0};
    Status status = sample->is_message ? message_decode(sample->bytes.data, sample->bytes.size, &message, err)
                                       : record_decode(sample->bytes.data, sample->bytes.size, &record, err);
    if (status == STATUS_OK && sample->is_message) message_free(&message);
    if (status == STATUS_OK && !sample->is_message) record_free(&record);
    return status;
}

static void encoding_and_decoding_survive_every_failed_allocation(void **state) {
    for (int k = 0; k < RECORD_KINDS + MESSAGE_KINDS; k++) {
        Sample sample = {.is_message = k >= RECORD_KINDS};
        if (sample.is_message) {
            sample.message = sample_message((MessageKind)(k - RECORD_KINDS + 1), 1);
            assert_int_equal(message_encode(&sample.message, &sample.bytes, NULL), STATUS_OK);
        } else {
            sample.record = sample_record((RecordKind)(k + 1), 1);
            if (sample.record.kind == RECORD_TRAINING) sample.record.of.training.host[0] = '\0'; /* decoded last */
            assert_int_equal(record_encode(&sample.record, &sample.bytes, NULL), STATUS_OK);
        }
        assert_in_range(fail_in_turn(encode, &sample), 3, 200);
        assert_in_range(fail_in_turn(decode, &sample), 2, 200);
        bytes_free(&sample.bytes);
        message_free(&sample.message);
        record_free(&sample.record);
    }
}

static Status create_curves(void *context, Error *err) {
    Curves curves = {0};
    Status status = curves_create(&curves, 20, err);
    curves_free(&curves);
    return status;
}

static void curves_survive_every_failed_allocation(void **state) {
    assert_int_equal(fail_in_turn(create_curves, NULL), 2);
}

/* --- journal ---------------------------------------------------------------------------------------------------- */

static void empty_folder(const char *dir) {
    char path[512];
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    if (entries != NULL) closedir(entries);
}

typedef struct Results {
    const char *dir;
    Record header, records[4], end;
    Job *job;
} Results;

static Status write_results(void *context, Error *err) {
    const Results *results = context;
    Journal *journal = NULL;
    char warning[256];
    empty_folder(results->dir);
    Status status = journal_open(results->dir, &results->header, UINT64_MAX, &journal, warning, sizeof warning, err);
    if (status == STATUS_OK) status = journal_append(journal, results->records, 4, NULL, err);
    Status closed = status == STATUS_OK ? journal_close(journal, &results->end, err)
                    : journal != NULL   ? journal_close(journal, NULL, NULL)
                                        : STATUS_OK;
    return status == STATUS_OK ? closed : status;
}

static Status count_visits(void *context, uint64_t offset, Record *record, Error *err) {
    ++*(int *)context;
    return STATUS_OK;
}

static Status ignore_check(void *context, const SegmentCheck *check, Error *err) {
    return STATUS_OK;
}

static Status read_results(void *context, Error *err) {
    const Results *results = context;
    Journal *journal = NULL;
    Record model = {0};
    int visits = 0;
    char warning[256];
    Status status = journal_open_reader(results->dir, &journal, warning, sizeof warning, err);
    if (status == STATUS_OK)
        status = journal_read_model(journal, results->records[3].of.model.training_id, &model, err);
    record_free(&model);
    if (status == STATUS_OK) status = journal_read(results->dir, count_visits, &visits, warning, sizeof warning, err);
    if (status == STATUS_OK) status = journal_verify(results->dir, false, ignore_check, NULL, err);
    if (journal != NULL) journal_close(journal, NULL, NULL);
    return status;
}

static void ignore_difference(void *context, const MergeDifference *found) {}

/* Merges two folders that share a result under different numerics. */
static Status merge_results(void *context, Error *err) {
    const Results *results = context;
    const MergeOptions options = {false, ignore_difference, ignore_difference, NULL};
    char out[64], warning[256];
    MergeSummary summary;
    snprintf(out, sizeof out, "%s/merged", results->dir);
    const char *dirs[] = {results->dir};
    Status status = merge_folders(out, dirs, 1, &results->header, &options, &summary, warning, sizeof warning, err);
    assert_int_equal(access(out, F_OK), status == STATUS_OK ? 0 : -1); /* as a whole or not at all */
    empty_folder(out);
    rmdir(out);
    return status;
}

static void a_merge_survives_every_failed_allocation(void **state) {
    char dir[] = "/tmp/palinode-memory-XXXXXX", path[64], warning[256];
    assert_non_null(mkdtemp(dir));
    Results results = {.dir = dir, .header = sample_record(RECORD_HEADER, 1)};
    Record records[] = {sample_record(RECORD_TRAINING, 1), sample_record(RECORD_CELL, 2), sample_record(RECORD_CELL, 2),
                        sample_record(RECORD_MODEL, 1)};
    records[2].of.cell.fingerprint[0] = 'T';
    Journal *journal;
    Error err;
    assert_int_equal(journal_open(dir, &results.header, UINT64_MAX, &journal, warning, sizeof warning, &err),
                     STATUS_OK);
    assert_int_equal(journal_append(journal, records, 4, NULL, &err), STATUS_OK);
    assert_int_equal(journal_close(journal, NULL, NULL), STATUS_OK);
    snprintf(path, sizeof path, "%s/job.yaml", dir);
    assert_int_equal(journal_replace_file(path, "name: memory\n", &err), STATUS_OK);
    assert_in_range(fail_in_turn(merge_results, &results), 100, 4000);
    record_free(&results.header);
    for (int i = 0; i < 4; i++)
        record_free(&records[i]);
    empty_folder(dir);
    assert_int_equal(rmdir(dir), 0);
}

static Status explain_results(void *context, Error *err) {
    const Results *results = context;
    Explanation explanation;
    char digits[ID_TEXT_BYTES], warning[256];
    id_text(results->records[0].of.training.training_id, digits);
    Job *job = results->job;
    const JobList jobs = {1, &job};
    Status status = explain_id(results->dir, &jobs, digits, &explanation, warning, sizeof warning, err);
    if (status != STATUS_OK) return status;
    assert_int_equal(explanation.n_witnesses, 1);
    explanation_free(&explanation);
    return STATUS_OK;
}

static void an_explanation_survives_every_failed_allocation(void **state) {
    char dir[] = "/tmp/palinode-memory-XXXXXX";
    assert_non_null(mkdtemp(dir));
    Results results = {.dir = dir,
                       .header = sample_record(RECORD_HEADER, 1),
                       .records = {sample_record(RECORD_TRAINING, 1), sample_record(RECORD_CELL, 2),
                                   sample_record(RECORD_BASELINE, 3), sample_record(RECORD_MODEL, 4)},
                       .end = sample_record(RECORD_END, 5)};
    Error err;
    results.records[1].of.cell.training_id = results.records[0].of.training.training_id;
    assert_int_equal(job_parse("j", "seeds: 2", NULL, 0, &results.job, &err), STATUS_OK);
    assert_int_equal(write_results(&results, &err), STATUS_OK);
    assert_in_range(fail_in_turn(explain_results, &results), 50, 4000);
    job_free(results.job);
    record_free(&results.header);
    for (int i = 0; i < 4; i++)
        record_free(&results.records[i]);
    record_free(&results.end);
    empty_folder(dir);
    assert_int_equal(rmdir(dir), 0);
}

static void a_journal_survives_every_failed_allocation(void **state) {
    char dir[] = "/tmp/palinode-memory-XXXXXX";
    assert_non_null(mkdtemp(dir));
    Results results = {.dir = dir,
                       .header = sample_record(RECORD_HEADER, 1),
                       .records = {sample_record(RECORD_TRAINING, 1), sample_record(RECORD_CELL, 2),
                                   sample_record(RECORD_BASELINE, 3), sample_record(RECORD_MODEL, 4)},
                       .end = sample_record(RECORD_END, 5)};
    assert_in_range(fail_in_turn(write_results, &results), 40, 2000);
    assert_in_range(fail_in_turn(read_results, &results), 40, 4000);
    record_free(&results.header);
    for (int i = 0; i < 4; i++)
        record_free(&results.records[i]);
    record_free(&results.end);
    empty_folder(dir);
    assert_int_equal(rmdir(dir), 0);
}

/* --- checkpoints ------------------------------------------------------------------------------------------------ */

typedef struct Saved {
    char path[64];
    Record record;
} Saved;

static Status write_checkpoint(void *context, Error *err) {
    const Saved *saved = context;
    return checkpoint_file_write(saved->path, &saved->record.of.checkpoint, err);
}

static Status read_checkpoint(void *context, Error *err) {
    const Saved *saved = context;
    Record record = {.kind = RECORD_CHECKPOINT};
    bool exists;
    int64_t step;
    Id id = saved->record.of.checkpoint.training_id;
    Status status = checkpoint_file_read(saved->path, id, &exists, &record.of.checkpoint, err);
    if (status == STATUS_OK) assert_true(exists && sample_equal(&record_binding, &record, &saved->record));
    if (status == STATUS_OK) record_free(&record);
    return status == STATUS_OK ? checkpoint_file_step(saved->path, id, &step, err) : status;
}

static void a_checkpoint_survives_every_failed_allocation(void **state) {
    char dir[] = "/tmp/palinode-memory-XXXXXX";
    assert_non_null(mkdtemp(dir));
    Saved saved = {.record = sample_record(RECORD_CHECKPOINT, 1)};
    saved.record.of.checkpoint.spec.train.steps = saved.record.of.checkpoint.state.step + 1;
    snprintf(saved.path, sizeof saved.path, "%s/00", dir);
    assert_in_range(fail_in_turn(write_checkpoint, &saved), 10, 200);
    assert_in_range(fail_in_turn(read_checkpoint, &saved), 10, 400);
    record_free(&saved.record);
    assert_int_equal(checkpoint_file_remove(saved.path, NULL), STATUS_OK);
    assert_int_equal(rmdir(dir), 0); /* nothing half-written is left */
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding_and_decoding_survive_every_failed_allocation),
        cmocka_unit_test(curves_survive_every_failed_allocation),
        cmocka_unit_test(a_journal_survives_every_failed_allocation),
        cmocka_unit_test(a_checkpoint_survives_every_failed_allocation),
        cmocka_unit_test(an_explanation_survives_every_failed_allocation),
        cmocka_unit_test(a_merge_survives_every_failed_allocation),
    };
    return run_tests(tests, argc, argv);
}
