/* How a command ends: GOOD with or without data, or a refusal with its sense data (SPC-4, 4.5).
 *
 * All of these set the task's status and results and return TASK_DONE, so that a start function
 * ends in one statement.
 */
#pragma once

#include "iscsi/scsi.h"
#include "target/task.h"

#include <stddef.h>
#include <stdint.h>

/* Sense key, additional sense code and qualifier as 0xKKAAQQ. */
#define REFUSAL(key, asc) ((unsigned)(key) << 16 | (unsigned)(asc))

enum refusal {
    REFUSE_NO_SENSE = REFUSAL(SCSI_NO_SENSE, SCSI_ASC_NONE),
    REFUSE_TRANSITIONING = REFUSAL(SCSI_NOT_READY, SCSI_ASC_ALUA_TRANSITION),
    REFUSE_STANDBY = REFUSAL(SCSI_NOT_READY, SCSI_ASC_ALUA_STANDBY),
    REFUSE_UNAVAILABLE = REFUSAL(SCSI_NOT_READY, SCSI_ASC_ALUA_UNAVAILABLE),
    REFUSE_SANITIZING = REFUSAL(SCSI_NOT_READY, SCSI_ASC_SANITIZE_IN_PROGRESS),
    REFUSE_NO_MEDIUM = REFUSAL(SCSI_NOT_READY, SCSI_ASC_NO_MEDIUM),
    REFUSE_SANITIZE_FAILED = REFUSAL(SCSI_MEDIUM_ERROR, 0x3103),
    REFUSE_WRITE_ERROR = REFUSAL(SCSI_MEDIUM_ERROR, SCSI_ASC_WRITE_ERROR),
    REFUSE_READ_ERROR = REFUSAL(SCSI_MEDIUM_ERROR, SCSI_ASC_UNRECOVERED_READ_ERROR),
    REFUSE_INTERNAL_FAILURE = REFUSAL(SCSI_HARDWARE_ERROR, SCSI_ASC_INTERNAL_TARGET_FAILURE),
    REFUSE_LIST_LENGTH = REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH),
    REFUSE_OPCODE = REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPCODE),
    REFUSE_RANGE = REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE),
    REFUSE_LUN = REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_LUN_NOT_SUPPORTED),
    REFUSE_PARAMETER = REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_PARAMETERS),
    REFUSE_INVALID_RELEASE = REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_RELEASE),
    REFUSE_UNIT_FIELD = REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_COMMAND_UNIT),
    REFUSE_REMOVAL_PREVENTED = REFUSAL(SCSI_ILLEGAL_REQUEST, 0x5302),
    REFUSE_REGISTRATIONS_FULL = REFUSAL(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INSUFFICIENT_REGISTRATIONS),
    REFUSE_MISCOMPARE = REFUSAL(SCSI_MISCOMPARE, SCSI_ASC_MISCOMPARE),
    REFUSE_WRITE_PROTECTED = REFUSAL(SCSI_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED),
    REFUSE_SPACE = REFUSAL(SCSI_DATA_PROTECT, 0x2707), /* SPACE ALLOCATION FAILED WRITE PROTECT */
};
#define REFUSE_ATTENTION(asc) REFUSAL(SCSI_UNIT_ATTENTION, asc)

/* GOOD, nothing transferred. */
enum task_step task_good(struct scsi_task *task);
/* GOOD with a copy of 'data', cut silently at the allocation length (SPC-4, 4.3.5.6). */
enum task_step task_reply(struct scsi_task *task, struct pool *pool, const void *data, size_t bytes,
                          uint64_t allocation_bytes);
/* A status other than GOOD and CHECK CONDITION. */
enum task_step task_status(struct scsi_task *task, uint8_t status);
/* CHECK CONDITION. 'refusal' may come from REFUSE_ATTENTION(). */
enum task_step task_refuse(struct scsi_task *task, unsigned refusal);
/* 5/24/00 that points at a byte of the CDB and its highest bit at fault (SPC-4, 4.5.2.4.2). */
enum task_step task_refuse_field(struct scsi_task *task, unsigned byte, unsigned bit);
/* 5/26/00 that points at a byte of the parameter list. */
enum task_step task_refuse_parameter(struct scsi_task *task, unsigned byte);
/* With the INFORMATION field: an LBA, or the offset of a miscompare. */
enum task_step task_refuse_at(struct scsi_task *task, unsigned refusal, uint64_t information);

/* With the progress indication, in 1/65536 (SPC-4, 4.5.2.4.4). */
enum task_step task_refuse_progress(struct scsi_task *task, unsigned refusal, uint16_t progress);

/* The sense data of a refusal as REQUEST SENSE returns them; returns their bytes. */
size_t sense_data(unsigned refusal, bool is_descriptor, uint8_t ret_sense[SCSI_SENSE_MOST_BYTES]);
size_t sense_data_progress(unsigned refusal, bool is_descriptor, uint16_t progress,
                           uint8_t ret_sense[SCSI_SENSE_MOST_BYTES]);
