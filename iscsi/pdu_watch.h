/* Looks on as the PDUs of one connection end pass, and reports the first rule of P1 to P4 that this
 * end breaks.
 *
 * The initiator's end:
 *   P1  CmdSN steps by one, immediate requests do not advance it; MaxCmdSN is kept
 *   P2  ExpStatSN acknowledges only what came
 *   P3  task tags unique among the living; Data-Out adds up to what was asked; limits of bursts and
 *       segments
 * The target's end:
 *   P1  ExpCmdSN and MaxCmdSN never go back, and ExpCmdSN acknowledges only what came
 *   P2  StatSN has no gaps; R2T and unsolicited NOP-In show it and do not advance it
 *   P3  DataSN and R2TSN contiguous, offsets and lengths inside the command, within bursts and
 *       segments, no more R2Ts than agreed
 *   P4  one response per command, after all its data; none after a completed abort
 *
 * An end is judged by what it sends; what it receives is the context for that. So every PDU of a
 * simulated connection is judged once, by the watch of its sender, and neither messages that cross
 * nor bytes that the network damaged or delivered twice can raise an alarm. A request that the
 * target drops in silence (outside its window, RFC 7143, 4.2.2.1) simply stays open.
 *
 * The connection is the only one of its session, and error recovery level is 0: nothing is sent
 * twice. Where the headers alone do not tell which task is meant (Reject, Async Message 5), less is
 * judged from then on. Memory: one entry per living task and open R2T, at most
 * PDU_WATCH_TASKS_MOST tasks; beyond it new tasks are not followed.
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

/* The next PDU of this end, sent or received. True: a rule is broken for the first time; which and
 * how stands in '*ret_break'. Later breaks of the same connection are its consequences and are not
 * reported. Any header will do. */
bool pdu_watch_see(struct pdu_watch *watch, const uint8_t header[PDU_HEADER_BYTES],
                   bool is_from_target, struct pdu_break *ret_break);

/* A PDU with this Initiator Task Tag will be seen soon: with thousands of tasks its own left the
 * cache long ago. */
void pdu_watch_fetch(const struct pdu_watch *watch, uint32_t itt);

/* Tasks that are alive now. */
uint32_t pdu_watch_living(const struct pdu_watch *watch);
