/* Arenas: measured first, then one aligned, zeroed block. */
#include "tests/harness.h"

#include "proto/base/arena.h"

/* Lets AddressSanitizer, where it is on, refuse an allocation as malloc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void take_some(Arena *arena, unsigned char *pieces[3]) {
    pieces[0] = arena_take(arena, 3, 1);
    pieces[1] = arena_take(arena, 17, 8);
    pieces[2] = arena_take(arena, 64, 1);
}

static void measuring_gives_no_memory_but_the_size_that_the_same_calls_need(void **state) {
    (void)state;
    unsigned char *pieces[3];
    Arena arena = {0};
    take_some(&arena, pieces);
    for (int k = 0; k < 3; k++)
        assert_null(pieces[k]);
    assert_int_equal(arena.used_bytes, 64 + 192 + 64);
    assert_int_equal(arena_create(&arena, arena.used_bytes, NULL), STATUS_OK);
    take_some(&arena, pieces);
    assert_int_equal(arena.used_bytes, arena.capacity_bytes);
    arena_destroy(&arena);
}

static void pieces_are_aligned_zeroed_and_apart(void **state) {
    (void)state;
    unsigned char *pieces[3];
    const size_t bytes[3] = {3, 17 * 8, 64};
    Arena arena;
    assert_int_equal(arena_create(&arena, 512, NULL), STATUS_OK);
    take_some(&arena, pieces);
    for (int k = 0; k < 3; k++) {
        assert_int_equal((uintptr_t)pieces[k] % 64, 0);
        for (size_t at = 0; at < bytes[k]; at++)
            assert_int_equal(pieces[k][at], 0);
        memset(pieces[k], k + 1, bytes[k]);
    }
    for (int k = 0; k < 3; k++)
        assert_true(pieces[k][0] == k + 1 && pieces[k][bytes[k] - 1] == k + 1);
    arena_destroy(&arena);
}

static void more_than_the_machine_has_is_an_error_that_names_the_size(void **state) {
    (void)state;
    Arena arena;
    Error err;
    assert_int_equal(arena_create(&arena, (size_t)1 << 60, &err), STATUS_NO_MEMORY);
    assert_non_null(strstr(err.text, "1152921504606.8 MB"));
}

static void destroying_what_was_never_created_is_harmless(void **state) {
    (void)state;
    Arena arena = {0};
    arena_destroy(&arena);
    arena_destroy(NULL);
    assert_null(arena.base);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measuring_gives_no_memory_but_the_size_that_the_same_calls_need),
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(more_than_the_machine_has_is_an_error_that_names_the_size),
        cmocka_unit_test(destroying_what_was_never_created_is_harmless),
    };
    return run_tests(tests, argc, argv);
}
