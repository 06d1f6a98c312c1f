/* SANITIZE: see sanitize.h. */
#include "target/sanitize.h"

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "target/blocks.h"
#include "target/start.h"
#include "target/task_set.h"

#define IMMED_BIT    0x80u
#define AUSE_BIT     0x20u
#define HEADER_BYTES 4u
#define INVERT_BIT   0x80u
#define TEST_BITS    0x60u
#define COUNT_BITS   0x1fu

/* The work in the background. */

static int64_t now_ns(const struct lun *lun)
{
    return clock_now_ns(lun->device->clock);
}

static uint64_t medium_bytes(const struct lun *lun)
{
    return lun->block_count << lun->block_shift;
}

static void free_pattern(struct sanitize *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(s->pattern); i++) {
        buf_free(s->pattern[i]);
        s->pattern[i] = NULL;
    }
}

static void end_waiter(struct sanitize *s)
{
    struct scsi_task *task = s->waiter;

    s->waiter = NULL;
    if (!task)
        return;
    if (s->has_failed)
        task_refuse(task, REFUSE_SANITIZE_FAILED);
    else
        task_good(task);
    task_set_finish(task);
}

static void end(struct sanitize *s)
{
    s->is_running = false;
    free_pattern(s);
    end_waiter(s);
}

static void end_in_time(struct lun *lun)
{
    struct sanitize *s = &lun->sanitize;
    int64_t ends_at_ns = time_after(s->started_at_ns, s->least_ns);

    if (now_ns(lun) >= ends_at_ns)
        end(s);
    else
        clock_arm(lun->device->clock, &s->timer, ends_at_ns);
}

static void end_by_timer(struct timer *timer)
{
    end(CONTAINER_OF(timer, struct sanitize, timer));
}

static void on_piece_done(struct store_request *request);

static void submit(struct lun *lun)
{
    struct sanitize *s = &lun->sanitize;
    struct block_piece piece = block_piece_at(s->piece, medium_bytes(lun));

    if (piece.bytes == 0) {
        s->piece = 0;
        s->pass++;
        piece = block_piece_at(0, medium_bytes(lun));
    }
    s->is_flushing = s->pass == s->pass_count;
    if (s->is_flushing)
        s->request = (struct store_request){.op = STORE_FLUSH};
    else if (s->is_erase)
        s->request =
            (struct store_request){.op = STORE_PUNCH, .offset = piece.offset, .bytes = piece.bytes};
    else
        s->request = (struct store_request){
            .op = STORE_WRITE,
            .offset = piece.offset,
            .bytes = piece.bytes,
            .data = buf_share(s->pattern[s->inverts && s->pass % 2], 0, piece.bytes)};
    s->request.on_done = on_piece_done;
    store_submit(lun->store, &s->request);
}

static void on_piece_done(struct store_request *request)
{
    struct sanitize *s = CONTAINER_OF(request, struct sanitize, request);

    if (request->result != STORE_OK) {
        s->has_failed = true;
        end(s);
    } else if (s->is_flushing) {
        end_in_time(s->lun);
    } else {
        s->piece++;
        submit(s->lun);
    }
}

void sanitize_init(struct lun *lun, int64_t least_ns)
{
    lun->sanitize = (struct sanitize){.lun = lun, .least_ns = least_ns};
    timer_init(&lun->sanitize.timer, end_by_timer);
}

void sanitize_leave(struct lun *lun)
{
    lun->sanitize.waiter = NULL;
}

void sanitize_crash(struct lun *lun)
{
    struct sanitize *s = &lun->sanitize;

    if (s->is_running && !timer_is_armed(&s->timer))
        submit(lun);
}

/* The slower of the medium and the least duration. */
uint16_t sanitize_progress(const struct lun *lun)
{
    const struct sanitize *s = &lun->sanitize;
    uint64_t pieces = (medium_bytes(lun) - 1) / BLOCKS_PIECE_BYTES + 1;
    uint64_t done = (s->pass * pieces + s->piece) * UINT16_MAX / (s->pass_count * pieces);
    int64_t passed_ms = (now_ns(lun) - s->started_at_ns) / MS(1);
    int64_t least_ms = s->least_ns / MS(1);

    if (least_ms > 0 && passed_ms < least_ms) {
        uint64_t by_time = (uint64_t)passed_ms * UINT16_MAX / (uint64_t)least_ms;

        done = by_time < done ? by_time : done;
    }
    return done < UINT16_MAX ? (uint16_t)done : UINT16_MAX;
}

/* The command. */

static enum task_step begin(struct lun *lun, struct scsi_task *task)
{
    struct sanitize *s = &lun->sanitize;

    s->is_running = true;
    s->has_failed = false;
    s->allows_exit = task->cdb[1] & AUSE_BIT;
    s->pass = 0;
    s->piece = 0;
    s->started_at_ns = now_ns(lun);
    submit(lun);
    if (task->cdb[1] & IMMED_BIT)
        return task_good(task);
    s->waiter = task;
    task->waits_for = WAITS_FOR_SANITIZE;
    return TASK_WAITS;
}

enum task_step start_sanitize_erase(struct lun *lun, struct scsi_task *task)
{
    if (block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    lun->sanitize.is_erase = true;
    lun->sanitize.pass_count = 1;
    return begin(lun, task);
}

enum task_step start_sanitize_exit(struct lun *lun, struct scsi_task *task)
{
    if (block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    if (lun->sanitize.has_failed && !lun->sanitize.allows_exit)
        return task_refuse_field(task, 1, 4);
    lun->sanitize.has_failed = false;
    return task_good(task);
}

uint64_t sanitize_data_bytes(const struct lun *lun, const uint8_t *cdb)
{
    (void)lun;
    return get_be16(cdb + 7);
}

/* Each block begins with the pattern, which is repeated to its end. */
static void take_pattern(struct lun *lun, const uint8_t *pattern, size_t bytes)
{
    uint8_t block[MOST_BLOCK_BYTES];
    uint64_t piece_bytes = block_piece_at(0, medium_bytes(lun)).bytes;

    for (size_t i = 0; i < lun->block_bytes; i++)
        block[i] = pattern[i % bytes];
    lun->sanitize.pattern[0] = block_repeat(lun, block, piece_bytes);
    for (size_t i = 0; i < lun->block_bytes; i++)
        block[i] = (uint8_t)~block[i];
    lun->sanitize.pattern[1] = block_repeat(lun, block, piece_bytes);
}

enum task_step start_sanitize_overwrite(struct lun *lun, struct scsi_task *task)
{
    uint8_t list[HEADER_BYTES + MOST_BLOCK_BYTES];
    size_t list_bytes = get_be16(task->cdb + 7);

    if (block_write_check(lun, task) == TASK_DONE)
        return TASK_DONE;
    if (list_bytes <= HEADER_BYTES || list_bytes > HEADER_BYTES + lun->block_bytes)
        return task_refuse_field(task, 7, 7);
    if (buf_bytes(task->data_out) < list_bytes)
        return task_refuse_field(task, 7, 7);
    buf_read(task->data_out, 0, list, list_bytes);
    if (list[0] & TEST_BITS || (list[0] & COUNT_BITS) == 0)
        return task_refuse_parameter(task, 0);
    if (get_be16(list + 2) != list_bytes - HEADER_BYTES)
        return task_refuse_parameter(task, 2);
    task->transfer_bytes = list_bytes;
    lun->sanitize.is_erase = false;
    lun->sanitize.inverts = list[0] & INVERT_BIT;
    lun->sanitize.pass_count = list[0] & COUNT_BITS;
    take_pattern(lun, list + HEADER_BYTES, list_bytes - HEADER_BYTES);
    return begin(lun, task);
}
