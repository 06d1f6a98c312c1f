/* Rules P1 to P4 on every iSCSI connection of a run: one watch (iscsi/pdu_watch.h) per end.
 */
#pragma once

#include "sim/core/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct pdu_rules;
struct pool;

struct pdu_rules *pdu_rules_new(struct pool *pool); /* borrowed */
void pdu_rules_free(struct pdu_rules *rules);

/* True: this PDU broke a rule; '*ret_broken' says which, its text is valid until the next call. */
bool pdu_rules_see(struct pdu_rules *rules, const struct trace_pdu *pdu,
                   struct trace_broken *ret_broken);
/* PDUs of these tasks will be seen soon at 'end'. */
void pdu_rules_fetch(const struct trace_pdu *end, const uint32_t tags[], uint32_t count);
/* What one end agreed to: its bursts and segments are watched from now on. */
void pdu_rules_agreed(struct pdu_rules *rules, uint64_t connection, bool is_target_end,
                      const struct iscsi_params *params);
/* Both ends of that number are closed. */
void pdu_rules_end(struct pdu_rules *rules, uint64_t connection);
