/* The rows that a run leaves, and the tables that they belong to.
 *
 * One list of tables describes the whole result file: it creates the SQLite schema, and it tells
 * how a row travels as bytes from the process that simulates to the one that writes. A row's values
 * stand in the order of its columns; 'run_id' is no value, the writer knows it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum table {
    TABLE_RUN,
    TABLE_SOURCE,
    TABLE_FAULT,
    TABLE_FAULT_PATH,
    TABLE_FAULT_EFFECT,
    TABLE_SIGN,
    TABLE_PATH_EVENT,
    TABLE_CAUGHT_IO,
    TABLE_PAUSE,
    TABLE_PAUSE_PHASE,
    TABLE_EXPECTATION,
    TABLE_BROKEN_RULE,
    TABLE_LATENCY,
    TABLE_COUNTER,
    TABLE_COUNT,
};

struct column {
    const char *name;
    const char *type; /* SQLite's, with its constraints: "INTEGER NOT NULL" */
};

#define COLUMNS_MOST 24

struct table_def {
    const char *name;
    const char *meaning;                 /* one line, for the documentation */
    struct column columns[COLUMNS_MOST]; /* those after run_id; ends at a NULL name */
    const char *key;                     /* "PRIMARY KEY (...)" or NULL: none */
};

/* The definition of one table; valid for each enum value but TABLE_COUNT. */
const struct table_def *table_def(enum table table);
size_t table_column_count(enum table table);

enum value_kind { VALUE_NULL, VALUE_INT, VALUE_TEXT };

struct value {
    enum value_kind kind;
    int64_t number;
    const char *text; /* borrowed; ends with NUL */
};

#define V_NULL    ((struct value){.kind = VALUE_NULL})
#define V_INT(x)  ((struct value){.kind = VALUE_INT, .number = (x)})
#define V_TEXT(x) ((struct value){.kind = VALUE_TEXT, .text = (x)})
/* A span or count that may be missing: negative is NULL. */
#define V_MAYBE(x) ((x) < 0 ? V_NULL : V_INT(x))

/* A growing string of encoded messages. {0} is empty; rows_clear() gives the memory back. */
struct rows {
    uint8_t *data; /* owned */
    size_t bytes;
    size_t capacity;
};

void rows_clear(struct rows *rows);
/* Adds one row; 'values' has as many values as the table has columns. */
void rows_put(struct rows *rows, enum table table, const struct value *values);
/* Adds a note on how far the run is: simulated nanoseconds. */
void rows_put_progress(struct rows *rows, int64_t simulated_ns);
/* Adds encoded bytes that came from elsewhere. */
void rows_put_bytes(struct rows *rows, const uint8_t *data, size_t bytes);

enum message_kind { MESSAGE_NONE, MESSAGE_ROW, MESSAGE_PROGRESS, MESSAGE_BAD };

struct message {
    enum message_kind kind;
    enum table table;
    struct value values[COLUMNS_MOST]; /* their texts point into the decoded bytes */
    int64_t simulated_ns;
    size_t bytes; /* length of the message */
};

/* Decodes the message at the start of 'data'. NONE: it is not there as a whole yet. BAD: these are
 * no messages of ours. */
void message_decode(const uint8_t *data, size_t bytes, struct message *ret_message);
