/* Teams: frames of one NIC over several. */
#include "sim/net/team.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/net/port.h"

#include <stdlib.h>

struct team_member {
    struct nic_user user;
    struct team *team;
    struct nic *nic;     /* borrowed */
    struct mac_addr own; /* its address without the team */
    unsigned link;
};

struct team {
    struct nic_below below;
    struct nic *nic; /* borrowed */
    struct lag lag;
    unsigned active; /* of the lag, as the host knows it */
    unsigned member_count;
    struct team_member members[LAG_MOST_LINKS];
};

static struct team_member *member_of(struct nic_user *user)
{
    return CONTAINER_OF(user, struct team_member, user);
}

static struct team *team_of(struct lag *lag)
{
    return CONTAINER_OF(lag, struct team, lag);
}

/* -- Below: frames of the team's NIC -------------------------------------------------------- */

/* Nobody knows yet whose turn it will be: the fullest queue counts. */
static uint32_t room(struct nic_below *below)
{
    struct team *team = CONTAINER_OF(below, struct team, below);
    uint32_t least = UINT32_MAX;

    for (uint32_t left = team->lag.senders; left; left &= left - 1) {
        uint32_t here = nic_room(team->members[__builtin_ctz(left)].nic);

        least = here < least ? here : least;
    }
    return least;
}

static void send(struct nic_below *below, struct frame *frame)
{
    struct team *team = CONTAINER_OF(below, struct team, below);
    unsigned link = lag_choose(&team->lag, frame);

    assert(link != LAG_NO_LINK); /* the team's NIC has carrier as long as there is one */
    struct nic *nic = team->members[link].nic;

    if (frame_packet_bytes(frame) > nic_mtu_bytes(nic)) {
        nic_drop_received(nic, DROP_TOO_BIG, frame);
        return;
    }
    if (!mac_is_equal(nic_mac(nic), nic_mac(team->nic))) {
        struct frame *own = frame_copy(frame);

        frame_set_ethernet(own, frame_to(frame), nic_mac(nic));
        frame_unref(frame);
        frame = own;
    }
    nic_send(nic, frame);
}

/* -- Above: what members hear ------------------------------------------------------------------ */

static void take_from_member(struct nic_user *user, struct nic *nic, struct frame *frame)
{
    struct team_member *member = member_of(user);
    struct team *team = member->team;

    if (lag_hear(&team->lag, member->link, frame)) {
        nic_port(nic)->lacpdus_heard++;
        frame_unref(frame);
    } else if (lag_takes(&team->lag, member->link)) {
        nic_take_from_below(team->nic, frame);
    } else {
        nic_drop_received(nic, DROP_STANDBY, frame);
    }
}

static void pass_room(struct nic_user *user, struct nic *nic)
{
    (void)nic;
    nic_pass_room(member_of(user)->team->nic);
}

static void change_carrier(struct nic_user *user, struct nic *nic, bool is_up)
{
    struct team_member *member = member_of(user);
    (void)nic;

    lag_set_up(&member->team->lag, member->link, is_up);
}

/* -- The lag's view -----------------------------------------------------------------------------
 */

static void send_pdu(struct lag *lag, unsigned link, struct frame *frame)
{
    struct nic *nic = team_of(lag)->members[link].nic;

    nic_port(nic)->lacpdus_sent++;
    nic_send(nic, frame);
}

static struct mac_addr station(struct lag *lag, unsigned link)
{
    return team_of(lag)->members[link].own;
}

static void give_addresses(struct team *team)
{
    bool is_shared = team->lag.config.mode != LAG_SWITCH_INDEPENDENT;

    for (unsigned i = 0; i < team->member_count; i++)
        nic_set_mac(team->members[i].nic,
                    is_shared || i == team->active ? nic_mac(team->nic) : team->members[i].own);
}

static void change(struct lag *lag)
{
    struct team *team = team_of(lag);
    bool is_moved = lag->active != team->active && team->active != LAG_NO_LINK;

    team->active = lag->active;
    give_addresses(team);
    nic_set_carried(team->nic, lag->senders != 0);
    if (is_moved)
        nic_pass_moved(team->nic);
}

struct team *team_new(struct wire *wire, const struct team_config *config)
{
    static const struct nic_user_ops user_ops = {
        .on_frame = take_from_member, .on_room = pass_room, .on_carrier = change_carrier};
    static const struct nic_below_ops below_ops = {.room = room, .send = send};
    static const struct lag_ops lag_ops = {
        .send = send_pdu, .station = station, .on_change = change};
    struct team *team = mem_new(sizeof(*team));
    struct lag_config lag = config->lag;

    *team = (struct team){.below = {.ops = &below_ops},
                          .nic = config->nic,
                          .active = LAG_NO_LINK,
                          .member_count = config->member_count};
    lag.system = nic_mac(config->nic);
    lag.may_be_alone = true;
    lag_init(&team->lag, &lag_ops, wire, &lag, config->member_count);
    for (unsigned i = 0; i < config->member_count; i++) {
        struct team_member *member = &team->members[i];

        *member = (struct team_member){.user = {.ops = &user_ops},
                                       .team = team,
                                       .nic = config->members[i],
                                       .own = nic_mac(config->members[i]),
                                       .link = i};
        nic_set_user(member->nic, &member->user);
    }
    nic_set_below(team->nic, &team->below);
    give_addresses(team);
    for (unsigned i = 0; i < config->member_count; i++)
        lag_set_up(&team->lag, i, nic_is_up(config->members[i]));
    nic_begin(team->nic);
    return team;
}

void team_free(struct team *team)
{
    if (!team)
        return;
    nic_set_below(team->nic, NULL);
    for (unsigned i = 0; i < team->member_count; i++)
        nic_set_user(team->members[i].nic, NULL);
    lag_fini(&team->lag);
    free(team);
}

uint32_t team_senders(const struct team *team)
{
    return team->lag.senders;
}
