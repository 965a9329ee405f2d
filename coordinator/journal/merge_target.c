/* See merge_target.h. A new OUT comes into being by one rename of the staging folder. An earlier merge gets the new
 * files beside its own, models before the records that promise them, and then loses its own: at every moment in between
 * the folder holds the same results, some of them twice. */
#include "coordinator/journal/merge_target.h"

#include "proto/wire/durable_file.h"
#include "proto/wire/record_file.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kinds[] = {"models", "records"}; /* models first */
enum { KINDS = 2, JOB_BYTES_MAX = 1 << 24 };

/* --- before ----------------------------------------------------------------------------------------------------- */

static int any_entry(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int job_entry(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return strncmp(entry->d_name, "job.", 4) == 0 && length >= 8 && strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

static void free_entries(struct dirent **entries, int count) {
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

typedef struct JobText {
    char *text;
    size_t size;
    bool resolved;
} JobText;

typedef struct JobTexts {
    JobText *items;
    size_t count;
} JobTexts;

static Status read_text(const char *path, JobText *job, Error *err) {
    struct stat about; /* first: opening a pipe would wait for its writer */
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return error_set(err, STATUS_IO, "%s: is not a regular file", path);
    FILE *file = fopen(path, "rbe");
    if (file == NULL) return error_set(err, STATUS_IO, "%s: cannot open: %s", path, strerror(errno));
    Status status = STATUS_OK;
    if (fstat(fileno(file), &about) != 0 || about.st_size > JOB_BYTES_MAX)
        status = error_set(err, STATUS_DATA, "%s: is too large for a job file", path);
    job->size = status == STATUS_OK ? (size_t)about.st_size : 0;
    job->text = calloc(1, job->size + 1);
    if (job->text == NULL) status = error_set(err, STATUS_NO_MEMORY, "%s: no memory for a job file", path);
    if (status == STATUS_OK && fread(job->text, 1, job->size, file) != job->size)
        status = error_set(err, STATUS_IO, "%s: cannot read", path);
    fclose(file);
    return status;
}

/* Notes the job files that are there, to know later which have changed. */
static Status note_old_jobs(MergeTarget *target, Error *err) {
    struct dirent **entries = NULL;
    int count = scandir(target->out, &entries, job_entry, NULL);
    Status status = STATUS_OK;
    target->jobs = calloc((size_t)(count > 0 ? count : 0) + 1, sizeof *target->jobs);
    if (target->jobs == NULL) status = error_set(err, STATUS_NO_MEMORY, "no memory for the jobs of a merge");
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        char path[PATH_MAX];
        JobText job = {0};
        snprintf(path, sizeof path, "%s/%s", target->out, entries[i]->d_name);
        status = read_text(path, &job, err);
        OldJob *old = &target->jobs[target->n_jobs++];
        snprintf(old->name, sizeof old->name, "%s", entries[i]->d_name);
        old->size = job.size;
        if (status == STATUS_OK) old->checksum = crc32c(job.text, job.size);
        free(job.text);
    }
    if (count >= 0) free_entries(entries, count);
    return status;
}

/* Whether a records file is that of a merge: its header lists sources. */
static Status check_merge(const char *dir, const char *segment, Error *err) {
    char path[PATH_MAX];
    Record header;
    segment_path(dir, "records", segment, path);
    Status status = record_file_read_at(path, 0, &header, err);
    if (status != STATUS_OK) return status;
    bool merge = header.kind == RECORD_HEADER && header.of.header.sources[0] != '\0';
    record_free(&header);
    if (merge) return STATUS_OK;
    return error_set(err, STATUS_USAGE,
                     "-o %s: holds results of a run (%s); a merge goes to a folder of its own, or to that of an "
                     "earlier merge",
                     dir, path);
}

Status merge_target_stage(MergeTarget *target, Error *err) {
    snprintf(target->staging, sizeof target->staging, "%.*s.merge-XXXXXX", (int)sizeof target->staging - 16,
             target->out);
    if (mkdtemp(target->staging) == NULL) {
        target->staging[0] = '\0';
        return error_set(err, STATUS_IO, "-o %s: cannot make a folder beside it: %s", target->out, strerror(errno));
    }
    mode_t mask = umask(0);
    umask(mask);
    chmod(target->staging, 0777 & ~mask); /* it may become out itself */
    return STATUS_OK;
}

Status merge_target_open(const char *out, MergeTarget *target, Error *err) {
    *target = (MergeTarget){0};
    size_t length = strlen(out);
    while (length > 1 && out[length - 1] == '/')
        length--;
    if (length == 0 || length >= sizeof target->out - 32)
        return error_set(err, STATUS_USAGE, "-o: a folder's path of 1 to %zu bytes is expected",
                         sizeof target->out - 33);
    snprintf(target->out, sizeof target->out, "%.*s", (int)length, out);
    struct dirent **entries;
    int count = scandir(target->out, &entries, any_entry, NULL);
    if (count < 0 && errno == ENOENT) return STATUS_OK;
    if (count < 0) return error_set(err, STATUS_IO, "-o %s: cannot read the folder: %s", out, strerror(errno));
    free_entries(entries, count);
    if (count == 0) return STATUS_OK;
    Status status = segments_list(target->out, "records", &target->records, err);
    if (status == STATUS_OK) status = segments_list(target->out, "models", &target->models, err);
    if (status == STATUS_OK && target->records.count == 0)
        status = error_set(err, STATUS_USAGE, "-o %s: holds files, but no earlier merge", out);
    for (size_t i = 0; status == STATUS_OK && i < target->records.count; i++)
        status = check_merge(target->out, target->records.names[i], err);
    if (status == STATUS_OK) status = note_old_jobs(target, err);
    target->replaces = status == STATUS_OK;
    if (status != STATUS_OK) merge_target_close(target);
    return status;
}

bool merge_target_has_changed(const MergeTarget *target) {
    char path[PATH_MAX];
    for (size_t i = 0; i < target->records.count; i++) {
        segment_path(target->out, "records", target->records.names[i], path);
        if (access(path, F_OK) != 0) return true;
    }
    return false;
}

bool merge_target_is(const MergeTarget *target, const char *dir) {
    struct stat here, there;
    return stat(target->out, &here) == 0 && stat(dir, &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
}

/* --- job files -------------------------------------------------------------------------------------------------- */

/* Adds the text of path unless it is there already. */
static Status add_job(JobTexts *jobs, const char *path, bool resolved, Error *err) {
    JobText job = {.resolved = resolved};
    Status status = read_text(path, &job, err);
    bool known = false;
    for (size_t i = 0; status == STATUS_OK && i < jobs->count && !known; i++)
        known = jobs->items[i].resolved == resolved && jobs->items[i].size == job.size &&
                memcmp(jobs->items[i].text, job.text, job.size) == 0;
    JobText *more = NULL;
    if (status == STATUS_OK && !known) {
        more = realloc(jobs->items, (jobs->count + 1) * sizeof *more);
        if (more == NULL) status = error_set(err, STATUS_NO_MEMORY, "no memory for the jobs of a merge");
    }
    if (more == NULL) {
        free(job.text);
        return status;
    }
    jobs->items = more;
    jobs->items[jobs->count++] = job;
    return STATUS_OK;
}

static Status add_jobs_of(JobTexts *jobs, const char *dir, Error *err) {
    static const char suffix[] = ".resolved.yaml";
    struct dirent **entries;
    int count = scandir(dir, &entries, job_entry, alphasort);
    if (count < 0) return error_set(err, STATUS_IO, "%s: cannot read the folder: %s", dir, strerror(errno));
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        char path[PATH_MAX];
        const char *name = entries[i]->d_name;
        size_t length = strlen(name), tail = sizeof suffix - 1;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        status = add_job(jobs, path, length > tail && strcmp(name + length - tail, suffix) == 0, err);
    }
    free_entries(entries, count);
    return status;
}

/* The name under which a job is kept: ordinary when it is the only one of its kind. */
static void job_file_name(const JobText *job, bool only, char *name, size_t name_bytes) {
    char called[128] = "";
    const char *suffix = job->resolved ? ".resolved.yaml" : ".yaml";
    if (only) {
        snprintf(name, name_bytes, "job%s", suffix);
        return;
    }
    if (sscanf(job->text, "name: %100[-_.0-9A-Za-z]", called) == 1) strcat(called, ".");
    snprintf(name, name_bytes, "job.%s%08" PRIx32 "%s", called, crc32c(job->text, job->size), suffix);
}

Status merge_target_add_jobs(const MergeTarget *target, const char *const *dirs, int n_dirs, Error *err) {
    JobTexts jobs = {0};
    Status status = STATUS_OK;
    for (int i = 0; i < n_dirs && status == STATUS_OK; i++)
        status = add_jobs_of(&jobs, dirs[i], err);
    size_t of_kind[2] = {0};
    for (size_t i = 0; i < jobs.count; i++)
        of_kind[jobs.items[i].resolved]++;
    for (size_t i = 0; i < jobs.count && status == STATUS_OK; i++) {
        const JobText *job = &jobs.items[i];
        char name[256], path[PATH_MAX];
        job_file_name(job, of_kind[job->resolved] == 1, name, sizeof name);
        snprintf(path, sizeof path, "%s/%s", target->staging, name);
        status = durable_replace(path, job->text, job->size, err);
    }
    for (size_t i = 0; i < jobs.count; i++)
        free(jobs.items[i].text);
    free(jobs.items);
    return status;
}

/* --- after ------------------------------------------------------------------------------------------------------ */

/* Moves the staged segment into out under a number that nothing has: models first, as the records promise them. Merges
 * and runs that come in between have numbers of their own. */
static Status move_segment(const MergeTarget *target, Error *err) {
    enum { ATTEMPTS = 1000 };
    char from[KINDS][PATH_MAX], to[KINDS][PATH_MAX], segment[24];
    unsigned long number;
    Status status = segments_next_number(target->out, &number, err);
    for (int attempt = 0; attempt < ATTEMPTS && status == STATUS_OK; attempt++, number++) {
        bool taken = false;
        int moved = 0;
        snprintf(segment, sizeof segment, "%04lu", number);
        for (int k = 0; k < KINDS && status == STATUS_OK && !taken; k++) {
            segment_path(target->staging, kinds[k], "0001", from[k]);
            segment_path(target->out, kinds[k], segment, to[k]);
            if (access(from[k], F_OK) == 0) status = durable_claim(from[k], to[k], &taken, err);
            moved += status == STATUS_OK && !taken;
        }
        if (status == STATUS_OK && !taken) return STATUS_OK;
        for (int k = 0; k < moved; k++)
            if (access(to[k], F_OK) == 0) rename(to[k], from[k]); /* back, for the next number */
    }
    return status != STATUS_OK ? status : error_set(err, STATUS_IO, "%s: no free segment number", target->out);
}

/* Whether two files hold the same. */
static bool same_content(const char *a, const char *b) {
    JobText left = {0}, right = {0};
    bool same = read_text(a, &left, NULL) == STATUS_OK && read_text(b, &right, NULL) == STATUS_OK &&
                left.size == right.size && memcmp(left.text, right.text, left.size) == 0;
    free(left.text);
    free(right.text);
    return same;
}

/* Puts a staged job file into out. One of that name with other content is not replaced, which a merge beside this one
 * may have put there: this one gets the name that tells it from all others. */
static Status move_job(const MergeTarget *target, const char *name, Error *err) {
    char from[PATH_MAX], to[PATH_MAX], other[256];
    bool taken;
    snprintf(from, sizeof from, "%s/%s", target->staging, name);
    snprintf(to, sizeof to, "%s/%s", target->out, name);
    Status status = durable_claim(from, to, &taken, err);
    if (status != STATUS_OK || !taken || same_content(from, to)) return status;
    JobText job = {.resolved = strstr(name, ".resolved.yaml") != NULL};
    status = read_text(from, &job, err);
    if (status == STATUS_OK) {
        job_file_name(&job, false, other, sizeof other);
        snprintf(to, sizeof to, "%s/%s", target->out, other);
        status = durable_claim(from, to, &taken, err); /* taken: by the same */
    }
    free(job.text);
    return status;
}

/* Job files that were there before have all been merged: those that are not among the staged ones go away, unless they
 * have changed since. */
static void remove_old_jobs(const MergeTarget *target) {
    char path[PATH_MAX], staged[PATH_MAX];
    for (size_t i = 0; i < target->n_jobs; i++) {
        const OldJob *old = &target->jobs[i];
        snprintf(path, sizeof path, "%s/%s", target->out, old->name);
        snprintf(staged, sizeof staged, "%s/%s", target->staging, old->name);
        if (same_content(path, staged)) continue;
        JobText job = {0};
        bool same = read_text(path, &job, NULL) == STATUS_OK && job.size == old->size &&
                    crc32c(job.text, job.size) == old->checksum;
        if (same) unlink(path);
        free(job.text);
    }
}

static Status move_jobs(const MergeTarget *target, Error *err) {
    struct dirent **entries = NULL;
    int count = scandir(target->staging, &entries, job_entry, NULL);
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = move_job(target, entries[i]->d_name, err);
    if (status == STATUS_OK) remove_old_jobs(target);
    if (count >= 0) free_entries(entries, count);
    return status;
}

static void remove_segments(const char *dir, const char *kind, const SegmentList *list) {
    char path[PATH_MAX];
    for (size_t i = 0; i < list->count; i++) {
        segment_path(dir, kind, list->names[i], path);
        unlink(path);
    }
}

Status merge_target_publish(const MergeTarget *target, Error *err) {
    if (!target->replaces) {
        if (rename(target->staging, target->out) == 0) return durable_entry(target->out, err);
        if (errno != ENOTEMPTY && errno != EEXIST)
            return error_set(err, STATUS_IO, "%s: cannot be renamed to %s: %s", target->staging, target->out,
                             strerror(errno));
        return error_set(err, STATUS_INCOMPLETE, "-o %s: something else was put there meanwhile; merge again",
                         target->out);
    }
    Status status = move_segment(target, err);
    if (status == STATUS_OK) status = move_jobs(target, err);
    if (status != STATUS_OK) return status;
    remove_segments(target->out, "records", &target->records); /* before the models that they promise */
    remove_segments(target->out, "models", &target->models);
    return STATUS_OK;
}

void merge_target_close(MergeTarget *target) {
    struct dirent **entries;
    char path[PATH_MAX];
    int count = target->staging[0] != '\0' ? scandir(target->staging, &entries, any_entry, NULL) : -1;
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", target->staging, entries[i]->d_name);
        unlink(path);
    }
    if (count >= 0) {
        free_entries(entries, count);
        rmdir(target->staging);
    }
    segments_free(&target->records);
    segments_free(&target->models);
    free(target->jobs);
    *target = (MergeTarget){0};
}
