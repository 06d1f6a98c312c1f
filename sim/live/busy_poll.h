/* Waiting awake for descriptors, where going to sleep would cost more than it saves.
 *
 * A peer that asks, waits for the answer and asks again comes back within some 10 us. To sleep
 * until then takes a switch of tasks and, on another processor that is idle by then, an interrupt
 * each way: in a virtual machine more CPU than the whole operation, and several times its latency.
 * So the kernel is asked for some microseconds whether something has come before a loop sleeps, and
 * whoever else wants the processor gets it between two looks (sched_yield()).
 *
 * It has to pay: after a wait in vain the next 1, 2, 4 ... 1,024 waits sleep at once, after one
 * that found something none does. A server at rest therefore rests. The rule of doubling is that of
 * the kernel's own polling before a halt (Linux, Documentation/virt/kvm/halt-polling.rst).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pollfd;

#define BUSY_POLL_MOST_SLEPT 1024u

/* Begins as {.most_ns = how long one wait may take, and delay everything else}; 0: all sleep. */
struct busy_poll {
    int64_t most_ns;
    uint32_t slept; /* of 'to_sleep' */
    uint32_t to_sleep;
};

/* Whether the wait that begins is to be awake; each true is followed by busy_poll_learn(). */
bool busy_poll_is_due(struct busy_poll *poll);
/* What came of it: after 'took_ns' something was there, or nothing. What came late, because
 * somebody else had the processor, would have come as soon to one who slept. */
void busy_poll_learn(struct busy_poll *poll, bool is_there, int64_t took_ns);

/* One wait, if it is due, until one of 'count' descriptors has what it asks for, as their 'revents'
 * then say. False: it is time to sleep. */
bool busy_poll_wait(struct busy_poll *poll, struct pollfd *descriptors, unsigned count);
