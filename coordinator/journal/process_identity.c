/* See process_identity.h. */
#include "coordinator/journal/process_identity.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Process {
    char name[16], state;
    unsigned long long start_ticks;
} Process;

/* What /proc/<pid>/stat tells; false where it does not. The name stands in brackets and may hold any character. */
static bool read_process(pid_t pid, Process *out) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *begin = strchr(text, '('), *end = strrchr(text, ')');
    if (begin == NULL || end == NULL || end < begin) return false;
    snprintf(out->name, sizeof out->name, "%.*s", (int)(end - begin - 1), begin + 1);
    return sscanf(end + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                  &out->state, &out->start_ticks) == 2;
}

static bool read_boot_id(char boot_id[64]) {
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL) return false;
    bool known = fscanf(file, "%63s", boot_id) == 1;
    fclose(file);
    return known;
}

static bool read_namespace(json_int_t *number) {
    struct stat about;
    if (stat("/proc/self/ns/pid", &about) != 0) return false;
    *number = (json_int_t)about.st_ino;
    return true;
}

json_t *process_identity(void) {
    Process own;
    char boot_id[64];
    json_int_t space;
    if (!read_process(getpid(), &own) || !read_boot_id(boot_id) || !read_namespace(&space)) return json_null();
    return json_pack("{s:I, s:s, s:I}", "start_ticks", (json_int_t)own.start_ticks, "boot_id", boot_id, "pid_namespace",
                     space);
}

/* Whether the number, which may be this process's own, is that of a process that runs; a zombie does not. */
static bool is_there(pid_t pid, Process *out) {
    if (kill(pid, 0) != 0 && errno != EPERM) return false;
    return !read_process(pid, out) || (out->state != 'Z' && out->state != 'X');
}

ProcessLife process_life(const char *host, json_int_t pid, const json_t *identity) {
    char here[256] = "", boot_id[64];
    const char *their_boot;
    json_int_t start_ticks, space, their_space;
    Process found = {0}, own = {0};
    gethostname(here, sizeof here - 1);
    if (strcmp(host, here) != 0) return PROCESS_UNKNOWN;
    if (pid <= 0 || pid > INT_MAX) return PROCESS_ENDED;
    if (json_unpack((json_t *)identity, "{s:I, s:s, s:I}", "start_ticks", &start_ticks, "boot_id", &their_boot,
                    "pid_namespace", &their_space) != 0) {
        bool same = is_there((pid_t)pid, &found) && read_process(getpid(), &own) && strcmp(found.name, own.name) == 0;
        return same ? PROCESS_UNKNOWN : PROCESS_ENDED;
    }
    if (!read_boot_id(boot_id) || !read_namespace(&space)) return PROCESS_UNKNOWN;
    if (strcmp(boot_id, their_boot) != 0 || space != their_space) return PROCESS_UNKNOWN;
    bool same = is_there((pid_t)pid, &found) && (json_int_t)found.start_ticks == start_ticks;
    return same ? PROCESS_RUNS : PROCESS_ENDED;
}
