/* safetensors files, read whole into memory and checked before anything is handed out.
 *
 *     u64 n | n bytes: JSON {"__metadata__": {..}, "name": {"dtype", "shape", "data_offsets": [begin, end]}, ..} | data
 *
 * Offsets count from the start of data. As in the format's own definition, the tensors must cover the data without
 * overlap, hole or rest; that alone finds most truncated and damaged files. Knows nothing of models. */
#include "worker/files/safetensors.h"

#include "proto/wire/durable_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors files are little-endian");

enum { LENGTH_BYTES = 8, DATA_ALIGNMENT = 8, HEADER_LIMIT_BYTES = 100000000 };

static const char metadata_key[] = "__metadata__";

struct SafeTensorsFile {
    unsigned char *bytes; /* the whole file */
    size_t size_bytes;
    json_t *header;      /* owns the names and metadata */
    SafeTensor *tensors; /* (n_tensors) that can be read */
    int n_tensors;
    const char **names; /* (n_names) of all; the header's */
    int n_names;
};

/* Where an entry's data lies, for the check that the data is covered. */
typedef struct Extent {
    uint64_t begin, end;
    const char *name;
} Extent;

static Status read_whole_file(const char *path, unsigned char **bytes, size_t *size_bytes, Error *err) {
    Status status = STATUS_OK;
    struct stat about;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return error_set(err, STATUS_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(descriptor, &about) != 0) {
        status = error_set(err, STATUS_IO, "%s: cannot read: %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(about.st_mode)) {
        status = error_set(err, STATUS_DATA, "%s: expected a safetensors file, this is no regular file", path);
        goto done;
    }
    *size_bytes = (size_t)about.st_size;
    *bytes = malloc(*size_bytes > 0 ? *size_bytes : 1);
    if (*bytes == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "%s: no memory for its %zu bytes", path, *size_bytes);
        goto done;
    }
    for (size_t have = 0; have < *size_bytes;) {
        ssize_t got = read(descriptor, *bytes + have, *size_bytes - have);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            status = error_set(err, STATUS_IO, "%s: cannot read byte %zu: %s", path, have,
                               got < 0 ? strerror(errno) : "the file became shorter");
            goto done;
        }
        have += (size_t)got;
    }
done:
    close(descriptor);
    return status;
}

/* Parses the header; *data_bytes is what follows it. */
static Status read_header(SafeTensorsFile *file, const char *path, uint64_t *data_bytes, Error *err) {
    uint64_t length;
    if (file->size_bytes < LENGTH_BYTES)
        return error_set(err, STATUS_DATA, "%s: %zu bytes, expected a safetensors file of at least %d", path,
                         file->size_bytes, LENGTH_BYTES);
    memcpy(&length, file->bytes, LENGTH_BYTES);
    uint64_t room = file->size_bytes - LENGTH_BYTES;
    if (length > room || length > HEADER_LIMIT_BYTES)
        return error_set(err, STATUS_DATA,
                         "%s: header length %llu, expected at most %llu (not a safetensors file, or cut short)", path,
                         (unsigned long long)length,
                         (unsigned long long)(room < HEADER_LIMIT_BYTES ? room : HEADER_LIMIT_BYTES));
    json_error_t problem;
    const char *text = (const char *)file->bytes + LENGTH_BYTES;
    file->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
    if (file->header == NULL)
        return error_set(err, STATUS_DATA, "%s: header byte %d: expected JSON: %s", path, problem.position,
                         problem.text);
    if (!json_is_object(file->header)) return error_set(err, STATUS_DATA, "%s: header: expected a JSON object", path);
    *data_bytes = room - length;
    return STATUS_OK;
}

static Status check_metadata(const SafeTensorsFile *file, const char *path, Error *err) {
    json_t *metadata = json_object_get(file->header, metadata_key), *value;
    const char *key;
    if (metadata != NULL && !json_is_object(metadata))
        return error_set(err, STATUS_DATA, "%s: %s: expected an object of strings", path, metadata_key);
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return error_set(err, STATUS_DATA, "%s: %s: \"%s\": expected a string", path, metadata_key, key);
    }
    return STATUS_OK;
}

/* A whole number >= 0 in an array; false for anything else. */
static bool whole_number(const json_t *array, size_t index, int64_t *value) {
    const json_t *entry = json_array_get(array, index);
    *value = json_integer_value(entry);
    return json_is_integer(entry) && *value >= 0;
}

/* Shape of an F32 or F64 tensor, and that its extent holds exactly that many elements. */
static Status read_shape(const json_t *entry, const Extent *extent, const char *path, SafeTensor *tensor, Error *err) {
    const json_t *shape = json_object_get(entry, "shape");
    size_t element_bytes = tensor->is_double ? sizeof(double) : sizeof(float), bytes;
    if (!json_is_array(shape) || json_array_size(shape) > SAFETENSORS_MAX_RANK)
        return error_set(err, STATUS_DATA, "%s: tensor \"%s\": shape: expected an array of at most %d lengths", path,
                         tensor->name, SAFETENSORS_MAX_RANK);
    tensor->rank = (int)json_array_size(shape);
    tensor->count = 1;
    for (int axis = 0; axis < tensor->rank; axis++) {
        if (!whole_number(shape, (size_t)axis, &tensor->shape[axis]))
            return error_set(err, STATUS_DATA, "%s: tensor \"%s\": shape[%d]: expected a whole number", path,
                             tensor->name, axis);
        if (__builtin_mul_overflow(tensor->count, (size_t)tensor->shape[axis], &tensor->count))
            return error_set(err, STATUS_DATA, "%s: tensor \"%s\": shape: too many elements", path, tensor->name);
    }
    if (__builtin_mul_overflow(tensor->count, element_bytes, &bytes) || bytes != extent->end - extent->begin)
        return error_set(err, STATUS_DATA,
                         "%s: tensor \"%s\": data_offsets hold %llu bytes, the shape has %zu elements of %zu bytes",
                         path, tensor->name, (unsigned long long)(extent->end - extent->begin), tensor->count,
                         element_bytes);
    return STATUS_OK;
}

/* Reads one entry of the header: its extent, and a tensor when it is of a type that is kept. */
static Status read_entry(SafeTensorsFile *file, const char *path, const char *name, const json_t *entry,
                         uint64_t data_bytes, Extent *extent, Error *err) {
    int64_t begin, end;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (type == NULL)
        return error_set(err, STATUS_DATA, "%s: tensor \"%s\": expected an object with \"dtype\"", path, name);
    if (json_array_size(offsets) != 2 || !whole_number(offsets, 0, &begin) || !whole_number(offsets, 1, &end))
        return error_set(err, STATUS_DATA, "%s: tensor \"%s\": data_offsets: expected [begin, end]", path, name);
    if (begin > end || (uint64_t)end > data_bytes)
        return error_set(err, STATUS_DATA,
                         "%s: tensor \"%s\": data_offsets [%lld, %lld] lie outside the file's %llu bytes of data "
                         "(cut short?)",
                         path, name, (long long)begin, (long long)end, (unsigned long long)data_bytes);
    *extent = (Extent){.begin = (uint64_t)begin, .end = (uint64_t)end, .name = name};

    file->names[file->n_names++] = name;
    SafeTensor tensor = {.name = name, .is_double = strcmp(type, "F64") == 0};
    if (!tensor.is_double && strcmp(type, "F32") != 0) return STATUS_OK;
    Status status = read_shape(entry, extent, path, &tensor, err);
    if (status != STATUS_OK) return status;
    tensor.data = file->bytes + (file->size_bytes - data_bytes) + begin;
    file->tensors[file->n_tensors++] = tensor;
    return STATUS_OK;
}

static int compare_extents(const void *left, const void *right) {
    const Extent *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

static Status check_cover(Extent *extents, size_t count, const char *path, uint64_t data_bytes, Error *err) {
    uint64_t covered = 0;
    qsort(extents, count, sizeof *extents, compare_extents);
    for (size_t i = 0; i < count; i++) {
        if (extents[i].begin != covered)
            return error_set(err, STATUS_DATA, "%s: tensor \"%s\" begins at byte %llu of the data, expected %llu (%s)",
                             path, extents[i].name, (unsigned long long)extents[i].begin, (unsigned long long)covered,
                             extents[i].begin < covered ? "it overlaps another" : "a hole");
        covered = extents[i].end;
    }
    if (covered != data_bytes)
        return error_set(err, STATUS_DATA, "%s: %llu bytes of data, but its tensors cover %llu", path,
                         (unsigned long long)data_bytes, (unsigned long long)covered);
    return STATUS_OK;
}

static Status read_tensors(SafeTensorsFile *file, const char *path, uint64_t data_bytes, Error *err) {
    size_t most = json_object_size(file->header), n_extents = 0;
    Extent *extents = calloc(most + 1, sizeof *extents);
    file->tensors = calloc(most + 1, sizeof *file->tensors);
    file->names = calloc(most + 1, sizeof *file->names);
    Status status = STATUS_OK;
    const char *name;
    json_t *entry;
    if (extents == NULL || file->tensors == NULL || file->names == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "%s: no memory for its %zu tensors", path, most);
    else
        json_object_foreach(file->header, name, entry) {
            if (strcmp(name, metadata_key) == 0) continue;
            status = read_entry(file, path, name, entry, data_bytes, &extents[n_extents++], err);
            if (status != STATUS_OK) break;
        }
    if (status == STATUS_OK) status = check_cover(extents, n_extents, path, data_bytes, err);
    free(extents);
    return status;
}

Status safetensors_open(const char *path, SafeTensorsFile **out, Error *err) {
    uint64_t data_bytes = 0;
    SafeTensorsFile *file = calloc(1, sizeof *file);
    if (file == NULL) return error_set(err, STATUS_NO_MEMORY, "%s: no memory to open it", path);
    Status status = read_whole_file(path, &file->bytes, &file->size_bytes, err);
    if (status == STATUS_OK) status = read_header(file, path, &data_bytes, err);
    if (status == STATUS_OK) status = check_metadata(file, path, err);
    if (status == STATUS_OK) status = read_tensors(file, path, data_bytes, err);
    if (status != STATUS_OK) {
        error_show(err); /* names and excerpts come from the file */
        safetensors_close(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

void safetensors_close(SafeTensorsFile *file) {
    if (file == NULL) return;
    json_decref(file->header);
    free(file->tensors);
    free((void *)file->names);
    free(file->bytes);
    free(file);
}

const SafeTensor *safetensors_find(const SafeTensorsFile *file, const char *name) {
    for (int i = 0; i < file->n_tensors; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

Status safetensors_find_readable(const SafeTensorsFile *file, const char *path, const char *name,
                                 const SafeTensor **out, Error *err) {
    *out = safetensors_find(file, name);
    const char *type = json_string_value(json_object_get(json_object_get(file->header, name), "dtype"));
    if (*out != NULL || type == NULL) return STATUS_OK;
    return error_set(err, STATUS_DATA, "%s: tensor \"%s\" is of type %s, expected F32 or F64", path, name, type);
}

const char *safetensors_name(const SafeTensorsFile *file, int index) {
    assert(index >= 0);
    return index < file->n_names ? file->names[index] : NULL;
}

const char *safetensors_metadata(const SafeTensorsFile *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->header, metadata_key), key));
}

int safetensors_count(const SafeTensorsFile *file) {
    return file->n_tensors;
}

const SafeTensor *safetensors_at(const SafeTensorsFile *file, int index) {
    assert(index >= 0 && index < file->n_tensors);
    return &file->tensors[index];
}

static double element(const SafeTensor *tensor, size_t index) {
    const unsigned char *data = tensor->data;
    double wide;
    float narrow;
    if (tensor->is_double) {
        memcpy(&wide, data + index * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, data + index * sizeof narrow, sizeof narrow);
    return narrow;
}

void safetensors_floats(const SafeTensor *tensor, float *out) {
    for (size_t i = 0; i < tensor->count; i++)
        out[i] = (float)element(tensor, i);
}

void safetensors_doubles(const SafeTensor *tensor, double *out) {
    for (size_t i = 0; i < tensor->count; i++)
        out[i] = element(tensor, i);
}

static size_t count_of(const SafeTensorOut *tensor) {
    size_t count = 1;
    for (int axis = 0; axis < tensor->rank; axis++)
        count *= (size_t)tensor->shape[axis];
    return count;
}

/* The header as text, padded with spaces so that the data is aligned; malloc'd, NULL: no memory. */
static char *header_text(const SafeTensorOut *tensors, int n_tensors, const char *const *metadata, int n_metadata) {
    json_t *header = json_object(), *strings = json_object();
    char *padded = NULL;
    json_int_t begin = 0;
    int failures = 0;
    for (int i = 0; i < n_metadata; i++)
        failures += json_object_set_new(strings, metadata[2 * i], json_string(metadata[2 * i + 1])) != 0;
    failures += json_object_set_new(header, metadata_key, strings) != 0;
    for (int i = 0; i < n_tensors; i++) {
        json_t *shape = json_array();
        json_int_t end = begin + (json_int_t)(count_of(&tensors[i]) * sizeof(float));
        for (int axis = 0; axis < tensors[i].rank; axis++)
            failures += json_array_append_new(shape, json_integer(tensors[i].shape[axis])) != 0;
        failures += json_object_set_new(header, tensors[i].name,
                                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape,
                                                  "data_offsets", begin, end)) != 0;
        begin = end;
    }
    char *text = failures == 0 ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (text != NULL) {
        size_t length = strlen(text), aligned = (length + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
        if (asprintf(&padded, "%-*s", (int)aligned, text) < 0) padded = NULL;
        free(text);
    }
    return padded;
}

Status safetensors_may_write(const char *path, Error *err) {
    struct stat about;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return error_set(err, STATUS_IO, "%s: cannot write: this is no regular file", path);
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    if (folder == NULL) return error_set(err, STATUS_NO_MEMORY, "%s: no memory for its folder's name", path);
    Status status = STATUS_OK;
    if (access(folder, W_OK | X_OK) != 0)
        status = error_set(err, STATUS_IO, "%s: cannot write into %s: %s", path, folder, strerror(errno));
    free(folder);
    return status;
}

Status safetensors_write(const char *path, const SafeTensorOut *tensors, int n_tensors, const char *const *metadata,
                         int n_metadata, Error *err) {
    Status status = safetensors_may_write(path, err);
    if (status != STATUS_OK) return status;
    char *header = header_text(tensors, n_tensors, metadata, n_metadata);
    uint64_t header_bytes = header != NULL ? strlen(header) : 0;
    size_t size_bytes = LENGTH_BYTES + header_bytes, used = size_bytes;
    for (int i = 0; i < n_tensors; i++)
        size_bytes += count_of(&tensors[i]) * sizeof(float);
    unsigned char *bytes = header != NULL ? malloc(size_bytes) : NULL;
    if (bytes == NULL) {
        free(header);
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory for its %zu bytes", path, size_bytes);
    }
    memcpy(bytes, &header_bytes, LENGTH_BYTES);
    memcpy(bytes + LENGTH_BYTES, header, header_bytes);
    for (int i = 0; i < n_tensors; i++) {
        size_t tensor_bytes = count_of(&tensors[i]) * sizeof(float);
        memcpy(bytes + used, tensors[i].data, tensor_bytes);
        used += tensor_bytes;
    }
    status = durable_replace(path, bytes, size_bytes, err);
    free(bytes);
    free(header);
    return status;
}
