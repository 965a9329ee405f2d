/* See resume.h. */
#include "cli/run/resume.h"

#include "jobs/job/job_difference.h"
#include "jobs/job/job_list.h"
#include "worker/kernels/kernels.h"

#include <stdio.h>
#include <string.h>

Status resume_job_changes(const char *dir, const Job *job, char *text, size_t text_bytes, Error *err) {
    char unreadable[1024] = "";
    JobList jobs;
    JobDifference difference = {0};
    text[0] = '\0';
    Status status = job_list_read(dir, &jobs, unreadable, sizeof unreadable, err);
    const Job *before = NULL;
    for (int i = 0; status == STATUS_OK && i < jobs.count && before == NULL; i++)
        if (strcmp(job_name(jobs.items[i]), job_name(job)) == 0) before = jobs.items[i];
    if (before != NULL) status = job_difference(before, job, &difference, err);
    if (status == STATUS_OK && difference.text[0] != '\0')
        snprintf(text, text_bytes, "the job has changed since the last run: %s", difference.text);
    else if (status == STATUS_OK && before == NULL && unreadable[0] != '\0')
        snprintf(text, text_bytes, "the job of the last run cannot be compared with this one: %s", unreadable);
    else if (status == STATUS_OK && before == NULL && jobs.count > 0)
        snprintf(text, text_bytes, "the folder holds results of another job, %s, which stays asked for beside this one",
                 job_name(jobs.items[0]));
    job_list_free(&jobs);
    return status;
}

/* Also where only models trained with others were measured with it. */
static bool is_known(const Journal *known, const char *fingerprint) {
    size_t length = strlen(fingerprint);
    for (size_t i = 0; journal_fingerprint(known, i) != NULL; i++) {
        const char *one = journal_fingerprint(known, i);
        if (strncmp(one, fingerprint, length) == 0 &&
            (one[length] == '\0' || strncmp(one + length, "; model of", 10) == 0))
            return true;
    }
    return false;
}

Status resume_check_numerics(const char *dir, const Journal *known, const Roster *roster, const char *kernels,
                             Error *err) {
    char own[256], bf16[256];
    const Kernels *path;
    if (journal_fingerprint(known, 0) == NULL) return STATUS_OK;
    Status status = kernels_select(kernels, &path, err);
    if (status != STATUS_OK) return status;
    kernels_fingerprint(path, own, sizeof own);
    kernels_fingerprint(kernels_with_precision(path, PRECISION_BF16), bf16, sizeof bf16);
    for (int rank = 0; rank < roster->n_ranks; rank++) {
        const char *fingerprint = roster->ranks[rank].fingerprint;
        bool same = is_known(known, fingerprint) || (strcmp(fingerprint, own) == 0 && is_known(known, bf16));
        if (!same)
            return error_set(err, STATUS_DATA,
                             "%s: its results were computed with '%s', rank %d (%s) computes with '%s': new results "
                             "need not agree with them to the bit. --allow-numerics-change goes on all the same, each "
                             "record says which it was; --kernels PATH pins a path that both machines have",
                             dir, journal_fingerprint(known, 0), rank, roster->ranks[rank].host, fingerprint);
    }
    return STATUS_OK;
}
