/* See text.h. */
#include "proto/base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

size_t text_character(const char *at) {
    const unsigned char *text = (const unsigned char *)at;
    unsigned lead = text[0];
    if (lead < 0x80) return lead != 0;
    size_t bytes = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    unsigned least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (bytes == 0 || text[1] < least || text[1] > most) return 0;
    for (size_t i = 2; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    return bytes;
}

static uint32_t code_point(const unsigned char *text, size_t bytes) {
    if (bytes == 1) return text[0];
    uint32_t code = text[0] & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++)
        code = code << 6 | (text[i] & 0x3fu);
    return code;
}

/* Whether a terminal or a reader would take a character for something else than a letter to be shown. */
static bool acts(uint32_t code) {
    bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    bool direction = code == 0x061c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
                     (code >= 0x2066 && code <= 0x2069);
    bool separator = code == 0x2028 || code == 0x2029, invisible = code == 0xfeff;
    return control || direction || separator || invisible;
}

size_t text_show_character(const char *text, char piece[SHOWN_CHARACTER_BYTES]) {
    size_t bytes = text_character(text);
    unsigned char lead = (unsigned char)text[0];
    uint32_t code = bytes > 0 ? code_point((const unsigned char *)text, bytes) : 0;
    if (bytes == 0)
        snprintf(piece, SHOWN_CHARACTER_BYTES, "\\x%02x", lead);
    else if (!acts(code))
        snprintf(piece, SHOWN_CHARACTER_BYTES, "%.*s", (int)bytes, text);
    else if (code == '\n' || code == '\t' || code == '\r')
        snprintf(piece, SHOWN_CHARACTER_BYTES, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
    else
        snprintf(piece, SHOWN_CHARACTER_BYTES, code < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)code);
    return bytes > 0 ? bytes : 1;
}

const char *text_shown(const char *text, char *shown, size_t size) {
    static const char cut[] = "...";
    size_t used = 0, fits = 0; /* fits: where a cut leaves room for its mark */
    for (; *text != '\0';) {
        char piece[SHOWN_CHARACTER_BYTES];
        text += text_show_character(text, piece);
        size_t length = strlen(piece);
        if (used + sizeof cut <= size) fits = used;
        if (used + length + 1 > size) {
            strcpy(shown + fits, cut);
            return shown;
        }
        memcpy(shown + used, piece, length);
        used += length;
    }
    shown[used] = '\0';
    return shown;
}

void text_print_word(FILE *out, const char *text) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,=+@-";
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        fputs(text, out);
        return;
    }
    fputc('\'', out);
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
    fputc('\'', out);
}

const char *text_word(const char *text, char *word, size_t size) {
    FILE *out = fmemopen(word, size, "w"); /* cuts what is longer */
    word[0] = '\0';
    if (out == NULL) return text;
    text_print_word(out, text);
    fclose(out);
    return word;
}
