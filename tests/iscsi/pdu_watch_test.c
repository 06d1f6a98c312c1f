/* The watch of rules P1 to P4: silent while both ends keep them, whatever crosses or gets lost, and
 * loud at the very PDU that breaks one.
 */
#include "tests/test.h"

#include "iscsi/pdu_watch.h"
#include "sim/core/attributes.h"
#include "sim/core/buf.h"
#include "sim/core/random.h"

#include <stdio.h>
#include <string.h>

enum { INITIATOR, TARGET };

/* A connection with a watch at both ends. */
struct line {
    struct pool *pool;
    struct pdu_watch *watch[2];
    struct pdu_break broken;
    int broken_end; /* -1: none */
};

static const struct iscsi_params agreed = {
    .max_connections = 1,
    .initial_r2t = false,
    .immediate_data = true,
    .max_recv_segment_bytes = 4096,
    .peer_max_recv_segment_bytes = 4096,
    .max_burst_bytes = 8192,
    .first_burst_bytes = 4096,
    .max_outstanding_r2t = 2,
    .data_pdu_in_order = true,
    .data_sequence_in_order = true,
};

static void see(struct line *line, int end, const struct pdu *pdu)
{
    uint8_t header[PDU_HEADER_BYTES];

    pdu_encode(pdu, header);
    if (pdu_watch_see(line->watch[end], header, pdu_is_from_target(pdu->opcode), &line->broken))
        line->broken_end = end;
}

/* Sent, and received at once. */
static void pass(struct line *line, const struct pdu *pdu)
{
    int sender = pdu_is_from_target(pdu->opcode) ? TARGET : INITIATOR;

    see(line, sender, pdu);
    see(line, !sender, pdu);
}

/* Shorthand. The window stands at ExpCmdSN 10, MaxCmdSN 40; StatSN 100 was the login's. */
#define WINDOW .exp_cmd_sn = 10, .max_cmd_sn = 40
#define CMD(tag, sn, reads, writes, edtl, immediate, final)                                        \
    {                                                                                              \
        .opcode = PDU_SCSI_COMMAND, .is_final = (final), .itt = (tag), .cmd_sn = (sn),             \
        .exp_stat_sn = 101, .data_bytes = (immediate), .command = {                                \
            .is_read = (reads),                                                                    \
            .is_write = (writes),                                                                  \
            .expected_bytes = (edtl)                                                               \
        }                                                                                          \
    }
#define READ(tag, sn, edtl)  CMD(tag, sn, true, false, edtl, 0, true)
#define WRITE(tag, sn, edtl) CMD(tag, sn, false, true, edtl, 0, true)
#define DATA_IN(tag, sn, offset, bytes, final)                                                     \
    {                                                                                              \
        .opcode = PDU_DATA_IN, .is_final = (final), .itt = (tag), .ttt = PDU_NO_TAG, WINDOW,       \
        .data_bytes = (bytes), .data_in = {                                                        \
            .data_sn = (sn),                                                                       \
            .buffer_offset = (offset)                                                              \
        }                                                                                          \
    }
#define DATA_IN_GOOD(tag, sn, offset, bytes, stat)                                                 \
    {                                                                                              \
        .opcode = PDU_DATA_IN, .is_final = true, .itt = (tag), .ttt = PDU_NO_TAG, WINDOW,          \
        .stat_sn = (stat), .data_bytes = (bytes), .data_in = {                                     \
            .has_status = true,                                                                    \
            .data_sn = (sn),                                                                       \
            .buffer_offset = (offset)                                                              \
        }                                                                                          \
    }
#define RESPONSE(tag, stat, code)                                                                  \
    {                                                                                              \
        .opcode = PDU_SCSI_RESPONSE, .itt = (tag), .stat_sn = (stat), WINDOW, .response = {        \
            .status = (code)                                                                       \
        }                                                                                          \
    }
#define SHORT_RESPONSE(tag, stat, rest)                                                            \
    {                                                                                              \
        .opcode = PDU_SCSI_RESPONSE, .itt = (tag), .stat_sn = (stat), WINDOW, .response = {        \
            .residual = {.is_underflow = true, .bytes = (rest)}                                    \
        }                                                                                          \
    }
#define R2T(tag, sn, offset, bytes, tt, stat)                                                      \
    {                                                                                              \
        .opcode = PDU_R2T, .itt = (tag), .ttt = (tt), .stat_sn = (stat), WINDOW, .r2t = {          \
            .r2t_sn = (sn),                                                                        \
            .buffer_offset = (offset),                                                             \
            .desired_bytes = (bytes)                                                               \
        }                                                                                          \
    }
#define DATA_OUT(tag, tt, sn, offset, bytes, final)                                                \
    {                                                                                              \
        .opcode = PDU_DATA_OUT, .is_final = (final), .itt = (tag), .ttt = (tt),                    \
        .exp_stat_sn = 101, .data_bytes = (bytes), .data_out = {                                   \
            .data_sn = (sn),                                                                       \
            .buffer_offset = (offset)                                                              \
        }                                                                                          \
    }
#define TMF(tag, sn, what, ref)                                                                    \
    {                                                                                              \
        .opcode = PDU_TASK_REQUEST, .is_immediate = true, .itt = (tag), .cmd_sn = (sn),            \
        .exp_stat_sn = 101, .task_request = {                                                      \
            .function = (what),                                                                    \
            .ref_task_tag = (ref)                                                                  \
        }                                                                                          \
    }
#define TMF_RESPONSE(tag, stat, code)                                                              \
    {                                                                                              \
        .opcode = PDU_TASK_RESPONSE, .itt = (tag), .stat_sn = (stat), WINDOW, .task_response = {   \
            .response = (code)                                                                     \
        }                                                                                          \
    }
#define PING(tag, sn, immediate)                                                                   \
    {                                                                                              \
        .opcode = PDU_NOP_OUT, .is_immediate = (immediate), .itt = (tag), .ttt = PDU_NO_TAG,       \
        .cmd_sn = (sn), .exp_stat_sn = 101                                                         \
    }
#define PONG(tag, stat)                                                                            \
    {                                                                                              \
        .opcode = PDU_NOP_IN, .itt = (tag), .ttt = PDU_NO_TAG, .stat_sn = (stat), WINDOW           \
    }
#define TARGET_PING(tt, stat)                                                                      \
    {                                                                                              \
        .opcode = PDU_NOP_IN, .itt = PDU_NO_TAG, .ttt = (tt), .stat_sn = (stat), WINDOW            \
    }
#define TEXT(tag, sn, final)                                                                       \
    {                                                                                              \
        .opcode = PDU_TEXT_REQUEST, .is_immediate = true, .is_final = (final), .itt = (tag),       \
        .ttt = PDU_NO_TAG, .cmd_sn = (sn), .exp_stat_sn = 101                                      \
    }
#define TEXT_RESPONSE(tag, stat, final)                                                            \
    {                                                                                              \
        .opcode = PDU_TEXT_RESPONSE, .is_final = (final), .itt = (tag), .ttt = PDU_NO_TAG,         \
        .stat_sn = (stat), WINDOW                                                                  \
    }
#define REJECT(stat)                                                                               \
    {                                                                                              \
        .opcode = PDU_REJECT, .stat_sn = (stat), WINDOW, .data_bytes = 48, .reject = {             \
            .reason = 2                                                                            \
        }                                                                                          \
    }
#define ASYNC(stat, what)                                                                          \
    {                                                                                              \
        .opcode = PDU_ASYNC, .stat_sn = (stat), WINDOW, .async = {.event = (what) }                \
    }

static void begin(struct line *line)
{
    static const struct pdu login = {.opcode = PDU_LOGIN_REQUEST,
                                     .is_immediate = true,
                                     .itt = 1,
                                     .cmd_sn = 10,
                                     .login_request = {.transit = true, .csg = 1, .nsg = 3}};
    static const struct pdu answer = {.opcode = PDU_LOGIN_RESPONSE,
                                      .itt = 1,
                                      .stat_sn = 100,
                                      WINDOW,
                                      .login_response = {.transit = true, .csg = 1, .nsg = 3}};

    *line = (struct line){.pool = pool_new(), .broken_end = -1};
    line->watch[INITIATOR] = pdu_watch_new(line->pool, false);
    line->watch[TARGET] = pdu_watch_new(line->pool, true);
    pass(line, &login);
    pass(line, &answer);
    pdu_watch_set_params(line->watch[INITIATOR], &agreed);
    pdu_watch_set_params(line->watch[TARGET], &agreed);
}

static void end(struct line *line)
{
    pdu_watch_free(line->watch[INITIATOR]);
    pdu_watch_free(line->watch[TARGET]);
    assert_int_equal(pool_live_blocks(line->pool), 0);
    assert_int_equal(pool_live_chunks(line->pool), 0);
    pool_free(line->pool);
}

static struct script {
    const char *name;
    const char *rule; /* that the last PDU breaks; NULL: none does */
    int by;
    size_t count;
    struct pdu pdus[9];
} scripts[] = {
    /* Silent. */
    {"a read in one PDU", NULL, 0, 2, {READ(5, 10, 4096), DATA_IN_GOOD(5, 0, 0, 4096, 101)}},
    {"a read in two sequences and a response",
     NULL,
     0,
     5,
     {READ(5, 10, 12288), DATA_IN(5, 0, 0, 4096, false), DATA_IN(5, 1, 4096, 4096, true),
      DATA_IN(5, 2, 8192, 4096, true), RESPONSE(5, 101, 0)}},
    {"an empty Data-In counts",
     NULL,
     0,
     4,
     {READ(5, 10, 4096), DATA_IN(5, 0, 0, 0, false), DATA_IN(5, 1, 0, 4096, true),
      RESPONSE(5, 101, 0)}},
    {"a read that brings less",
     NULL,
     0,
     3,
     {READ(5, 10, 4096), DATA_IN(5, 0, 0, 512, true), SHORT_RESPONSE(5, 101, 3584)}},
    {"a read that fails half way",
     NULL,
     0,
     3,
     {READ(5, 10, 8192), DATA_IN(5, 0, 0, 512, true), RESPONSE(5, 101, 2)}},
    {"a write with immediate data alone",
     NULL,
     0,
     2,
     {CMD(5, 10, false, true, 4096, 4096, true), RESPONSE(5, 101, 0)}},
    {"a write with all kinds of data",
     NULL,
     0,
     8,
     {CMD(5, 10, false, true, 12288, 1024, false), DATA_OUT(5, PDU_NO_TAG, 0, 1024, 3072, true),
      R2T(5, 0, 4096, 4096, 7, 101), R2T(5, 1, 8192, 4096, 8, 101),
      DATA_OUT(5, 7, 0, 4096, 4096, true), DATA_OUT(5, 8, 0, 8192, 2048, false),
      DATA_OUT(5, 8, 1, 10240, 2048, true), RESPONSE(5, 101, 0)}},
    {"two R2Ts with one tag",
     NULL,
     0,
     6,
     {WRITE(5, 10, 8192), R2T(5, 0, 0, 4096, 7, 101), R2T(5, 1, 4096, 4096, 7, 101),
      DATA_OUT(5, 7, 0, 0, 4096, true), DATA_OUT(5, 7, 0, 4096, 4096, true), RESPONSE(5, 101, 0)}},
    {"a write refused before its data was asked for",
     NULL,
     0,
     2,
     {WRITE(5, 10, 8192), RESPONSE(5, 101, 2)}},
    {"a write that takes less",
     NULL,
     0,
     4,
     {WRITE(5, 10, 8192), R2T(5, 0, 0, 512, 7, 101), DATA_OUT(5, 7, 0, 0, 512, true),
      SHORT_RESPONSE(5, 101, 7680)}},
    {"a write whose data nobody wants",
     NULL,
     0,
     2,
     {CMD(5, 10, false, true, 4096, 512, true), SHORT_RESPONSE(5, 101, 4096)}},
    {"a command without data",
     NULL,
     0,
     2,
     {CMD(5, 10, false, false, 0, 0, true), RESPONSE(5, 101, 0)}},
    {"pings both ways",
     NULL,
     0,
     5,
     {PING(5, 10, true), PONG(5, 101), PING(6, 10, false), TARGET_PING(3, 102), PONG(6, 102)}},
    {"the answer to a ping of the target",
     NULL,
     0,
     2,
     {TARGET_PING(3, 101), PING(PDU_NO_TAG, 10, true)}},
    {"a text in parts",
     NULL,
     0,
     4,
     {TEXT(5, 10, false), TEXT_RESPONSE(5, 101, false), TEXT(5, 10, true),
      TEXT_RESPONSE(5, 102, true)}},
    {"an aborted command is answered before",
     NULL,
     0,
     4,
     {READ(5, 10, 512), TMF(6, 11, ISCSI_TMF_ABORT_TASK, 5), DATA_IN_GOOD(5, 0, 0, 512, 101),
      TMF_RESPONSE(6, 102, ISCSI_TMF_TASK_DOES_NOT_EXIST)}},
    {"the tag of an aborted command is free",
     NULL,
     0,
     5,
     {READ(5, 10, 512), TMF(6, 11, ISCSI_TMF_ABORT_TASK, 5), TMF_RESPONSE(6, 101, 0),
      READ(5, 11, 512), DATA_IN_GOOD(5, 0, 0, 512, 102)}},
    {"an abort that is refused leaves the command alive",
     NULL,
     0,
     4,
     {READ(5, 10, 512), TMF(6, 11, ISCSI_TMF_ABORT_TASK, 5), TMF_RESPONSE(6, 101, 255),
      DATA_IN_GOOD(5, 0, 0, 512, 102)}},
    {"a burst may end early while it is aborted",
     NULL,
     0,
     5,
     {WRITE(5, 10, 4096), R2T(5, 0, 0, 4096, 7, 101), TMF(6, 11, ISCSI_TMF_ABORT_TASK, 5),
      DATA_OUT(5, 7, 0, 0, 512, true), TMF_RESPONSE(6, 101, 0)}},
    {"a reset ends what came before it and nothing else",
     NULL,
     0,
     7,
     {READ(5, 10, 512), READ(6, 11, 512), TMF(7, 12, ISCSI_TMF_LOGICAL_UNIT_RESET, PDU_NO_TAG),
      READ(8, 12, 512), TMF_RESPONSE(7, 101, 0), DATA_IN_GOOD(8, 0, 0, 512, 102),
      READ(5, 13, 512)}},
    {"a question ends nothing, whatever the answer",
     NULL,
     0,
     8,
     {READ(5, 10, 512), TMF(6, 11, ISCSI_TMF_QUERY_TASK, 5), TMF_RESPONSE(6, 101, 7),
      TMF(6, 11, ISCSI_TMF_QUERY_TASK, 5), TMF_RESPONSE(6, 102, 0),
      TMF(6, 11, ISCSI_TMF_QUERY_TASK_SET, PDU_NO_TAG), TMF_RESPONSE(6, 103, 0),
      DATA_IN_GOOD(5, 0, 0, 512, 104)}},
    {"a tag may come again after a Reject",
     NULL,
     0,
     4,
     {CMD(5, 10, false, true, 512, 512, true), REJECT(101), READ(5, 11, 512),
      DATA_IN_GOOD(5, 0, 0, 512, 102)}},
    {"an event takes a StatSN",
     NULL,
     0,
     3,
     {ASYNC(101, ISCSI_ASYNC_LOGOUT_REQUESTED), READ(5, 10, 512), DATA_IN_GOOD(5, 0, 0, 512, 102)}},
    /* P1 */
    {"CmdSN leaves a gap", "P1", INITIATOR, 2, {READ(5, 10, 512), READ(6, 12, 512)}},
    {"CmdSN comes twice", "P1", INITIATOR, 2, {READ(5, 10, 512), READ(6, 10, 512)}},
    {"an immediate command advances CmdSN",
     "P1",
     INITIATOR,
     2,
     {PING(5, 10, true), READ(6, 11, 512)}},
    {"an immediate command with another CmdSN",
     "P1",
     INITIATOR,
     2,
     {READ(5, 10, 512), PING(6, 10, true)}},
    {"a login's CmdSN is not used again", "P1", INITIATOR, 1, {READ(5, 11, 512)}},
    {"MaxCmdSN goes back",
     "P1",
     TARGET,
     2,
     {READ(5, 10, 512),
      {.opcode = PDU_SCSI_RESPONSE,
       .itt = 5,
       .stat_sn = 101,
       .exp_cmd_sn = 11,
       .max_cmd_sn = 39,
       .response = {.status = 8}}}},
    {"ExpCmdSN goes back",
     "P1",
     TARGET,
     1,
     {{.opcode = PDU_NOP_IN,
       .itt = PDU_NO_TAG,
       .ttt = 1,
       .stat_sn = 101,
       .exp_cmd_sn = 9,
       .max_cmd_sn = 40}}},
    {"ExpCmdSN runs ahead",
     "P1",
     TARGET,
     2,
     {READ(5, 10, 512),
      {.opcode = PDU_NOP_IN,
       .itt = PDU_NO_TAG,
       .ttt = 1,
       .stat_sn = 101,
       .exp_cmd_sn = 12,
       .max_cmd_sn = 40}}},
    {"MaxCmdSN below ExpCmdSN - 1",
     "P1",
     TARGET,
     1,
     {{.opcode = PDU_NOP_IN,
       .itt = PDU_NO_TAG,
       .ttt = 1,
       .stat_sn = 101,
       .exp_cmd_sn = 10,
       .max_cmd_sn = 8}}},
    /* P2 */
    {"StatSN skips a number", "P2", TARGET, 2, {READ(5, 10, 512), RESPONSE(5, 102, 8)}},
    {"StatSN comes twice", "P2", TARGET, 2, {READ(5, 10, 512), RESPONSE(5, 100, 8)}},
    {"a Data-In with status takes no StatSN",
     "P2",
     TARGET,
     4,
     {READ(5, 10, 512), DATA_IN_GOOD(5, 0, 0, 512, 101), READ(6, 11, 512), RESPONSE(6, 101, 8)}},
    {"an R2T takes a StatSN",
     "P2",
     TARGET,
     4,
     {WRITE(5, 10, 512), R2T(5, 0, 0, 512, 7, 101), DATA_OUT(5, 7, 0, 0, 512, true),
      RESPONSE(5, 102, 0)}},
    {"an R2T shows another StatSN",
     "P2",
     TARGET,
     2,
     {WRITE(5, 10, 512), R2T(5, 0, 0, 512, 7, 100)}},
    {"a ping of the target takes a StatSN",
     "P2",
     TARGET,
     3,
     {TARGET_PING(1, 101), READ(5, 10, 512), RESPONSE(5, 102, 8)}},
    {"a status is acknowledged that never came",
     "P2",
     INITIATOR,
     1,
     {{.opcode = PDU_NOP_OUT,
       .is_immediate = true,
       .itt = 5,
       .ttt = PDU_NO_TAG,
       .cmd_sn = 10,
       .exp_stat_sn = 102}}},
    /* P3 */
    {"a tag in use", "P3", INITIATOR, 2, {READ(5, 10, 512), READ(5, 11, 512)}},
    {"a tag in use by a ping", "P3", INITIATOR, 2, {PING(5, 10, true), READ(5, 10, 512)}},
    {"DataSN skips a number",
     "P3",
     TARGET,
     3,
     {READ(5, 10, 8192), DATA_IN(5, 0, 0, 4096, false), DATA_IN(5, 2, 4096, 4096, true)}},
    {"DataSN does not begin with 0",
     "P3",
     TARGET,
     2,
     {READ(5, 10, 8192), DATA_IN(5, 1, 0, 4096, false)}},
    {"R2TSN comes twice",
     "P3",
     TARGET,
     3,
     {WRITE(5, 10, 8192), R2T(5, 0, 0, 4096, 7, 101), R2T(5, 0, 4096, 4096, 8, 101)}},
    {"Data-In leaves a hole",
     "P3",
     TARGET,
     3,
     {READ(5, 10, 12288), DATA_IN(5, 0, 0, 4096, false), DATA_IN(5, 1, 8192, 4096, true)}},
    {"Data-In beyond what is expected",
     "P3",
     TARGET,
     2,
     {READ(5, 10, 512), DATA_IN(5, 0, 0, 1024, true)}},
    {"Data-In for a write", "P3", TARGET, 2, {WRITE(5, 10, 512), DATA_IN(5, 0, 0, 512, true)}},
    {"a segment longer than declared",
     "P3",
     TARGET,
     2,
     {READ(5, 10, 8192), DATA_IN(5, 0, 0, 4100, false)}},
    {"a sequence longer than MaxBurstLength",
     "P3",
     TARGET,
     4,
     {READ(5, 10, 12288), DATA_IN(5, 0, 0, 4096, false), DATA_IN(5, 1, 4096, 4096, false),
      DATA_IN(5, 2, 8192, 4096, true)}},
    {"an R2T without a tag",
     "P3",
     TARGET,
     2,
     {WRITE(5, 10, 512), R2T(5, 0, 0, 512, PDU_NO_TAG, 101)}},
    {"an R2T for nothing", "P3", TARGET, 2, {WRITE(5, 10, 512), R2T(5, 0, 0, 0, 7, 101)}},
    {"an R2T past the end", "P3", TARGET, 2, {WRITE(5, 10, 512), R2T(5, 0, 256, 512, 7, 101)}},
    {"an R2T for a read", "P3", TARGET, 2, {READ(5, 10, 512), R2T(5, 0, 0, 512, 7, 101)}},
    {"an R2T longer than MaxBurstLength",
     "P3",
     TARGET,
     2,
     {WRITE(5, 10, 16384), R2T(5, 0, 0, 8193, 7, 101)}},
    {"one R2T too many",
     "P3",
     TARGET,
     4,
     {WRITE(5, 10, 2048), R2T(5, 0, 0, 512, 7, 101), R2T(5, 1, 512, 512, 8, 101),
      R2T(5, 2, 1024, 512, 9, 101)}},
    {"an R2T that leaves a hole",
     "P3",
     TARGET,
     3,
     {WRITE(5, 10, 2048), R2T(5, 0, 0, 512, 7, 101), R2T(5, 1, 1024, 512, 8, 101)}},
    {"an R2T for what came unasked",
     "P3",
     TARGET,
     2,
     {CMD(5, 10, false, true, 2048, 512, true), R2T(5, 0, 0, 2048, 7, 101)}},
    {"the count in a response does not hold",
     "P3",
     TARGET,
     3,
     {READ(5, 10, 512),
      DATA_IN(5, 0, 0, 512, true),
      {.opcode = PDU_SCSI_RESPONSE,
       .itt = 5,
       .stat_sn = 101,
       WINDOW,
       .response = {.exp_data_sn = 2}}}},
    {"immediate data longer than FirstBurstLength",
     "P3",
     INITIATOR,
     1,
     {CMD(5, 10, false, true, 8192, 4097, true)}},
    {"immediate data longer than the command",
     "P3",
     INITIATOR,
     1,
     {CMD(5, 10, false, true, 512, 513, true)}},
    {"immediate data of a read", "P3", INITIATOR, 1, {CMD(5, 10, true, false, 512, 4, true)}},
    {"unsolicited data after the final bit",
     "P3",
     INITIATOR,
     2,
     {CMD(5, 10, false, true, 4096, 512, true), DATA_OUT(5, PDU_NO_TAG, 0, 512, 512, true)}},
    {"unsolicited data of a wrong DataSN",
     "P3",
     INITIATOR,
     2,
     {CMD(5, 10, false, true, 4096, 512, false), DATA_OUT(5, PDU_NO_TAG, 1, 512, 512, false)}},
    {"unsolicited data at a wrong offset",
     "P3",
     INITIATOR,
     2,
     {CMD(5, 10, false, true, 4096, 512, false), DATA_OUT(5, PDU_NO_TAG, 0, 0, 512, false)}},
    {"unsolicited data beyond FirstBurstLength",
     "P3",
     INITIATOR,
     2,
     {CMD(5, 10, false, true, 8192, 1024, false), DATA_OUT(5, PDU_NO_TAG, 0, 1024, 4096, true)}},
    {"unsolicited data that ends too early",
     "P3",
     INITIATOR,
     2,
     {CMD(5, 10, false, true, 8192, 512, false), DATA_OUT(5, PDU_NO_TAG, 0, 512, 512, true)}},
    {"Data-Out with a tag of no R2T",
     "P3",
     INITIATOR,
     3,
     {WRITE(5, 10, 512), R2T(5, 0, 0, 512, 7, 101), DATA_OUT(5, 8, 0, 0, 512, true)}},
    {"Data-Out for no task", "P3", INITIATOR, 1, {DATA_OUT(5, 8, 0, 0, 512, true)}},
    {"Data-Out skips a DataSN",
     "P3",
     INITIATOR,
     4,
     {WRITE(5, 10, 1024), R2T(5, 0, 0, 1024, 7, 101), DATA_OUT(5, 7, 0, 0, 512, false),
      DATA_OUT(5, 7, 2, 512, 512, true)}},
    {"Data-Out leaves a hole",
     "P3",
     INITIATOR,
     4,
     {WRITE(5, 10, 2048), R2T(5, 0, 0, 2048, 7, 101), DATA_OUT(5, 7, 0, 0, 512, false),
      DATA_OUT(5, 7, 1, 1024, 512, false)}},
    {"Data-Out beyond its R2T",
     "P3",
     INITIATOR,
     3,
     {WRITE(5, 10, 2048), R2T(5, 0, 0, 512, 7, 101), DATA_OUT(5, 7, 0, 0, 1024, true)}},
    {"Data-Out ends before its R2T is filled",
     "P3",
     INITIATOR,
     3,
     {WRITE(5, 10, 2048), R2T(5, 0, 0, 1024, 7, 101), DATA_OUT(5, 7, 0, 0, 512, true)}},
    {"a segment longer than the target declared",
     "P3",
     INITIATOR,
     3,
     {WRITE(5, 10, 8192), R2T(5, 0, 0, 8192, 7, 101), DATA_OUT(5, 7, 0, 0, 4100, false)}},
    /* P4 */
    {"a command is answered twice",
     "P4",
     TARGET,
     3,
     {READ(5, 10, 512), RESPONSE(5, 101, 8), RESPONSE(5, 102, 8)}},
    {"a response follows a status in Data-In",
     "P4",
     TARGET,
     3,
     {READ(5, 10, 512), DATA_IN_GOOD(5, 0, 0, 512, 101), RESPONSE(5, 102, 0)}},
    {"an answer that nobody asked for", "P4", TARGET, 1, {RESPONSE(5, 101, 0)}},
    {"a pong that nobody asked for", "P4", TARGET, 1, {PONG(5, 101)}},
    {"a ping is answered by a SCSI Response",
     "P4",
     TARGET,
     2,
     {PING(5, 10, true), RESPONSE(5, 101, 0)}},
    {"data after the response",
     "P4",
     TARGET,
     3,
     {READ(5, 10, 512), RESPONSE(5, 101, 8), DATA_IN(5, 0, 0, 512, true)}},
    {"GOOD before all data",
     "P4",
     TARGET,
     3,
     {READ(5, 10, 4096), DATA_IN(5, 0, 0, 512, true), RESPONSE(5, 101, 0)}},
    {"GOOD with a residual that does not add up",
     "P4",
     TARGET,
     3,
     {READ(5, 10, 4096), DATA_IN(5, 0, 0, 512, true), SHORT_RESPONSE(5, 101, 512)}},
    {"GOOD to a write before its data",
     "P4",
     TARGET,
     3,
     {WRITE(5, 10, 512), R2T(5, 0, 0, 512, 7, 101), RESPONSE(5, 101, 0)}},
    {"an answer after the abort is complete",
     "P4",
     TARGET,
     4,
     {READ(5, 10, 512), TMF(6, 11, ISCSI_TMF_ABORT_TASK, 5), TMF_RESPONSE(6, 101, 0),
      RESPONSE(5, 102, 0x40)}},
    {"an R2T after the abort is complete",
     "P4",
     TARGET,
     4,
     {WRITE(5, 10, 512), TMF(6, 11, ISCSI_TMF_ABORT_TASK, 5), TMF_RESPONSE(6, 101, 0),
      R2T(5, 0, 0, 512, 7, 102)}},
    {"an answer after a reset is complete",
     "P4",
     TARGET,
     4,
     {READ(5, 10, 512), TMF(6, 11, ISCSI_TMF_TARGET_WARM_RESET, PDU_NO_TAG),
      TMF_RESPONSE(6, 101, 0), RESPONSE(5, 102, 0x40)}},
    {"an answer after a nexus reset is complete",
     "P4",
     TARGET,
     4,
     {READ(5, 10, 512), TMF(6, 11, ISCSI_TMF_I_T_NEXUS_RESET, PDU_NO_TAG), TMF_RESPONSE(6, 101, 0),
      RESPONSE(5, 102, 0x40)}},
    {"a text is answered twice",
     "P4",
     TARGET,
     3,
     {TEXT(5, 10, false), TEXT_RESPONSE(5, 101, false), TEXT_RESPONSE(5, 102, true)}},
};

static void plays_as_written(void **state)
{
    const struct script *script = *state;
    struct line line;

    begin(&line);
    for (size_t i = 0; i < script->count; i++) {
        pass(&line, &script->pdus[i]);
        if (line.broken_end >= 0 && (!script->rule || i + 1 < script->count)) {
            print_error("PDU %u: %s: %s\n", (unsigned)i, line.broken.rule, line.broken.text);
            fail();
        }
    }
    if (script->rule) {
        assert_int_equal(line.broken_end, script->by);
        assert_string_equal(line.broken.rule, script->rule);
        assert_true(strlen(line.broken.text) > 10);
        line.broken_end = -1; /* what follows is not reported again */
        see(&line, script->by, &script->pdus[script->count - 1]);
        assert_int_equal(line.broken_end, -1);
    }
    end(&line);
}

static void a_break_says_what_was_expected(void **state)
{
    static const struct pdu late = {.opcode = PDU_NOP_IN,
                                    .itt = PDU_NO_TAG,
                                    .ttt = 1,
                                    .stat_sn = 101,
                                    .exp_cmd_sn = 10,
                                    .max_cmd_sn = 31};
    struct line line;

    (void)state;
    begin(&line);
    pass(&line, &late);
    assert_string_equal(line.broken.text, "NOP-In with MaxCmdSN 31 after 40");
    end(&line);
}

/* With the keys that ask for more order, or before they are known. */
static void limits_are_those_that_were_agreed(void **state)
{
    static const struct pdu immediate = CMD(5, 10, false, true, 512, 512, true);
    static const struct pdu open = CMD(5, 10, false, true, 512, 0, false);
    static const struct pdu unsolicited = DATA_OUT(5, PDU_NO_TAG, 0, 0, 512, true);
    struct iscsi_params strict = agreed;
    struct line line;

    (void)state;
    strict.immediate_data = false;
    strict.initial_r2t = true;
    begin(&line);
    pdu_watch_set_params(line.watch[INITIATOR], &strict);
    pass(&line, &immediate);
    assert_string_equal(line.broken.rule, "P3");
    end(&line);
    begin(&line);
    pdu_watch_set_params(line.watch[INITIATOR], &strict);
    pass(&line, &open);
    assert_int_equal(line.broken_end, -1);
    pass(&line, &unsolicited);
    assert_string_equal(line.broken.rule, "P3");
    end(&line);
}

static void a_command_beyond_the_window_is_the_initiators_fault(void **state)
{
    struct line line;

    (void)state;
    begin(&line);
    for (uint32_t sn = 10; sn <= 41; sn++) {
        struct pdu pdu = READ(sn, sn, 512);

        assert_int_equal(line.broken_end, -1);
        see(&line, TARGET, &pdu); /* first: it must not mind */
        assert_int_equal(line.broken_end, -1);
        see(&line, INITIATOR, &pdu);
    }
    assert_int_equal(line.broken_end, INITIATOR);
    assert_string_equal(line.broken.text, "SCSI Command with CmdSN 41 beyond MaxCmdSN 40");
    end(&line);
}

/* A target that meets a foolish initiator is right to drop what it drops. */
static void the_targets_end_does_not_judge_the_initiator(void **state)
{
    static const struct pdu first = READ(5, 10, 512);
    static const struct pdu repeat = READ(5, 10, 512);
    static const struct pdu below = READ(9, 9, 512);
    static const struct pdu gap = READ(6, 12, 512);
    static const struct pdu stray = DATA_OUT(77, 1, 0, 0, 512, true);
    static const struct pdu good = DATA_IN_GOOD(5, 0, 0, 512, 101);
    static const struct pdu ahead = {.opcode = PDU_NOP_OUT,
                                     .is_immediate = true,
                                     .itt = 8,
                                     .ttt = PDU_NO_TAG,
                                     .cmd_sn = 13,
                                     .exp_stat_sn = 5000};
    static const struct pdu *const all[] = {&first, &repeat, &below, &gap, &stray, &ahead, &good};
    struct line line;

    (void)state;
    begin(&line);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        see(&line, TARGET, all[i]);
    assert_int_equal(line.broken_end, -1);
    end(&line);
}

static void numbers_wrap(void **state)
{
    struct line line;
    struct pdu login = {.opcode = PDU_LOGIN_REQUEST, .is_immediate = true, .cmd_sn = 0xfffffff0};
    struct pdu answer = {.opcode = PDU_LOGIN_RESPONSE,
                         .stat_sn = 0xfffffff8,
                         .exp_cmd_sn = 0xfffffff0,
                         .max_cmd_sn = 0xffffffff};
    uint32_t stat_sn = 0xfffffff9;

    (void)state;
    line = (struct line){.pool = pool_new(), .broken_end = -1};
    line.watch[INITIATOR] = pdu_watch_new(line.pool, false);
    line.watch[TARGET] = pdu_watch_new(line.pool, true);
    pass(&line, &login);
    pass(&line, &answer);
    for (uint32_t sn = 0xfffffff0; sn != 0x20; sn++) {
        struct pdu request = CMD(sn, sn, false, false, 0, 0, true);
        struct pdu response = {.opcode = PDU_SCSI_RESPONSE,
                               .itt = sn,
                               .stat_sn = stat_sn++,
                               .exp_cmd_sn = sn + 1,
                               .max_cmd_sn = sn + 0x10};

        request.exp_stat_sn = response.stat_sn;
        pass(&line, &request);
        pass(&line, &response);
        assert_int_equal(line.broken_end, -1);
    }
    end(&line);
}

static void a_refused_login_says_nothing_about_numbers(void **state)
{
    struct line line;
    struct pdu login = {.opcode = PDU_LOGIN_REQUEST, .is_immediate = true, .cmd_sn = 10};
    struct pdu refusal = {.opcode = PDU_LOGIN_RESPONSE, .login_response = {.status_class = 2}};

    (void)state;
    line = (struct line){.pool = pool_new(), .broken_end = -1};
    line.watch[INITIATOR] = pdu_watch_new(line.pool, false);
    line.watch[TARGET] = pdu_watch_new(line.pool, true);
    pass(&line, &login);
    pass(&line, &refusal);
    assert_int_equal(line.broken_end, -1);
    end(&line);
}

/* Thousands of tasks at once, answered in any order. */
static void live_side_by_side(uint32_t tag_step)
{
    enum { TASKS = 3000 };
    struct line line;
    struct random random;
    uint32_t tags[TASKS];

    begin(&line);
    random_init(&random, 1, "tasks");
    for (uint32_t i = 0; i < TASKS; i++) {
        struct pdu pdu = PING(0, 10, true);

        tags[i] = pdu.itt = i * tag_step;
        pass(&line, &pdu);
    }
    assert_int_equal(pdu_watch_living(line.watch[TARGET]), TASKS);
    for (uint32_t left = TASKS; left > 0; left--) {
        uint32_t at = (uint32_t)random_below(&random, left);
        struct pdu pdu = PONG(tags[at], 101 + TASKS - left);

        tags[at] = tags[left - 1];
        pass(&line, &pdu);
    }
    assert_int_equal(line.broken_end, -1);
    assert_int_equal(pdu_watch_living(line.watch[TARGET]), 0);
    assert_int_equal(pdu_watch_living(line.watch[INITIATOR]), 0);
    end(&line);
}

static void many_tasks_live_side_by_side(void **state)
{
    (void)state;
    live_side_by_side(1);
    live_side_by_side(0x9e3779b1u);
}

/* As of an initiator that carries its index in the high bits: they do not crowd in one place. */
static void many_tasks_whose_tags_differ_in_high_bits(void **state)
{
    (void)state;
    live_side_by_side(1u << 16);
}

/* Both ends at work, with PDUs that cross in two queues; nobody breaks a rule. */

#define TASKS_MOST 24
#define QUEUE_MOST 4096

struct worker_task {
    bool is_used;
    bool is_write;
    bool is_dead_at_target;
    bool is_aborted;
    bool is_known_at_target;
    uint32_t itt;
    uint32_t edtl;
    uint32_t moved; /* by the target: Data-In sent, or data received */
    uint32_t asked; /* R2T up to here */
    uint32_t sn;
    bool r2t_open;
};

struct world {
    struct line line;
    struct random random;
    struct pdu to_target[QUEUE_MOST];
    struct pdu to_initiator[QUEUE_MOST];
    size_t target_head, target_tail, initiator_head, initiator_tail;
    struct worker_task tasks[TASKS_MOST];
    uint32_t next_itt;
    uint32_t cmd_sn;     /* initiator's next */
    uint32_t exp_cmd_sn; /* target's */
    uint32_t max_cmd_sn; /* as the initiator knows it */
    uint32_t stat_sn;
    uint32_t exp_stat_sn;
    uint32_t tmf_itt; /* 0: none */
    uint32_t tmf_ref;
};

static void send_to_target(struct world *w, struct pdu pdu)
{
    pdu.exp_stat_sn = w->exp_stat_sn;
    see(&w->line, INITIATOR, &pdu);
    w->to_target[w->target_tail++ % QUEUE_MOST] = pdu;
}

static void send_to_initiator(struct world *w, struct pdu pdu, bool has_status)
{
    pdu.exp_cmd_sn = w->exp_cmd_sn;
    pdu.max_cmd_sn = w->exp_cmd_sn + 15;
    pdu.stat_sn = w->stat_sn;
    w->stat_sn += has_status;
    see(&w->line, TARGET, &pdu);
    w->to_initiator[w->initiator_tail++ % QUEUE_MOST] = pdu;
}

static struct worker_task *task_of(struct world *w, uint32_t itt)
{
    for (size_t i = 0; i < TASKS_MOST; i++) {
        if (w->tasks[i].is_used && w->tasks[i].itt == itt)
            return &w->tasks[i];
    }
    return NULL;
}

static void initiator_starts(struct world *w)
{
    while (task_of(w, w->next_itt)) /* tags come again soon, but not too soon */
        w->next_itt = 100 + (w->next_itt - 99) % 64;
    for (size_t i = 0; i < TASKS_MOST; i++) {
        struct worker_task *task = &w->tasks[i];

        if (task->is_used || (int32_t)(w->max_cmd_sn - w->cmd_sn) < 0)
            continue;
        *task = (struct worker_task){
            .is_used = true,
            .is_write = random_chance(&w->random, 500000),
            .itt = w->next_itt,
            .edtl = 512 * (1 + (uint32_t)random_below(&w->random, 40)),
        };
        bool is_immediate = random_chance(&w->random, 100000);
        uint32_t data = task->is_write && random_chance(&w->random, 500000)
                            ? (task->edtl < 4096 ? task->edtl : 4096)
                            : 0;
        bool has_more = task->is_write && data == 0 && random_chance(&w->random, 500000);
        struct pdu pdu =
            CMD(task->itt, w->cmd_sn, !task->is_write, task->is_write, task->edtl, data, !has_more);

        pdu.is_immediate = is_immediate;
        w->cmd_sn += !is_immediate;
        send_to_target(w, pdu);
        if (has_more) {
            uint32_t all = task->edtl < 4096 ? task->edtl : 4096;
            struct pdu first = DATA_OUT(task->itt, PDU_NO_TAG, 0, 0, all - 256, false);
            struct pdu second = DATA_OUT(task->itt, PDU_NO_TAG, 1, all - 256, 256, true);

            send_to_target(w, first);
            send_to_target(w, second);
        }
        return;
    }
}

static void initiator_manages(struct world *w)
{
    struct worker_task *task = &w->tasks[random_below(&w->random, TASKS_MOST)];

    if (w->tmf_itt != 0 || !task->is_used)
        return;
    w->tmf_itt = 1000000 + w->next_itt;
    w->tmf_ref = task->itt;
    struct pdu pdu = TMF(w->tmf_itt, w->cmd_sn, ISCSI_TMF_ABORT_TASK, task->itt);

    if (random_chance(&w->random, 300000))
        pdu.task_request.function = ISCSI_TMF_LOGICAL_UNIT_RESET;
    send_to_target(w, pdu);
}

static void target_receives(struct world *w)
{
    const struct pdu *pdu = &w->to_target[w->target_head % QUEUE_MOST];

    if (w->target_head == w->target_tail)
        return;
    w->target_head++;
    see(&w->line, TARGET, pdu);
    struct worker_task *task = task_of(w, pdu->itt);

    if (pdu->opcode == PDU_SCSI_COMMAND) {
        w->exp_cmd_sn += !pdu->is_immediate;
        task->is_known_at_target = true;
        task->moved = pdu->data_bytes;
        task->asked = task->is_write && !pdu->is_final ? (task->edtl < 4096 ? task->edtl : 4096)
                                                       : pdu->data_bytes;
    } else if (pdu->opcode == PDU_DATA_OUT && task && task->is_known_at_target) {
        task->moved += pdu->data_bytes;
        if (pdu->is_final)
            task->r2t_open = false;
    } else if (pdu->opcode == PDU_TASK_REQUEST) {
        struct pdu answer = TMF_RESPONSE(pdu->itt, 0, 0);

        for (size_t i = 0; i < TASKS_MOST; i++) {
            struct worker_task *each = &w->tasks[i];
            bool is_meant = pdu->task_request.function != ISCSI_TMF_ABORT_TASK ||
                            each->itt == pdu->task_request.ref_task_tag;

            if (is_meant && each->is_known_at_target)
                each->is_dead_at_target = each->is_aborted = true;
        }
        send_to_initiator(w, answer, true);
    }
}

static void target_works(struct world *w)
{
    struct worker_task *task = &w->tasks[random_below(&w->random, TASKS_MOST)];

    if (!task->is_used || !task->is_known_at_target || task->is_dead_at_target)
        return;
    uint32_t left = task->edtl - task->moved;

    if (!task->is_write && left > 0) {
        uint32_t bytes = left < 2048 ? left : 2048;
        bool is_last = bytes == left;
        bool has_status = is_last && random_chance(&w->random, 500000);
        struct pdu pdu = DATA_IN(task->itt, task->sn++, task->moved, bytes, true);

        pdu.data_in.has_status = has_status;
        task->moved += bytes;
        task->is_dead_at_target = has_status;
        send_to_initiator(w, pdu, has_status);
    } else if (task->is_write && left > 0) {
        if (task->r2t_open || task->moved < task->asked)
            return; /* waits for data */
        struct pdu pdu = R2T(task->itt, task->sn++, task->moved, left < 4096 ? left : 4096,
                             random_below(&w->random, 3) ? 7 : task->itt, 0);

        task->asked = task->moved + pdu.r2t.desired_bytes;
        task->r2t_open = true;
        send_to_initiator(w, pdu, false);
    } else {
        struct pdu pdu = RESPONSE(task->itt, 0, 0);

        task->is_dead_at_target = true;
        send_to_initiator(w, pdu, true);
    }
}

static void initiator_forgets(struct world *w)
{
    for (size_t i = 0; i < TASKS_MOST; i++) {
        if (w->tasks[i].is_aborted)
            w->tasks[i].is_used = false;
    }
    w->tmf_itt = 0;
}

static void initiator_receives(struct world *w)
{
    const struct pdu *pdu = &w->to_initiator[w->initiator_head % QUEUE_MOST];

    if (w->initiator_head == w->initiator_tail)
        return;
    w->initiator_head++;
    see(&w->line, INITIATOR, pdu);
    w->max_cmd_sn = pdu->max_cmd_sn;
    struct worker_task *task = task_of(w, pdu->itt);
    bool has_status = pdu->opcode == PDU_SCSI_RESPONSE || pdu->opcode == PDU_TASK_RESPONSE ||
                      (pdu->opcode == PDU_DATA_IN && pdu->data_in.has_status);

    if (has_status)
        w->exp_stat_sn = pdu->stat_sn + 1;
    if (pdu->opcode == PDU_TASK_RESPONSE) {
        initiator_forgets(w);
        return;
    }
    assert_non_null(task);
    if (has_status)
        task->is_used = false;
    if (pdu->opcode != PDU_R2T)
        return;
    uint32_t half = pdu->r2t.desired_bytes / 2;
    struct pdu first = DATA_OUT(task->itt, pdu->ttt, 0, pdu->r2t.buffer_offset, half, false);
    struct pdu second = DATA_OUT(task->itt, pdu->ttt, 1, pdu->r2t.buffer_offset + half,
                                 pdu->r2t.desired_bytes - half, true);

    send_to_target(w, first);
    send_to_target(w, second);
}

static void two_honest_ends_never_raise_an_alarm(void **state)
{
    static struct world w;

    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        w = (struct world){.next_itt = 100,
                           .cmd_sn = 10,
                           .exp_cmd_sn = 10,
                           .max_cmd_sn = 24,
                           .stat_sn = 101,
                           .exp_stat_sn = 101};
        begin(&w.line);
        pdu_watch_free(w.line.watch[TARGET]);
        pdu_watch_free(w.line.watch[INITIATOR]);
        w.line.watch[TARGET] = pdu_watch_new(w.line.pool, true);
        w.line.watch[INITIATOR] = pdu_watch_new(w.line.pool, false);
        pdu_watch_set_params(w.line.watch[TARGET], &agreed);
        pdu_watch_set_params(w.line.watch[INITIATOR], &agreed);
        random_init(&w.random, seed, "world");
        for (int step = 0; step < 20000; step++) {
            switch (random_below(&w.random, 6)) {
            case 0:
                initiator_starts(&w);
                break;
            case 1:
                if (random_chance(&w.random, 20000))
                    initiator_manages(&w);
                break;
            case 2:
            case 3:
                target_receives(&w);
                initiator_receives(&w);
                break;
            default:
                target_works(&w);
                break;
            }
            if (w.line.broken_end >= 0) {
                print_error("seed %u, step %d, end %d: %s: %s\n", (unsigned)seed, step,
                            w.line.broken_end, w.line.broken.rule, w.line.broken.text);
                fail();
            }
        }
        assert_true(w.stat_sn > 500); /* it was not idle */
        end(&w.line);
    }
}

static void any_headers_are_safe(void **state)
{
    struct random random;
    uint8_t header[PDU_HEADER_BYTES];

    (void)state;
    random_init(&random, 1, "headers");
    for (int round = 0; round < 200; round++) {
        struct line line;

        begin(&line);
        for (int i = 0; i < 300; i++) {
            for (size_t at = 0; at < PDU_HEADER_BYTES; at++)
                header[at] = random_chance(&random, 700000) ? 0 : (uint8_t)random_below(&random, 4);
            header[0] = (uint8_t)random_below(&random, 64);
            pdu_watch_see(line.watch[round & 1], header, random_chance(&random, 500000),
                          &line.broken);
        }
        end(&line);
    }
}

int main(void)
{
    TEST_ROWS(scripts, plays_as_written);
    TEST(a_break_says_what_was_expected);
    TEST(limits_are_those_that_were_agreed);
    TEST(a_command_beyond_the_window_is_the_initiators_fault);
    TEST(the_targets_end_does_not_judge_the_initiator);
    TEST(numbers_wrap);
    TEST(a_refused_login_says_nothing_about_numbers);
    TEST(many_tasks_live_side_by_side);
    TEST(many_tasks_whose_tags_differ_in_high_bits);
    TEST(two_honest_ends_never_raise_an_alarm);
    TEST(any_headers_are_safe);
    return TEST_RUN("iscsi.pdu_watch");
}
