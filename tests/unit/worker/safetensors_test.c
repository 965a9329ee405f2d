/* safetensors files: what is written reads back, golden files read as documented, and no damage gets through unnoticed
 * or harms the reader. Run under ASan the mutation tests also show that nothing outside the buffer is touched. */
#include "tests/harness.h"
#include "worker/files/safetensors.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 256, FILE_BYTES = 4096 };

static const char header_two[] = "{\"__metadata__\":{\"who\":\"test\"},"
                                 "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                                 "\"b\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[24,40]}}";

/* A fresh path under the temporary folder; the file does not exist yet. */
static void fresh_path(char path[PATH_BYTES]) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, PATH_BYTES, "%s/palinode-safetensors-XXXXXX", folder != NULL ? folder : "/tmp");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
}

static void put_bytes(const char *path, const void *bytes, size_t size) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

/* Builds length, header and data_bytes bytes of data (0, 1, 2, ..) in bytes; returns the size. */
static size_t build(unsigned char bytes[FILE_BYTES], const char *header, size_t data_bytes) {
    uint64_t length = strlen(header);
    assert_true(8 + length + data_bytes <= FILE_BYTES);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_bytes; i++)
        bytes[8 + length + i] = (unsigned char)i;
    return 8 + length + data_bytes;
}

/* Opens bytes as a file; on failure the message must be one line that begins with the path. */
static Status open_bytes(const void *bytes, size_t size, SafeTensorsFile **file, Error *err) {
    char path[PATH_BYTES];
    fresh_path(path);
    put_bytes(path, bytes, size);
    *err = (Error){""};
    Status status = safetensors_open(path, file, err);
    unlink(path);
    if (status != STATUS_OK) {
        assert_memory_equal(err->text, path, strlen(path));
        assert_null(strpbrk(err->text, "\n\r\033"));
    }
    return status;
}

/* The header must be refused with a message that contains words. */
static void assert_refused(const char *header, size_t data_bytes, const char *words) {
    unsigned char bytes[FILE_BYTES];
    SafeTensorsFile *file = NULL;
    Error err;
    size_t size = build(bytes, header, data_bytes);
    assert_int_equal(open_bytes(bytes, size, &file, &err), STATUS_DATA);
    if (strstr(err.text, words) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

/* Reads every value of every tensor: what a damaged file must not turn into a fault. */
static void read_everything(const SafeTensorsFile *file) {
    for (int i = 0; i < safetensors_count(file); i++) {
        const SafeTensor *tensor = safetensors_at(file, i);
        double *values = malloc((tensor->count + 1) * sizeof *values);
        float *rounded = malloc((tensor->count + 1) * sizeof *rounded);
        safetensors_doubles(tensor, values);
        safetensors_floats(tensor, rounded);
        free(values);
        free(rounded);
    }
}

static void what_is_written_reads_back(void **state) {
    char path[PATH_BYTES];
    fresh_path(path);
    const float a[6] = {1.5f, -0.0f, INFINITY, 1e-45f, NAN, 3}, b[1] = {7};
    const SafeTensorOut tensors[] = {{.name = "a", .rank = 2, .shape = {2, 3}, .data = a},
                                     {.name = "quote \" and \xc3\xa9", .rank = 0, .data = b},
                                     {.name = "empty", .rank = 3, .shape = {4, 0, 2}, .data = b}};
    const char *const metadata[] = {"n_head", "3", "note", "line\nbreak"};
    Error err;
    SafeTensorsFile *file = NULL;
    assert_int_equal(safetensors_write(path, tensors, 3, metadata, 2, &err), STATUS_OK);
    assert_int_equal(safetensors_open(path, &file, &err), STATUS_OK);
    assert_int_equal(safetensors_count(file), 3);
    assert_string_equal(safetensors_metadata(file, "n_head"), "3");
    assert_string_equal(safetensors_metadata(file, "note"), "line\nbreak");
    assert_null(safetensors_metadata(file, "absent"));
    assert_null(safetensors_find(file, "absent"));

    const SafeTensor *tensor = safetensors_find(file, "a");
    float back[6];
    assert_non_null(tensor);
    assert_int_equal(tensor->rank, 2);
    assert_int_equal(tensor->shape[0], 2);
    assert_int_equal(tensor->shape[1], 3);
    safetensors_floats(tensor, back);
    assert_memory_equal(back, a, sizeof a);
    assert_string_equal(safetensors_at(file, 1)->name, tensors[1].name);
    assert_int_equal(safetensors_at(file, 1)->count, 1);
    assert_int_equal(safetensors_find(file, "empty")->count, 0);
    safetensors_close(file);
    unlink(path);
}

static void data_is_aligned_and_the_header_is_the_documented_json(void **state) {
    char path[PATH_BYTES], bytes[512];
    fresh_path(path);
    const float a[2] = {1, 2};
    const SafeTensorOut tensor = {.name = "t", .rank = 1, .shape = {2}, .data = a};
    Error err;
    assert_int_equal(safetensors_write(path, &tensor, 1, NULL, 0, &err), STATUS_OK);
    FILE *stream = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    unlink(path);
    uint64_t length;
    memcpy(&length, bytes, 8);
    assert_int_equal(length % 8, 0);
    assert_int_equal(size, 8 + length + sizeof a);
    const char expected[] = "{\"__metadata__\":{},\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    assert_memory_equal(bytes + 8, expected, sizeof expected - 1);
    assert_memory_equal(bytes + 8 + length, a, sizeof a);
}

static void a_written_file_replaces_the_old_one_and_leaves_nothing_beside_it(void **state) {
    char folder[PATH_BYTES] = "/tmp/palinode-safetensors-XXXXXX", path[PATH_BYTES + 16];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model", folder);
    const float a[2] = {1, 2};
    const SafeTensorOut tensor = {.name = "t", .rank = 1, .shape = {2}, .data = a};
    Error err;
    SafeTensorsFile *file = NULL;
    put_bytes(path, "old", 3);
    assert_int_equal(safetensors_write(path, &tensor, 1, NULL, 0, &err), STATUS_OK);
    assert_int_equal(safetensors_open(path, &file, &err), STATUS_OK);
    safetensors_close(file);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* refused if a temporary file were left */
}

static void a_file_that_cannot_be_written_is_an_error_that_names_it(void **state) {
    Error err;
    assert_int_equal(safetensors_write("/nonexistent/model", NULL, 0, NULL, 0, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "/nonexistent/model"));
    assert_int_equal(safetensors_write("/dev/null", NULL, 0, NULL, 0, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "regular"));
    assert_int_equal(safetensors_write("/tmp", NULL, 0, NULL, 0, &err), STATUS_IO);
}

static void a_missing_file_and_a_folder_are_errors(void **state) {
    Error err;
    SafeTensorsFile *file = NULL;
    assert_int_equal(safetensors_open("/nonexistent", &file, &err), STATUS_IO);
    assert_int_equal(safetensors_open("/tmp", &file, &err), STATUS_DATA);
    assert_int_equal(safetensors_open("/dev/zero", &file, &err), STATUS_DATA);
}

static void golden_files_read_with_their_names_shapes_and_types(void **state) {
    Error err;
    SafeTensorsFile *file = NULL;
    assert_int_equal(safetensors_open(TESTS_DIR "/golden/softmax_ffn.safetensors", &file, &err), STATUS_OK);
    assert_string_equal(safetensors_metadata(file, "n_head"), "3");
    const SafeTensor *weight = safetensors_find(file, "_backbone.h.0.attn.c_attn.weight");
    assert_non_null(weight);
    assert_false(weight->is_double);
    assert_int_equal(weight->rank, 2);
    assert_int_equal(weight->shape[0], 12);
    assert_int_equal(weight->shape[1], 36);
    const SafeTensor *loss = safetensors_find(file, "loss.mse");
    double value = NAN;
    assert_non_null(loss);
    assert_true(loss->is_double);
    safetensors_doubles(loss, &value);
    assert_true(value > 0 && value < 100);
    safetensors_close(file);
}

static void a_double_is_kept_and_rounded_only_on_request(void **state) {
    unsigned char bytes[FILE_BYTES];
    SafeTensorsFile *file = NULL;
    Error err;
    const double values[2] = {1.0 / 3.0, 1e-300};
    size_t size = build(bytes, header_two, 40);
    memcpy(bytes + size - 16, values, 16);
    assert_int_equal(open_bytes(bytes, size, &file, &err), STATUS_OK);
    double wide[2];
    float narrow[2];
    safetensors_doubles(safetensors_find(file, "b"), wide);
    safetensors_floats(safetensors_find(file, "b"), narrow);
    assert_memory_equal(wide, values, sizeof values);
    assert_true(narrow[0] == (float)values[0] && narrow[1] == 0);
    safetensors_close(file);
}

static void tensors_of_other_types_are_skipped(void **state) {
    unsigned char bytes[FILE_BYTES];
    SafeTensorsFile *file = NULL;
    Error err;
    size_t size = build(bytes,
                        "{\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                        "\"f\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}  ",
                        12);
    assert_int_equal(open_bytes(bytes, size, &file, &err), STATUS_OK);
    assert_int_equal(safetensors_count(file), 1);
    assert_null(safetensors_find(file, "i"));
    assert_non_null(safetensors_find(file, "f"));
    safetensors_close(file);
}

static void every_wrong_header_is_refused_with_the_place(void **state) {
#define TENSOR(shape, offsets) "{\"t\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *words;
    } cases[] = {
        {"[]", 0, "object"},
        {"3", 0, "JSON"},
        {"", 0, "JSON"},
        {"{\"t\":", 0, "JSON"},
        {"{} {}", 0, "JSON"},
        {"{\"a\":1,\"a\":2}", 0, "duplicate"},
        {"{\"t\":\xff}", 0, "JSON"},
        {"{\"t\\u0000\":1}", 0, "JSON"},
        {"{\"__metadata__\":[]}", 0, "__metadata__"},
        {"{\"__metadata__\":{\"n_head\":3}}", 0, "n_head"},
        {"{\"t\":3}", 0, "\"t\""},
        {"{\"t\":{}}", 0, "dtype"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets"},
        {"{\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape"},
        {TENSOR("[1]", "[0]"), 4, "data_offsets"},
        {TENSOR("[1]", "[0,4,8]"), 4, "data_offsets"},
        {TENSOR("[1]", "[0,\"4\"]"), 4, "data_offsets"},
        {TENSOR("[1]", "[-4,0]"), 4, "data_offsets"},
        {TENSOR("[1]", "[4,0]"), 4, "outside"},
        {TENSOR("[1]", "[0,4]"), 3, "outside"},
        {TENSOR("[1]", "[9223372036854775803,9223372036854775807]"), 4, "outside"},
        {TENSOR("[1]", "[0,99999999999999999999]"), 4, "JSON"},
        {TENSOR("4", "[0,4]"), 4, "shape"},
        {TENSOR("[1.0]", "[0,4]"), 4, "shape[0]"},
        {TENSOR("[1,-1]", "[0,4]"), 4, "shape[1]"},
        {TENSOR("[2]", "[0,4]"), 4, "2 elements"},
        {TENSOR("[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "at most 8"},
        {TENSOR("[4294967296,4294967296]", "[0,0]"), 0, "too many"},
        {TENSOR("[4611686018427387905]", "[0,4]"), 4, "elements"}, /* x 4 bytes wraps to 4 */
        {TENSOR("[1]", "[0,4]"), 8, "cover 4"},
        {TENSOR("[1]", "[4,8]"), 8, "hole"},
        {"{\"t\\n\\u001b[31m\":{\"dtype\":\"F32\"}}", 0, "t\\n\\x1b[31m"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
         12, "overlaps"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].header, cases[i].data_bytes, cases[i].words);
}

static void deep_nesting_is_refused_and_not_followed(void **state) {
    enum { DEPTH = 3000 };
    char header[DEPTH + 16] = "{\"t\":";
    memset(header + strlen(header), '[', DEPTH);
    assert_refused(header, 0, "JSON");
}

static void a_file_cut_at_any_byte_is_refused(void **state) {
    unsigned char bytes[FILE_BYTES];
    SafeTensorsFile *file = NULL;
    Error err;
    size_t size = build(bytes, header_two, 40);
    for (size_t kept = 0; kept < size; kept++)
        assert_int_equal(open_bytes(bytes, kept, &file, &err), STATUS_DATA);
    assert_int_equal(open_bytes(bytes, size, &file, &err), STATUS_OK);
    safetensors_close(file);
}

static void a_header_length_beyond_the_file_is_refused(void **state) {
    unsigned char bytes[FILE_BYTES];
    SafeTensorsFile *file = NULL;
    Error err;
    size_t size = build(bytes, header_two, 40);
    const uint64_t lengths[] = {size - 7, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(bytes, &lengths[i], 8);
        assert_int_equal(open_bytes(bytes, size, &file, &err), STATUS_DATA);
        assert_non_null(strstr(err.text, "header length"));
    }
}

/* Every byte of length and header replaced by values that matter to a parser: refused or read, never a fault. */
static void no_changed_byte_of_the_header_harms_the_reader(void **state) {
    static const unsigned char values[] = {0, 1, '0', '9', '-', '"', '{', '[', ']', ',', 0x80, 0xff};
    unsigned char bytes[FILE_BYTES];
    Error err;
    size_t size = build(bytes, header_two, 40), refused = 0;
    for (size_t i = 0; i < size - 40; i++) {
        for (size_t v = 0; v < sizeof values; v++) {
            SafeTensorsFile *file = NULL;
            unsigned char original = bytes[i];
            bytes[i] = values[v];
            if (open_bytes(bytes, size, &file, &err) == STATUS_OK)
                read_everything(file);
            else
                refused++;
            safetensors_close(file);
            bytes[i] = original;
        }
    }
    assert_true(refused > 1000);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(data_is_aligned_and_the_header_is_the_documented_json),
        cmocka_unit_test(a_written_file_replaces_the_old_one_and_leaves_nothing_beside_it),
        cmocka_unit_test(a_file_that_cannot_be_written_is_an_error_that_names_it),
        cmocka_unit_test(a_missing_file_and_a_folder_are_errors),
        cmocka_unit_test(golden_files_read_with_their_names_shapes_and_types),
        cmocka_unit_test(a_double_is_kept_and_rounded_only_on_request),
        cmocka_unit_test(tensors_of_other_types_are_skipped),
        cmocka_unit_test(every_wrong_header_is_refused_with_the_place),
        cmocka_unit_test(deep_nesting_is_refused_and_not_followed),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_header_length_beyond_the_file_is_refused),
        cmocka_unit_test(no_changed_byte_of_the_header_harms_the_reader),
    };
    return run_tests(tests, argc, argv);
}
