/* The inside of a connection's watch: what its parts share.
 *
 *   pdu_watch.c           life, and who sees what
 *   pdu_watch_requests.c  the PDUs of the initiator: judged at its end, context at the target's
 *   pdu_watch_answers.c   the PDUs of the target: judged at its end, context at the initiator's
 */
#pragma once

#include "iscsi/pdu_watch.h"
#include "iscsi/watch_tasks.h"

struct pdu_watch {
    struct watch_tasks tasks;
    bool is_target_end;
    bool has_params;
    bool is_broken;     /* reported: nothing more to say */
    bool has_cmd_sn;    /* a request was seen */
    bool has_window;    /* ExpCmdSN and MaxCmdSN were seen */
    bool has_stat_sn;   /* a status was seen */
    bool has_untracked; /* the cap was reached: unknown tags mean nothing */
    bool has_rejects;   /* a task may have died without our seeing which */
    uint32_t next_cmd_sn;
    uint32_t exp_cmd_sn; /* last shown by the target */
    uint32_t max_cmd_sn;
    uint32_t next_stat_sn;
    uint64_t order;
    struct pdu_break *broken; /* where the rule that is broken now is reported */
    struct iscsi_params params;
};

/* A rule is broken: the first break stands, and ends the judging. */
PRINTF_LIKE(3, 4)
void watch_broken(struct pdu_watch *watch, const char *rule, const char *format, ...);
/* P3: a segment is no longer than the receiver declared. Judged by the sender, who knows what held
 * when it sent. */
void watch_judge_segment(struct pdu_watch *watch, const struct pdu *pdu);

void watch_see_request(struct pdu_watch *watch, const struct pdu *pdu);
void watch_see_answer(struct pdu_watch *watch, const struct pdu *pdu);
