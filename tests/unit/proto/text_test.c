/* Foreign text is shown on one line, and no terminal obeys it. */
#include "tests/harness.h"

#include "proto/base/text.h"

#include <stdlib.h>

static void check(const char *text, const char *expected) {
    char shown[256];
    assert_string_equal(text_shown(text, shown, sizeof shown), expected);
}

static void letters_of_all_scripts_stay_as_they_are(void **state) {
    check("", "");
    check("José, Größe, 漢字, עברית, \xf0\x9f\x8e\xb2 \\ '\"", "José, Größe, 漢字, עברית, \xf0\x9f\x8e\xb2 \\ '\"");
}

static void what_a_terminal_would_obey_becomes_visible(void **state) {
    check("a\x1b[2Jb\x07", "a\\x1b[2Jb\\x07");
    check("one\ntwo\tthree\r", "one\\ntwo\\tthree\\r");
    check("\x7f\xc2\x9b"
          "31m\xc2\x85",
          "\\x7f\\x9b31m\\x85");
    check("\xe2\x80\xaetxt\xe2\x81\xa6.\xe2\x80\x8f\xd8\x9c\xe2\x80\xa8\xef\xbb\xbf",
          "\\u202etxt\\u2066.\\u200f\\u061c\\u2028\\ufeff");
}

static void bytes_that_are_no_utf8_become_visible(void **state) {
    check("d\xe9j\xe0", "d\\xe9j\\xe0");
    check("\xed\xa0\x80\xc0\xaf\xf5", "\\xed\\xa0\\x80\\xc0\\xaf\\xf5");
    check("\xf0\x9f", "\\xf0\\x9f");
}

static void long_text_is_cut_at_a_whole_character_and_says_so(void **state) {
    char shown[16];
    assert_string_equal(text_shown("123456789012345", shown, sizeof shown), "123456789012345");
    assert_string_equal(text_shown("1234567890123456", shown, sizeof shown), "123456789012...");
    assert_string_equal(text_shown("12345678901\xe6\xbc\xa2 and more", shown, sizeof shown), "12345678901...");
    assert_string_equal(text_shown("1234567890\x1b\x1b\x1b", shown, sizeof shown), "1234567890...");
    for (size_t size = 8; size < 40; size++) {
        char *exact = malloc(size);
        assert_true(strlen(text_shown("\x1b\x1b\xe6\xbc\xa2\n\x1b\xe6\xbc\xa2\x1b\x1b", exact, size)) < size);
        free(exact);
    }
}

static void a_word_of_a_command_line_is_quoted_where_it_needs_it(void **state) {
    char word[64];
    assert_string_equal(text_word("results/a-b_c.1", word, sizeof word), "results/a-b_c.1");
    assert_string_equal(text_word("sp ace/x", word, sizeof word), "'sp ace/x'");
    assert_string_equal(text_word("it's", word, sizeof word), "'it'\\''s'");
    assert_string_equal(text_word("", word, sizeof word), "''");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_of_all_scripts_stay_as_they_are),
        cmocka_unit_test(what_a_terminal_would_obey_becomes_visible),
        cmocka_unit_test(bytes_that_are_no_utf8_become_visible),
        cmocka_unit_test(a_word_of_a_command_line_is_quoted_where_it_needs_it),
        cmocka_unit_test(long_text_is_cut_at_a_whole_character_and_says_so),
    };
    return run_tests(tests, argc, argv);
}
