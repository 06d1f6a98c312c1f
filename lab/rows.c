/* The rows that a run leaves. A message is: length (4 bytes), kind, table, values. */
#include "lab/rows.h"

#include "sim/core/bytes.h"
#include "sim/core/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES   4u
#define LARGEST_TEXT   (8u * 1024 * 1024)
#define LARGEST_LENGTH (COLUMNS_MOST * (LARGEST_TEXT + 16u))

static const struct table_def tables[TABLE_COUNT] = {
    [TABLE_RUN] = {"run",
                   "one run of one scenario",
                   {{"scenario", "TEXT NOT NULL"},
                    {"variant", "TEXT NOT NULL"},
                    {"topology", "TEXT NOT NULL"},
                    {"seed", "TEXT NOT NULL"},
                    {"overrides", "TEXT NOT NULL"},
                    {"program_version", "TEXT NOT NULL"},
                    {"started_utc", "TEXT NOT NULL"},
                    {"wall_ns", "INTEGER NOT NULL"},
                    {"simulated_ns", "INTEGER NOT NULL"},
                    {"events", "INTEGER NOT NULL"},
                    {"digest", "TEXT NOT NULL"},
                    {"verdict", "TEXT NOT NULL"},
                    {"exit_code", "INTEGER NOT NULL"},
                    {"cpu_ns", "INTEGER NOT NULL"},
                    {"peak_memory_bytes", "INTEGER NOT NULL"},
                    {"pause_threshold_ns", "INTEGER NOT NULL"},
                    {"latency_window_ns", "INTEGER NOT NULL"}},
                   NULL},
    [TABLE_SOURCE] = {"source",
                      "the texts of the files that a run was made from",
                      {{"kind", "TEXT NOT NULL"},
                       {"file", "TEXT NOT NULL"},
                       {"text", "TEXT NOT NULL"}},
                      "PRIMARY KEY (run_id, file)"},
    [TABLE_FAULT] = {"fault",
                     "what was broken, and when it was whole again",
                     {{"fault_id", "INTEGER NOT NULL"},
                      {"step", "TEXT NOT NULL"},
                      {"kind", "TEXT NOT NULL"},
                      {"part", "TEXT NOT NULL"},
                      {"at_ns", "INTEGER NOT NULL"},
                      {"repaired_at_ns", "INTEGER"}},
                     "PRIMARY KEY (run_id, fault_id)"},
    [TABLE_FAULT_PATH] = {"fault_path",
                          "the paths that a fault touches",
                          {{"fault_id", "INTEGER NOT NULL"},
                           {"host", "TEXT NOT NULL"},
                           {"path", "TEXT NOT NULL"}},
                          "PRIMARY KEY (run_id, fault_id, path)"},
    [TABLE_FAULT_EFFECT] = {"fault_effect",
                            "what one fault did to one multipath disk; read it through 'failover'",
                            {{"fault_id", "INTEGER NOT NULL"},
                             {"host", "TEXT NOT NULL"},
                             {"disk", "TEXT NOT NULL"},
                             {"affected", "INTEGER NOT NULL"},
                             {"overlaps", "TEXT NOT NULL"},
                             {"span_end_ns", "INTEGER NOT NULL"},
                             {"detected_ns", "INTEGER"},
                             {"detected_by", "TEXT NOT NULL"},
                             {"path_failed_ns", "INTEGER"},
                             {"first_io_ns", "INTEGER"},
                             {"longest_pause_ns", "INTEGER"},
                             {"longest_io_ns", "INTEGER"},
                             {"ios_caught", "INTEGER NOT NULL"},
                             {"share_caught_ppm", "INTEGER"},
                             {"ios_recovered_in_place", "INTEGER NOT NULL"},
                             {"still_waiting", "INTEGER NOT NULL"},
                             {"ios_retried", "INTEGER NOT NULL"},
                             {"io_errors", "INTEGER NOT NULL"},
                             {"path_usable_ns", "INTEGER"},
                             {"path_first_io_ns", "INTEGER"}},
                            "PRIMARY KEY (run_id, fault_id, host, disk)"},
    [TABLE_SIGN] = {"sign",
                    "signs of trouble that a host acts on",
                    {{"at_ns", "INTEGER NOT NULL"},
                     {"host", "TEXT NOT NULL"},
                     {"path", "TEXT"},
                     {"layer", "TEXT NOT NULL"},
                     {"what", "TEXT NOT NULL"}},
                    NULL},
    [TABLE_PATH_EVENT] = {"path_event",
                          "changes of state of the paths of a multipath disk",
                          {{"at_ns", "INTEGER NOT NULL"},
                           {"host", "TEXT NOT NULL"},
                           {"disk", "TEXT NOT NULL"},
                           {"path", "TEXT NOT NULL"},
                           {"old_state", "TEXT NOT NULL"},
                           {"new_state", "TEXT NOT NULL"},
                           {"reason", "TEXT NOT NULL"}},
                          NULL},
    [TABLE_CAUGHT_IO] = {"caught_io",
                         "I/O that a fault caught",
                         {{"fault_id", "INTEGER NOT NULL"},
                          {"host", "TEXT NOT NULL"},
                          {"disk", "TEXT NOT NULL"},
                          {"sent_at_ns", "INTEGER NOT NULL"},
                          {"old_path", "TEXT NOT NULL"},
                          {"retried_at_ns", "INTEGER"},
                          {"new_path", "TEXT"},
                          {"done_at_ns", "INTEGER"},
                          {"retries", "INTEGER NOT NULL"},
                          {"result", "TEXT NOT NULL"}},
                         NULL},
    [TABLE_PAUSE] = {"pause",
                     "times above run.pause_threshold_ns with I/O outstanding and no completion",
                     {{"host", "TEXT NOT NULL"},
                      {"disk", "TEXT NOT NULL"},
                      {"start_at_ns", "INTEGER NOT NULL"},
                      {"end_at_ns", "INTEGER NOT NULL"},
                      {"outstanding", "INTEGER NOT NULL"}},
                     NULL},
    [TABLE_PAUSE_PHASE] = {"pause_phase",
                           "from a fault to the first good I/O elsewhere, phase by phase",
                           {{"fault_id", "INTEGER NOT NULL"},
                            {"host", "TEXT NOT NULL"},
                            {"disk", "TEXT NOT NULL"},
                            {"phase", "TEXT NOT NULL"},
                            {"start_at_ns", "INTEGER NOT NULL"},
                            {"end_at_ns", "INTEGER NOT NULL"},
                            {"ended_by", "TEXT NOT NULL"}},
                           NULL},
    [TABLE_EXPECTATION] = {"expectation",
                           "what the scenario demanded, and what was measured",
                           {{"name", "TEXT NOT NULL"},
                            {"subject", "TEXT NOT NULL"},
                            {"measure", "TEXT NOT NULL"},
                            {"bound", "TEXT NOT NULL"},
                            {"measured", "TEXT NOT NULL"},
                            {"unit", "TEXT NOT NULL"},
                            {"verdict", "TEXT NOT NULL"}},
                           NULL},
    [TABLE_BROKEN_RULE] = {"broken_rule",
                           "rules of data safety and protocol that did not hold",
                           {{"rule", "TEXT NOT NULL"},
                            {"at_ns", "INTEGER NOT NULL"},
                            {"host", "TEXT"},
                            {"path", "TEXT"},
                            {"disk", "TEXT"},
                            {"lba", "INTEGER"},
                            {"text", "TEXT NOT NULL"}},
                           NULL},
    [TABLE_LATENCY] = {"latency",
                       "completions in windows of run.latency_window_ns, by latency bucket",
                       {{"host", "TEXT NOT NULL"},
                        {"disk", "TEXT NOT NULL"},
                        {"path", "TEXT NOT NULL"},
                        {"window_at_ns", "INTEGER NOT NULL"},
                        {"ios", "INTEGER NOT NULL"},
                        {"bytes", "INTEGER NOT NULL"},
                        {"errors", "INTEGER NOT NULL"},
                        {"least_ns", "INTEGER"},
                        {"median_ns", "INTEGER"},
                        {"p99_ns", "INTEGER"},
                        {"most_ns", "INTEGER"},
                        {"sum_ns", "INTEGER NOT NULL"},
                        {"oldest_waiting_ns", "INTEGER NOT NULL"},
                        {"buckets", "TEXT NOT NULL"}},
                       NULL},
    [TABLE_COUNTER] = {"counter",
                       "what the parts counted",
                       {{"part", "TEXT NOT NULL"},
                        {"name", "TEXT NOT NULL"},
                        {"value", "INTEGER NOT NULL"}},
                       "PRIMARY KEY (run_id, part, name)"},
};

const struct table_def *table_def(enum table table)
{
    return &tables[table];
}

size_t table_column_count(enum table table)
{
    size_t count = 0;

    while (count < COLUMNS_MOST && tables[table].columns[count].name)
        count++;
    return count;
}

void rows_clear(struct rows *rows)
{
    free(rows->data);
    *rows = (struct rows){0};
}

static uint8_t *make_room(struct rows *rows, size_t bytes)
{
    if (rows->bytes + bytes > rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity : 4096;

        while (capacity < rows->bytes + bytes)
            capacity *= 2;
        rows->data = mem_resize(rows->data, capacity, 1);
        rows->capacity = capacity;
    }
    rows->bytes += bytes;
    return rows->data + rows->bytes - bytes;
}

void rows_put_bytes(struct rows *rows, const uint8_t *data, size_t bytes)
{
    if (bytes)
        memcpy(make_room(rows, bytes), data, bytes);
}

static void put_value(struct rows *rows, const struct value *value)
{
    *make_room(rows, 1) = (uint8_t)value->kind;
    switch (value->kind) {
    case VALUE_NULL:
        break;
    case VALUE_INT:
        put_be64(make_room(rows, 8), (uint64_t)value->number);
        break;
    case VALUE_TEXT: {
        size_t bytes = strlen(value->text) + 1;

        assert(bytes <= LARGEST_TEXT);
        put_be32(make_room(rows, 4), (uint32_t)bytes);
        memcpy(make_room(rows, bytes), value->text, bytes);
        break;
    }
    }
}

static void finish(struct rows *rows, size_t start)
{
    put_be32(rows->data + start, (uint32_t)(rows->bytes - start - LENGTH_BYTES));
}

void rows_put(struct rows *rows, enum table table, const struct value *values)
{
    size_t start = rows->bytes;
    size_t count = table_column_count(table);

    make_room(rows, LENGTH_BYTES);
    *make_room(rows, 1) = MESSAGE_ROW;
    *make_room(rows, 1) = (uint8_t)table;
    for (size_t i = 0; i < count; i++)
        put_value(rows, &values[i]);
    finish(rows, start);
}

void rows_put_progress(struct rows *rows, int64_t simulated_ns)
{
    size_t start = rows->bytes;

    make_room(rows, LENGTH_BYTES);
    *make_room(rows, 1) = MESSAGE_PROGRESS;
    put_be64(make_room(rows, 8), (uint64_t)simulated_ns);
    finish(rows, start);
}

/* What is left of a message. */
struct reader {
    const uint8_t *at;
    size_t bytes;
};

static const uint8_t *take(struct reader *reader, size_t bytes)
{
    const uint8_t *at = reader->at;

    if (bytes > reader->bytes)
        return NULL;
    reader->at += bytes;
    reader->bytes -= bytes;
    return at;
}

static bool get_value(struct reader *reader, struct value *ret_value)
{
    const uint8_t *kind = take(reader, 1);
    const uint8_t *at;

    if (!kind)
        return false;
    switch (*kind) {
    case VALUE_NULL:
        *ret_value = V_NULL;
        return true;
    case VALUE_INT:
        if (!(at = take(reader, 8)))
            return false;
        *ret_value = V_INT((int64_t)get_be64(at));
        return true;
    case VALUE_TEXT: {
        if (!(at = take(reader, 4)))
            return false;
        uint32_t bytes = get_be32(at);
        if (bytes == 0 || !(at = take(reader, bytes)) || at[bytes - 1] != '\0')
            return false;
        *ret_value = V_TEXT((const char *)at);
        return true;
    }
    default:
        return false;
    }
}

static bool get_row(struct reader *reader, struct message *message)
{
    const uint8_t *table = take(reader, 1);

    if (!table || *table >= TABLE_COUNT)
        return false;
    message->table = *table;
    size_t count = table_column_count(message->table);
    for (size_t i = 0; i < count; i++)
        if (!get_value(reader, &message->values[i]))
            return false;
    return reader->bytes == 0;
}

static bool get_body(struct reader *reader, struct message *message)
{
    const uint8_t *kind = take(reader, 1);

    if (!kind)
        return false;
    message->kind = *kind;
    if (*kind == MESSAGE_ROW)
        return get_row(reader, message);
    const uint8_t *at = *kind == MESSAGE_PROGRESS ? take(reader, 8) : NULL;
    if (!at)
        return false;
    message->simulated_ns = (int64_t)get_be64(at);
    return reader->bytes == 0;
}

void message_decode(const uint8_t *data, size_t bytes, struct message *ret_message)
{
    *ret_message = (struct message){.kind = MESSAGE_NONE};
    if (bytes < LENGTH_BYTES)
        return;
    uint32_t length = get_be32(data);
    if (length > LARGEST_LENGTH) {
        ret_message->kind = MESSAGE_BAD;
        return;
    }
    if (length > bytes - LENGTH_BYTES)
        return;
    struct reader reader = {data + LENGTH_BYTES, length};
    if (!get_body(&reader, ret_message))
        ret_message->kind = MESSAGE_BAD;
    ret_message->bytes = LENGTH_BYTES + length;
}
