/* What a host asks a path after each login. */
#include "initiator/scan.h"

#include "iscsi/scsi.h"
#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MOST     (8u + 8u * SCAN_LUNS_MOST) /* REPORT LUNS is the longest */
#define ATTENTIONS_MOST 16u
#define BUSY_MOST       60u
#define BUSY_WAIT_NS    SECONDS(1) /* as a host's disk driver asks a LUN that becomes ready */

enum step_need {
    MUST,    /* a LUN without it is no disk for us */
    MAY,     /* skipped if refused */
    IF_PAGE, /* if VPD 00h lists the page */
    IF_TPGS,
};

struct step {
    const char *name;
    enum step_need need;
    uint8_t page;   /* IF_PAGE */
    uint32_t bytes; /* allocation length */
    uint8_t cdb[16];
    bool (*take)(struct scan *scan, struct scan_lun *lun, const uint8_t *data, uint32_t bytes);
};

/* What the answers say. Each returns false if the answer cannot be right. */

static bool take_luns(struct scan *scan, struct scan_lun *none, const uint8_t *data, uint32_t bytes)
{
    (void)none;
    if (bytes < 8)
        return false;
    uint32_t list_bytes = get_be32(data);
    uint32_t count = (list_bytes < bytes - 8 ? list_bytes : bytes - 8) / 8;

    if (count > SCAN_LUNS_MOST)
        count = SCAN_LUNS_MOST;
    scan->luns = mem_resize(scan->luns, count, sizeof(*scan->luns));
    for (uint32_t i = 0; i < count; i++)
        scan->luns[i] = (struct scan_lun){.lun = get_be64(data + 8 + (size_t)8 * i)};
    scan->lun_count = count;
    return true;
}

static bool take_inquiry(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                         uint32_t bytes)
{
    (void)scan;
    if (bytes < 36 || data[0] != 0) /* connected, and a direct access block device */
        return false;
    lun->tpgs = data[5] >> 4 & 3;
    return true;
}

static bool take_nothing(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                         uint32_t bytes)
{
    (void)scan, (void)lun, (void)data, (void)bytes;
    return true;
}

/* The part of a VPD page after its header; false if this is not that page. */
static bool page_body(const uint8_t *data, uint32_t bytes, uint8_t page, const uint8_t **ret_body,
                      uint32_t *ret_bytes)
{
    if (bytes < 4 || data[1] != page)
        return false;
    uint32_t body_bytes = get_be16(data + 2);

    *ret_body = data + 4;
    *ret_bytes = body_bytes < bytes - 4 ? body_bytes : bytes - 4;
    return true;
}

static bool take_page_list(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                           uint32_t bytes)
{
    const uint8_t *body;
    uint32_t body_bytes;

    (void)lun;
    if (!page_body(data, bytes, SCSI_VPD_SUPPORTED_PAGES, &body, &body_bytes))
        return false;
    scan->page_count = body_bytes < sizeof(scan->pages) ? body_bytes : sizeof(scan->pages);
    memcpy(scan->pages, body, scan->page_count);
    return true;
}

static bool take_serial(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                        uint32_t bytes)
{
    const uint8_t *body;
    uint32_t body_bytes;

    (void)scan;
    if (!page_body(data, bytes, SCSI_VPD_UNIT_SERIAL_NUMBER, &body, &body_bytes))
        return false;
    while (body_bytes > 0 && (body[0] == ' ' || body[0] == 0)) {
        body++;
        body_bytes--;
    }
    while (body_bytes > 0 && (body[body_bytes - 1] == ' ' || body[body_bytes - 1] == 0))
        body_bytes--;
    if (body_bytes > SCAN_SERIAL_BYTES)
        body_bytes = SCAN_SERIAL_BYTES;
    memcpy(lun->serial, body, body_bytes);
    lun->serial[body_bytes] = 0;
    return true;
}

/* Which designator names the logical unit best: NAA, EUI-64, SCSI name, T10 vendor id. */
static unsigned designator_rank(uint8_t type)
{
    static const uint8_t ranks[16] = {[3] = 4, [2] = 3, [8] = 2, [1] = 1};

    return ranks[type & 15];
}

static bool take_designators(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                             uint32_t bytes)
{
    const uint8_t *at;
    uint32_t left;
    unsigned best = 0;

    (void)scan;
    if (!page_body(data, bytes, SCSI_VPD_DEVICE_IDENTIFICATION, &at, &left))
        return false;
    while (left >= 4 && left - 4 >= at[3]) { /* SPC-4, 7.8.6.1 */
        uint32_t length = at[3];
        uint8_t association = at[1] >> 4 & 3;
        uint8_t type = at[1] & 15;

        if (association == 0 && length > 0 && designator_rank(type) > best) {
            uint32_t kept = length < MPATH_IDENTITY_BYTES ? length : MPATH_IDENTITY_BYTES;

            best = designator_rank(type);
            lun->designator_code_set = at[0] & 15;
            memset(lun->identity.designator, 0, sizeof(lun->identity.designator));
            memcpy(lun->identity.designator, at + 4, kept);
            lun->identity.designator_bytes = kept;
        } else if (association == 1 && type == 5 && length >= 4) {
            lun->port_group = get_be16(at + 6);
        }
        at += 4 + length;
        left -= 4 + length;
    }
    return best > 0;
}

static bool take_block_limits(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                              uint32_t bytes)
{
    (void)scan;
    if (bytes < 12 || data[1] != SCSI_VPD_BLOCK_LIMITS)
        return false;
    lun->max_transfer_blocks = get_be32(data + 8);
    return true;
}

static bool take_characteristics(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                                 uint32_t bytes)
{
    (void)scan;
    if (bytes < 6 || data[1] != SCSI_VPD_BLOCK_CHARACTERISTICS)
        return false;
    lun->is_rotating = get_be16(data + 4) > 1;
    return true;
}

static bool take_capacity(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                          uint32_t bytes)
{
    (void)scan;
    if (bytes < 12 || get_be64(data) == UINT64_MAX)
        return false;
    uint32_t block_bytes = get_be32(data + 8);

    if (block_bytes < 512 || block_bytes > 65536 || block_bytes % 512 != 0)
        return false;
    lun->identity.block_count = get_be64(data) + 1;
    lun->identity.block_bytes = block_bytes;
    lun->is_disk = true;
    return true;
}

static bool take_mode(struct scan *scan, struct scan_lun *lun, const uint8_t *data, uint32_t bytes)
{
    (void)scan;
    if (bytes < 4)
        return false;
    lun->is_write_protected = data[2] & 0x80;
    uint32_t page_at = 4u + data[3];

    if (page_at + 3 <= bytes && (data[page_at] & 0x3f) == SCSI_MODE_CACHING)
        lun->has_write_cache = data[page_at + 2] & 0x04; /* WCE */
    return true;
}

static bool take_port_groups(struct scan *scan, struct scan_lun *lun, const uint8_t *data,
                             uint32_t bytes)
{
    (void)scan;
    if (bytes < 4)
        return false;
    uint32_t end = get_be32(data) < bytes - 4 ? get_be32(data) + 4 : bytes;

    for (uint32_t at = 4; at + 8 <= end; at += 8 + 4u * data[at + 7]) {
        if (get_be16(data + at + 2) == lun->port_group)
            lun->access_state = data[at] & 15;
    }
    return true;
}

static const struct step steps[] = {
    {"REPORT LUNS", MUST, 0, ANSWER_MOST, {SCSI_REPORT_LUNS}, take_luns},
    {"INQUIRY", MUST, 0, 96, {SCSI_INQUIRY}, take_inquiry},
    {"TEST UNIT READY", MUST, 0, 0, {SCSI_TEST_UNIT_READY}, take_nothing},
    {"INQUIRY VPD 00h", MUST, 0, 255, {SCSI_INQUIRY, 1, SCSI_VPD_SUPPORTED_PAGES}, take_page_list},
    {"INQUIRY VPD 80h",
     IF_PAGE,
     SCSI_VPD_UNIT_SERIAL_NUMBER,
     255,
     {SCSI_INQUIRY, 1, SCSI_VPD_UNIT_SERIAL_NUMBER},
     take_serial},
    {"INQUIRY VPD 83h",
     MUST,
     0,
     1024,
     {SCSI_INQUIRY, 1, SCSI_VPD_DEVICE_IDENTIFICATION},
     take_designators},
    {"INQUIRY VPD B0h",
     IF_PAGE,
     SCSI_VPD_BLOCK_LIMITS,
     64,
     {SCSI_INQUIRY, 1, SCSI_VPD_BLOCK_LIMITS},
     take_block_limits},
    {"INQUIRY VPD B1h",
     IF_PAGE,
     SCSI_VPD_BLOCK_CHARACTERISTICS,
     64,
     {SCSI_INQUIRY, 1, SCSI_VPD_BLOCK_CHARACTERISTICS},
     take_characteristics},
    {"READ CAPACITY(16)",
     MUST,
     0,
     32,
     {SCSI_SERVICE_ACTION_IN_16, SCSI_SA_READ_CAPACITY_16},
     take_capacity},
    {"MODE SENSE(6)", MAY, 0, 192, {SCSI_MODE_SENSE_6, 0x08, SCSI_MODE_CACHING}, take_mode},
    {"REPORT TARGET PORT GROUPS",
     IF_TPGS,
     0,
     1024,
     {SCSI_MAINTENANCE_IN, SCSI_SA_REPORT_TARGET_PORT_GROUPS},
     take_port_groups},
};

#define FIRST_LUN_STEP 1u

/* The allocation length goes where the operation code has it. */
static void put_length(uint8_t *cdb, uint32_t bytes)
{
    switch (cdb[0]) {
    case SCSI_INQUIRY:
        put_be16(cdb + 3, (uint16_t)bytes);
        break;
    case SCSI_MODE_SENSE_6:
        cdb[4] = (uint8_t)bytes;
        break;
    case SCSI_SERVICE_ACTION_IN_16:
        put_be32(cdb + 10, bytes);
        break;
    case SCSI_REPORT_LUNS:
    case SCSI_MAINTENANCE_IN:
        put_be32(cdb + 6, bytes);
        break;
    default: /* TEST UNIT READY has none */
        break;
    }
}

void scan_init(struct scan *scan)
{
    *scan = (struct scan){.state = SCAN_IDLE, .retry_at_ns = TIME_NEVER};
}

void scan_fini(struct scan *scan)
{
    buf_free(scan->command.data_in);
    free(scan->luns);
    *scan = (struct scan){.state = SCAN_IDLE, .retry_at_ns = TIME_NEVER};
}

void scan_begin(struct scan *scan)
{
    scan->is_void = scan->is_out;
    scan->state = SCAN_RUNNING;
    scan->step = 0;
    scan->lun_count = 0;
    scan->lun_index = 0;
    scan->attentions = 0;
    scan->busy = 0;
    scan->retry_at_ns = TIME_NEVER;
}

void scan_break_off(struct scan *scan)
{
    scan->is_void = scan->is_out;
    scan->state = SCAN_IDLE;
    scan->retry_at_ns = TIME_NEVER;
}

static bool lists_page(const struct scan *scan, uint8_t page)
{
    return memchr(scan->pages, page, scan->page_count) != NULL;
}

static bool is_wanted(const struct scan *scan, const struct step *step)
{
    switch (step->need) {
    case MUST:
    case MAY:
        return true;
    case IF_PAGE:
        return lists_page(scan, step->page);
    case IF_TPGS:
        return scan->luns[scan->lun_index].tpgs != 0;
    }
    return false;
}

static void next_lun(struct scan *scan)
{
    scan->lun_index++;
    scan->step = FIRST_LUN_STEP;
    scan->page_count = 0;
}

/* On to the next step that this LUN is to be asked. */
static void advance(struct scan *scan)
{
    scan->attentions = 0;
    scan->busy = 0;
    if (scan->step == 0) {
        scan->lun_index = 0;
        scan->page_count = 0;
    }
    scan->step++;
    while (scan->step < ARRAY_SIZE(steps) && scan->lun_index < scan->lun_count &&
           !is_wanted(scan, &steps[scan->step]))
        scan->step++;
    if (scan->step == ARRAY_SIZE(steps))
        next_lun(scan);
    if (scan->lun_index >= scan->lun_count)
        scan->state = SCAN_DONE;
}

static void refused(struct scan *scan)
{
    if (scan->step == 0) {
        scan->state = SCAN_FAILED;
    } else if (steps[scan->step].need == MUST) {
        scan->luns[scan->lun_index].is_disk = false;
        scan->attentions = 0;
        scan->busy = 0;
        next_lun(scan);
        if (scan->lun_index >= scan->lun_count)
            scan->state = SCAN_DONE;
    } else {
        advance(scan);
    }
}

struct command *scan_next(struct scan *scan, int64_t now_ns)
{
    if (scan->state != SCAN_RUNNING || scan->is_out)
        return NULL;
    if (scan->retry_at_ns != TIME_NEVER && now_ns < scan->retry_at_ns)
        return NULL;
    const struct step *step = &steps[scan->step];

    scan->retry_at_ns = TIME_NEVER;
    scan->is_out = true;
    scan->command = (struct command){.lun = scan->step == 0 ? 0 : scan->luns[scan->lun_index].lun,
                                     .direction = step->bytes > 0 ? DATA_READ : DATA_NONE,
                                     .bytes = step->bytes};
    memcpy(scan->command.cdb, step->cdb, sizeof(scan->command.cdb));
    put_length(scan->command.cdb, step->bytes);
    return &scan->command;
}

static void ask_later(struct scan *scan, int64_t now_ns)
{
    if (++scan->busy > BUSY_MOST)
        refused(scan);
    else
        scan->retry_at_ns = time_after(now_ns, BUSY_WAIT_NS);
}

static void good_answer(struct scan *scan)
{
    uint8_t data[ANSWER_MOST];
    size_t bytes = buf_bytes(scan->command.data_in);
    struct scan_lun *lun = scan->step == 0 ? NULL : &scan->luns[scan->lun_index];

    if (bytes > sizeof(data))
        bytes = sizeof(data);
    memset(data, 0, sizeof(data));
    buf_read(scan->command.data_in, 0, data, bytes);
    if (steps[scan->step].take(scan, lun, data, (uint32_t)bytes))
        advance(scan);
    else
        refused(scan);
}

static void check_condition(struct scan *scan, int64_t now_ns)
{
    struct scsi_sense sense;

    if (!scsi_sense_parse(scan->command.sense, scan->command.sense_bytes, &sense)) {
        refused(scan);
        return;
    }
    switch (sense.key) {
    case SCSI_UNIT_ATTENTION: /* told, and gone; ask again */
        if (++scan->attentions > ATTENTIONS_MOST)
            refused(scan);
        break;
    case SCSI_NOT_READY:
        ask_later(scan, now_ns);
        break;
    default:
        refused(scan);
        break;
    }
}

static void judge(struct scan *scan, int64_t now_ns)
{
    const struct command *command = &scan->command;

    if (command->end == COMMAND_SESSION_LOST) {
        scan->state = SCAN_IDLE;
        return;
    }
    if (command->end != COMMAND_ANSWERED) {
        refused(scan);
        return;
    }
    switch (command->status) {
    case SCSI_GOOD:
        good_answer(scan);
        break;
    case SCSI_CHECK_CONDITION:
        check_condition(scan, now_ns);
        break;
    case SCSI_BUSY:
    case SCSI_TASK_SET_FULL:
        ask_later(scan, now_ns);
        break;
    default:
        refused(scan);
        break;
    }
}

void scan_command_done(struct scan *scan, int64_t now_ns)
{
    assert(scan->is_out);
    scan->is_out = false;
    if (!scan->is_void && scan->state == SCAN_RUNNING)
        judge(scan, now_ns);
    scan->is_void = false;
    buf_free(scan->command.data_in);
    scan->command.data_in = NULL;
}

int64_t scan_deadline_ns(const struct scan *scan)
{
    return scan->state == SCAN_RUNNING && !scan->is_out ? scan->retry_at_ns : TIME_NEVER;
}
