/* Looks on as the PDUs of one connection end pass, and reports the first broken rule of P1 to P4.
 *
 *   P1  CmdSN steps by one, immediate commands do not advance it; ExpCmdSN and MaxCmdSN never go
 *       back; ExpCmdSN acknowledges nothing that was not sent
 *   P2  StatSN without gaps; Data-In without status, R2T and unsolicited NOP-In do not advance it
 *   P3  task tags unique among the living; DataSN and R2TSN contiguous; Data-Out adds up; data and
 *       bursts keep to EDTL and to the negotiated limits
 *   P4  at most one response per command, after all its data; none after a completed abort
 *
 * One watch per connection end, fed with every header in the order in which that end sent or
 * received it. The two directions cross in the network, so nothing is concluded from an order that
 * a crossing could explain: an end that has not yet seen a response may still send data, a command
 * that the target drops in silence (outside its window, RFC 7143, 4.2.2.1) simply stays open.
 *
 * The connection is the only one of its session and error recovery level is 0: nothing is sent
 * twice. Memory: one pooled entry per living task, bounded by what passes and by the cap of
 * PDU_WATCH_TASKS_MOST; beyond it new tasks are not followed.
 */
#pragma once

#include "iscsi/params.h"
#include "iscsi/pdu.h"

#include <stdbool.h>
#include <stdint.h>

#define PDU_WATCH_TASKS_MOST 65536u

struct pool;
struct pdu_watch;

struct pdu_break {
    const char *rule; /* "P1" to "P4" */
    char text[192];   /* what was expected, what was seen, with the numbers */
};

/* Allocates from 'pool', which is borrowed. 'is_target_end': this end sends the target's PDUs. */
struct pdu_watch *pdu_watch_new(struct pool *pool, bool is_target_end);
/* Gives everything back; NULL does nothing. A connection that ends leaves no duty behind: its tasks
 * die with it (the session's reinstatement begins a new watch). */
void pdu_watch_free(struct pdu_watch *watch);

/* What was agreed, once login is over: the burst and segment rules are watched from then on.
 * 'params' is seen from this end: max_recv_segment_bytes is its own declaration. May be called
 * again when a Text negotiation changed them. */
void pdu_watch_set_params(struct pdu_watch *watch, const struct iscsi_params *params);

/* True: a rule is broken for the first time; the text stands in '*ret_break'. Later breaks of the
 * same connection are its consequences and are not reported. */
bool pdu_watch_see(struct pdu_watch *watch, const uint8_t header[PDU_HEADER_BYTES],
                   bool is_from_target, struct pdu_break *ret_break);

/* Tasks that are alive now. */
uint32_t pdu_watch_living(const struct pdu_watch *watch);
