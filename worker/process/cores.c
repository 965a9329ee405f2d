/* See cores.h. */
#include "worker/process/cores.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part of one of n that share a whole, the first getting what is over; at least 1. */
static int part_of(int whole, int n, int index) {
    int part = whole / n + (index < whole % n);
    return part > 1 ? part : 1;
}

CoreShare cores_share(const cpu_set_t *masks, int n, int me, double quota) {
    CoreShare share = {.cores = CPU_COUNT(&masks[me]), .ranks = n, .quota = quota};
    cpu_set_t together;
    int before = 0;
    CPU_ZERO(&together);
    for (int i = 0; i < n; i++) {
        bool same = CPU_EQUAL(&masks[me], &masks[i]);
        share.sharing += same;
        before += same && i < me;
        CPU_OR(&together, &together, &masks[i]);
    }
    share.together = CPU_COUNT(&together);
    share.workers = part_of(share.cores, share.sharing, before);
    if (quota < share.together) {
        int allowed = part_of((int)ceil(quota), n, me);
        if (allowed < share.workers) share.workers = allowed;
    }
    return share;
}

/* --- control groups --------------------------------------------------------------------------------------------- */

/* The number in a file, NaN where there is none. */
static double number_in(const char *folder, const char *name) {
    char path[PATH_MAX];
    double number = NAN;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) return NAN;
    if (fscanf(file, "%lf", &number) != 1) number = NAN;
    fclose(file);
    return number;
}

/* "50000 100000" or "max 100000": microseconds of CPU time in each period. */
static double quota_in(const char *folder) {
    char path[PATH_MAX];
    double quota = NAN, period = NAN;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%lf %lf", &quota, &period) != 2) quota = NAN;
        fclose(file);
    } else { /* version 1 */
        quota = number_in(folder, "cpu.cfs_quota_us");
        period = number_in(folder, "cpu.cfs_period_us");
    }
    return quota > 0 && period > 0 && isfinite(quota) ? quota / period : INFINITY;
}

/* The least of a group's and of those above it. In a container the group may be named as outside, and only the topmost
 * folder be there. */
static double least_quota(const char *mount, const char *group) {
    char path[PATH_MAX];
    double least = INFINITY;
    if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path) return INFINITY;
    for (;;) {
        least = fmin(least, quota_in(path));
        char *slash = strrchr(path + strlen(mount), '/');
        if (slash == NULL) return least;
        *slash = '\0';
    }
}

/* Whether "cpu,cpuacct" names the controller of CPU time. */
static bool controls_cpu(const char *controllers) {
    for (const char *at = controllers; *at != '\0'; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0')) return true;
    return false;
}

double cores_quota(const char *root) {
    char path[PATH_MAX], mount[PATH_MAX], *line = NULL;
    size_t capacity = 0;
    double least = INFINITY;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "r");
    while (file != NULL && getline(&line, &capacity, file) > 0) { /* "4:cpu,cpuacct:/group", version 2: "0::/group" */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) continue;
        *group++ = '\0';
        controllers++;
        if (*controllers != '\0' && !controls_cpu(controllers)) continue;
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s%s", root, *controllers != '\0' ? "/" : "", controllers);
        least = fmin(least, least_quota(mount, group));
    }
    free(line);
    if (file != NULL) fclose(file);
    return least;
}
