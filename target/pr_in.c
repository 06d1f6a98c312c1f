/* PERSISTENT RESERVE IN (SPC-4, 6.15). */
#include <stdlib.h>

#include "sim/core/bytes.h"
#include "sim/core/mem.h"
#include "target/pr_transport_id.h"
#include "target/start.h"

#define HEADER_BYTES     8u
#define KEY_BYTES        8u
#define DESCRIPTOR_BYTES 24u

static enum task_step reply(const struct lun *lun, struct scsi_task *task, const uint8_t *data,
                            size_t bytes)
{
    return task_reply(task, lun->device->pool, data, bytes, get_be16(task->cdb + 7));
}

/* PRGENERATION and ADDITIONAL LENGTH, which counts all there is, whatever fits. */
static void put_header(const struct lun *lun, uint8_t *data, size_t bytes)
{
    put_be32(data, lun->reservations.generation);
    put_be32(data + 4, (uint32_t)(bytes - HEADER_BYTES));
}

enum task_step start_pr_read_keys(struct lun *lun, struct scsi_task *task)
{
    const struct reservations *held = &lun->reservations;
    uint8_t data[HEADER_BYTES + PR_MOST_REGISTRATIONS * KEY_BYTES];
    size_t bytes = HEADER_BYTES;

    for (const struct registration *each = held->registrations; each; each = each->next) {
        put_be64(data + bytes, each->key);
        bytes += KEY_BYTES;
    }
    put_header(lun, data, bytes);
    return reply(lun, task, data, bytes);
}

enum task_step start_pr_read_reservation(struct lun *lun, struct scsi_task *task)
{
    const struct reservations *held = &lun->reservations;
    uint8_t data[HEADER_BYTES + 16] = {0};
    size_t bytes = HEADER_BYTES;

    if (held->type != PR_NONE) {
        bytes = sizeof(data);
        put_be64(data + 8, held->holder ? held->holder->key : 0); /* 0: all registrants */
        data[21] = (uint8_t)(PR_SCOPE_LU << 4 | held->type);
    }
    put_header(lun, data, bytes);
    return reply(lun, task, data, bytes);
}

enum task_step start_pr_report_capabilities(struct lun *lun, struct scsi_task *task)
{
    uint8_t data[8] = {0};

    put_be16(data, sizeof(data));
    data[2] = 0x08; /* SIP_C */
    if (lun->pr_record.record) {
        data[2] |= 0x01;                              /* PTPL_C */
        data[3] = lun->reservations.persists ? 1 : 0; /* PTPL_A */
    }
    data[3] |= 0x80; /* TMV: the type mask is valid */
    data[4] = 0xea;  /* WR_EX_AR, EX_AC_RO, WR_EX_RO, EX_AC, WR_EX */
    data[5] = 0x01;  /* EX_AC_AR */
    return reply(lun, task, data, sizeof(data));
}

static size_t put_status(const struct lun *lun, const struct registration *registration,
                         uint8_t *to)
{
    size_t id_bytes = transport_id_put(&registration->identity, to + DESCRIPTOR_BYTES);

    put_be64(to, registration->key);
    if (pr_is_holder(lun, registration)) {
        to[12] = 0x01; /* R_HOLDER */
        to[13] = (uint8_t)(PR_SCOPE_LU << 4 | lun->reservations.type);
    }
    put_be16(to + 18, registration->identity.relative_port_id);
    put_be32(to + 20, (uint32_t)id_bytes);
    return DESCRIPTOR_BYTES + id_bytes;
}

enum task_step start_pr_read_full_status(struct lun *lun, struct scsi_task *task)
{
    const struct reservations *held = &lun->reservations;
    size_t most = (size_t)held->registration_count * (DESCRIPTOR_BYTES + TRANSPORT_ID_MOST_BYTES);
    uint8_t *data = mem_new(HEADER_BYTES + most);
    size_t bytes = HEADER_BYTES;

    for (const struct registration *each = held->registrations; each; each = each->next)
        bytes += put_status(lun, each, data + bytes);
    put_header(lun, data, bytes);
    reply(lun, task, data, bytes);
    free(data);
    return TASK_DONE;
}
