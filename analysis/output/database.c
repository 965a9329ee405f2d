/* See database.h. */
#include "analysis/output/database.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQL_BYTES = 32768, MESSAGE_BYTES = 512 };

struct Database {
    sqlite3 *file;
    sqlite3_stmt *insert; /* of the table that is open */
    char table[64];
    int columns;                 /* of the table that is open */
    char create[SQL_BYTES];      /* CREATE TABLE, so far */
    char failure[MESSAGE_BYTES]; /* the first one; "": none */
};

static bool ok(Database *database, int code) {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return true;
    if (database->failure[0] == '\0')
        snprintf(database->failure, sizeof database->failure, "%s", sqlite3_errmsg(database->file));
    return false;
}

static bool failed(const Database *database) {
    return database->failure[0] != '\0';
}

static void execute(Database *database, const char *sql) {
    if (!failed(database)) ok(database, sqlite3_exec(database->file, sql, NULL, NULL, NULL));
}

Status database_create(const char *path, Database **out, Error *err) {
    Database *database = calloc(1, sizeof *database);
    if (database == NULL) return error_set(err, STATUS_NO_MEMORY, "%s: no memory for a database", path);
    int code =
        sqlite3_open_v2(path, &database->file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL);
    ok(database, code);
    execute(database, "PRAGMA journal_mode = OFF");
    execute(database, "PRAGMA synchronous = OFF");
    execute(database, "BEGIN");
    Status status = database_status(database, err);
    if (status == STATUS_OK) {
        *out = database;
        return STATUS_OK;
    }
    database_finish(database, NULL);
    return error_prefix(err, status, "%s", path);
}

void database_begin_table(Database *database, const char *name) {
    sqlite3_finalize(database->insert);
    database->insert = NULL;
    database->columns = 0;
    snprintf(database->table, sizeof database->table, "%s", name);
    snprintf(database->create, sizeof database->create, "CREATE TABLE \"%s\" (", name);
}

void database_add_column(Database *database, const char *name, ColumnType type) {
    static const char *const names[] = {"TEXT", "REAL", "INTEGER"};
    size_t used = strlen(database->create);
    snprintf(database->create + used, sizeof database->create - used, "%s\"%s\" %s",
             database->columns++ > 0 ? ", " : "", name, names[type]);
}

void database_end_columns(Database *database) {
    size_t used = strlen(database->create);
    snprintf(database->create + used, sizeof database->create - used, ")");
    execute(database, database->create);
    char sql[SQL_BYTES];
    used = (size_t)snprintf(sql, sizeof sql, "INSERT INTO \"%s\" VALUES (", database->table);
    for (int i = 0; i < database->columns && used < sizeof sql; i++)
        used += (size_t)snprintf(sql + used, sizeof sql - used, "?%s", i + 1 < database->columns ? "," : ")");
    if (!failed(database)) ok(database, sqlite3_prepare_v2(database->file, sql, -1, &database->insert, NULL));
}

void database_set_text(Database *database, int column, const char *text) {
    if (!failed(database)) ok(database, sqlite3_bind_text(database->insert, column + 1, text, -1, SQLITE_TRANSIENT));
}

void database_set_real(Database *database, int column, double value) {
    if (!failed(database)) ok(database, sqlite3_bind_double(database->insert, column + 1, value));
}

void database_set_integer(Database *database, int column, int64_t value) {
    if (!failed(database)) ok(database, sqlite3_bind_int64(database->insert, column + 1, value));
}

void database_set_undefined(Database *database, int column) {
    if (!failed(database)) ok(database, sqlite3_bind_null(database->insert, column + 1));
}

void database_add_row(Database *database) {
    if (failed(database)) return;
    ok(database, sqlite3_step(database->insert));
    ok(database, sqlite3_reset(database->insert));
}

void database_add_index(Database *database, const char *table, const char *columns) {
    char sql[512], name[128];
    snprintf(name, sizeof name, "%s_by_%s", table, columns);
    for (char *c = name; *c != '\0'; c++)
        if (*c == ',' || *c == ' ' || *c == '"') *c = '_';
    snprintf(sql, sizeof sql, "CREATE INDEX \"%s\" ON \"%s\" (%s)", name, table, columns);
    execute(database, sql);
}

Status database_status(const Database *database, Error *err) {
    if (!failed(database)) return STATUS_OK;
    return error_set(err, STATUS_IO, "the database cannot be written: %s", database->failure);
}

Status database_finish(Database *database, Error *err) {
    if (database == NULL) return STATUS_OK;
    sqlite3_finalize(database->insert);
    execute(database, "COMMIT");
    if (sqlite3_close(database->file) != SQLITE_OK && !failed(database))
        snprintf(database->failure, sizeof database->failure, "it could not be closed");
    Status status = database_status(database, err);
    free(database);
    return status;
}
