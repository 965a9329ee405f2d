/* A library to be preloaded (LD_PRELOAD) that catches SIGHUP as UCX does, which Open MPI 5 brings along: before main
 * begins, and again when MPI starts. */
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void caught(int number) {
    static const char text[] = "catch_hup: caught\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(9);
}

__attribute__((constructor)) static void take_over(void) {
    signal(SIGHUP, caught);
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
    int (*real)(int *, char ***, int, int *);
    *(void **)&real = dlsym(RTLD_NEXT, "MPI_Init_thread");
    int code = real(argc, argv, required, provided);
    take_over();
    return code;
}
