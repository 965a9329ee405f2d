/* See job_list.h. */
#include "jobs/job/job_list.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char prefix[] = "job.", suffix[] = ".resolved.yaml", of_last_run[] = "job.resolved.yaml";

static int is_resolved_job(const struct dirent *entry) {
    size_t length = strlen(entry->d_name), before = sizeof prefix - 1, after = sizeof suffix - 1;
    bool framed = length > before + after && strncmp(entry->d_name, prefix, before) == 0 &&
                  strcmp(entry->d_name + length - after, suffix) == 0;
    return framed || strcmp(entry->d_name, of_last_run) == 0;
}

static int last_run_first(const struct dirent **a, const struct dirent **b) {
    bool left = strcmp((*a)->d_name, of_last_run) == 0, right = strcmp((*b)->d_name, of_last_run) == 0;
    return left != right ? right - left : strcmp((*a)->d_name, (*b)->d_name);
}

static Status read_one(const char *dir, const char *name, Job **out, Error *err) {
    char path[PATH_MAX];
    struct stat about;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return error_set(err, STATUS_IO, "%.100s..: the path is too long", dir);
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) /* a pipe would be waited for */
        return error_set(err, STATUS_IO, "%s: is not a regular file", path);
    return job_read(path, NULL, 0, out, err);
}

static void warn(char *warning, size_t warning_bytes, const Error *problem) {
    if (warning == NULL) return;
    size_t used = strlen(warning);
    snprintf(warning + used, warning_bytes - used, "%s%s", used > 0 ? "\n" : "", problem->text);
}

Status job_list_read(const char *dir, JobList *out, char *warning, size_t warning_bytes, Error *err) {
    struct dirent **entries = NULL;
    *out = (JobList){0};
    int n = scandir(dir, &entries, is_resolved_job, last_run_first);
    if (n < 0 && errno == ENOMEM) return error_set(err, STATUS_NO_MEMORY, "no memory for the jobs of %s", dir);
    if (n <= 0) return STATUS_OK; /* what else is wrong with the folder shows when its records are read */
    Status status = STATUS_OK;
    out->items = calloc((size_t)n, sizeof *out->items);
    if (out->items == NULL) status = error_set(err, STATUS_NO_MEMORY, "no memory for the %d jobs of %s", n, dir);
    for (int i = 0; i < n; i++) {
        Error problem;
        Status one =
            status == STATUS_OK ? read_one(dir, entries[i]->d_name, &out->items[out->count], &problem) : status;
        if (status == STATUS_OK && one == STATUS_OK) out->count++;
        if (status == STATUS_OK && one == STATUS_NO_MEMORY) status = error_set(err, one, "%s", problem.text);
        if (status == STATUS_OK && one != STATUS_OK) warn(warning, warning_bytes, &problem);
        free(entries[i]);
    }
    free(entries);
    if (status != STATUS_OK) job_list_free(out);
    return status;
}

void job_list_free(JobList *list) {
    for (int i = 0; i < list->count; i++)
        job_free(list->items[i]);
    free(list->items);
    *list = (JobList){0};
}
