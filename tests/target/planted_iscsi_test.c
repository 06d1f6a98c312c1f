/* Each planted bug of the protocol is really there, and is one that the rules can see. */
#include "tests/target/pdu_peer.h"

/* Whether the builds of this program have planted bugs at all. */
static bool has_plants(void)
{
    return plant_is_on(PLANT_P1, PLANT_P1);
}

/* A thousand reads and writes as a lawful host sends them; the rule that broke, or "". */
static const char *rule_broken_by(enum plant plant)
{
    static char rule[3];
    struct array_profile profile = test_profile();
    struct node node;

    node_new_with(&node, &profile, plant);
    node.is_lawless = true;
    struct peer *peer = peer_open(&node, 0);

    peer_login(peer, "InitialR2T=No\nImmediateData=Yes");
    clear_attentions(peer, 0);
    for (int i = 0; i < 1000; i++) {
        struct pdu write = write_command(peer, 0, 8);
        struct pdu read = read_command(peer, 0, 8);

        peer_send(peer, &write, pattern(1, 4096), 4096);
        send_command(peer, &read);
        node_run(&node, MS(1));
        for (; peer->got_first < peer->got_end; peer->got_first++)
            buf_free(peer->got[peer->got_first].data);
        peer->got_first = 0;
        peer->got_end = 0;
    }
    memcpy(rule, node.broken, 2);
    node_free(&node);
    return rule;
}

static void a_sound_target_breaks_no_rule(void **state)
{
    (void)state;
    assert_string_equal(rule_broken_by(PLANT_NONE), "");
}

static void p1_p2_and_p4_are_seen(void **state)
{
    (void)state;
    if (!has_plants())
        skip();
    assert_string_equal(rule_broken_by(PLANT_P1), "P1");
    assert_string_equal(rule_broken_by(PLANT_P2), "P2");
    assert_string_equal(rule_broken_by(PLANT_P4), "P4");
}

static void p6_keeps_a_session_without_a_connection(void **state)
{
    struct array_profile profile = test_profile();
    struct session_info info;
    struct node node;
    (void)state;

    if (!has_plants())
        skip();
    node_new_with(&node, &profile, PLANT_P6);
    struct peer *peer = peer_open(&node, 0);

    peer_login(peer, "");
    peer_break(peer);
    peer = peer_open(&node, 0);
    peer_login(peer, "");
    expect_logout(peer); /* a good end leaves none */
    assert_int_equal(target_session_count(node.target), 1);
    target_session_info(node.target, 0, &info);
    assert_string_equal(info.initiator_name, HOST_1);
    assert_int_equal(info.connection_count, 0);
    peer_free(node.peers[0]);
    peer_free(node.peers[1]);
    node.peer_count = 0;
    target_free(node.target);
    struct array_profile sound = test_profile();
    static const struct target_portal portal = {{IPV4(10, 0, 1, 1), 3260}, 1};

    node.target = target_new(&(struct target_config){.name = TARGET_NAME,
                                                     .portals = &portal,
                                                     .portal_count = 1,
                                                     .profile = &sound,
                                                     .device = node.device,
                                                     .pool = node.pool,
                                                     .trace = &node.trace});
    node.connections_end = 0;
    node_free(&node);
}

static void d5_puts_data_in_the_wrong_place(void **state)
{
    struct array_profile profile = test_profile();
    struct node node;
    (void)state;

    if (!has_plants())
        skip();
    node_new_with(&node, &profile, PLANT_D5);
    node.is_lawless = true;
    struct peer *peer = peer_open(&node, 0);

    peer_login(peer, "InitialR2T=Yes\nImmediateData=No\nMaxBurstLength=512\n"
                     "FirstBurstLength=512");
    clear_attentions(peer, 0);
    struct pdu write = write_command(peer, 0, 2);

    send_command(peer, &write);
    for (int i = 0; i < 2; i++) {
        const struct got *r2t = expect(peer, PDU_R2T);

        assert_int_equal(r2t->pdu.r2t.buffer_offset, 0);
        answer_r2t(peer, &write, r2t, 1);
    }
    expect_status(peer, write.itt, SCSI_GOOD);
    struct pdu read = read_command(peer, 0, 2);

    peer->max_burst_bytes = 512;
    const uint8_t *data = expect_data(peer, send_command(peer, &read), 1024, 8192, 512);

    assert_memory_equal(data, data + 512, 512); /* the first block, twice */
    node_free(&node);
}

int main(void)
{
    TEST(a_sound_target_breaks_no_rule);
    TEST(p1_p2_and_p4_are_seen);
    TEST(p6_keeps_a_session_without_a_connection);
    TEST(d5_puts_data_in_the_wrong_place);
    return TEST_RUN("target.planted_iscsi");
}
