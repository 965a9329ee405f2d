/* See unfinished.h. */
#include "coordinator/journal/unfinished.h"

#include "proto/wire/checkpoint_file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A half-written file that has been left alone for so long is litter, whoever wrote it. */
enum { LITTER_AGE_S = 600, NAME_BYTES = ID_TEXT_BYTES - 1 };

/* One training that has a file. */
typedef struct Begun {
    Id id;
    int64_t step;
} Begun;

struct Unfinished {
    void *tree; /* of Begun, by id */
    size_t count;
    Id *ended; /* to be removed by the next sweep */
    size_t n_ended, capacity;
    bool alone; /* no other run works in the folder */
    char folder[];
};

static void write_path(const Unfinished *unfinished, Id training_id, char *path, size_t size) {
    char id[ID_TEXT_BYTES];
    snprintf(path, size, "%s/%s", unfinished->folder, id_text(training_id, id));
}

static int compare(const void *a, const void *b) {
    return memcmp(&((const Begun *)a)->id, &((const Begun *)b)->id, sizeof(Id));
}

static Begun *find(const Unfinished *unfinished, Id id) {
    Begun key = {.id = id};
    Begun **node = tfind(&key, &unfinished->tree, compare);
    return node != NULL ? *node : NULL;
}

Status unfinished_saved(Unfinished *unfinished, Id training_id, int64_t step, Error *err) {
    Begun *begun = find(unfinished, training_id);
    if (begun == NULL) {
        begun = malloc(sizeof *begun);
        if (begun != NULL) begun->id = training_id;
        if (begun == NULL || tsearch(begun, &unfinished->tree, compare) == NULL) {
            free(begun);
            return error_set(err, STATUS_NO_MEMORY, "no memory to note a checkpoint");
        }
        unfinished->count++;
    }
    begun->step = step;
    return STATUS_OK;
}

/* --- the folder as it is found ---------------------------------------------------------------------------------- */

/* A file that cannot be believed counts as one of step 0: the child that meets it begins anew. */
static Status take_checkpoint(Unfinished *unfinished, const char *name, Error *err) {
    char path[PATH_MAX];
    Id id;
    int64_t step = 0;
    struct stat state;
    if (!id_from_text(name, &id)) return STATUS_OK;
    write_path(unfinished, id, path, sizeof path);
    if (lstat(path, &state) != 0 || !S_ISREG(state.st_mode)) return STATUS_OK;
    Status status = checkpoint_file_step(path, id, &step, err);
    if (status == STATUS_NO_MEMORY) return status;
    return unfinished_saved(unfinished, id, status == STATUS_OK ? step : 0, err);
}

/* Half-written files are called <id>.tmp-<something>. */
static void remove_litter(const Unfinished *unfinished, const char *name) {
    char path[PATH_MAX], id_digits[ID_TEXT_BYTES];
    Id id;
    struct stat state;
    snprintf(id_digits, sizeof id_digits, "%s", name);
    if (strlen(name) <= NAME_BYTES || name[NAME_BYTES] != '.' || !id_from_text(id_digits, &id)) return;
    snprintf(path, sizeof path, "%s/%s", unfinished->folder, name);
    if (stat(path, &state) == 0 && (unfinished->alone || time(NULL) - state.st_mtime > LITTER_AGE_S)) unlink(path);
}

/* What lies there under the name must be a folder of the results' own: children write into it. */
static Status check_folder(const Unfinished *unfinished, Error *err) {
    struct stat state;
    if (lstat(unfinished->folder, &state) != 0 || S_ISDIR(state.st_mode)) return STATUS_OK;
    return error_set(err, STATUS_IO, "%s: %s, expected a folder; remove it", unfinished->folder,
                     S_ISLNK(state.st_mode) ? "is a link, which is not followed" : "is a file");
}

Status unfinished_open(const char *dir, Unfinished **out, Error *err) {
    static const char name[] = "/checkpoints";
    Unfinished *unfinished = calloc(1, sizeof *unfinished + strlen(dir) + sizeof name);
    if (unfinished == NULL) return error_set(err, STATUS_NO_MEMORY, "%s: no memory for its checkpoints' list", dir);
    strcat(strcpy(unfinished->folder, dir), name);
    Status status = check_folder(unfinished, err);
    DIR *folder = status == STATUS_OK ? opendir(unfinished->folder) : NULL;
    if (status == STATUS_OK && folder == NULL && errno != ENOENT)
        status = error_set(err, STATUS_IO, "%s: cannot read the folder: %s", unfinished->folder, strerror(errno));
    struct dirent *entry;
    while (status == STATUS_OK && folder != NULL && (entry = readdir(folder)) != NULL)
        status = take_checkpoint(unfinished, entry->d_name, err);
    if (folder != NULL) closedir(folder);
    if (status == STATUS_OK)
        *out = unfinished;
    else
        unfinished_close(unfinished);
    return status;
}

void unfinished_clear_litter(Unfinished *unfinished, bool alone) {
    unfinished->alone = alone;
    DIR *folder = opendir(unfinished->folder);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        remove_litter(unfinished, entry->d_name);
    if (folder != NULL) closedir(folder);
}

void unfinished_close(Unfinished *unfinished) {
    if (unfinished == NULL) return;
    rmdir(unfinished->folder); /* fails, as it should, when something is in it */
    tdestroy(unfinished->tree, free);
    free(unfinished->ended);
    free(unfinished);
}

size_t unfinished_count(const Unfinished *unfinished) {
    return unfinished->count;
}

int64_t unfinished_step(const Unfinished *unfinished, Id training_id) {
    const Begun *begun = unfinished->count > 0 ? find(unfinished, training_id) : NULL;
    return begun != NULL ? begun->step : 0;
}

/* --- as the run goes on ----------------------------------------------------------------------------------------- */

Status unfinished_path(Unfinished *unfinished, Id training_id, char **path, Error *err) {
    if (mkdir(unfinished->folder, 0777) < 0 && errno != EEXIST)
        return error_set(err, STATUS_IO, "%s: cannot make the folder: %s", unfinished->folder, strerror(errno));
    Status status = check_folder(unfinished, err);
    if (status != STATUS_OK) return status;
    size_t size = strlen(unfinished->folder) + 1 + ID_TEXT_BYTES;
    *path = malloc(size);
    if (*path == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the path of a checkpoint");
    write_path(unfinished, training_id, *path, size);
    return STATUS_OK;
}

void unfinished_ended(Unfinished *unfinished, Id training_id) {
    if (unfinished->count == 0 || find(unfinished, training_id) == NULL) return;
    if (unfinished->n_ended == unfinished->capacity) {
        size_t capacity = unfinished->capacity * 2 + 16;
        Id *more = realloc(unfinished->ended, capacity * sizeof *more);
        if (more == NULL) return; /* the file is left to the next run */
        unfinished->ended = more;
        unfinished->capacity = capacity;
    }
    unfinished->ended[unfinished->n_ended++] = training_id;
}

void unfinished_sweep(Unfinished *unfinished) {
    char path[PATH_MAX];
    for (size_t i = 0; i < unfinished->n_ended; i++) {
        Begun *begun = find(unfinished, unfinished->ended[i]);
        if (begun == NULL) continue;
        write_path(unfinished, begun->id, path, sizeof path);
        checkpoint_file_remove(path, NULL);
        tdelete(begun, &unfinished->tree, compare);
        free(begun);
        unfinished->count--;
    }
    unfinished->n_ended = 0;
}
