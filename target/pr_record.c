/* Persistent reservations that survive a loss of power (APTPL; SPC-4, 5.13.5).
 *
 * The record's bytes, all integers in network order:
 *
 *   0  "iscsilab PR 1\n\0\0"                       16
 *   16 hash64 of all that follows                   8
 *   24 type, then the index of the holder + 1 or 0  4 + 4
 *   32 number of registrations                      4
 *   36 each: key 8, port 2, ISID 6, name length 1, name
 */
#include "target/reservation.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/hash.h"
#include "sim/core/mem.h"
#include "target/lun.h"
#include "target/refuse.h"
#include "target/task_set.h"

static const uint8_t magic[16] = "iscsilab PR 1\n";

#define HASH_AT      16u
#define HASHED_FROM  24u
#define ENTRIES_AT   36u
#define ENTRY_BYTES  17u /* without the name */
#define RECORD_BYTES (ENTRIES_AT + PR_MOST_REGISTRATIONS * (ENTRY_BYTES + DEVICE_NAME_BYTES))

/* Returns the bytes used of 'ret_data', which has room for RECORD_BYTES. */
static size_t encode(const struct reservations *held, uint8_t *ret_data)
{
    size_t at = ENTRIES_AT;
    uint32_t index = 0;
    uint32_t holder = 0;

    for (const struct registration *each = held->registrations; each; each = each->next) {
        size_t name_bytes = strlen(each->identity.initiator_name);

        index++;
        if (held->holder == each)
            holder = index;
        put_be64(ret_data + at, each->key);
        put_be16(ret_data + at + 8, each->identity.relative_port_id);
        memcpy(ret_data + at + 10, each->identity.isid, sizeof(each->identity.isid));
        ret_data[at + 16] = (uint8_t)name_bytes;
        memcpy(ret_data + at + ENTRY_BYTES, each->identity.initiator_name, name_bytes);
        at += ENTRY_BYTES + name_bytes;
    }
    memcpy(ret_data, magic, sizeof(magic));
    put_be32(ret_data + 24, held->type);
    put_be32(ret_data + 28, holder);
    put_be32(ret_data + 32, index);
    put_be64(ret_data + HASH_AT, hash64(ret_data + HASHED_FROM, at - HASHED_FROM, 0));
    return at;
}

static bool is_whole(const uint8_t *data, size_t bytes)
{
    return bytes >= ENTRIES_AT && bytes <= RECORD_BYTES &&
           memcmp(data, magic, sizeof(magic)) == 0 &&
           get_be64(data + HASH_AT) == hash64(data + HASHED_FROM, bytes - HASHED_FROM, 0);
}

/* The entry at '*at' into '*ret_identity', '*ret_key'; false: it is nonsense. */
static bool decode_entry(const uint8_t *data, size_t bytes, size_t *at,
                         struct nexus_identity *ret_identity, uint64_t *ret_key)
{
    if (bytes - *at < ENTRY_BYTES)
        return false;
    const uint8_t *entry = data + *at;
    size_t name_bytes = entry[16];

    if (name_bytes >= DEVICE_NAME_BYTES || bytes - *at - ENTRY_BYTES < name_bytes)
        return false;
    *ret_identity = (struct nexus_identity){.relative_port_id = get_be16(entry + 8)};
    memcpy(ret_identity->isid, entry + 10, sizeof(ret_identity->isid));
    memcpy(ret_identity->initiator_name, entry + ENTRY_BYTES, name_bytes);
    *ret_key = get_be64(entry);
    *at += ENTRY_BYTES + name_bytes;
    return *ret_key != 0 && strlen(ret_identity->initiator_name) == name_bytes;
}

static bool decode(struct lun *lun, const uint8_t *data, size_t bytes)
{
    unsigned type = get_be32(data + 24);
    uint32_t holder_index = get_be32(data + 28);
    uint32_t count = get_be32(data + 32);
    struct registration *holder = NULL;
    size_t at = ENTRIES_AT;

    if (count > PR_MOST_REGISTRATIONS || (type != PR_NONE && !pr_type_is_known(type)))
        return false;
    for (uint32_t index = 1; index <= count; index++) {
        struct nexus_identity identity;
        uint64_t key = 0;

        if (!decode_entry(data, bytes, &at, &identity, &key) || pr_find(lun, &identity))
            return false;
        struct registration *registration = pr_register(lun, &identity, key, NULL);

        if (index == holder_index)
            holder = registration;
    }
    if (type != PR_NONE && (pr_is_all_registrants(type) ? count == 0 : !holder))
        return false;
    pr_reserve(lun, type, type == PR_NONE ? NULL : holder);
    return at == bytes;
}

static void find_nexuses(struct lun *lun)
{
    for (struct nexus *nexus = lun->device->first_nexus; nexus; nexus = nexus->next) {
        if (!nexus->is_lost)
            pr_nexus_arrived(lun, nexus);
    }
}

void pr_record_load(struct lun *lun)
{
    pr_forget(lun);
    if (!lun->pr_record.record)
        return;
    uint8_t *data = mem_new(RECORD_BYTES);
    size_t bytes = record_read(lun->pr_record.record, data, RECORD_BYTES);

    lun->pr_record.holds_something = bytes > 0;
    if (is_whole(data, bytes)) {
        if (decode(lun, data, bytes))
            lun->reservations.persists = lun->reservations.registrations != NULL;
        else
            pr_forget(lun);
    }
    free(data);
    find_nexuses(lun);
}

static void write_record(struct lun *lun)
{
    static const struct reservations nothing = {0};
    struct pr_record *record = &lun->pr_record;
    uint8_t *data = mem_new(RECORD_BYTES);
    bool persists = lun->reservations.persists;
    size_t bytes = encode(persists ? &lun->reservations : &nothing, data);

    record->is_writing = true;
    record->holds_something = persists;
    record->waiting = record->following;
    record->following = NULL;
    record_write(record->record, data, bytes, &record->done);
    free(data);
}

static void on_written(struct record_done *done, bool is_durable)
{
    struct lun *lun = CONTAINER_OF(done, struct lun, pr_record.done);
    struct pr_record *record = &lun->pr_record;
    struct scsi_task *task = record->waiting;

    record->is_writing = false;
    record->waiting = NULL;
    if (!is_durable)
        record->holds_something = true; /* nobody knows what */
    if (record->had_crash && lun->reservations.generation == 0)
        pr_record_load(lun); /* it became durable in the last moment */
    record->had_crash = false;
    if (record->following)
        write_record(lun);
    while (task) {
        struct scsi_task *next = task->next_ended;

        task->next_ended = NULL;
        if (is_durable)
            task_good(task);
        else
            task_refuse(task, REFUSE_INTERNAL_FAILURE);
        task_set_finish(task);
        task = next;
    }
}

void pr_record_init(struct lun *lun, struct record *record)
{
    lun->pr_record = (struct pr_record){.record = record, .done = {on_written}};
}

enum task_step pr_record_save(struct lun *lun, struct scsi_task *task)
{
    struct pr_record *record = &lun->pr_record;

    if (!record->record || !(lun->reservations.persists || record->holds_something))
        return task_good(task);
    task->waits_for = WAITS_FOR_RECORD;
    task->next_ended = record->following;
    record->following = task;
    if (!record->is_writing)
        write_record(lun);
    return TASK_WAITS;
}

static bool leave(struct scsi_task **list, struct scsi_task *task)
{
    for (struct scsi_task **each = list; *each; each = &(*each)->next_ended) {
        if (*each == task) {
            *each = task->next_ended;
            task->next_ended = NULL;
            return true;
        }
    }
    return false;
}

bool pr_record_leave(struct lun *lun, struct scsi_task *task)
{
    return leave(&lun->pr_record.waiting, task) || leave(&lun->pr_record.following, task);
}

void pr_record_crash(struct lun *lun)
{
    assert(!lun->pr_record.waiting);
    assert(!lun->pr_record.following);
    lun->pr_record.had_crash = lun->pr_record.is_writing;
    pr_record_load(lun);
}
