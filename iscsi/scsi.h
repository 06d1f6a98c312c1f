/* The SCSI vocabulary that both ends share (SAM-5, SPC-4, SBC-3). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Status codes (SAM-5, 5.3). X-macro: name, code, standard's name. */
#define SCSI_STATUSES(X)                                                                           \
    X(SCSI_GOOD, 0x00, "GOOD")                                                                     \
    X(SCSI_CHECK_CONDITION, 0x02, "CHECK CONDITION")                                               \
    X(SCSI_CONDITION_MET, 0x04, "CONDITION MET")                                                   \
    X(SCSI_BUSY, 0x08, "BUSY")                                                                     \
    X(SCSI_RESERVATION_CONFLICT, 0x18, "RESERVATION CONFLICT")                                     \
    X(SCSI_TASK_SET_FULL, 0x28, "TASK SET FULL")                                                   \
    X(SCSI_ACA_ACTIVE, 0x30, "ACA ACTIVE")                                                         \
    X(SCSI_TASK_ABORTED, 0x40, "TASK ABORTED")

enum scsi_status {
#define X(name, code, words) name = code,
    SCSI_STATUSES(X)
#undef X
};

/* "reserved status" for any other code. */
const char *scsi_status_name(uint8_t status);

/* Sense keys (SPC-4, 4.5.6). */
enum scsi_sense_key {
    SENSE_NO_SENSE = 0x0,
    SENSE_RECOVERED_ERROR = 0x1,
    SENSE_NOT_READY = 0x2,
    SENSE_MEDIUM_ERROR = 0x3,
    SENSE_HARDWARE_ERROR = 0x4,
    SENSE_ILLEGAL_REQUEST = 0x5,
    SENSE_UNIT_ATTENTION = 0x6,
    SENSE_DATA_PROTECT = 0x7,
    SENSE_BLANK_CHECK = 0x8,
    SENSE_VENDOR_SPECIFIC = 0x9,
    SENSE_COPY_ABORTED = 0xa,
    SENSE_ABORTED_COMMAND = 0xb,
    SENSE_VOLUME_OVERFLOW = 0xd,
    SENSE_MISCOMPARE = 0xe,
};

/* Operation codes (SPC-4, SBC-3). X-macro: name, code, bytes of the CDB, standard's name. */
#define SCSI_OPCODES(X)                                                                            \
    X(SCSI_TEST_UNIT_READY, 0x00, 6, "TEST UNIT READY")                                            \
    X(SCSI_REQUEST_SENSE, 0x03, 6, "REQUEST SENSE")                                                \
    X(SCSI_READ_6, 0x08, 6, "READ(6)")                                                             \
    X(SCSI_WRITE_6, 0x0a, 6, "WRITE(6)")                                                           \
    X(SCSI_INQUIRY, 0x12, 6, "INQUIRY")                                                            \
    X(SCSI_MODE_SELECT_6, 0x15, 6, "MODE SELECT(6)")                                               \
    X(SCSI_RESERVE_6, 0x16, 6, "RESERVE(6)")                                                       \
    X(SCSI_RELEASE_6, 0x17, 6, "RELEASE(6)")                                                       \
    X(SCSI_MODE_SENSE_6, 0x1a, 6, "MODE SENSE(6)")                                                 \
    X(SCSI_START_STOP_UNIT, 0x1b, 6, "START STOP UNIT")                                            \
    X(SCSI_READ_CAPACITY_10, 0x25, 10, "READ CAPACITY(10)")                                        \
    X(SCSI_READ_10, 0x28, 10, "READ(10)")                                                          \
    X(SCSI_WRITE_10, 0x2a, 10, "WRITE(10)")                                                        \
    X(SCSI_VERIFY_10, 0x2f, 10, "VERIFY(10)")                                                      \
    X(SCSI_SYNCHRONIZE_CACHE_10, 0x35, 10, "SYNCHRONIZE CACHE(10)")                                \
    X(SCSI_MODE_SELECT_10, 0x55, 10, "MODE SELECT(10)")                                            \
    X(SCSI_MODE_SENSE_10, 0x5a, 10, "MODE SENSE(10)")                                              \
    X(SCSI_PERSISTENT_RESERVE_IN, 0x5e, 10, "PERSISTENT RESERVE IN")                               \
    X(SCSI_PERSISTENT_RESERVE_OUT, 0x5f, 10, "PERSISTENT RESERVE OUT")                             \
    X(SCSI_READ_16, 0x88, 16, "READ(16)")                                                          \
    X(SCSI_WRITE_16, 0x8a, 16, "WRITE(16)")                                                        \
    X(SCSI_SYNCHRONIZE_CACHE_16, 0x91, 16, "SYNCHRONIZE CACHE(16)")                                \
    X(SCSI_SERVICE_ACTION_IN_16, 0x9e, 16, "SERVICE ACTION IN(16)")                                \
    X(SCSI_REPORT_LUNS, 0xa0, 12, "REPORT LUNS")                                                   \
    X(SCSI_MAINTENANCE_IN, 0xa3, 12, "MAINTENANCE IN")                                             \
    X(SCSI_MAINTENANCE_OUT, 0xa4, 12, "MAINTENANCE OUT")                                           \
    X(SCSI_READ_12, 0xa8, 12, "READ(12)")                                                          \
    X(SCSI_WRITE_12, 0xaa, 12, "WRITE(12)")

enum scsi_opcode {
#define X(name, code, bytes, words) name = code,
    SCSI_OPCODES(X)
#undef X
};

/* The standard's name; "unknown operation code" for any that is not listed. */
const char *scsi_opcode_name(uint8_t opcode);

/* Service actions. */
enum {
    SCSI_SA_READ_CAPACITY_16 = 0x10,          /* of SERVICE ACTION IN(16) */
    SCSI_SA_REPORT_TARGET_PORT_GROUPS = 0x0a, /* of MAINTENANCE IN */
    SCSI_SA_REPORT_SUPPORTED_OPCODES = 0x0c,  /* of MAINTENANCE IN */
    SCSI_SA_SET_TARGET_PORT_GROUPS = 0x0a,    /* of MAINTENANCE OUT */
};

/* VPD pages (SPC-4, 7.8; SBC-3, 6.6). */
enum {
    SCSI_VPD_SUPPORTED = 0x00,
    SCSI_VPD_SERIAL = 0x80,
    SCSI_VPD_IDENTIFICATION = 0x83,
    SCSI_VPD_EXTENDED_INQUIRY = 0x86,
    SCSI_VPD_BLOCK_LIMITS = 0xb0,
    SCSI_VPD_BLOCK_CHARACTERISTICS = 0xb1,
    SCSI_VPD_PROVISIONING = 0xb2,
};

/* Additional sense codes as ASC << 8 | ASCQ (SPC-4, table 52): those that we act on. */
enum scsi_asc {
    ASC_NONE = 0x0000,
    ASC_MANUAL_INTERVENTION = 0x0403,
    ASC_ACCESS_TRANSITION = 0x040a,
    ASC_ACCESS_STANDBY = 0x040b,
    ASC_ACCESS_UNAVAILABLE = 0x040c,
    ASC_UNEXPECTED_UNSOLICITED_DATA = 0x0c0c,
    ASC_NOT_ENOUGH_UNSOLICITED_DATA = 0x0c0d,
    ASC_PARAMETER_LIST_LENGTH = 0x1a00,
    ASC_INVALID_OPCODE = 0x2000,
    ASC_LBA_OUT_OF_RANGE = 0x2100,
    ASC_INVALID_FIELD_IN_CDB = 0x2400,
    ASC_LUN_NOT_SUPPORTED = 0x2500,
    ASC_INVALID_FIELD_IN_PARAMETERS = 0x2600,
    ASC_WRITE_PROTECTED = 0x2700,
    ASC_POWER_ON_RESET = 0x2900,
    ASC_MODE_PARAMETERS_CHANGED = 0x2a01,
    ASC_RESERVATIONS_PREEMPTED = 0x2a03,
    ASC_RESERVATIONS_RELEASED = 0x2a04,
    ASC_REGISTRATIONS_PREEMPTED = 0x2a05,
    ASC_ACCESS_STATE_CHANGED = 0x2a06,
    ASC_CAPACITY_CHANGED = 0x2a09,
    ASC_REPORTED_LUNS_CHANGED = 0x3f0e,
    ASC_PROTOCOL_CRC = 0x4705,
};

/* Sense data, what most readers want of it. */
struct scsi_sense {
    uint8_t key;
    uint8_t asc;
    uint8_t ascq;
};

#define SCSI_SENSE_FIXED_BYTES 18u

/* Fixed format, current (SPC-4, 4.5.3). */
void scsi_sense_build(struct scsi_sense sense, uint8_t ret_sense[SCSI_SENSE_FIXED_BYTES]);
/* Either format (70h to 73h). False: this is no sense data that we can read. */
bool scsi_sense_parse(const uint8_t *data, size_t bytes, struct scsi_sense *ret_sense);

/* CDB builders: write 16 bytes, the unused ones zero. */
void scsi_cdb_inquiry(uint8_t cdb[16], bool is_vpd, uint8_t page, uint16_t allocation_bytes);
void scsi_cdb_report_luns(uint8_t cdb[16], uint32_t allocation_bytes);
void scsi_cdb_read_capacity_16(uint8_t cdb[16], uint32_t allocation_bytes);
void scsi_cdb_mode_sense_6(uint8_t cdb[16], uint8_t page, uint8_t allocation_bytes);
void scsi_cdb_report_target_port_groups(uint8_t cdb[16], uint32_t allocation_bytes);
/* READ(10) or WRITE(10) where LBA and count fit, else READ(16) or WRITE(16). */
void scsi_cdb_read(uint8_t cdb[16], uint64_t lba, uint32_t blocks);
void scsi_cdb_write(uint8_t cdb[16], uint64_t lba, uint32_t blocks);
