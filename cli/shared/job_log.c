/* See job_log.h. */
#include "cli/shared/job_log.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool job_log_find(const char *dir, double since_s, char job[JOB_LOG_NAME_BYTES], bool *empty) {
    DIR *folder = opendir(dir);
    struct dirent *entry;
    bool found = false;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct stat log;
        if (fnmatch("slurm-[0-9]*.out", entry->d_name, 0) != 0 || strlen(entry->d_name) > JOB_LOG_NAME_BYTES + 6)
            continue;
        if (fstatat(dirfd(folder), entry->d_name, &log, 0) != 0) continue;
        double written_s = (double)log.st_mtim.tv_sec + (double)log.st_mtim.tv_nsec / 1e9;
        if (written_s <= since_s) continue;
        found = true;
        since_s = written_s;
        *empty = log.st_size == 0;
        snprintf(job, JOB_LOG_NAME_BYTES, "%.*s", (int)(strlen(entry->d_name) - strlen("slurm-.out")),
                 entry->d_name + strlen("slurm-"));
    }
    if (folder != NULL) closedir(folder);
    return found;
}
