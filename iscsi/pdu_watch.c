/* The watch of one connection end: its life, and who of its parts sees what. */
#include "iscsi/pdu_watch.h"

#include "iscsi/pdu_watch_inside.h"
#include "sim/core/buf.h"

#include <stdarg.h>
#include <stdio.h>

struct pdu_watch *pdu_watch_new(struct pool *pool, bool is_target_end)
{
    struct pdu_watch *watch = pool_take(pool, sizeof(*watch));

    *watch = (struct pdu_watch){.is_target_end = is_target_end};
    watch_tasks_init(&watch->tasks, pool);
    return watch;
}

void pdu_watch_free(struct pdu_watch *watch)
{
    if (!watch)
        return;
    struct pool *pool = watch->tasks.pool;

    watch_tasks_fini(&watch->tasks);
    pool_give(pool, watch, sizeof(*watch));
}

void pdu_watch_set_params(struct pdu_watch *watch, const struct iscsi_params *params)
{
    watch->params = *params;
    watch->has_params = true;
}

uint32_t pdu_watch_living(const struct pdu_watch *watch)
{
    return watch->tasks.living;
}

void watch_broken(struct pdu_watch *watch, const char *rule, const char *format, ...)
{
    va_list values;

    if (watch->is_broken)
        return;
    watch->is_broken = true;
    watch->broken->rule = rule;
    va_start(values, format);
    vsnprintf(watch->broken->text, sizeof(watch->broken->text), format, values);
    va_end(values);
}

void watch_judge_segment(struct pdu_watch *watch, const struct pdu *pdu)
{
    uint32_t most = watch->params.peer_max_recv_segment_bytes;

    if (watch->has_params && pdu->data_bytes > most)
        watch_broken(watch, "P3", "%s with %u bytes of data, MaxRecvDataSegmentLength is %u",
                     pdu_name(pdu->opcode), pdu->data_bytes, most);
}

void pdu_watch_fetch(const struct pdu_watch *watch, uint32_t itt)
{
    watch_tasks_fetch(&watch->tasks, itt);
}

bool pdu_watch_see(struct pdu_watch *watch, const uint8_t header[PDU_HEADER_BYTES],
                   bool is_from_target, struct pdu_break *ret_break)
{
    struct pdu pdu;

    if (watch->is_broken || pdu_decode(header, &pdu) == PDU_BAD_OPCODE ||
        pdu_is_from_target(pdu.opcode) != is_from_target)
        return false;
    watch->order++;
    watch->broken = ret_break;
    if (is_from_target)
        watch_see_answer(watch, &pdu);
    else
        watch_see_request(watch, &pdu);
    return watch->is_broken;
}
