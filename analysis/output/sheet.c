/* See sheet.h. */
#include "analysis/output/sheet.h"

#include "proto/base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

Sheet *sheet_create(int n_rows, int n_columns) {
    Sheet *sheet = calloc(1, sizeof *sheet);
    if (sheet == NULL) return NULL;
    sheet->n_rows = n_rows;
    sheet->n_columns = n_columns;
    sheet->cells = calloc((size_t)n_rows * (size_t)n_columns, sizeof *sheet->cells);
    sheet->section = calloc((size_t)n_rows, sizeof *sheet->section);
    sheet->hidden = calloc((size_t)n_columns, sizeof *sheet->hidden);
    if (sheet->cells != NULL && sheet->section != NULL && sheet->hidden != NULL) return sheet;
    sheet_free(sheet);
    return NULL;
}

void sheet_free(Sheet *sheet) {
    if (sheet == NULL) return;
    for (int i = 0; i < sheet->next; i++)
        free(sheet->cells[i]);
    free(sheet->cells);
    free(sheet->section);
    free(sheet->hidden);
    free(sheet);
}

void sheet_add(Sheet *sheet, const char *format, ...) {
    assert(sheet->next < sheet->n_rows * sheet->n_columns);
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) text = NULL;
    va_end(arguments);
    sheet->cells[sheet->next++] = text;
}

static const char *cell_at(const Sheet *sheet, int row, int column) {
    return sheet->cells[(size_t)row * (size_t)sheet->n_columns + (size_t)column];
}

bool sheet_complete(const Sheet *sheet) {
    assert(sheet->next == sheet->n_rows * sheet->n_columns);
    for (int i = 0; i < sheet->next; i++)
        if (sheet->cells[i] == NULL) return false;
    return true;
}

int text_letters(const char *text) {
    int count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80; /* all bytes but continuations */
    return count;
}

static int column_width(const Sheet *sheet, int column) {
    int widest = 0;
    for (int row = 0; row < sheet->n_rows; row++) {
        int width = text_letters(cell_at(sheet, row, column));
        if (width > widest) widest = width;
    }
    return widest;
}

int sheet_width(const Sheet *sheet) {
    int width = -2;
    for (int column = 0; column < sheet->n_columns; column++)
        if (!sheet->hidden[column]) width += column_width(sheet, column) + 2;
    return width;
}

int sheet_print_first(const Sheet *sheet, int rows_max, FILE *out) {
    int *widths = calloc((size_t)sheet->n_columns, sizeof *widths); /* without memory for them: not aligned */
    for (int column = 0; column < sheet->n_columns && widths != NULL; column++)
        widths[column] = column_width(sheet, column);
    const int last = sheet->n_rows - 1 <= rows_max ? sheet->n_rows - 1 : rows_max;
    for (int row = 0; row <= last; row++) {
        if (sheet->section[row]) fputc('\n', out);
        int owed = 0; /* spaces before the next text: none at the end of a line */
        for (int column = 0; column < sheet->n_columns; column++) {
            if (sheet->hidden[column]) continue;
            const char *text = cell_at(sheet, row, column);
            int rest = (widths != NULL ? widths[column] - text_letters(text) : 0) + 2;
            if (text[0] != '\0') {
                fprintf(out, "%*s%s", owed, "", text);
                owed = 0;
            }
            owed += rest;
        }
        fputc('\n', out);
    }
    free(widths);
    return sheet->n_rows - 1 - last;
}

void sheet_print(const Sheet *sheet, FILE *out) {
    sheet_print_first(sheet, sheet->n_rows, out);
}

void print_html_text(FILE *out, const char *text) {
    while (*text != '\0') {
        char piece[SHOWN_CHARACTER_BYTES];
        bool layout = *text == '\n' || *text == '\t';
        size_t bytes = layout ? 1 : text_show_character(text, piece);
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else if (layout)
            fputc(*text, out);
        else
            fputs(piece, out);
        text += bytes;
    }
}

void sheet_print_html(const Sheet *sheet, int rows_max, FILE *out) {
    fputs("<table>\n", out);
    for (int row = 0; row < sheet->n_rows && row <= rows_max; row++) {
        const char *tag = row == 0 ? "th" : "td";
        fputs(sheet->section[row] ? "<tr class=\"section\">" : "<tr>", out);
        for (int column = 0; column < sheet->n_columns; column++) {
            fprintf(out, "<%s>", tag);
            print_html_text(out, cell_at(sheet, row, column));
            fprintf(out, "</%s>", tag);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table>\n", out);
}
