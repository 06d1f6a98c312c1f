/* Waiting awake, if that has paid of late. */
#include "sim/live/busy_poll.h"

#include <poll.h>
#include <sched.h>
#include <time.h>

bool busy_poll_is_due(struct busy_poll *poll)
{
    if (poll->most_ns == 0)
        return false;
    if (poll->slept < poll->to_sleep) {
        poll->slept++;
        return false;
    }
    return true;
}

void busy_poll_learn(struct busy_poll *poll, bool is_there, int64_t took_ns)
{
    poll->slept = 0;
    if (is_there && took_ns <= poll->most_ns)
        poll->to_sleep = 0;
    else if (poll->to_sleep == 0)
        poll->to_sleep = 1;
    else if (poll->to_sleep < BUSY_POLL_MOST_SLEPT)
        poll->to_sleep *= 2;
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool busy_poll_wait(struct busy_poll *rule, struct pollfd *descriptors, unsigned count)
{
    if (count == 0 || !busy_poll_is_due(rule))
        return false;
    int64_t began_ns = now_ns();
    int64_t took_ns = 0;
    bool is_there = poll(descriptors, count, 0) > 0;

    while (!is_there && took_ns < rule->most_ns) {
        sched_yield();
        is_there = poll(descriptors, count, 0) > 0;
        took_ns = now_ns() - began_ns;
    }
    busy_poll_learn(rule, is_there, took_ns);
    return is_there;
}
