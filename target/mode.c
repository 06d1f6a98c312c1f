/* Mode parameters (SPC-4, 6.11 to 6.14 and 7.5; SBC-3, 6.5).
 *
 * Of each there are the current, the saved and the default value. Power on and resets bring the
 * saved ones back. MODE SELECT changes all that it names, or nothing. */
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
#define PAGE_SAVABLE    0x80u /* PS */
#define CDB_SP          0x01u
#define CDB_PF          0x10u

/* SPC-4, table 360. */
enum page_control { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

#define MOST_PAGE_BYTES 0x12u

struct mode_page {
    uint8_t code;
    uint8_t bytes; /* PAGE LENGTH */
    /* Fills what follows the two bytes of the header with 'mode'; it is zero before. */
    void (*fill)(const struct lun *lun, const struct mode_parameters *mode, uint8_t *to);
    uint8_t changeable[MOST_PAGE_BYTES];
    /* Takes the changeable bits out of such bytes; NULL: there are none. */
    void (*take)(struct mode_parameters *mode, const uint8_t *from);
};

/* SBC-3, 6.5.8: nothing is tolerated silently, so all bits but the write-through ones are 0. */
static void fill_error_recovery(const struct lun *lun, const struct mode_parameters *mode,
                                uint8_t *to)
{
    (void)lun, (void)mode, (void)to;
}

#define WCE 0x04u

/* SBC-3, 6.5.5. */
static void fill_caching(const struct lun *lun, const struct mode_parameters *mode, uint8_t *to)
{
    if (lun->has_write_cache && !mode->is_write_through)
        to[0] = WCE;
}

static void take_caching(struct mode_parameters *mode, const uint8_t *from)
{
    mode->is_write_through = !(from[0] & WCE);
}

#define D_SENSE 0x04u
#define SWP     0x08u

/* SPC-4, 7.5.8: TST 000b, unrestricted reordering of SIMPLE tasks, no time limit on BUSY. */
static void fill_control(const struct lun *lun, const struct mode_parameters *mode, uint8_t *to)
{
    (void)lun;
    if (mode->descriptor_sense)
        to[0] |= D_SENSE;
    to[1] = 0x10; /* QUEUE ALGORITHM MODIFIER 1 */
    if (mode->software_write_protect)
        to[2] |= SWP;
    put_be16(to + 6, UINT16_MAX); /* BUSY TIMEOUT PERIOD */
}

static void take_control(struct mode_parameters *mode, const uint8_t *from)
{
    mode->descriptor_sense = from[0] & D_SENSE;
    mode->software_write_protect = from[2] & SWP;
}

/* SPC-4, 7.5.10: no reporting of informational exceptions. */
static void fill_exceptions(const struct lun *lun, const struct mode_parameters *mode, uint8_t *to)
{
    (void)lun, (void)mode;
    to[0] = 0x08; /* DEXCPT */
}

static const struct mode_page pages[] = {
    {.code = 0x01, .bytes = 0x0a, .fill = fill_error_recovery},
    {.code = 0x08, .bytes = 0x12, .fill = fill_caching, .changeable = {WCE}, .take = take_caching},
    {.code = 0x0a,
     .bytes = 0x0a,
     .fill = fill_control,
     .changeable = {D_SENSE, 0, SWP},
     .take = take_control},
    {.code = 0x1c, .bytes = 0x0a, .fill = fill_exceptions},
};

/* WCE of a unit without a cache stays 0. */
static const uint8_t *changeable_of(const struct lun *lun, const struct mode_page *page)
{
    static const uint8_t nothing[MOST_PAGE_BYTES];

    return page->take == take_caching && !lun->has_write_cache ? nothing : page->changeable;
}

static void fill_page(const struct lun *lun, const struct mode_page *page,
                      enum page_control control, uint8_t *to)
{
    static const struct mode_parameters defaults;

    switch (control) {
    case PC_CURRENT:
        page->fill(lun, &lun->mode, to);
        break;
    case PC_CHANGEABLE:
        memcpy(to, changeable_of(lun, page), page->bytes);
        break;
    case PC_DEFAULT:
        page->fill(lun, &defaults, to);
        break;
    case PC_SAVED:
        page->fill(lun, &lun->saved_mode, to);
        break;
    }
}

struct writer {
    uint8_t data[MOST_BYTES];
    size_t bytes;
};

static void put_page(struct writer *out, const struct mode_page *page, const struct lun *lun,
                     enum page_control control)
{
    uint8_t *to = out->data + out->bytes;

    assert(out->bytes + 2 + page->bytes <= sizeof(out->data));
    to[0] = (uint8_t)(page->take ? PAGE_SAVABLE | page->code : page->code);
    to[1] = page->bytes;
    fill_page(lun, page, control, to + 2);
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

/* MODE SELECT. */

uint64_t mode_select_6_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    (void)lun;
    return cdb[4];
}

uint64_t mode_select_10_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    (void)lun;
    return get_be16(cdb + 7);
}

/* A list being read. */
struct list {
    uint8_t data[MOST_BYTES];
    size_t bytes;
    size_t at;
};

static const struct mode_page *page_of(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
        if (pages[i].code == code)
            return &pages[i];
    return NULL;
}

/* The block descriptor may say what is so: the capacity (or 0, or all ones) and the block length.
 * TASK_WAITS: it does. */
static enum task_step check_descriptor(const struct lun *lun, struct scsi_task *task,
                                       const struct list *list, size_t bytes)
{
    const uint8_t *from = list->data + list->at;
    bool is_long = bytes == 16;
    uint64_t blocks = is_long ? get_be64(from) : get_be32(from);
    uint64_t all_ones = is_long ? UINT64_MAX : UINT32_MAX;
    uint32_t block_bytes = is_long ? get_be32(from + 12) : get_be24(from + 5);

    if (blocks != 0 && blocks != all_ones && blocks != lun->block_count)
        return task_refuse_parameter(task, (unsigned)list->at);
    if (block_bytes != lun->block_bytes)
        return task_refuse_parameter(task, (unsigned)(list->at + (is_long ? 12 : 5)));
    return TASK_WAITS;
}

/* One page: its length is ours and only what may change differs. TASK_WAITS: it is in 'mode'. */
static enum task_step take_page(const struct lun *lun, struct scsi_task *task, struct list *list,
                                struct mode_parameters *mode)
{
    const uint8_t *from = list->data + list->at;
    const struct mode_page *page = page_of(from[0] & 0x3f);
    uint8_t now[MOST_PAGE_BYTES] = {0};

    if (!page || from[0] & 0x40) /* SPF: no page has subpages */
        return task_refuse_parameter(task, (unsigned)list->at);
    if (list->bytes - list->at < 2)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    if (from[1] != page->bytes)
        return task_refuse_parameter(task, (unsigned)list->at + 1);
    if (list->bytes - list->at < 2u + page->bytes)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    page->fill(lun, &lun->mode, now);
    for (unsigned i = 0; i < page->bytes; i++)
        if ((from[2 + i] ^ now[i]) & ~changeable_of(lun, page)[i])
            return task_refuse_parameter(task, (unsigned)list->at + 2 + i);
    if (page->take)
        page->take(mode, from + 2);
    list->at += 2u + page->bytes;
    return TASK_WAITS;
}

static void change_mode(struct lun *lun, struct scsi_task *task, const struct mode_parameters *mode)
{
    if (memcmp(&lun->mode, mode, sizeof(*mode)) != 0)
        lun_attention(lun, ATTENTION_MODE_CHANGED, task->nexus);
    lun->mode = *mode;
    if (task->cdb[1] & CDB_SP)
        lun->saved_mode = *mode;
}

static enum task_step select_mode(struct lun *lun, struct scsi_task *task, uint64_t list_bytes,
                                  bool is_10)
{
    struct list list = {.bytes = (size_t)list_bytes, .at = is_10 ? 8 : 4};
    struct mode_parameters mode = lun->mode;

    task->transfer_bytes = list_bytes;
    if (!(task->cdb[1] & CDB_PF))
        return task_refuse_field(task, 1, 4);
    if (list_bytes == 0)
        return task_good(task);
    if (list_bytes < list.at || list_bytes > sizeof(list.data) ||
        buf_bytes(task->data_out) < list_bytes)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    buf_read(task->data_out, 0, list.data, list.bytes);
    size_t descriptor_bytes = is_10 ? get_be16(list.data + 6) : list.data[3];
    size_t one = is_10 && list.data[4] & 1 ? 16 : 8;

    if (descriptor_bytes != 0 && descriptor_bytes != one)
        return task_refuse_parameter(task, is_10 ? 6 : 3);
    if (descriptor_bytes > list.bytes - list.at)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    if (descriptor_bytes > 0 && check_descriptor(lun, task, &list, one) == TASK_DONE)
        return TASK_DONE;
    list.at += descriptor_bytes;
    while (list.at < list.bytes)
        if (take_page(lun, task, &list, &mode) == TASK_DONE)
            return TASK_DONE;
    change_mode(lun, task, &mode);
    return task_good(task);
}

enum task_step start_mode_select_6(struct lun *lun, struct scsi_task *task)
{
    return select_mode(lun, task, task->cdb[4], false);
}

enum task_step start_mode_select_10(struct lun *lun, struct scsi_task *task)
{
    return select_mode(lun, task, get_be16(task->cdb + 7), true);
}
