/* Every allocation failed in turn. A test that includes this replaces the allocator of its whole process, libraries and
 * libc included, in front of glibc's own. A sanitizer does the same for itself: under one CAN_REPLACE is 0, and the
 * test is to be skipped. */
#ifndef TESTS_FAILING_ALLOCATIONS_H
#define TESTS_FAILING_ALLOCATIONS_H

#include "tests/harness.h"

#include "proto/base/status.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
#define CAN_REPLACE 0
#else
#define CAN_REPLACE 1
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);
#endif

static bool counting;
static long asked, failing, live; /* allocations since counting began; the one to fail; those not freed */

#if CAN_REPLACE
static bool refuse(void) {
    if (!counting || ++asked != failing) return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block) {
    if (counting && block != NULL) live++;
    return block;
}

void *malloc(size_t size) {
    return refuse() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    return refuse() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
    if (old == NULL) return malloc(size);
    return refuse() ? NULL : __libc_realloc(old, size);
}

void free(void *block) {
    if (counting && block != NULL) live--;
    __libc_free(block);
}
#endif

/* Calls use with the first, second, .. allocation failing, until one call makes no more allocations than that. It
 * returns STATUS_OK or STATUS_NO_MEMORY. Returns the number of calls that failed. */
static int fail_each(Status (*use)(Error *err)) {
    int failures = 0;
    for (failing = 1;; failing++) {
        Error err = {""};
        asked = live = 0;
        counting = true;
        Status status = use(&err);
        counting = false;
        assert_int_equal(live, 0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            failures++;
        } else if (asked < failing) {
            return failures;
        }
    }
}

#endif
