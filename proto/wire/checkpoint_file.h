/* The file of an unfinished training: a header record, the checkpoint's head, the checkpoint. In the framing of
 * record_file.h; the head is the checkpoint without its arrays, so that its step can be read without reading them.
 *
 * A file is replaced as a whole: at any moment, whatever stops, it is the last checkpoint or the one before. Several
 * processes may write the same path; each writes a temporary file of its own (path.tmp-<random>) and the last
 * rename wins. Whoever reads believes only a file that is whole. */
#ifndef PROTO_WIRE_CHECKPOINT_FILE_H
#define PROTO_WIRE_CHECKPOINT_FILE_H

#include "proto/wire/codec.h"

/* Replaces path durably. On failure (STATUS_IO, STATUS_NO_MEMORY) path is what it was before (or, when the
 * folder cannot be synced, new but not durable). Takes the arrays' bytes of memory for the time of the call. */
Status checkpoint_file_write(const char *path, const CheckpointRecord *checkpoint, Error *err);

/* Reads the checkpoint of `training`: *out (freed by record_free of a Record holding it) is filled when *exists.
 * No file: STATUS_OK and !*exists. STATUS_DATA: not whole, of another training, or not in itself consistent. */
Status checkpoint_file_read(const char *path, Id training, bool *exists, CheckpointRecord *out, Error *err);

/* The step of the checkpoint of `training`, from the head alone (what follows it is not looked at); 0 when there is no
 * file. STATUS_DATA as above. */
Status checkpoint_file_step(const char *path, Id training, int64_t *step, Error *err);

/* Removes path and the temporary files that processes which died left beside it; neither need be there. */
Status checkpoint_file_remove(const char *path, Error *err);

#endif
