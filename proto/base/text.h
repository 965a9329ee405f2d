/* Text that somebody else wrote, made safe to show: on one line, and such that no terminal obeys it.
 *
 * Control characters, those that change the direction of writing (U+202E and its like: what is shown would not be what
 * is there), separators of lines, and bytes that are no UTF-8 become visible: \n, \x1b, \u202e. All other letters of
 * all scripts stay. */
#ifndef PROTO_BASE_TEXT_H
#define PROTO_BASE_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Bytes of the well-formed UTF-8 character at text (Unicode standard, table 3-7); 0: there is none, or the end. */
size_t text_character(const char *text);

/* text as it can be shown, in shown (size bytes, at least 8), cut at a whole character with "..." where it is too long;
 * returns shown. */
const char *text_shown(const char *text, char *shown, size_t size);

/* Prints text as one word of a shell's command line: in single quotes where it needs them. */
void text_print_word(FILE *out, const char *text);

/* The same in word; returns word. */
const char *text_word(const char *text, char *word, size_t size);

/* The character at text as it is shown, in piece; returns how many bytes of text it stands for: at least one. */
enum { SHOWN_CHARACTER_BYTES = 12 };
size_t text_show_character(const char *text, char piece[SHOWN_CHARACTER_BYTES]);

/* For a text in a call of printf: TEXT_SHOWN(reason). */
enum { TEXT_SHOWN_BYTES = 2048 };
#define TEXT_SHOWN(text) text_shown(text, (char[TEXT_SHOWN_BYTES]){0}, TEXT_SHOWN_BYTES)

#endif
