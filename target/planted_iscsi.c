/* Planted bugs of the iSCSI target (sim/core/plant.h), to prove that the rules of the protocol are
 * watched. Each of P1, P2 and P4 strikes once, when the target has seen enough commands to be in
 * full swing.
 */
#include <utlist.h>

#include "sim/core/mem.h"
#include "target/conn_inside.h"

#define FULL_SWING 500u /* commands */

static bool strikes(struct target *target, enum plant bug)
{
    if (!plant_is_on(target->plant, bug) || target->planted.has_struck ||
        target->counters.commands < FULL_SWING)
        return false;
    target->planted.has_struck = true;
    return true;
}

/* P1: MaxCmdSN goes back by one. */
uint32_t planted_max_cmd_sn(struct session *session, uint32_t max_cmd_sn)
{
    return strikes(session->target, PLANT_P1) ? session->told_max_cmd_sn - 1 : max_cmd_sn;
}

/* P2: StatSN skips a number. */
uint32_t planted_stat_sn(struct target *target, uint32_t stat_sn)
{
    return strikes(target, PLANT_P2) ? stat_sn + 1 : stat_sn;
}

/* P4: a command is answered twice. */
bool planted_answers_twice(struct target *target)
{
    return strikes(target, PLANT_P4);
}

/* D5: the offset of an R2T is one burst too low, wherever there is one before it. */
uint32_t planted_r2t_offset(struct target *target, uint32_t offset, uint32_t bytes)
{
    return plant_is_on(target->plant, PLANT_D5) && offset >= bytes ? offset - bytes : offset;
}

/* P6: a session whose connection is gone stays in the list for ever. */
void planted_keep_session(const struct session *session)
{
    struct target *target = session->target;

    if (!plant_is_on(target->plant, PLANT_P6) || session->is_over)
        return;
    struct session *ghost = mem_new(sizeof(*ghost));

    ghost->key = session->key;
    ghost->tsih = session->tsih;
    DL_APPEND(target->ghosts, ghost);
}
