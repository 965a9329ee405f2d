/* A table of text cells, for the terminal and for the report alike.
 *
 * The first row holds the headings. A row may begin a section: the text form puts an empty line, the HTML form a rule
 * before it. A sheet knows nothing of what its cells say. */
#ifndef ANALYSIS_OUTPUT_SHEET_H
#define ANALYSIS_OUTPUT_SHEET_H

#include <stdbool.h>
#include <stdio.h>

typedef struct Sheet {
    int n_rows, n_columns, next; /* next: place of the next cell to fill */
    char **cells;                /* malloc'd, [row * n_columns + column] */
    bool *section;               /* (n_rows) */
    bool *hidden;                /* (n_columns) left out of the text form */
} Sheet;

/* NULL: no memory. */
Sheet *sheet_create(int n_rows, int n_columns);
void sheet_free(Sheet *sheet);
/* Fills the next cell, row by row. */
void sheet_add(Sheet *sheet, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether every cell was filled; false: there was no memory. */
bool sheet_complete(const Sheet *sheet);

/* Characters of a line of the text form. */
int sheet_width(const Sheet *sheet);
void sheet_print(const Sheet *sheet, FILE *out);
/* The headings and at most so many rows; returns how many were left out. */
int sheet_print_first(const Sheet *sheet, int rows_max, FILE *out);
/* As a <table>, with all columns, at most so many rows below the headings. */
void sheet_print_html(const Sheet *sheet, int rows_max, FILE *out);

/* Letters of UTF-8 text. */
int text_letters(const char *text);
/* text with the characters that HTML gives a meaning escaped, and those that would act on what is shown made visible
 * (proto/base/text.h); lines stay. */
void print_html_text(FILE *out, const char *text);

#endif
