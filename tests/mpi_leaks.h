/* For tests that start MPI, where LeakSanitizer watches: what Open MPI keeps for ever is not our leak. Its modules stay
 * loaded to the end, so that LeakSanitizer knows whose memory it was. */
#ifndef TESTS_MPI_LEAKS_H
#define TESTS_MPI_LEAKS_H

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libmpi\nleak:libopen-rte\nleak:libopen-pal\nleak:libpmix\nleak:mca_\nleak:libhwloc\nleak:"
           "libevent\nleak:vasprintf\n";
}

int dlclose(void *handle);
int dlclose(void *handle) {
    return handle == (void *)0;
}

#endif
