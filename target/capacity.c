/* READ CAPACITY (SBC-3, 5.15 and 5.16). */
#include "sim/core/bytes.h"
#include "target/start.h"

enum task_step start_read_capacity_10(struct lun *lun, struct scsi_task *task)
{
    uint64_t last_lba = lun->block_count - 1;
    uint8_t data[8];

    put_be32(data, last_lba < UINT32_MAX ? (uint32_t)last_lba : UINT32_MAX);
    put_be32(data + 4, lun->block_bytes);
    return task_reply(task, lun->device->pool, data, sizeof(data), sizeof(data));
}

enum task_step start_read_capacity_16(struct lun *lun, struct scsi_task *task)
{
    uint8_t data[32] = {0};

    put_be64(data, lun->block_count - 1);
    put_be32(data + 8, lun->block_bytes);
    data[13] = lun->physical_block_exponent & 0x0f;
    if (lun->is_thin)
        data[14] = 0xc0; /* LBPME, LBPRZ */
    return task_reply(task, lun->device->pool, data, sizeof(data), get_be32(task->cdb + 10));
}
