/* The start functions of the commands, one file per idea. Each finds the checks of commands.c
 * passed and either ends the task or leaves it waiting. */
#pragma once

#include "target/lun.h"
#include "target/refuse.h"

/* inquiry.c; 'lun' NULL: no such logical unit. */
enum task_step start_inquiry(struct lun *lun, struct scsi_task *task);

/* unit.c */
enum task_step start_test_unit_ready(struct lun *lun, struct scsi_task *task);
enum task_step start_request_sense(struct lun *lun, struct scsi_task *task); /* 'lun' may be NULL */
enum task_step start_start_stop_unit(struct lun *lun, struct scsi_task *task);
enum task_step start_prevent_allow(struct lun *lun, struct scsi_task *task);
enum task_step start_reserve(struct lun *lun, struct scsi_task *task);
enum task_step start_release(struct lun *lun, struct scsi_task *task);
/* The nexus is lost or the LU reset: what it held there by these commands is free. */
void unit_nexus_left(struct lun *lun, struct nexus *nexus);

/* capacity.c */
enum task_step start_read_capacity_10(struct lun *lun, struct scsi_task *task);
enum task_step start_read_capacity_16(struct lun *lun, struct scsi_task *task);

/* mode.c */
enum task_step start_mode_sense_6(struct lun *lun, struct scsi_task *task);
enum task_step start_mode_sense_10(struct lun *lun, struct scsi_task *task);
enum task_step start_mode_select_6(struct lun *lun, struct scsi_task *task);
enum task_step start_mode_select_10(struct lun *lun, struct scsi_task *task);
uint64_t mode_select_6_data_bytes(const struct lun *lun, const uint8_t *cdb);
uint64_t mode_select_10_data_bytes(const struct lun *lun, const uint8_t *cdb);

/* rw.c */
enum task_step start_read(struct lun *lun, struct scsi_task *task);
enum task_step start_write(struct lun *lun, struct scsi_task *task);
enum task_step start_synchronize_cache(struct lun *lun, struct scsi_task *task);
uint64_t write_data_bytes(const struct lun *lun, const uint8_t *cdb);
/* Hands the task's request to the store. */
enum task_step task_submit(struct lun *lun, struct scsi_task *task,
                           void (*on_done)(struct store_request *request));
/* What is in a volatile cache goes to the medium; then 'on_done' goes on. */
enum task_step task_flush(struct lun *lun, struct scsi_task *task,
                          void (*on_done)(struct store_request *request));
/* The refusal that a failed request of the store ends in. */
void task_refuse_store_result(struct scsi_task *task, const struct lun *lun);

enum task_step start_pre_fetch(struct lun *lun, struct scsi_task *task);
enum task_step start_read_defect_data(struct lun *lun, struct scsi_task *task);

/* verify.c */
#define COMPARE_AND_WRITE_MOST_BLOCKS 255u
enum task_step start_verify(struct lun *lun, struct scsi_task *task);
uint64_t verify_data_bytes(const struct lun *lun, const uint8_t *cdb);
enum task_step start_write_and_verify(struct lun *lun, struct scsi_task *task);
uint64_t write_verify_data_bytes(const struct lun *lun, const uint8_t *cdb);
enum task_step start_compare_and_write(struct lun *lun, struct scsi_task *task);
uint64_t compare_and_write_data_bytes(const struct lun *lun, const uint8_t *cdb);

/* write_special.c */
#define WRITE_SAME_MOST_BLOCKS   65535u /* what WRITE SAME(10) can say */
#define WRITE_ATOMIC_MOST_BLOCKS 32768u
enum task_step start_write_same(struct lun *lun, struct scsi_task *task);
uint64_t write_same_data_bytes(const struct lun *lun, const uint8_t *cdb);
enum task_step start_or_write(struct lun *lun, struct scsi_task *task);
uint64_t or_write_data_bytes(const struct lun *lun, const uint8_t *cdb);
enum task_step start_write_atomic(struct lun *lun, struct scsi_task *task);
uint64_t write_atomic_data_bytes(const struct lun *lun, const uint8_t *cdb);

/* provision.c */
#define UNMAP_MOST_BLOCKS      (UINT32_C(1) << 20)
#define UNMAP_MOST_DESCRIPTORS 256u
enum task_step start_unmap(struct lun *lun, struct scsi_task *task);
uint64_t unmap_data_bytes(const struct lun *lun, const uint8_t *cdb);
enum task_step start_get_lba_status(struct lun *lun, struct scsi_task *task);

/* copy.c */
enum task_step start_extended_copy(struct lun *lun, struct scsi_task *task);
uint64_t extended_copy_data_bytes(const struct lun *lun, const uint8_t *cdb);
enum task_step start_copy_status(struct lun *lun, struct scsi_task *task);
enum task_step start_copy_parameters(struct lun *lun, struct scsi_task *task);
/* The descriptors of VPD page 8Fh (SPC-4, 7.8.17), at most COPY_DESCRIPTION_BYTES; returns them. */
#define COPY_DESCRIPTION_BYTES 128u
size_t copy_describe(uint8_t *to);

/* alua.c */
enum task_step start_set_groups(struct lun *lun, struct scsi_task *task);
uint64_t set_groups_data_bytes(const struct lun *lun, const uint8_t *cdb);

/* sanitize.c */
enum task_step start_sanitize_overwrite(struct lun *lun, struct scsi_task *task);
enum task_step start_sanitize_erase(struct lun *lun, struct scsi_task *task);
enum task_step start_sanitize_exit(struct lun *lun, struct scsi_task *task);
uint64_t sanitize_data_bytes(const struct lun *lun, const uint8_t *cdb);

/* report.c */
enum task_step start_report_luns(struct lun *lun, struct scsi_task *task); /* 'lun' may be NULL */
enum task_step start_report_groups(struct lun *lun, struct scsi_task *task);
enum task_step start_report_opcodes(struct lun *lun, struct scsi_task *task);
enum task_step start_report_tmfs(struct lun *lun, struct scsi_task *task);

/* pr_in.c */
enum task_step start_pr_read_keys(struct lun *lun, struct scsi_task *task);
enum task_step start_pr_read_reservation(struct lun *lun, struct scsi_task *task);
enum task_step start_pr_report_capabilities(struct lun *lun, struct scsi_task *task);
enum task_step start_pr_read_full_status(struct lun *lun, struct scsi_task *task);

/* pr_out.c */
enum task_step start_pr_out(struct lun *lun, struct scsi_task *task);
uint64_t pr_out_data_bytes(const struct lun *lun, const uint8_t *cdb);
/* PREEMPT AND ABORT: the tasks that it aborted have ended. */
enum task_step pr_out_continue(struct lun *lun, struct scsi_task *task);
