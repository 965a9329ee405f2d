/* See report_parts.h: how the page looks, and pictures and tables in it. */
#include "analysis/report/report_parts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root { color-scheme: light; }\n"
    "body { font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; color: #222; background: "
    "#fff; max-width: 1080px; margin: 2.5em auto 4em; padding: 0 1.2em; }\n"
    "h1 { font-size: 1.75em; margin: 0; } .subtitle { color: #666; margin: 0.1em 0 1em; }\n"
    "h2 { font-size: 1.3em; margin: 2.4em 0 0.6em; padding-bottom: 0.2em; border-bottom: 1px solid #ddd; }\n"
    "h3 { font-size: 1.05em; margin: 1.8em 0 0.4em; }\n"
    "a { color: #0b5c94; text-decoration: none; } a:hover { text-decoration: underline; }\n"
    "nav a { margin-right: 1.4em; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.93em; }\n"
    "th, td { text-align: left; padding: 0.18em 1.2em 0.18em 0; white-space: nowrap; vertical-align: top; }\n"
    "th { border-bottom: 1px solid #222; } tr.section td { border-top: 1px solid #ccc; }\n"
    ".wide { overflow-x: auto; max-width: 100%; }\n"
    "figure { margin: 1em 0 1.6em; } figure svg { max-width: 100%; height: auto; display: block; }\n"
    "figcaption { color: #444; font-size: 0.93em; max-width: 60em; }\n"
    "pre { background: #f6f6f6; padding: 0.8em; overflow-x: auto; font-size: 0.87em; }\n"
    ".box { border-left: 4px solid #0072b2; background: #f4f8fb; padding: 0.5em 1em; margin: 1em 0; }\n"
    ".box.open { border-color: #e69f00; background: #fdf7ea; } .box p { margin: 0.3em 0; white-space: pre-wrap; }\n"
    ".decision { font-size: 0.82em; font-weight: 600; padding: 0.1em 0.6em; border-radius: 0.8em; border: 1px solid; "
    "white-space: nowrap; }\n"
    ".supported { color: #00563f; background: #e0f3ec; } .contradicted { color: #8f3d00; background: #fbe9dc; }\n"
    ".inconclusive { color: #555; background: #f0f0f0; }\n"
    ".claim { margin: 2em 0; } .claim h3 .decision { margin-left: 0.6em; }\n"
    ".statement, .numbers { margin: 0.2em 0; } .numbers { font-variant-numeric: tabular-nums; }\n"
    ".note, .method { margin: 0.2em 0; color: #555; font-size: 0.93em; } .missing { color: #8f3d00; }\n"
    ".matrix td, .matrix th { padding: 0.1em 0.45em; text-align: center; } .matrix td:first-child, .matrix "
    "th:first-child { text-align: left; padding-left: 0; }\n"
    ".matrix .done { color: #00563f; } .matrix .diverged, .matrix .failed { color: #fff; background: #b34700; } "
    ".matrix .waiting { color: #8a6100; } .matrix .absent { color: #aaa; }\n"
    ".provenance td { white-space: pre-line; overflow-wrap: anywhere; } .provenance td:first-child { color: #555; "
    "white-space: nowrap; }\n"
    "@media print { body { max-width: none; margin: 0; font-size: 10.5pt; } nav { display: none; } figure, .claim h3, "
    "tr { break-inside: avoid; } h2, h3 { break-after: avoid; } pre { white-space: pre-wrap; } .wide { overflow: "
    "visible; } }\n";

void report_print_head(const char *title, FILE *out) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>palinode: ",
          out);
    print_html_text(out, title);
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
}

/* Copies a line of an SVG file; every id and every reference to one gets name before it. */
static void print_svg_line(const char *line, const char *name, FILE *out) {
    static const char *const openings[] = {" id='", " id=\"", "href='#", "href=\"#", "url(#"};
    while (*line != '\0') {
        size_t length = 1;
        bool opens = false;
        for (size_t i = 0; i < sizeof openings / sizeof openings[0] && !opens; i++) {
            opens = strncmp(line, openings[i], strlen(openings[i])) == 0;
            if (opens) length = strlen(openings[i]);
        }
        fwrite(line, 1, length, out);
        if (opens) fprintf(out, "%s.", name);
        line += length;
    }
}

bool report_print_svg(const Figure *figure, const char *dir, FILE *out) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.svg", dir, figure->name);
    FILE *in = fopen(path, "r");
    if (in == NULL) return false;
    char *line = NULL;
    size_t size = 0;
    bool inside = false;
    while (getline(&line, &size, in) > 0) {
        const char *root = inside ? NULL : strstr(line, "<svg"); /* an XML declaration may not stand inside a page */
        if (root != NULL) {
            fputs("<svg role=\"img\" aria-label=\"", out);
            print_html_text(out, figure->title);
            fprintf(out, "\"%s", root + strlen("<svg"));
            inside = true;
        } else if (inside && strncmp(line, "<title>", 7) != 0 && strncmp(line, "<desc>", 6) != 0) {
            print_svg_line(line, figure->name, out); /* its title would pop up under the mouse */
        }
    }
    free(line);
    fclose(in);
    return inside;
}

void report_print_sheet(Sheet *sheet, int rows_max, const char *all_are_in, FILE *out) {
    if (sheet == NULL) return;
    fputs("<div class=\"wide\">\n", out);
    sheet_print_html(sheet, rows_max, out);
    fputs("</div>\n", out);
    if (sheet->n_rows - 1 > rows_max)
        fprintf(out, "<p class=\"note\">The first %d of %d rows; all are in %s.</p>\n", rows_max, sheet->n_rows - 1,
                all_are_in);
    sheet_free(sheet);
}
