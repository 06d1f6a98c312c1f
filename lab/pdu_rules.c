/* Rules P1 to P4 on every iSCSI connection of a run. */
#include "lab/pdu_rules.h"

#include "iscsi/pdu_watch.h"
#include "sim/core/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include <uthash.h>

struct end {
    uint64_t key; /* connection << 1 | is_target_end */
    struct pdu_watch *watch;
    UT_hash_handle hh;
};

struct pdu_rules {
    struct pool *pool;
    struct end *ends;
    struct end *last; /* PDUs come in bursts */
    char text[256];
};

struct pdu_rules *pdu_rules_new(struct pool *pool)
{
    struct pdu_rules *rules = mem_new(sizeof(*rules));

    rules->pool = pool;
    return rules;
}

static struct end *find(struct pdu_rules *rules, uint64_t key)
{
    struct end *end = rules->last;

    if (end && end->key == key)
        return end;
    HASH_FIND(hh, rules->ends, &key, sizeof(key), end);
    return end;
}

static void forget(struct pdu_rules *rules, struct end *end)
{
    if (rules->last == end)
        rules->last = NULL;
    HASH_DEL(rules->ends, end);
    pdu_watch_free(end->watch);
    free(end);
}

void pdu_rules_free(struct pdu_rules *rules)
{
    struct end *end;
    struct end *next;

    if (!rules)
        return;
    HASH_ITER(hh, rules->ends, end, next)
    {
        forget(rules, end); /* NOLINT(clang-analyzer-unix.Malloc): uthash's deletion is misread */
    }
    free(rules);
}

static struct end *find_or_add(struct pdu_rules *rules, uint64_t connection, bool is_target_end)
{
    uint64_t key = connection << 1 | is_target_end;
    struct end *end = find(rules, key);

    if (!end) {
        end = mem_new(sizeof(*end));
        end->key = key;
        end->watch = pdu_watch_new(rules->pool, is_target_end);
        HASH_ADD(hh, rules->ends, key, sizeof(end->key), end);
    }
    rules->last = end;
    return end;
}

void pdu_rules_agreed(struct pdu_rules *rules, uint64_t connection, bool is_target_end,
                      const struct iscsi_params *params)
{
    pdu_watch_set_params(find_or_add(rules, connection, is_target_end)->watch, params);
}

/* Looked up once per end that keeps it for us. */
static struct pdu_watch *watch_of(struct pdu_rules *rules, const struct trace_pdu *pdu)
{
    if (!pdu->memo)
        return find_or_add(rules, pdu->connection, pdu->is_target_end)->watch;
    if (!*pdu->memo)
        *pdu->memo = find_or_add(rules, pdu->connection, pdu->is_target_end)->watch;
    return *pdu->memo;
}

bool pdu_rules_see(struct pdu_rules *rules, const struct trace_pdu *pdu,
                   struct trace_broken *ret_broken)
{
    struct pdu_break broken;

    if (!pdu_watch_see(watch_of(rules, pdu), pdu->header, pdu->is_from_target, &broken))
        return false;
    snprintf(rules->text, sizeof(rules->text), "%s end of iSCSI connection %llu: %s",
             pdu->is_target_end ? "target" : "initiator", (unsigned long long)pdu->connection,
             broken.text);
    *ret_broken = (struct trace_broken){.rule = broken.rule,
                                        .host = TRACE_NONE,
                                        .path = TRACE_NONE,
                                        .disk = TRACE_NONE,
                                        .lba = UINT64_MAX,
                                        .text = rules->text};
    return true;
}

void pdu_rules_fetch(const struct trace_pdu *end, const uint32_t tags[], uint32_t count)
{
    for (uint32_t i = 0; end->memo && *end->memo && i < count; i++)
        pdu_watch_fetch(*end->memo, tags[i]);
}

void pdu_rules_end(struct pdu_rules *rules, uint64_t connection)
{
    for (uint64_t is_target_end = 0; is_target_end < 2; is_target_end++) {
        struct end *end = find(rules, connection << 1 | is_target_end);

        if (end)
            forget(rules, end);
    }
}
