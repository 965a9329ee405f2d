/* safetensors files: named tensors behind a JSON header (u64 header length, header, data).
 *
 * F32 and F64 are read (F64 kept as double, rounded to float on request), F32 is written. A damaged file is an error
 * that names the file, the tensor and what was expected; nothing in a file can crash the reader. */
#ifndef WORKER_FILES_SAFETENSORS_H
#define WORKER_FILES_SAFETENSORS_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAFETENSORS_MAX_RANK = 8 };

typedef struct SafeTensor {
    const char *name; /* owned by the file */
    bool is_double;   /* stored as F64 */
    int rank;
    int64_t shape[SAFETENSORS_MAX_RANK];
    size_t count;     /* elements */
    const void *data; /* little-endian elements inside the file's buffer, possibly unaligned */
} SafeTensor;

typedef struct SafeTensorsFile SafeTensorsFile;

Status safetensors_open(const char *path, SafeTensorsFile **out, Error *err);
void safetensors_close(SafeTensorsFile *file);
/* NULL when there is no tensor (no metadata entry) of that name. Tensors of types other than F32 and F64 are not found.
 */
const SafeTensor *safetensors_find(const SafeTensorsFile *file, const char *name);
/* The same, but STATUS_DATA, with name and type, for a tensor of a type that cannot be read. path: for the message. */
Status safetensors_find_readable(const SafeTensorsFile *file, const char *path, const char *name,
                                 const SafeTensor **out, Error *err);
/* The names of all tensors, also of types that cannot be read, from index 0 on; NULL past the last. */
const char *safetensors_name(const SafeTensorsFile *file, int index);
const char *safetensors_metadata(const SafeTensorsFile *file, const char *key);
int safetensors_count(const SafeTensorsFile *file);
const SafeTensor *safetensors_at(const SafeTensorsFile *file, int index);
/* Copies all elements as float (double); out has tensor->count places. */
void safetensors_floats(const SafeTensor *tensor, float *out);
void safetensors_doubles(const SafeTensor *tensor, double *out);

/* A tensor to write. */
typedef struct SafeTensorOut {
    const char *name;
    int rank;
    int64_t shape[SAFETENSORS_MAX_RANK];
    const float *data;
} SafeTensorOut;

/* Whether a file could be written at path: for asking before long work, not after it. */
Status safetensors_may_write(const char *path, Error *err);
/* Writes atomically and durably (durable_replace). metadata: n_metadata pairs key, value. */
Status safetensors_write(const char *path, const SafeTensorOut *tensors, int n_tensors, const char *const *metadata,
                         int n_metadata, Error *err);

#endif
