/* The SCSI vocabulary that both ends share. */
#include "iscsi/scsi.h"

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"

#include <string.h>

struct code_name {
    uint8_t code;
    const char *name;
};

static const char *name_of(const struct code_name *names, size_t count, uint8_t code,
                           const char *otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].code == code)
            return names[i].name;
    return otherwise;
}

const char *scsi_status_name(uint8_t status)
{
    static const struct code_name names[] = {
#define X(name, code, words) {code, words},
        SCSI_STATUSES(X)
#undef X
    };

    return name_of(names, ARRAY_SIZE(names), status, "reserved status");
}

const char *scsi_opcode_name(uint8_t opcode)
{
    static const struct code_name names[] = {
#define X(name, code, bytes, words) {code, words},
        SCSI_OPCODES(X)
#undef X
    };

    return name_of(names, ARRAY_SIZE(names), opcode, "unknown operation code");
}

void scsi_sense_build(struct scsi_sense sense, uint8_t ret_sense[SCSI_SENSE_FIXED_BYTES])
{
    memset(ret_sense, 0, SCSI_SENSE_FIXED_BYTES);
    ret_sense[0] = 0x70;
    ret_sense[2] = sense.key & 0x0f;
    ret_sense[7] = SCSI_SENSE_FIXED_BYTES - 8;
    ret_sense[12] = sense.asc;
    ret_sense[13] = sense.ascq;
}

bool scsi_sense_parse(const uint8_t *data, size_t bytes, struct scsi_sense *ret_sense)
{
    if (bytes < 1)
        return false;
    switch (data[0] & 0x7f) {
    case 0x70: /* fixed, current and deferred */
    case 0x71:
        if (bytes < 3)
            return false;
        *ret_sense = (struct scsi_sense){.key = data[2] & 0x0f,
                                         .asc = bytes > 12 ? data[12] : 0,
                                         .ascq = bytes > 13 ? data[13] : 0};
        return true;
    case 0x72: /* descriptor, current and deferred */
    case 0x73:
        if (bytes < 4)
            return false;
        *ret_sense = (struct scsi_sense){data[1] & 0x0f, data[2], data[3]};
        return true;
    default:
        return false;
    }
}

static void start(uint8_t cdb[16], uint8_t opcode)
{
    memset(cdb, 0, 16);
    cdb[0] = opcode;
}

void scsi_cdb_inquiry(uint8_t cdb[16], bool is_vpd, uint8_t page, uint16_t allocation_bytes)
{
    start(cdb, SCSI_INQUIRY);
    cdb[1] = is_vpd;
    cdb[2] = page;
    put_be16(cdb + 3, allocation_bytes);
}

void scsi_cdb_report_luns(uint8_t cdb[16], uint32_t allocation_bytes)
{
    start(cdb, SCSI_REPORT_LUNS);
    put_be32(cdb + 6, allocation_bytes);
}

void scsi_cdb_read_capacity_16(uint8_t cdb[16], uint32_t allocation_bytes)
{
    start(cdb, SCSI_SERVICE_ACTION_IN_16);
    cdb[1] = SCSI_SA_READ_CAPACITY_16;
    put_be32(cdb + 10, allocation_bytes);
}

void scsi_cdb_mode_sense_6(uint8_t cdb[16], uint8_t page, uint8_t allocation_bytes)
{
    start(cdb, SCSI_MODE_SENSE_6);
    cdb[2] = page & 0x3f;
    cdb[4] = allocation_bytes;
}

void scsi_cdb_report_target_port_groups(uint8_t cdb[16], uint32_t allocation_bytes)
{
    start(cdb, SCSI_MAINTENANCE_IN);
    cdb[1] = SCSI_SA_REPORT_TARGET_PORT_GROUPS;
    put_be32(cdb + 6, allocation_bytes);
}

static void transfer(uint8_t cdb[16], uint8_t short_opcode, uint8_t long_opcode, uint64_t lba,
                     uint32_t blocks)
{
    if (lba <= UINT32_MAX && blocks <= UINT16_MAX) {
        start(cdb, short_opcode);
        put_be32(cdb + 2, (uint32_t)lba);
        put_be16(cdb + 7, (uint16_t)blocks);
    } else {
        start(cdb, long_opcode);
        put_be64(cdb + 2, lba);
        put_be32(cdb + 10, blocks);
    }
}

void scsi_cdb_read(uint8_t cdb[16], uint64_t lba, uint32_t blocks)
{
    transfer(cdb, SCSI_READ_10, SCSI_READ_16, lba, blocks);
}

void scsi_cdb_write(uint8_t cdb[16], uint64_t lba, uint32_t blocks)
{
    transfer(cdb, SCSI_WRITE_10, SCSI_WRITE_16, lba, blocks);
}
