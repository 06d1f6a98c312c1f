/* EXTENDED COPY (LID1), RECEIVE COPY STATUS (LID1), RECEIVE COPY OPERATING PARAMETERS (SPC-4, 6.4,
 * 6.25 and 6.22): the target moves blocks by itself, within a disk or from one to another.
 *
 * The parameter list stays in the task's data-out and is read as it is needed; the step of the task
 * says which piece of which segment is next. Each piece is read, then written.
 */
#include "target/copy.h"

#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "target/blocks.h"
#include "target/start.h"
#include "target/task_set.h"

#define HEADER_BYTES       16u
#define CSCD_BYTES         32u
#define MOST_CSCDS         16u
#define MOST_SEGMENTS      16u
#define MOST_LIST_BYTES    2048u /* of descriptors: one more than the most of either kind fits */
#define MOST_SEGMENT_BYTES (UINT32_C(32) << 20)
#define PIECES_PER_SEGMENT 64u
#define CSCD_BY_ID         0xe4u /* identification descriptor (6.4.5.2) */
#define LIST_ID_USAGE      0x18u
#define USAGE_KEEP_NOTHING 0x18u

static_assert(PIECES_PER_SEGMENT * BLOCKS_PIECE_BYTES > MOST_SEGMENT_BYTES, "a step names a piece");

enum segment_type {
    SEGMENT_BLOCKS = 0x02, /* block device to block device (6.4.6.5) */
    SEGMENT_BYTES = 0x0a,  /* the same with byte offsets (6.4.6.13) */
};

#define REFUSE_IN_PROGRESS       REFUSAL(SCSI_ILLEGAL_REQUEST, 0x0016)
#define REFUSE_MANY_CSCDS        REFUSAL(SCSI_ILLEGAL_REQUEST, 0x2606)
#define REFUSE_CSCD_TYPE         REFUSAL(SCSI_ILLEGAL_REQUEST, 0x2607)
#define REFUSE_MANY_SEGMENTS     REFUSAL(SCSI_ILLEGAL_REQUEST, 0x2608)
#define REFUSE_SEGMENT_TYPE      REFUSAL(SCSI_ILLEGAL_REQUEST, 0x2609)
#define REFUSE_UNREACHABLE_INDEX REFUSAL(SCSI_COPY_ABORTED, 0x0804)
#define REFUSE_UNREACHABLE       REFUSAL(SCSI_COPY_ABORTED, 0x0d02)
#define REFUSE_COPY_ABORTED      REFUSAL(SCSI_COPY_ABORTED, 0x0000)

/* The list. */

struct list {
    uint8_t id;
    bool is_kept; /* its status may be asked for */
    uint16_t cscd_bytes;
    uint32_t segment_bytes;
    uint32_t inline_bytes;
};

static struct list list_of(const struct scsi_task *task)
{
    uint8_t header[HEADER_BYTES];

    buf_read(task->data_out, 0, header, sizeof(header));
    return (struct list){.id = header[0],
                         .is_kept = (header[1] & LIST_ID_USAGE) != USAGE_KEEP_NOTHING,
                         .cscd_bytes = get_be16(header + 2),
                         .segment_bytes = get_be32(header + 8),
                         .inline_bytes = get_be32(header + 12)};
}

/* A segment: from where to where, in bytes. */
struct segment {
    size_t list_bytes; /* of its descriptor */
    uint16_t source_index;
    uint16_t target_index;
    bool counts_target_blocks; /* DC */
    enum segment_type type;
    uint32_t count;
    uint64_t source_lba;
    uint64_t target_lba;
    uint16_t source_offset;
    uint16_t target_offset;
};

static size_t bytes_of_segment(uint8_t type)
{
    switch (type) {
    case SEGMENT_BLOCKS:
        return 28;
    case SEGMENT_BYTES:
        return 32;
    default:
        return 0;
    }
}

/* The segment at 'offset' of the list; its descriptor lies inside. */
static struct segment segment_at(const struct scsi_task *task, size_t offset)
{
    uint8_t d[32] = {0};
    struct segment segment = {0};

    buf_read(task->data_out, offset, d, 1);
    segment.list_bytes = bytes_of_segment(d[0]);
    buf_read(task->data_out, offset, d, segment.list_bytes);
    segment.type = (enum segment_type)d[0];
    segment.counts_target_blocks = d[1] & 0x02;
    segment.source_index = get_be16(d + 4);
    segment.target_index = get_be16(d + 6);
    segment.count = segment.type == SEGMENT_BYTES ? get_be32(d + 8) : get_be16(d + 10);
    segment.source_lba = get_be64(d + 12);
    segment.target_lba = get_be64(d + 20);
    if (segment.type == SEGMENT_BYTES) {
        segment.source_offset = get_be16(d + 28);
        segment.target_offset = get_be16(d + 30);
    }
    return segment;
}

/* The descriptors of CSCDs, all of the same length. TASK_WAITS: good. */
static enum task_step check_cscds(struct scsi_task *task, const struct list *list)
{
    for (uint32_t at = 0; at < list->cscd_bytes; at += CSCD_BYTES) {
        uint8_t type;

        buf_read(task->data_out, HEADER_BYTES + at, &type, 1);
        if (type != CSCD_BY_ID)
            return task_refuse(task, REFUSE_CSCD_TYPE);
        if (list->cscd_bytes - at < CSCD_BYTES)
            return task_refuse(task, REFUSE_LIST_LENGTH);
    }
    if (list->cscd_bytes / CSCD_BYTES > MOST_CSCDS)
        return task_refuse(task, REFUSE_MANY_CSCDS);
    return TASK_WAITS;
}

static enum task_step check_segments(struct scsi_task *task, const struct list *list)
{
    size_t first = HEADER_BYTES + list->cscd_bytes;
    unsigned count = 0;

    for (uint32_t at = 0; at < list->segment_bytes; count++) {
        uint8_t head[4] = {0};
        size_t left = list->segment_bytes - at;

        buf_read(task->data_out, first + at, head, left < sizeof(head) ? left : sizeof(head));
        size_t bytes = bytes_of_segment(head[0]);

        if (bytes == 0)
            return task_refuse(task, REFUSE_SEGMENT_TYPE);
        if (bytes > left)
            return task_refuse(task, REFUSE_LIST_LENGTH);
        if (get_be16(head + 2) != bytes - 4)
            return task_refuse_parameter(task, (unsigned)(first + at + 2));
        at += (uint32_t)bytes;
    }
    return count > MOST_SEGMENTS ? task_refuse(task, REFUSE_MANY_SEGMENTS) : TASK_WAITS;
}

static enum task_step check_list(struct scsi_task *task, uint32_t list_bytes)
{
    if (list_bytes < HEADER_BYTES || buf_bytes(task->data_out) < list_bytes)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    struct list list = list_of(task);

    if ((uint64_t)list.cscd_bytes + list.segment_bytes > MOST_LIST_BYTES)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    if (list.inline_bytes != 0)
        return task_refuse_parameter(task, 12);
    if (HEADER_BYTES + list.cscd_bytes + list.segment_bytes > list_bytes)
        return task_refuse(task, REFUSE_LIST_LENGTH);
    if (check_cscds(task, &list) == TASK_DONE)
        return TASK_DONE;
    return check_segments(task, &list);
}

/* Who is meant. */

static bool is_named(const struct lun *lun, const uint8_t *cscd)
{
    uint8_t naa[8];

    put_be64(naa, lun->naa_id);
    if ((cscd[5] & 0x0f) == 3) /* NAA */
        return cscd[7] == sizeof(naa) && memcmp(cscd + 8, naa, sizeof(naa)) == 0;
    if ((cscd[5] & 0x0f) == 1) { /* T10 vendor ID: as VPD page 83h has it, cut at 20 bytes */
        uint8_t id[8 + LUN_SERIAL_BYTES];
        size_t bytes = 8 + strlen(lun->serial);

        memset(id, ' ', 8);
        memcpy(id, lun->device->vendor, strlen(lun->device->vendor));
        memcpy(id + 8, lun->serial, bytes - 8);
        return cscd[7] == (bytes < 20 ? bytes : 20) && memcmp(cscd + 8, id, cscd[7]) == 0;
    }
    return false;
}

/* The disk of a CSCD descriptor, which this nexus could use for 'access' directly; else NULL. */
static struct lun *find_cscd(const struct scsi_task *task, const struct list *list, uint16_t index,
                             enum access access, unsigned *ret_refusal)
{
    const struct device *device = task->nexus->device;
    uint8_t cscd[CSCD_BYTES];

    *ret_refusal = REFUSE_UNREACHABLE_INDEX;
    if (index >= list->cscd_bytes / CSCD_BYTES)
        return NULL;
    buf_read(task->data_out, HEADER_BYTES + (size_t)index * CSCD_BYTES, cscd, sizeof(cscd));
    *ret_refusal = REFUSE_UNREACHABLE;
    for (uint16_t number = 0; number < device->lun_limit; number++) {
        struct lun *lun = device->luns[number];

        if (!lun || !is_named(lun, cscd))
            continue;
        if (get_be24(cscd + 29) != lun->block_bytes || !pr_allows(lun, task->nexus, access) ||
            (lun->reserved_by && lun->reserved_by != task->nexus) || lun->is_ejected ||
            lun->sanitize.is_running)
            return NULL;
        if (access == ACCESS_WRITE && (lun->is_read_only || lun->mode.software_write_protect))
            return NULL;
        return lun;
    }
    return NULL;
}

/* A segment with its disks. */
struct work {
    struct lun *source;
    struct lun *target;
    uint64_t from; /* bytes */
    uint64_t to;
    uint64_t bytes;
};

static bool is_inside(const struct lun *lun, uint64_t lba, uint64_t offset, uint64_t bytes)
{
    return lba <= lun->block_count && offset + bytes <= (lun->block_count - lba)
                                                            << lun->block_shift;
}

/* False: '*ret_refusal' says why it cannot be done. */
static bool find_work(const struct scsi_task *task, const struct list *list,
                      const struct segment *segment, struct work *ret_work, unsigned *ret_refusal)
{
    struct work work = {0};

    work.source = find_cscd(task, list, segment->source_index, ACCESS_READ, ret_refusal);
    if (!work.source)
        return false;
    work.target = find_cscd(task, list, segment->target_index, ACCESS_WRITE, ret_refusal);
    if (!work.target)
        return false;
    const struct lun *counted = segment->counts_target_blocks ? work.target : work.source;

    work.bytes = segment->type == SEGMENT_BYTES ? segment->count
                                                : (uint64_t)segment->count << counted->block_shift;
    *ret_refusal = REFUSE_PARAMETER;
    if (work.bytes > MOST_SEGMENT_BYTES)
        return false;
    *ret_refusal = REFUSE_COPY_ABORTED;
    if (!is_inside(work.source, segment->source_lba, segment->source_offset, work.bytes) ||
        !is_inside(work.target, segment->target_lba, segment->target_offset, work.bytes))
        return false;
    work.from = (segment->source_lba << work.source->block_shift) + segment->source_offset;
    work.to = (segment->target_lba << work.target->block_shift) + segment->target_offset;
    *ret_work = work;
    return true;
}

/* What the nexus may ask later. */

static struct copy_list *copies_of(const struct scsi_task *task)
{
    return &nexus_at(task->nexus, task->at)->copies;
}

static struct copy_entry *find_copy(struct copy_list *copies, uint8_t list_id)
{
    for (size_t i = 0; i < COPY_MOST_KEPT; i++)
        if (copies->entries[i].is_used && copies->entries[i].list_id == list_id)
            return &copies->entries[i];
    return NULL;
}

/* Its task is in the set: it was not taken away by an abort or a crash. */
static bool is_alive(const struct scsi_task *asking, uint8_t list_id)
{
    for (const struct scsi_task *task = asking->at->first_task; task; task = task->next)
        if (task != asking && task->place == TASK_ENABLED && task->cdb[0] == SCSI_EXTENDED_COPY &&
            task->nexus == asking->nexus && list_of(task).id == list_id)
            return true;
    return false;
}

static void keep_copy(struct copy_list *copies, uint8_t list_id)
{
    struct copy_entry *entry = find_copy(copies, list_id);

    if (!entry) {
        entry = &copies->entries[copies->next];
        copies->next = (uint8_t)((copies->next + 1) % COPY_MOST_KEPT);
    }
    *entry = (struct copy_entry){.is_used = true, .list_id = list_id, .state = COPY_RUNNING};
}

static struct copy_entry *own_copy(const struct scsi_task *task)
{
    struct list list = list_of(task);

    return list.is_kept ? find_copy(copies_of(task), list.id) : NULL;
}

/* The end of the copy, with the result that stands in the task. */
static enum task_step end_copy(struct scsi_task *task)
{
    struct copy_entry *entry = own_copy(task);

    if (entry)
        entry->state = task->status == SCSI_GOOD ? COPY_DONE : COPY_FAILED;
    return TASK_DONE;
}

/* Copying. */

static unsigned segment_number(const struct scsi_task *task)
{
    return task->step / PIECES_PER_SEGMENT;
}

/* The segment that is next; false: there are no more. */
static bool next_segment(const struct scsi_task *task, const struct list *list,
                         struct segment *ret_segment)
{
    size_t at = HEADER_BYTES + list->cscd_bytes;
    size_t end = at + list->segment_bytes;
    unsigned number = segment_number(task);

    while (at < end) {
        *ret_segment = segment_at(task, at);
        if (number-- == 0)
            return true;
        at += ret_segment->list_bytes;
    }
    return false;
}

/* The next piece; from the end when the target lies in what is still to be read. */
static struct block_piece piece_of(const struct scsi_task *task, const struct work *work)
{
    uint32_t number = task->step % PIECES_PER_SEGMENT;
    struct block_piece piece = block_piece_at(number, work->bytes);
    bool is_backward = work->source == work->target && work->to > work->from &&
                       work->to < work->from + work->bytes;

    if (is_backward && piece.bytes > 0)
        piece.offset = work->bytes - piece.offset - piece.bytes;
    return piece;
}

static void on_read(struct store_request *request);
static void on_written(struct store_request *request);

static void request_at(struct scsi_task *task, struct lun *lun, struct store_request request,
                       void (*on_done)(struct store_request *request))
{
    task->request = request;
    task->request.on_done = on_done;
    task->waits_for = WAITS_FOR_STORE;
    store_submit(lun->store, &task->request);
}

static enum task_step copy_next(struct scsi_task *task)
{
    struct list list = list_of(task);
    struct segment segment;
    unsigned refusal = 0;

    while (next_segment(task, &list, &segment)) {
        struct work work;
        struct copy_entry *entry = own_copy(task);

        if (!find_work(task, &list, &segment, &work, &refusal)) {
            task_refuse(task, refusal);
            return end_copy(task);
        }
        struct block_piece piece = piece_of(task, &work);

        if (piece.bytes > 0) {
            request_at(task, work.source,
                       (struct store_request){.op = STORE_READ,
                                              .offset = work.from + piece.offset,
                                              .bytes = piece.bytes},
                       on_read);
            return TASK_WAITS;
        }
        if (entry)
            entry->segments++;
        task->step = (segment_number(task) + 1) * PIECES_PER_SEGMENT;
    }
    task_good(task);
    return end_copy(task);
}

/* A request failed, or the task was aborted: nothing more is done. */
static bool is_over(struct store_request *request, struct scsi_task *task)
{
    if (request->result != STORE_OK) {
        task_refuse(task, REFUSE_COPY_ABORTED);
    } else if (task->abort_order != 0) {
        buf_free(request->data);
        request->data = NULL;
        task_refuse(task, REFUSE_COPY_ABORTED);
    } else {
        return false;
    }
    end_copy(task);
    task_set_finish(task);
    return true;
}

static void on_read(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);
    struct list list;
    struct segment segment;
    struct work work;
    unsigned refusal = 0;

    if (is_over(request, task))
        return;
    list = list_of(task);
    /* A reservation may have come meanwhile: it counts at execution. */
    if (!next_segment(task, &list, &segment) ||
        !find_work(task, &list, &segment, &work, &refusal)) {
        buf_free(request->data);
        request->data = NULL;
        task_refuse(task, refusal);
        end_copy(task);
        task_set_finish(task);
        return;
    }
    struct block_piece piece = piece_of(task, &work);

    request_at(task, work.target,
               (struct store_request){.op = STORE_WRITE,
                                      .offset = work.to + piece.offset,
                                      .bytes = piece.bytes,
                                      .force_unit_access = work.target->mode.is_write_through,
                                      .data = request->data},
               on_written);
}

static void on_written(struct store_request *request)
{
    struct scsi_task *task = CONTAINER_OF(request, struct scsi_task, request);
    struct copy_entry *entry = own_copy(task);
    uint64_t bytes = request->bytes;

    if (is_over(request, task))
        return;
    if (entry)
        entry->bytes += bytes;
    task->step++;
    if (copy_next(task) == TASK_DONE)
        task_set_finish(task);
}

uint64_t extended_copy_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    uint32_t bytes = get_be32(cdb + 10);

    (void)lun;
    return bytes <= HEADER_BYTES + MOST_LIST_BYTES ? bytes : HEADER_BYTES + MOST_LIST_BYTES;
}

enum task_step start_extended_copy(struct lun *lun, struct scsi_task *task)
{
    uint32_t list_bytes = get_be32(task->cdb + 10);
    struct copy_entry *entry;

    (void)lun;
    if (list_bytes == 0)
        return task_good(task);
    if (check_list(task, list_bytes) == TASK_DONE)
        return TASK_DONE;
    task->transfer_bytes = list_bytes;
    entry = own_copy(task);
    if (entry && entry->state == COPY_RUNNING && is_alive(task, entry->list_id))
        return task_refuse(task, REFUSE_IN_PROGRESS);
    if (list_of(task).is_kept)
        keep_copy(copies_of(task), list_of(task).id);
    return copy_next(task);
}

/* RECEIVE COPY RESULTS. */

/* Bytes until they need 32 bits no more: then KiB, MiB (SPC-4, table 176). */
static void put_transfer_count(uint8_t *to, uint64_t bytes)
{
    uint8_t unit = 0;

    for (; bytes > UINT32_MAX; unit++)
        bytes >>= 10;
    to[0] = unit;
    put_be32(to + 1, (uint32_t)bytes);
}

enum task_step start_copy_status(struct lun *lun, struct scsi_task *task)
{
    struct copy_entry *entry = find_copy(copies_of(task), task->cdb[2]);
    uint8_t data[12] = {0};

    if (!entry)
        return task_refuse_field(task, 2, 7);
    if (entry->state == COPY_RUNNING && !is_alive(task, entry->list_id))
        entry->state = COPY_FAILED;
    put_be32(data, sizeof(data) - 4);
    data[4] = (uint8_t)entry->state;
    put_be16(data + 5, entry->segments);
    put_transfer_count(data + 7, entry->bytes);
    if (entry->state != COPY_RUNNING)
        entry->is_used = false;
    return task_reply(task, lun->device->pool, data, sizeof(data), get_be32(task->cdb + 10));
}

static const uint8_t implemented[] = {SEGMENT_BLOCKS, SEGMENT_BYTES, CSCD_BY_ID};

enum task_step start_copy_parameters(struct lun *lun, struct scsi_task *task)
{
    uint8_t data[44 + sizeof(implemented)] = {0};

    put_be32(data, sizeof(data) - 4);
    data[4] = 0x01; /* SNLID: LIST ID USAGE 11b works */
    put_be16(data + 8, MOST_CSCDS);
    put_be16(data + 10, MOST_SEGMENTS);
    put_be32(data + 12, MOST_LIST_BYTES);
    put_be32(data + 16, MOST_SEGMENT_BYTES);
    put_be16(data + 34, COPY_MOST_KEPT); /* TOTAL CONCURRENT COPIES */
    data[36] = COPY_MOST_KEPT;
    data[37] = 9; /* granularity: 512 bytes */
    data[43] = sizeof(implemented);
    memcpy(data + 44, implemented, sizeof(implemented));
    return task_reply(task, lun->device->pool, data, sizeof(data), get_be32(task->cdb + 10));
}

/* A descriptor of page 8Fh: its type, and its length in whole words. Returns where its value goes;
 * the bytes are zero. */
static uint8_t *describe(uint8_t *to, size_t *at, uint16_t type, size_t value_bytes)
{
    uint8_t *value = to + *at + 4;

    value_bytes = (value_bytes + 3) / 4 * 4;
    memset(value - 4, 0, 4 + value_bytes);
    put_be16(value - 4, type);
    put_be16(value - 2, (uint16_t)value_bytes);
    *at += 4 + value_bytes;
    assert(*at <= COPY_DESCRIPTION_BYTES);
    return value;
}

size_t copy_describe(uint8_t *to)
{
    /* Operation code, number of service actions, service actions. */
    static const uint8_t commands[] = {
        SCSI_EXTENDED_COPY, 1, 0x00, SCSI_RECEIVE_COPY_RESULTS, 2, 0x00, 0x03};
    size_t at = 0;
    uint8_t *value = describe(to, &at, 0x0001, 1 + sizeof(commands)); /* supported commands */

    value[0] = sizeof(commands);
    memcpy(value + 1, commands, sizeof(commands));
    value = describe(to, &at, 0x0004, 28); /* parameter data */
    put_be16(value + 4, MOST_CSCDS);
    put_be16(value + 6, MOST_SEGMENTS);
    put_be32(value + 8, MOST_LIST_BYTES);
    value = describe(to, &at, 0x0008, 1 + sizeof(implemented)); /* supported descriptors */
    value[0] = sizeof(implemented);
    memcpy(value + 1, implemented, sizeof(implemented));
    describe(to, &at, 0x000c, 2); /* supported CSCD identifiers: none beyond the list's own */
    value = describe(to, &at, 0x8001, 32); /* general copy operations */
    put_be32(value, COPY_MOST_KEPT);
    put_be32(value + 4, COPY_MOST_KEPT);
    put_be32(value + 8, MOST_SEGMENT_BYTES);
    value[12] = 9; /* granularity: 512 bytes */
    return at;
}
