/* See declared.h. */
#include "analysis/claims/declared.h"

#include "jobs/job/job_list.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Status no_room(Error *err) {
    return error_set(err, STATUS_NO_MEMORY, "no memory for the claims");
}

static void warn(char *warning, size_t warning_bytes, const Error *problem) {
    size_t used = strlen(warning);
    snprintf(warning + used, warning_bytes - used, "%sclaims: %s", used > 0 ? "\n" : "", problem->text);
}

/* Takes the jobs of a list. */
static Status add_jobs(Declared *declared, JobList *list, Error *err) {
    Job **more = realloc(declared->jobs, ((size_t)declared->n_jobs + (size_t)list->count + 1) * sizeof *more);
    if (more == NULL) return no_room(err);
    declared->jobs = more;
    for (int i = 0; i < list->count; i++)
        declared->jobs[declared->n_jobs++] = list->items[i];
    list->count = 0;
    return STATUS_OK;
}

/* The jobs in the headers of runs, for folders that hold none. One that cannot be read is passed over with a warning.
 */
static Status read_jobs_of_headers(Declared *declared, const Table *table, char *warning, size_t warning_bytes,
                                   Error *err) {
    for (int i = 0; i < table->n_headers; i++) {
        const char *text = table->headers[i].job_text;
        Error problem;
        Job *job;
        if (text[0] == '\0' || (i > 0 && strcmp(text, table->headers[i - 1].job_text) == 0)) continue;
        Status status = job_parse("job text of the records", text, NULL, 0, &job, &problem);
        if (status == STATUS_NO_MEMORY) return no_room(err);
        if (status != STATUS_OK) {
            warn(warning, warning_bytes, &problem);
            continue;
        }
        JobList one = {1, &job};
        status = add_jobs(declared, &one, err);
        if (status != STATUS_OK) {
            job_free(job);
            return status;
        }
    }
    return STATUS_OK;
}

/* The jobs of the folders (*of_folders), or of the headers where no folder holds one. */
static Status read_jobs(Declared *declared, const Table *table, const char *const *dirs, int n_dirs, bool *of_folders,
                        char *warning, size_t warning_bytes, Error *err) {
    size_t warned = strlen(warning);
    for (int i = 0; i < n_dirs; i++) {
        JobList list;
        Status status = job_list_read(dirs[i], &list, warning, warning_bytes, err);
        if (status == STATUS_OK) status = add_jobs(declared, &list, err);
        job_list_free(&list);
        if (status != STATUS_OK) return status;
    }
    *of_folders = declared->n_jobs > 0 || strlen(warning) > warned;
    return *of_folders ? STATUS_OK : read_jobs_of_headers(declared, table, warning, warning_bytes, err);
}

static bool is_read(const Declared *declared, const char *name) {
    bool found = false;
    for (int i = 0; i < declared->n_jobs; i++)
        found = found || strcmp(job_name(declared->jobs[i]), name) == 0;
    return found;
}

/* Earlier versions kept one resolved job in a folder, the last: of another that ran in it before, the records have
 * only the text without its overrides, too little to test its claims. They are not to go under in silence. */
static void warn_of_others(const Declared *declared, const Table *table, char *warning, size_t warning_bytes) {
    for (int i = 0; i < table->n_headers; i++) {
        const HeaderRecord *header = &table->headers[i];
        bool told = is_read(declared, header->job_name);
        for (int j = 0; j < i; j++)
            told = told || strcmp(table->headers[j].job_name, header->job_name) == 0;
        Job *job = NULL;
        if (told || header->job_text[0] == '\0' ||
            job_parse("job text of the records", header->job_text, NULL, 0, &job, NULL) != STATUS_OK)
            continue;
        int count;
        job_claims(job, &count);
        Error problem;
        if (count > 0) {
            error_set(&problem, STATUS_DATA, "job %s has results here too, its %d claim%s not tested: see --claims",
                      header->job_name, count, count == 1 ? " is" : "s are");
            warn(warning, warning_bytes, &problem);
        }
        job_free(job);
    }
}

static bool is_listed(const Declared *declared, const Claim *claim) {
    char sentence[2][1024];
    for (int i = 0; i < declared->count; i++) {
        const Claim *other = declared->claims[i];
        if (strcmp(other->id, claim->id) == 0 && strcmp(claim_sentence(other, sentence[0], sizeof sentence[0]),
                                                        claim_sentence(claim, sentence[1], sizeof sentence[1])) == 0)
            return true;
    }
    return false;
}

static Status list_claims(Declared *declared, Error *err) {
    int total = 0;
    for (int i = 0; i < declared->n_jobs; i++) {
        int count;
        job_claims(declared->jobs[i], &count);
        total += count;
        if (count > 0 && job_alpha(declared->jobs[i]) < declared->alpha) declared->alpha = job_alpha(declared->jobs[i]);
    }
    declared->claims = calloc((size_t)total + 1, sizeof *declared->claims);
    declared->of = calloc((size_t)total + 1, sizeof *declared->of);
    if (declared->claims == NULL || declared->of == NULL) return no_room(err);
    for (int i = 0; i < declared->n_jobs; i++) {
        int count;
        const Claim *claims = job_claims(declared->jobs[i], &count);
        for (int k = 0; k < count; k++) {
            if (is_listed(declared, &claims[k])) continue;
            declared->of[declared->count] = declared->jobs[i];
            declared->claims[declared->count++] = &claims[k];
        }
    }
    if (total == 0) declared->alpha = 0.05;
    return STATUS_OK;
}

/* Keeps the first job only, with the claims of another file. */
static Status replace_claims(Declared *declared, const char *path, Error *err) {
    if (declared->n_jobs == 0)
        return error_set(err, STATUS_DATA, "%s: the results tell of no job whose grid these claims could be about",
                         path);
    Status status = job_read_claims(declared->jobs[0], path, err);
    while (declared->n_jobs > 1)
        job_free(declared->jobs[--declared->n_jobs]);
    return status;
}

Status declared_read(const Table *table, const char *const *dirs, int n_dirs, const char *claims_path, Declared *out,
                     char *warning, size_t warning_bytes, Error *err) {
    *out = (Declared){.alpha = 1};
    bool of_folders = false;
    Status status = read_jobs(out, table, dirs, n_dirs, &of_folders, warning, warning_bytes, err);
    if (status == STATUS_OK && claims_path != NULL) status = replace_claims(out, claims_path, err);
    if (status == STATUS_OK && of_folders && claims_path == NULL) warn_of_others(out, table, warning, warning_bytes);
    if (status == STATUS_OK) status = list_claims(out, err);
    if (status != STATUS_OK) declared_destroy(out);
    return status;
}

void declared_destroy(Declared *declared) {
    for (int i = 0; i < declared->n_jobs; i++)
        job_free(declared->jobs[i]);
    free(declared->jobs);
    free(declared->claims);
    free(declared->of);
    *declared = (Declared){0};
}
