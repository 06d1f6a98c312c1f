/* Mode parameters (SPC-4, 6.13, 6.14 and 7.5; SBC-3, 6.5). */
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "target/start.h"

#define ALL_PAGES       0x3fu
#define ALL_SUBPAGES    0xffu
#define MOST_BYTES      256u
#define CDB_DBD         0x08u
#define CDB_LLBAA       0x10u
#define WRITE_PROTECTED 0x80u
#define DPO_FUA         0x10u

/* SPC-4, table 360. */
enum page_control { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

struct mode_page {
    uint8_t code;
    uint8_t bytes; /* PAGE LENGTH */
    /* Fills what follows the two bytes of the header; it is zero before. */
    void (*fill)(const struct lun *lun, enum page_control control, uint8_t *to);
};

/* SBC-3, 6.5.8: nothing is tolerated silently, so all bits but the write-through ones are 0. */
static void fill_error_recovery(const struct lun *lun, enum page_control control, uint8_t *to)
{
    (void)lun, (void)control, (void)to;
}

/* SBC-3, 6.5.5. */
static void fill_caching(const struct lun *lun, enum page_control control, uint8_t *to)
{
    if (control != PC_CHANGEABLE && lun->has_write_cache)
        to[0] = 0x04; /* WCE */
}

/* SPC-4, 7.5.8: TST 000b, unrestricted reordering of SIMPLE tasks, no time limit on BUSY. */
static void fill_control(const struct lun *lun, enum page_control control, uint8_t *to)
{
    if (control == PC_CHANGEABLE)
        return;
    if (control == PC_CURRENT && lun->mode.descriptor_sense)
        to[0] |= 0x04; /* D_SENSE */
    to[1] = 0x10;      /* QUEUE ALGORITHM MODIFIER 1 */
    if (control == PC_CURRENT && lun->mode.software_write_protect)
        to[2] |= 0x08;            /* SWP */
    put_be16(to + 6, UINT16_MAX); /* BUSY TIMEOUT PERIOD */
}

/* SPC-4, 7.5.10: no reporting of informational exceptions. */
static void fill_exceptions(const struct lun *lun, enum page_control control, uint8_t *to)
{
    (void)lun;
    if (control != PC_CHANGEABLE)
        to[0] = 0x08; /* DEXCPT */
}

static const struct mode_page pages[] = {
    {0x01, 0x0a, fill_error_recovery},
    {0x08, 0x12, fill_caching},
    {0x0a, 0x0a, fill_control},
    {0x1c, 0x0a, fill_exceptions},
};

struct writer {
    uint8_t data[MOST_BYTES];
    size_t bytes;
};

static void put_page(struct writer *out, const struct mode_page *page, const struct lun *lun,
                     enum page_control control)
{
    uint8_t *to = out->data + out->bytes;

    assert(out->bytes + 2 + page->bytes <= sizeof(out->data));
    to[0] = page->code;
    to[1] = page->bytes;
    page->fill(lun, control, to + 2);
    out->bytes += 2u + page->bytes;
}

/* False: there is no such page. */
static bool put_pages(struct writer *out, const struct lun *lun, const uint8_t *cdb)
{
    uint8_t code = cdb[2] & 0x3f;
    enum page_control control = (enum page_control)(cdb[2] >> 6);
    bool is_found = false;

    if (cdb[3] != 0 && cdb[3] != ALL_SUBPAGES)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        if (code != ALL_PAGES && code != pages[i].code)
            continue;
        put_page(out, &pages[i], lun, control);
        is_found = true;
    }
    return is_found;
}

/* SBC-3, 6.5.2: the short one saturates. */
static void put_descriptor(struct writer *out, const struct lun *lun, bool is_long)
{
    uint8_t *to = out->data + out->bytes;

    if (is_long) {
        put_be64(to, lun->block_count);
        put_be32(to + 12, lun->block_bytes);
        out->bytes += 16;
    } else {
        put_be32(to, lun->block_count < UINT32_MAX ? (uint32_t)lun->block_count : UINT32_MAX);
        put_be24(to + 5, lun->block_bytes);
        out->bytes += 8;
    }
}

static uint8_t device_specific(const struct lun *lun)
{
    bool is_protected = lun->is_read_only || lun->mode.software_write_protect;

    return (uint8_t)(DPO_FUA | (is_protected ? WRITE_PROTECTED : 0));
}

/* Header, block descriptor and pages behind each other; TASK_DONE: refused. */
static enum task_step collect(const struct lun *lun, struct scsi_task *task, size_t header_bytes,
                              bool is_long, struct writer *out)
{
    *out = (struct writer){.bytes = header_bytes};
    if (task->cdb[2] >> 6 == PC_SAVED)
        return task_refuse(task, REFUSE_SAVING);
    if (!(task->cdb[1] & CDB_DBD))
        put_descriptor(out, lun, is_long);
    if (!put_pages(out, lun, task->cdb))
        return task_refuse_field(task, 2, 5);
    return TASK_WAITS;
}

enum task_step start_mode_sense_6(struct lun *lun, struct scsi_task *task)
{
    struct writer out;

    if (collect(lun, task, 4, false, &out) == TASK_DONE)
        return TASK_DONE;
    out.data[0] = (uint8_t)(out.bytes - 1);
    out.data[2] = device_specific(lun);
    out.data[3] = task->cdb[1] & CDB_DBD ? 0 : 8;
    return task_reply(task, lun->device->pool, out.data, out.bytes, task->cdb[4]);
}

enum task_step start_mode_sense_10(struct lun *lun, struct scsi_task *task)
{
    bool has_descriptor = !(task->cdb[1] & CDB_DBD);
    bool is_long = has_descriptor && task->cdb[1] & CDB_LLBAA;
    struct writer out;

    if (collect(lun, task, 8, is_long, &out) == TASK_DONE)
        return TASK_DONE;
    put_be16(out.data, (uint16_t)(out.bytes - 2));
    out.data[3] = device_specific(lun);
    out.data[4] = is_long; /* LONGLBA */
    put_be16(out.data + 6, has_descriptor ? (is_long ? 16 : 8) : 0);
    return task_reply(task, lun->device->pool, out.data, out.bytes, get_be16(task->cdb + 7));
}
