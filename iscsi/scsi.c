/* SCSI vocabulary: names by table, sense data, CDBs. */
#include "iscsi/scsi.h"

#include "sim/core/bytes.h"

#include <assert.h>
#include <string.h>

struct code_name {
    uint8_t code;
    const char *name;
};

static const struct code_name statuses[] = {
#define X(name, code, text) {code, text},
    SCSI_STATUSES(X)
#undef X
};

static const struct code_name opcodes[] = {
#define X(name, code, text) {code, text},
    SCSI_OPCODES(X)
#undef X
};

static const struct code_name sense_keys[] = {
#define X(name, code, text) {code, text},
    SCSI_SENSE_KEYS(X)
#undef X
};

static const char *find_name(const struct code_name *names, size_t count, uint8_t code,
                             const char *otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].code == code)
            return names[i].name;
    }
    return otherwise;
}

const char *scsi_status_word(uint8_t status)
{
    return find_name(statuses, ARRAY_SIZE(statuses), status, "status unknown");
}

const char *scsi_opcode_word(uint8_t opcode)
{
    return find_name(opcodes, ARRAY_SIZE(opcodes), opcode, "operation code unknown");
}

const char *scsi_sense_key_word(uint8_t key)
{
    return find_name(sense_keys, ARRAY_SIZE(sense_keys), key, "sense key unknown");
}

uint8_t scsi_cdb_bytes(uint8_t opcode)
{
    static const uint8_t by_group[8] = {6, 10, 10, 0, 16, 12, 0, 0};

    return by_group[opcode >> 5];
}

/* Sense data. Response codes (SPC-4, 4.5.1): bit 1 says descriptor format, bit 0 deferred. */
#define SENSE_FIXED          0x70
#define SENSE_DESCRIPTOR     0x72
#define SENSE_DEFERRED       0x01
#define VALID                0x80
#define SKSV                 0x80
#define C_D                  0x40
#define BPV                  0x08
#define DESCRIPTOR_HEAD      8u
#define DESCRIPTOR_INFO      0x00 /* information descriptor (4.5.2.2), 12 bytes */
#define DESCRIPTOR_KEY_BYTES 0x02 /* sense key specific descriptor (4.5.2.4), 8 bytes */

static void build_field_pointer(const struct scsi_sense *sense, uint8_t bytes[3])
{
    bytes[0] = (uint8_t)(SKSV | (sense->is_field_in_cdb ? C_D : 0) |
                         (sense->has_bit_pointer ? BPV | (sense->bit_pointer & 7) : 0));
    put_be16(bytes + 1, sense->field_pointer);
}

static void build_progress(const struct scsi_sense *sense, uint8_t bytes[3])
{
    bytes[0] = SKSV;
    put_be16(bytes + 1, sense->progress);
}

static size_t build_fixed(const struct scsi_sense *sense, uint8_t *bytes)
{
    memset(bytes, 0, SCSI_SENSE_FIXED_BYTES);
    bytes[0] = (uint8_t)(SENSE_FIXED | (sense->is_deferred ? SENSE_DEFERRED : 0));
    bytes[2] = sense->key & 0x0f;
    if (sense->has_information && sense->information <= UINT32_MAX) {
        bytes[0] |= VALID;
        put_be32(bytes + 3, (uint32_t)sense->information);
    }
    bytes[7] = SCSI_SENSE_FIXED_BYTES - 8;
    bytes[12] = sense->asc;
    bytes[13] = sense->ascq;
    if (sense->has_field_pointer)
        build_field_pointer(sense, bytes + 15);
    if (sense->has_progress)
        build_progress(sense, bytes + 15);
    return SCSI_SENSE_FIXED_BYTES;
}

static size_t build_descriptors(const struct scsi_sense *sense, uint8_t *bytes)
{
    size_t at = DESCRIPTOR_HEAD;

    memset(bytes, 0, SCSI_SENSE_MOST_BYTES);
    bytes[0] = (uint8_t)(SENSE_DESCRIPTOR | (sense->is_deferred ? SENSE_DEFERRED : 0));
    bytes[1] = sense->key & 0x0f;
    bytes[2] = sense->asc;
    bytes[3] = sense->ascq;
    if (sense->has_information) {
        bytes[at] = DESCRIPTOR_INFO;
        bytes[at + 1] = 10;
        bytes[at + 2] = VALID;
        put_be64(bytes + at + 4, sense->information);
        at += 12;
    }
    if (sense->has_field_pointer || sense->has_progress) {
        bytes[at] = DESCRIPTOR_KEY_BYTES;
        bytes[at + 1] = 6;
        if (sense->has_field_pointer)
            build_field_pointer(sense, bytes + at + 4);
        else
            build_progress(sense, bytes + at + 4);
        at += 8;
    }
    bytes[7] = (uint8_t)(at - DESCRIPTOR_HEAD);
    return at;
}

size_t scsi_sense_build(const struct scsi_sense *sense, uint8_t ret_bytes[SCSI_SENSE_MOST_BYTES])
{
    return sense->is_descriptor ? build_descriptors(sense, ret_bytes)
                                : build_fixed(sense, ret_bytes);
}

static void parse_key_bytes(const uint8_t bytes[3], struct scsi_sense *sense)
{
    if (!(bytes[0] & SKSV))
        return;
    if (sense->key == SCSI_NO_SENSE || sense->key == SCSI_NOT_READY) {
        sense->has_progress = true;
        sense->progress = get_be16(bytes + 1);
    }
    if (sense->key != SCSI_ILLEGAL_REQUEST)
        return;
    sense->has_field_pointer = true;
    sense->is_field_in_cdb = (bytes[0] & C_D) != 0;
    sense->has_bit_pointer = (bytes[0] & BPV) != 0;
    sense->bit_pointer = sense->has_bit_pointer ? bytes[0] & 7 : 0;
    sense->field_pointer = get_be16(bytes + 1);
}

/* ADDITIONAL SENSE LENGTH says what holds; it may claim more than there is. */
static size_t told_size(const uint8_t *bytes, size_t size)
{
    if (size < 8)
        return size;
    return bytes[7] + 8u < size ? bytes[7] + 8u : size;
}

static bool parse_fixed(const uint8_t *bytes, size_t size, struct scsi_sense *sense)
{
    if (size < 3)
        return false;
    sense->key = bytes[2] & 0x0f;
    if (size >= 7 && bytes[0] & VALID) {
        sense->has_information = true;
        sense->information = get_be32(bytes + 3);
    }
    size = told_size(bytes, size);
    sense->asc = size > 12 ? bytes[12] : 0;
    sense->ascq = size > 13 ? bytes[13] : 0;
    if (size >= 18)
        parse_key_bytes(bytes + 15, sense);
    return true;
}

static bool parse_descriptors(const uint8_t *bytes, size_t size, struct scsi_sense *sense)
{
    if (size < 2)
        return false;
    sense->key = bytes[1] & 0x0f;
    sense->asc = size > 2 ? bytes[2] : 0;
    sense->ascq = size > 3 ? bytes[3] : 0;
    size = told_size(bytes, size);
    for (size_t at = DESCRIPTOR_HEAD; at + 2 <= size; at += 2u + bytes[at + 1]) {
        const uint8_t *descriptor = bytes + at;
        size_t here = 2u + descriptor[1];

        if (here > size - at)
            break;
        if (descriptor[0] == DESCRIPTOR_INFO && here >= 12 && descriptor[2] & VALID) {
            sense->has_information = true;
            sense->information = get_be64(descriptor + 4);
        }
        if (descriptor[0] == DESCRIPTOR_KEY_BYTES && here >= 8)
            parse_key_bytes(descriptor + 4, sense);
    }
    return true;
}

bool scsi_sense_parse(const uint8_t *bytes, size_t size, struct scsi_sense *ret_sense)
{
    struct scsi_sense sense = {0};
    bool is_parsed = false;

    if (size == 0)
        return false;
    uint8_t code = bytes[0] & 0x7f;

    sense.is_deferred = (code & SENSE_DEFERRED) != 0;
    if ((code & ~SENSE_DEFERRED) == SENSE_FIXED) {
        is_parsed = parse_fixed(bytes, size, &sense);
    } else if ((code & ~SENSE_DEFERRED) == SENSE_DESCRIPTOR) {
        sense.is_descriptor = true;
        is_parsed = parse_descriptors(bytes, size, &sense);
    }
    if (is_parsed)
        *ret_sense = sense;
    return is_parsed;
}

/* Reads, writes and SYNCHRONIZE CACHE: the same fields in four lengths (SBC-3, 5). */
static bool is_transfer(uint8_t opcode)
{
    switch (opcode) {
    case SCSI_READ_6:
    case SCSI_READ_10:
    case SCSI_READ_12:
    case SCSI_READ_16:
    case SCSI_WRITE_6:
    case SCSI_WRITE_10:
    case SCSI_WRITE_12:
    case SCSI_WRITE_16:
    case SCSI_SYNCHRONIZE_CACHE_10:
    case SCSI_SYNCHRONIZE_CACHE_16:
        return true;
    default: /* any of the other 246 codes */
        return false;
    }
}

#define LBA_6_MOST 0x1fffffu
#define DPO_BIT    0x10
#define FUA_BIT    0x08

void scsi_transfer_build(const struct scsi_transfer *transfer, uint8_t ret_cdb[SCSI_CDB_BYTES])
{
    uint8_t *cdb = ret_cdb;

    assert(is_transfer(transfer->opcode));
    memset(cdb, 0, SCSI_CDB_BYTES);
    cdb[0] = transfer->opcode;
    if (scsi_cdb_bytes(transfer->opcode) == 6) {
        assert(transfer->lba <= LBA_6_MOST);
        assert(transfer->blocks >= 1);
        assert(transfer->blocks <= 256);
        put_be24(cdb + 1, (uint32_t)transfer->lba);
        cdb[4] = (uint8_t)transfer->blocks;
        return;
    }
    cdb[1] = (uint8_t)((transfer->protect & 7) << 5 | (transfer->dpo ? DPO_BIT : 0) |
                       (transfer->fua ? FUA_BIT : 0));
    if (scsi_cdb_bytes(transfer->opcode) == 16) {
        put_be64(cdb + 2, transfer->lba);
        put_be32(cdb + 10, transfer->blocks);
        return;
    }
    assert(transfer->lba <= UINT32_MAX);
    put_be32(cdb + 2, (uint32_t)transfer->lba);
    if (scsi_cdb_bytes(transfer->opcode) == 12) {
        put_be32(cdb + 6, transfer->blocks);
        return;
    }
    assert(transfer->blocks <= UINT16_MAX);
    put_be16(cdb + 7, (uint16_t)transfer->blocks);
}

bool scsi_transfer_parse(const uint8_t cdb[SCSI_CDB_BYTES], struct scsi_transfer *ret_transfer)
{
    if (!is_transfer(cdb[0]))
        return false;
    struct scsi_transfer transfer = {.opcode = cdb[0]};

    if (scsi_cdb_bytes(cdb[0]) == 6) {
        transfer.lba = get_be24(cdb + 1) & LBA_6_MOST;
        transfer.blocks = cdb[4] ? cdb[4] : 256;
        *ret_transfer = transfer;
        return true;
    }
    transfer.protect = cdb[1] >> 5;
    transfer.dpo = (cdb[1] & DPO_BIT) != 0;
    transfer.fua = (cdb[1] & FUA_BIT) != 0;
    switch (scsi_cdb_bytes(cdb[0])) {
    case 10:
        transfer.lba = get_be32(cdb + 2);
        transfer.blocks = get_be16(cdb + 7);
        break;
    case 12:
        transfer.lba = get_be32(cdb + 2);
        transfer.blocks = get_be32(cdb + 6);
        break;
    case 16:
        transfer.lba = get_be64(cdb + 2);
        transfer.blocks = get_be32(cdb + 10);
        break;
    }
    *ret_transfer = transfer;
    return true;
}

static bool fits_10(uint64_t lba, uint32_t blocks)
{
    return lba <= UINT32_MAX && blocks <= UINT16_MAX;
}

uint8_t scsi_read_opcode(uint64_t lba, uint32_t blocks)
{
    return fits_10(lba, blocks) ? SCSI_READ_10 : SCSI_READ_16;
}

uint8_t scsi_write_opcode(uint64_t lba, uint32_t blocks)
{
    return fits_10(lba, blocks) ? SCSI_WRITE_10 : SCSI_WRITE_16;
}

static void start_cdb(uint8_t *cdb, uint8_t opcode)
{
    memset(cdb, 0, SCSI_CDB_BYTES);
    cdb[0] = opcode;
}

void scsi_cdb_test_unit_ready(uint8_t ret_cdb[SCSI_CDB_BYTES])
{
    start_cdb(ret_cdb, SCSI_TEST_UNIT_READY);
}

void scsi_cdb_request_sense(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t allocation_bytes)
{
    start_cdb(ret_cdb, SCSI_REQUEST_SENSE);
    ret_cdb[4] = allocation_bytes;
}

void scsi_cdb_inquiry(uint8_t ret_cdb[SCSI_CDB_BYTES], uint16_t allocation_bytes)
{
    start_cdb(ret_cdb, SCSI_INQUIRY);
    put_be16(ret_cdb + 3, allocation_bytes);
}

void scsi_cdb_inquiry_vpd(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t page, uint16_t allocation_bytes)
{
    scsi_cdb_inquiry(ret_cdb, allocation_bytes);
    ret_cdb[1] = 0x01; /* EVPD */
    ret_cdb[2] = page;
}

void scsi_cdb_report_luns(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t select_report,
                          uint32_t allocation_bytes)
{
    start_cdb(ret_cdb, SCSI_REPORT_LUNS);
    ret_cdb[2] = select_report;
    put_be32(ret_cdb + 6, allocation_bytes);
}

void scsi_cdb_read_capacity_10(uint8_t ret_cdb[SCSI_CDB_BYTES])
{
    start_cdb(ret_cdb, SCSI_READ_CAPACITY_10);
}

void scsi_cdb_read_capacity_16(uint8_t ret_cdb[SCSI_CDB_BYTES], uint32_t allocation_bytes)
{
    start_cdb(ret_cdb, SCSI_SERVICE_ACTION_IN_16);
    ret_cdb[1] = SCSI_SA_READ_CAPACITY_16;
    put_be32(ret_cdb + 10, allocation_bytes);
}

void scsi_cdb_mode_sense_6(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t page, uint8_t allocation_bytes)
{
    start_cdb(ret_cdb, SCSI_MODE_SENSE_6);
    ret_cdb[2] = page & 0x3f;
    ret_cdb[4] = allocation_bytes;
}

void scsi_cdb_mode_sense_10(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t page,
                            uint16_t allocation_bytes)
{
    start_cdb(ret_cdb, SCSI_MODE_SENSE_10);
    ret_cdb[2] = page & 0x3f;
    put_be16(ret_cdb + 7, allocation_bytes);
}

void scsi_cdb_report_target_port_groups(uint8_t ret_cdb[SCSI_CDB_BYTES], uint32_t allocation_bytes)
{
    start_cdb(ret_cdb, SCSI_MAINTENANCE_IN);
    ret_cdb[1] = SCSI_SA_REPORT_TARGET_PORT_GROUPS;
    put_be32(ret_cdb + 6, allocation_bytes);
}

void scsi_cdb_pr_in(uint8_t ret_cdb[SCSI_CDB_BYTES], enum scsi_pr_in action,
                    uint16_t allocation_bytes)
{
    start_cdb(ret_cdb, SCSI_PERSISTENT_RESERVE_IN);
    ret_cdb[1] = (uint8_t)action;
    put_be16(ret_cdb + 7, allocation_bytes);
}

void scsi_cdb_pr_out(uint8_t ret_cdb[SCSI_CDB_BYTES], enum scsi_pr_out action,
                     enum scsi_pr_type type, uint32_t parameter_bytes)
{
    start_cdb(ret_cdb, SCSI_PERSISTENT_RESERVE_OUT);
    ret_cdb[1] = (uint8_t)action;
    ret_cdb[2] = (uint8_t)type;
    put_be32(ret_cdb + 5, parameter_bytes);
}

/* Where the ALLOCATION LENGTH stands: first byte and width. */
static const struct {
    uint8_t opcode;
    uint8_t at;
    uint8_t width;
} allocations[] = {
    {SCSI_REQUEST_SENSE, 4, 1},  {SCSI_INQUIRY, 3, 2},
    {SCSI_REPORT_LUNS, 6, 4},    {SCSI_SERVICE_ACTION_IN_16, 10, 4},
    {SCSI_MODE_SENSE_6, 4, 1},   {SCSI_MODE_SENSE_10, 7, 2},
    {SCSI_MAINTENANCE_IN, 6, 4}, {SCSI_PERSISTENT_RESERVE_IN, 7, 2},
};

uint32_t scsi_allocation_bytes(const uint8_t cdb[SCSI_CDB_BYTES])
{
    for (size_t i = 0; i < ARRAY_SIZE(allocations); i++) {
        if (allocations[i].opcode != cdb[0])
            continue;
        const uint8_t *field = cdb + allocations[i].at;

        if (allocations[i].width == 1)
            return field[0];
        return allocations[i].width == 2 ? get_be16(field) : get_be32(field);
    }
    return 0;
}
