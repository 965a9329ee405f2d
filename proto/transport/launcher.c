/* See launcher.h. */
#include "proto/transport/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors and address space that MPI and a run of a few workers take. With too little Open MPI crashes. */
enum { DESCRIPTORS = 20, MEMORY_BYTES = 32 << 20 };

static bool is_set(const char *name) {
    return getenv(name) != NULL;
}

bool launcher_is_mpirun(void) {
    return is_set("OMPI_COMM_WORLD_SIZE");
}

/* The number that the first of these variables holds, or otherwise if there is none. */
static int number_in(const char *const *names, int otherwise) {
    for (; *names != NULL; names++)
        if (is_set(*names)) return atoi(getenv(*names));
    return otherwise;
}

int launcher_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", NULL};
    return number_in(names, 0);
}

bool launcher_has_ranks(void) {
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", NULL};
    return number_in(sizes, 1) > 1;
}

/* Of the step that this process belongs to; 0: srun did not start it. */
static int tasks_of_srun(void) {
    static const char *const tasks[] = {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", NULL};
    return launcher_is_mpirun() || !is_set("SLURM_STEP_ID") ? 0 : number_in(tasks, 1);
}

int launcher_untied_tasks(void) {
    static const char *const ties[] = {"PMIX_NAMESPACE", "PMIX_RANK", "PMI_RANK", "PMI_FD"};
    int tasks = tasks_of_srun();
    for (size_t i = 0; i < sizeof ties / sizeof ties[0]; i++)
        if (is_set(ties[i])) return 0;
    return tasks > 1 ? tasks : 0;
}

void launcher_forget_lone_task(void) {
    static const char *const prefixes[] = {"PMIX_", "PMI_", "SLURM_NODELIST="};
    if (tasks_of_srun() != 1 || is_set("SLURM_HET_SIZE")) return;
    for (char **variable = environ; *variable != NULL;) {
        bool tells = false, tunes = strncmp(*variable, "PMIX_MCA_", strlen("PMIX_MCA_")) == 0;
        for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
            tells = tells || strncmp(*variable, prefixes[i], strlen(prefixes[i])) == 0;
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
        if (!tells || tunes || unsetenv(name) != 0 || is_set(name)) variable++; /* else the next one has moved up */
    }
}

/* Raises the limit as far as it goes, then tries. */
static Status check_descriptors(Error *err) {
    struct rlimit limit;
    int opened[DESCRIPTORS], n = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max && limit.rlim_cur < 1024) {
        limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    while (n < DESCRIPTORS && (opened[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    int problem = errno;
    for (int i = 0; i < n; i++)
        close(opened[i]);
    if (n == DESCRIPTORS) return STATUS_OK;
    return error_set(err, STATUS_IO, "%d more files can be open at a time, MPI needs some %d (%s): see ulimit -n", n,
                     DESCRIPTORS, problem == EMFILE ? "the process's limit" : "the machine's limit");
}

static Status check_memory(Error *err) {
    void *probe = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return error_set(err, STATUS_IO, "MPI cannot have %d MiB of address space (%s): see ulimit -v",
                         MEMORY_BYTES >> 20, strerror(errno));
    munmap(probe, MEMORY_BYTES);
    return STATUS_OK;
}

/* Open MPI keeps its session's files where this says, and makes the folder if there is none. */
static Status check_temporary(Error *err) {
    static const char *const names[] = {"TMPDIR", "TEMP", "TMP"};
    const char *name = "TMPDIR", *folder = "/tmp";
    char path[PATH_MAX];
    for (size_t i = sizeof names / sizeof names[0]; i-- > 0;)
        if (is_set(names[i])) {
            name = names[i];
            folder = getenv(name);
        }
    int length = snprintf(path, sizeof path, "%s/palinode-XXXXXX", folder);
    if (is_set("OMPI_MCA_orte_tmpdir_base")) return STATUS_OK; /* it keeps them there */
    if (length >= (int)sizeof path) return error_set(err, STATUS_IO, "%s: the path is too long", name);
    if (mkdtemp(path) != NULL) {
        rmdir(path);
        return STATUS_OK;
    }
    int problem = errno;
    if (problem == ENOENT && access(folder, F_OK) != 0) return STATUS_OK;
    return error_set(err, STATUS_IO,
                     "no folder can be made in %s, where MPI needs one: set %s to a folder that can be "
                     "written to",
                     folder, name);
}

Status launcher_check(Error *err) {
    int tasks = launcher_untied_tasks();
    if (tasks > 0)
        return error_set(err, STATUS_IO,
                         "srun started %d processes and no PMIx that ties them together: srun --mpi=pmix palinode run "
                         "..., or mpirun palinode run ... in the batch job",
                         tasks);
    Status status = check_descriptors(err);
    if (status == STATUS_OK) status = check_memory(err);
    if (status != STATUS_OK || launcher_is_mpirun()) return status;
    return check_temporary(err);
}
