/* Which path the next I/O takes. One row per policy; all of them walk the slots in list order. */
#include "initiator/policy.h"

#include "sim/core/attributes.h"

#include <assert.h>

struct policy_ops {
    /* Is slot 'a' better than slot 'b', which comes before it in the walk? NULL: the first of the
     * walk wins. */
    bool (*is_better)(const struct policy_slot *a, const struct policy_slot *b);
    bool has_one_active;
    bool takes_turns; /* the walk starts behind the slot of the last choice */
};

static bool has_fewer_ios(const struct policy_slot *a, const struct policy_slot *b)
{
    return a->ios < b->ios;
}

static bool has_fewer_bytes(const struct policy_slot *a, const struct policy_slot *b)
{
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes;
    return a->last_turn < b->last_turn;
}

static const struct policy_ops policies[] = {
    [POLICY_FAIL_OVER_ONLY] = {.has_one_active = true},
    [POLICY_ROUND_ROBIN] = {.takes_turns = true},
    [POLICY_LEAST_QUEUE_DEPTH] = {.is_better = has_fewer_ios},
    [POLICY_SERVICE_TIME] = {.is_better = has_fewer_bytes},
};

void policy_init(struct policy *policy, enum mpath_policy kind)
{
    assert((unsigned)kind < ARRAY_SIZE(policies));
    *policy = (struct policy){.kind = kind};
}

bool policy_has_one_active(const struct policy *policy)
{
    return policies[policy->kind].has_one_active;
}

/* The first set bit from 'from' on, going round. */
static uint32_t walk(uint32_t candidates, uint32_t from)
{
    uint32_t ahead = from < POLICY_MOST_SLOTS ? candidates >> from << from : 0;

    return (uint32_t)__builtin_ctz(ahead ? ahead : candidates);
}

uint32_t policy_choose(struct policy *policy, uint32_t candidates)
{
    const struct policy_ops *ops = &policies[policy->kind];

    assert(candidates != 0);
    uint32_t best = walk(candidates, ops->takes_turns ? policy->next_slot : 0);

    if (ops->is_better) {
        for (uint32_t rest = candidates & (candidates - 1); rest; rest &= rest - 1) {
            uint32_t slot = (uint32_t)__builtin_ctz(rest);

            if (ops->is_better(&policy->slots[slot], &policy->slots[best]))
                best = slot;
        }
    }
    policy->next_slot = best + 1;
    policy->slots[best].last_turn = ++policy->turn_count;
    return best;
}

void policy_sent(struct policy *policy, uint32_t slot, uint32_t bytes)
{
    assert(slot < POLICY_MOST_SLOTS);
    policy->slots[slot].ios++;
    policy->slots[slot].bytes += bytes;
}

void policy_returned(struct policy *policy, uint32_t slot, uint32_t bytes)
{
    assert(slot < POLICY_MOST_SLOTS);
    assert(policy->slots[slot].ios > 0);
    assert(policy->slots[slot].bytes >= bytes);
    policy->slots[slot].ios--;
    policy->slots[slot].bytes -= bytes;
}
