/* How many trainings a rank runs at a time: cores, ranks that share them, and the quota of a control group. */
#include "worker/process/cores.h"

#include "tests/harness.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static cpu_set_t cores(int from, int to) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int core = from; core < to; core++)
        CPU_SET(core, &set);
    return set;
}

static void ranks_with_the_same_cores_share_them_and_bound_ranks_have_their_own(void **state) {
    cpu_set_t free_ranks[3] = {cores(0, 8), cores(0, 8), cores(0, 8)}, bound[2] = {cores(0, 1), cores(1, 2)};
    int workers[3];
    for (int me = 0; me < 3; me++)
        workers[me] = cores_share(free_ranks, 3, me, INFINITY).workers;
    assert_true(workers[0] == 3 && workers[1] == 3 && workers[2] == 2);
    CoreShare own = cores_share(bound, 2, 1, INFINITY);
    assert_true(own.workers == 1 && own.cores == 1 && own.sharing == 1 && own.ranks == 2 && own.together == 2);
    cpu_set_t crowd[3] = {cores(0, 2), cores(0, 2), cores(0, 2)};
    CoreShare least = cores_share(crowd, 3, 2, INFINITY);
    assert_true(least.workers == 1 && least.sharing == 3 && least.cores == 2);
}

static void a_quota_rounded_up_bounds_the_workers_of_a_node_and_leaves_each_rank_one(void **state) {
    cpu_set_t one[1] = {cores(0, 64)}, two[2] = {cores(0, 8), cores(8, 16)};
    assert_int_equal(cores_share(one, 1, 0, 0.5).workers, 1);
    assert_int_equal(cores_share(one, 1, 0, 2.5).workers, 3);
    assert_int_equal(cores_share(one, 1, 0, 64).workers, 64);
    assert_int_equal(cores_share(one, 1, 0, 1000).workers, 64);
    assert_int_equal(cores_share(two, 2, 0, 5).workers, 3);
    assert_int_equal(cores_share(two, 2, 1, 5).workers, 2);
    assert_int_equal(cores_share(two, 2, 1, 1).workers, 1);
}

/* A file below root, with its folders. */
static void put(const char *root, const char *path, const char *text) {
    char whole[PATH_MAX];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + 1; *at != '\0'; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(whole, 0777);
            *at = '/';
        }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_quota(const char *root, double expected) {
    double found = cores_quota(root);
    assert_true(isinf(expected) ? isinf(found) : fabs(found - expected) < 1e-12);
}

static void the_least_quota_of_a_control_group_and_those_above_it_counts(void **state) {
    char root[] = "/tmp/palinode-cores-XXXXXX", command[64];
    assert_non_null(mkdtemp(root));
    assert_quota(root, INFINITY); /* no control groups at all */
    put(root, "/proc/self/cgroup", "0::/slice/job\n");
    assert_quota(root, INFINITY);
    put(root, "/sys/fs/cgroup/slice/job/cpu.max", "max 100000\n");
    assert_quota(root, INFINITY);
    put(root, "/sys/fs/cgroup/slice/cpu.max", "250000 100000\n");
    assert_quota(root, 2.5);
    put(root, "/sys/fs/cgroup/slice/job/cpu.max", "50000 100000\n");
    assert_quota(root, 0.5);
    put(root, "/proc/self/cgroup", "0::/elsewhere\n"); /* named as outside of the container */
    assert_quota(root, INFINITY);
    put(root, "/sys/fs/cgroup/cpu.max", "300000 100000\n");
    assert_quota(root, 3);
    put(root, "/proc/self/cgroup", "5:cpuset:/a\n4:cpu,cpuacct:/job\n1:name=systemd:/b\n");
    put(root, "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
    put(root, "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    assert_quota(root, INFINITY);
    put(root, "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n");
    assert_quota(root, 1.5);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_with_the_same_cores_share_them_and_bound_ranks_have_their_own),
        cmocka_unit_test(a_quota_rounded_up_bounds_the_workers_of_a_node_and_leaves_each_rank_one),
        cmocka_unit_test(the_least_quota_of_a_control_group_and_those_above_it_counts),
    };
    return run_tests(tests, argc, argv);
}
