/* The words that SCSI initiators and targets share: operation codes, status, sense data, CDBs
 * (SAM-5, SPC-4, SBC-3). Constants carry the standards' names behind SCSI_.
 */
#pragma once

#include "sim/core/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Status codes (SAM-5, 5.3.1). X-macro: name, code, the standard's name. */
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
#define X(name, code, text) name = (code),
    SCSI_STATUSES(X)
#undef X
};
const char *scsi_status_word(uint8_t status); /* "status unknown" for others */

/* Operation codes. X-macro: name, code, the standard's name. */
#define SCSI_OPCODES(X)                                                                            \
    X(SCSI_TEST_UNIT_READY, 0x00, "TEST UNIT READY")                                               \
    X(SCSI_REQUEST_SENSE, 0x03, "REQUEST SENSE")                                                   \
    X(SCSI_READ_6, 0x08, "READ(6)")                                                                \
    X(SCSI_WRITE_6, 0x0a, "WRITE(6)")                                                              \
    X(SCSI_INQUIRY, 0x12, "INQUIRY")                                                               \
    X(SCSI_MODE_SELECT_6, 0x15, "MODE SELECT(6)")                                                  \
    X(SCSI_RESERVE_6, 0x16, "RESERVE(6)")                                                          \
    X(SCSI_RELEASE_6, 0x17, "RELEASE(6)")                                                          \
    X(SCSI_MODE_SENSE_6, 0x1a, "MODE SENSE(6)")                                                    \
    X(SCSI_START_STOP_UNIT, 0x1b, "START STOP UNIT")                                               \
    X(SCSI_PREVENT_ALLOW, 0x1e, "PREVENT ALLOW MEDIUM REMOVAL")                                    \
    X(SCSI_READ_CAPACITY_10, 0x25, "READ CAPACITY(10)")                                            \
    X(SCSI_READ_10, 0x28, "READ(10)")                                                              \
    X(SCSI_WRITE_10, 0x2a, "WRITE(10)")                                                            \
    X(SCSI_WRITE_AND_VERIFY_10, 0x2e, "WRITE AND VERIFY(10)")                                      \
    X(SCSI_VERIFY_10, 0x2f, "VERIFY(10)")                                                          \
    X(SCSI_PRE_FETCH_10, 0x34, "PRE-FETCH(10)")                                                    \
    X(SCSI_SYNCHRONIZE_CACHE_10, 0x35, "SYNCHRONIZE CACHE(10)")                                    \
    X(SCSI_READ_DEFECT_DATA_10, 0x37, "READ DEFECT DATA(10)")                                      \
    X(SCSI_WRITE_SAME_10, 0x41, "WRITE SAME(10)")                                                  \
    X(SCSI_UNMAP, 0x42, "UNMAP")                                                                   \
    X(SCSI_SANITIZE, 0x48, "SANITIZE")                                                             \
    X(SCSI_MODE_SELECT_10, 0x55, "MODE SELECT(10)")                                                \
    X(SCSI_MODE_SENSE_10, 0x5a, "MODE SENSE(10)")                                                  \
    X(SCSI_PERSISTENT_RESERVE_IN, 0x5e, "PERSISTENT RESERVE IN")                                   \
    X(SCSI_PERSISTENT_RESERVE_OUT, 0x5f, "PERSISTENT RESERVE OUT")                                 \
    X(SCSI_EXTENDED_COPY, 0x83, "EXTENDED COPY")                                                   \
    X(SCSI_RECEIVE_COPY_RESULTS, 0x84, "RECEIVE COPY RESULTS")                                     \
    X(SCSI_READ_16, 0x88, "READ(16)")                                                              \
    X(SCSI_COMPARE_AND_WRITE, 0x89, "COMPARE AND WRITE")                                           \
    X(SCSI_WRITE_16, 0x8a, "WRITE(16)")                                                            \
    X(SCSI_ORWRITE_16, 0x8b, "ORWRITE(16)")                                                        \
    X(SCSI_WRITE_AND_VERIFY_16, 0x8e, "WRITE AND VERIFY(16)")                                      \
    X(SCSI_VERIFY_16, 0x8f, "VERIFY(16)")                                                          \
    X(SCSI_PRE_FETCH_16, 0x90, "PRE-FETCH(16)")                                                    \
    X(SCSI_SYNCHRONIZE_CACHE_16, 0x91, "SYNCHRONIZE CACHE(16)")                                    \
    X(SCSI_WRITE_SAME_16, 0x93, "WRITE SAME(16)")                                                  \
    X(SCSI_WRITE_ATOMIC_16, 0x9c, "WRITE ATOMIC(16)")                                              \
    X(SCSI_SERVICE_ACTION_IN_16, 0x9e, "SERVICE ACTION IN(16)")                                    \
    X(SCSI_REPORT_LUNS, 0xa0, "REPORT LUNS")                                                       \
    X(SCSI_MAINTENANCE_IN, 0xa3, "MAINTENANCE IN")                                                 \
    X(SCSI_MAINTENANCE_OUT, 0xa4, "MAINTENANCE OUT")                                               \
    X(SCSI_READ_12, 0xa8, "READ(12)")                                                              \
    X(SCSI_WRITE_12, 0xaa, "WRITE(12)")                                                            \
    X(SCSI_WRITE_AND_VERIFY_12, 0xae, "WRITE AND VERIFY(12)")                                      \
    X(SCSI_VERIFY_12, 0xaf, "VERIFY(12)")                                                          \
    X(SCSI_READ_DEFECT_DATA_12, 0xb7, "READ DEFECT DATA(12)")

enum scsi_opcode {
#define X(name, code, text) name = (code),
    SCSI_OPCODES(X)
#undef X
};
/* "READ(10)"; "operation code unknown" for others. */
const char *scsi_opcode_word(uint8_t opcode);
/* The length that the group code fixes (SPC-4, 4.2.5.1): 6, 10, 12, 16; 0 for reserved, variable
 * length and vendor specific groups. */
uint8_t scsi_cdb_bytes(uint8_t opcode);

/* Service actions. */
enum scsi_service_action {
    SCSI_SA_READ_CAPACITY_16 = 0x10, /* SERVICE ACTION IN(16) */
    SCSI_SA_GET_LBA_STATUS = 0x12,
    SCSI_SA_REPORT_TARGET_PORT_GROUPS = 0x0a, /* MAINTENANCE IN */
    SCSI_SA_REPORT_SUPPORTED_OPCODES = 0x0c,
    SCSI_SA_REPORT_SUPPORTED_TMFS = 0x0d,
    SCSI_SA_SET_TARGET_PORT_GROUPS = 0x0a, /* MAINTENANCE OUT */
};

/* PERSISTENT RESERVE IN and OUT (SPC-4, 6.15, 6.16). */
enum scsi_pr_in {
    SCSI_PR_READ_KEYS,
    SCSI_PR_READ_RESERVATION,
    SCSI_PR_REPORT_CAPABILITIES,
    SCSI_PR_READ_FULL_STATUS,
};
enum scsi_pr_out {
    SCSI_PR_REGISTER,
    SCSI_PR_RESERVE,
    SCSI_PR_RELEASE,
    SCSI_PR_CLEAR,
    SCSI_PR_PREEMPT,
    SCSI_PR_PREEMPT_AND_ABORT,
    SCSI_PR_REGISTER_AND_IGNORE,
    SCSI_PR_REGISTER_AND_MOVE,
};
enum scsi_pr_type {
    SCSI_PR_WRITE_EXCLUSIVE = 1,
    SCSI_PR_EXCLUSIVE_ACCESS = 3,
    SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS = 5,
    SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS = 6,
    SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS = 7,
    SCSI_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS = 8,
};

/* VPD and mode pages. */
enum scsi_vpd {
    SCSI_VPD_SUPPORTED_PAGES = 0x00,
    SCSI_VPD_UNIT_SERIAL_NUMBER = 0x80,
    SCSI_VPD_DEVICE_IDENTIFICATION = 0x83,
    SCSI_VPD_EXTENDED_INQUIRY = 0x86,
    SCSI_VPD_THIRD_PARTY_COPY = 0x8f,
    SCSI_VPD_BLOCK_LIMITS = 0xb0,
    SCSI_VPD_BLOCK_CHARACTERISTICS = 0xb1,
    SCSI_VPD_LOGICAL_BLOCK_PROVISIONING = 0xb2,
};
enum scsi_mode_page {
    SCSI_MODE_CACHING = 0x08,
    SCSI_MODE_CONTROL = 0x0a,
    SCSI_MODE_ALL_PAGES = 0x3f,
};

/* Sense keys (SPC-4, 4.5.6). X-macro: name, code, the standard's name. */
#define SCSI_SENSE_KEYS(X)                                                                         \
    X(SCSI_NO_SENSE, 0x0, "NO SENSE")                                                              \
    X(SCSI_RECOVERED_ERROR, 0x1, "RECOVERED ERROR")                                                \
    X(SCSI_NOT_READY, 0x2, "NOT READY")                                                            \
    X(SCSI_MEDIUM_ERROR, 0x3, "MEDIUM ERROR")                                                      \
    X(SCSI_HARDWARE_ERROR, 0x4, "HARDWARE ERROR")                                                  \
    X(SCSI_ILLEGAL_REQUEST, 0x5, "ILLEGAL REQUEST")                                                \
    X(SCSI_UNIT_ATTENTION, 0x6, "UNIT ATTENTION")                                                  \
    X(SCSI_DATA_PROTECT, 0x7, "DATA PROTECT")                                                      \
    X(SCSI_BLANK_CHECK, 0x8, "BLANK CHECK")                                                        \
    X(SCSI_COPY_ABORTED, 0xa, "COPY ABORTED")                                                      \
    X(SCSI_ABORTED_COMMAND, 0xb, "ABORTED COMMAND")                                                \
    X(SCSI_VOLUME_OVERFLOW, 0xd, "VOLUME OVERFLOW")                                                \
    X(SCSI_MISCOMPARE, 0xe, "MISCOMPARE")                                                          \
    X(SCSI_COMPLETED, 0xf, "COMPLETED")

enum scsi_sense_key {
#define X(name, code, text) name = (code),
    SCSI_SENSE_KEYS(X)
#undef X
};
const char *scsi_sense_key_word(uint8_t key);

/* Additional sense codes with qualifier, 0xAAQQ, under SPC-4's names. */
enum scsi_asc {
    SCSI_ASC_NONE = 0x0000,
    SCSI_ASC_BECOMING_READY = 0x0401,
    SCSI_ASC_ALUA_TRANSITION = 0x040a,
    SCSI_ASC_ALUA_STANDBY = 0x040b,
    SCSI_ASC_ALUA_UNAVAILABLE = 0x040c,
    SCSI_ASC_SANITIZE_IN_PROGRESS = 0x041b,
    SCSI_ASC_UNEXPECTED_UNSOLICITED_DATA = 0x0c0c, /* RFC 7143, 11.4.7.2 */
    SCSI_ASC_NOT_ENOUGH_UNSOLICITED_DATA = 0x0c0d, /* RFC 7143, 11.4.7.2 */
    SCSI_ASC_WRITE_ERROR = 0x0c00,
    SCSI_ASC_INVALID_FIELD_IN_COMMAND_UNIT = 0x0e03,
    SCSI_ASC_UNRECOVERED_READ_ERROR = 0x1100,
    SCSI_ASC_PARAMETER_LIST_LENGTH = 0x1a00,
    SCSI_ASC_MISCOMPARE = 0x1d00,
    SCSI_ASC_INVALID_OPCODE = 0x2000,
    SCSI_ASC_LBA_OUT_OF_RANGE = 0x2100,
    SCSI_ASC_INVALID_FIELD_IN_CDB = 0x2400,
    SCSI_ASC_LUN_NOT_SUPPORTED = 0x2500,
    SCSI_ASC_INVALID_FIELD_IN_PARAMETERS = 0x2600,
    SCSI_ASC_INVALID_RELEASE = 0x2604,
    SCSI_ASC_WRITE_PROTECTED = 0x2700,
    SCSI_ASC_POWER_ON = 0x2900,
    SCSI_ASC_DEVICE_RESET = 0x2903,
    SCSI_ASC_NEXUS_LOSS = 0x2907,
    SCSI_ASC_MODE_PARAMETERS_CHANGED = 0x2a01,
    SCSI_ASC_RESERVATIONS_PREEMPTED = 0x2a03,
    SCSI_ASC_RESERVATIONS_RELEASED = 0x2a04,
    SCSI_ASC_REGISTRATIONS_PREEMPTED = 0x2a05,
    SCSI_ASC_ALUA_CHANGED = 0x2a06,
    SCSI_ASC_CAPACITY_CHANGED = 0x2a09,
    SCSI_ASC_NO_MEDIUM = 0x3a00,
    SCSI_ASC_REPORTED_LUNS_CHANGED = 0x3f0e,
    SCSI_ASC_INTERNAL_TARGET_FAILURE = 0x4400,
    SCSI_ASC_PROTOCOL_SERVICE_CRC = 0x4705, /* RFC 7143, 11.4.7.2 */
    SCSI_ASC_INSUFFICIENT_REGISTRATIONS = 0x5504,
};

/* Sense data (SPC-4, 4.5), fixed (70h) or descriptor format (72h). */
#define SCSI_SENSE_FIXED_BYTES 18u
#define SCSI_SENSE_MOST_BYTES  32u /* that scsi_sense_build() writes */

struct scsi_sense {
    bool is_descriptor;
    bool is_deferred; /* of an earlier command: 71h, 73h */
    uint8_t key;      /* enum scsi_sense_key */
    uint8_t asc;
    uint8_t ascq;
    bool has_information;
    uint64_t information;   /* an LBA, the offset of a miscompare, ... */
    bool has_field_pointer; /* ILLEGAL REQUEST only (4.5.2.4.2) */
    bool is_field_in_cdb;   /* C/D: else in the parameter list */
    bool has_bit_pointer;   /* BPV */
    uint8_t bit_pointer;
    uint16_t field_pointer;
    bool has_progress; /* NO SENSE and NOT READY only (4.5.2.4.4) */
    uint16_t progress; /* in 1/65536 of the whole */
};
static inline uint16_t scsi_sense_asc(const struct scsi_sense *sense)
{
    return (uint16_t)(sense->asc << 8 | sense->ascq);
}
/* Returns the bytes written. In fixed format an INFORMATION above 32 bits leaves VALID off. */
size_t scsi_sense_build(const struct scsi_sense *sense, uint8_t ret_bytes[SCSI_SENSE_MOST_BYTES]);
/* Any bytes. False: too short for a sense key, or another response code. Codes that were cut off
 * are 0. */
bool scsi_sense_parse(const uint8_t *bytes, size_t size, struct scsi_sense *ret_sense);

/* Reads and writes of blocks in the 6, 10, 12 and 16 byte forms, also SYNCHRONIZE CACHE. */
#define SCSI_CDB_BYTES 16u
struct scsi_transfer {
    uint8_t opcode; /* READ, WRITE or SYNCHRONIZE CACHE of any length */
    uint64_t lba;
    uint32_t blocks;
    bool dpo; /* not in the 6-byte form */
    bool fua;
    uint8_t protect; /* RDPROTECT or WRPROTECT */
};
/* The bytes behind the CDB are zeroed; LBA and count fit the form. READ(6) of 256 blocks is
 * written as 0. */
void scsi_transfer_build(const struct scsi_transfer *transfer, uint8_t ret_cdb[SCSI_CDB_BYTES]);
/* False: another operation code. A 0 of READ(6) and WRITE(6) is 256 blocks. */
bool scsi_transfer_parse(const uint8_t cdb[SCSI_CDB_BYTES], struct scsi_transfer *ret_transfer);
/* The opcode of a read or write whose form takes this LBA and count: 10 bytes if it can, else 16.
 */
uint8_t scsi_read_opcode(uint64_t lba, uint32_t blocks);
uint8_t scsi_write_opcode(uint64_t lba, uint32_t blocks);

/* The other CDBs that a host sends; bytes behind the CDB are zeroed. */
void scsi_cdb_test_unit_ready(uint8_t ret_cdb[SCSI_CDB_BYTES]);
void scsi_cdb_request_sense(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t allocation_bytes);
void scsi_cdb_inquiry(uint8_t ret_cdb[SCSI_CDB_BYTES], uint16_t allocation_bytes);
void scsi_cdb_inquiry_vpd(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t page, uint16_t allocation_bytes);
void scsi_cdb_report_luns(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t select_report,
                          uint32_t allocation_bytes);
void scsi_cdb_read_capacity_10(uint8_t ret_cdb[SCSI_CDB_BYTES]);
void scsi_cdb_read_capacity_16(uint8_t ret_cdb[SCSI_CDB_BYTES], uint32_t allocation_bytes);
void scsi_cdb_mode_sense_6(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t page, uint8_t allocation_bytes);
void scsi_cdb_mode_sense_10(uint8_t ret_cdb[SCSI_CDB_BYTES], uint8_t page,
                            uint16_t allocation_bytes);
/* The extended (length-included) header is not asked for: parameter data format 000b. */
void scsi_cdb_report_target_port_groups(uint8_t ret_cdb[SCSI_CDB_BYTES], uint32_t allocation_bytes);
void scsi_cdb_pr_in(uint8_t ret_cdb[SCSI_CDB_BYTES], enum scsi_pr_in action,
                    uint16_t allocation_bytes);
/* LU scope; 'type' is 0 where the action has none. */
void scsi_cdb_pr_out(uint8_t ret_cdb[SCSI_CDB_BYTES], enum scsi_pr_out action,
                     enum scsi_pr_type type, uint32_t parameter_bytes);

/* The fields of those CDBs at the target. */
static inline uint8_t scsi_service_action(const uint8_t *cdb)
{
    return cdb[1] & 0x1f;
}
/* ALLOCATION LENGTH of a data-in command of the list above, INQUIRY to PR IN; 0 for others. */
uint32_t scsi_allocation_bytes(const uint8_t cdb[SCSI_CDB_BYTES]);
