/* A target for fuzzers: two portals, two disks behind a media model, and up to four connections of
 * a hostile initiator, in virtual time. Each step of an input (steps.h) is a PDU with its numbers
 * chosen right or wrong, or something that happens to the connection.
 *
 * By the setup an initiator has to authenticate (CHAP), and may want proof of the target.
 *
 * Whatever is sent, the target's own PDUs are well-formed and count right, stay within what was
 * asked for, and in the end nothing is left: no session, task, nexus, block of memory.
 */
#pragma once

#include "tests/fuzz/target_logins.h"

static inline void do_operator(struct lane *lane, const struct step *step)
{
    struct rig *rig = lane->rig;

    switch (step->detail & 7) {
    case 0:
        (void)target_drop_sessions(rig->target, NULL, step->flags & STEP_SECOND, rig_now(rig));
        break;
    case 1:
        (void)target_ask_logout(rig->target, NULL, step->patch_to, rig_now(rig));
        break;
    case 2:
        target_set_in_service(rig->target, step->flags & STEP_SECOND);
        break;
    case 3:
        (void)device_set_group_state(rig->device, 1 + (step->a & 1),
                                     (enum alua_state[]){ALUA_ACTIVE_OPTIMIZED, ALUA_STANDBY,
                                                         ALUA_UNAVAILABLE,
                                                         ALUA_TRANSITIONING}[step->b & 3],
                                     NULL);
        break;
    case 4:
        target_crash(rig->target);
        break;
    default:
        break;
    }
    for (size_t i = 0; i < MOST_LANES; i++)
        lane_drain(&rig->lanes[i]);
    rig_settle(rig);
}

static inline void do_run(struct rig *rig, const struct step *step)
{
    static const int64_t spans[16] = {
        US(1),      US(100),    US(250),     MS(1),       MS(1),       MS(3), MS(10), MS(100),
        SECONDS(1), SECONDS(5), SECONDS(16), SECONDS(31), SECONDS(61), MS(2), MS(20), SECONDS(11)};

    rig_run(rig, spans[step->detail & 15]);
}

/* What needs no connection. */
static inline bool do_around(struct rig *rig, uint32_t index, const struct step *step,
                             enum step_action action)
{
    struct lane *lane = &rig->lanes[index];

    switch ((int)action) {
    case DO_RUN:
        do_run(rig, step);
        return true;
    case DO_OPEN:
        lane_open(rig, index, step->lun);
        return true;
    case DO_GOOD_LOGIN:
        good_login(rig, index, step->lun);
        return true;
    case DO_OPERATOR:
        do_operator(lane, step);
        return true;
    case DO_BREAK:
        lane_break(lane);
        return true;
    case DO_STOP_READING:
        lane->reads = false;
        return true;
    case DO_READ_ON:
        lane->reads = true;
        lane_drain(lane);
        rig_settle(rig);
        return true;
    default:
        return false;
    }
}

static inline void do_pdu(struct lane *lane, const struct step *step, enum step_action action)
{
    static void (*const pdus[STEP_ACTION_COUNT])(struct lane *, const struct step *) = {
        [DO_COMMAND] = do_command, [DO_ANSWER] = do_answer, [DO_DATA_OUT] = do_data_out,
        [DO_NOP] = do_nop,         [DO_TASK] = do_task,     [DO_TEXT] = do_text,
        [DO_LOGOUT] = do_logout,   [DO_SNACK] = do_snack,   [DO_LOGIN] = do_login,
        [DO_PROVE] = do_prove};
    uint8_t raw[PDU_HEADER_BYTES];

    if (pdus[action]) {
        pdus[action](lane, step);
        return;
    }
    lane->is_out_of_step = true;
    if (action == DO_BYTES) {
        lane_feed(lane, buf_copy(lane->rig->pool, step->data, step->data_bytes), SIZE_MAX);
        return;
    }
    memset(raw, 0, sizeof(raw));
    raw[0] = step->detail;
    raw[1] = step->patch_to;
    memcpy(raw + 8, &step->cdb, 16);
    lane_feed(lane, buf_copy(lane->rig->pool, raw, sizeof(raw)), SIZE_MAX);
}

static inline void rig_step(struct rig *rig, const struct step *step)
{
    enum step_action action = (enum step_action)(step->action % STEP_ACTION_COUNT);
    uint32_t index = step->lane % MOST_LANES;

    if (do_around(rig, index, step, action))
        return;
    if (!rig->lanes[index].conn)
        lane_open(rig, index, step->lun);
    if (rig->lanes[index].conn)
        do_pdu(&rig->lanes[index], step, action);
}

/* ---- life ---- */

static inline struct array_profile fuzz_profile(const uint8_t *setup)
{
    static const uint32_t windows[] = {32, 1, 2, 128};

    return (struct array_profile){
        .iscsi = {.header_digest = DIGEST_NONE_OR_CRC32C,
                  .data_digest = DIGEST_NONE_OR_CRC32C,
                  .max_connections = 1,
                  .initial_r2t = setup[2] & 1,
                  .immediate_data = !(setup[2] & 2),
                  .max_recv_segment_bytes = setup[2] & 4 ? 8192 : 65536,
                  .peer_max_recv_segment_bytes = 8192,
                  .max_burst_bytes = 262144,
                  .first_burst_bytes = 65536,
                  .time2wait_s = 0,
                  .time2retain_s = setup[2] & 8 ? 20 : 0,
                  .max_outstanding_r2t = 1 + (setup[2] >> 4 & 3),
                  .data_pdu_in_order = true,
                  .data_sequence_in_order = true},
        .max_commands = windows[setup[3] & 3],
        .login_timeout_ns = SECONDS(15),
        .nop_interval_ns = setup[3] & 4 ? 0 : SECONDS(15),
        .nop_timeout_ns = SECONDS(30),
        .data_out_timeout_ns = SECONDS(60),
    };
}

static inline void count_up(struct chance *chance, void *ret_bytes, size_t bytes)
{
    struct rig *rig = CONTAINER_OF(chance, struct rig, chance);

    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)ret_bytes)[i] = i == 0 ? rig->chance_next++ : (uint8_t)(i * 7);
}

static inline void ask_for_chap(struct rig *rig)
{
    struct chap_policy wanted = {&rig->user, 1, rig->setup[5] & SETUP_MUTUAL ? &rig->own : NULL};
    struct chap_policy nothing = {0};

    check(!chap_identity_set(&rig->user, "hv1", "initiator-secret1", 17));
    check(!chap_identity_set(&rig->own, "array", "target-secret-22", 16));
    target_set_chap(rig->target, rig->setup[5] & SETUP_CHAP ? &wanted : &nothing,
                    rig->setup[5] & SETUP_DISCOVERY_CHAP ? &wanted : &nothing);
}

static inline struct rig *rig_new(const uint8_t *setup)
{
    static const struct port_config ports[] = {{1, 1, 1}, {2, 2, 2}};
    static const struct target_portal portals[] = {{{IPV4(10, 0, 1, 1), 3260}, 1},
                                                   {{IPV4(10, 0, 2, 1), 3260}, 2}};
    static const char *const names[] = {"data", "log"};
    struct array_profile profile = fuzz_profile(setup);
    struct rig *rig = calloc(1, sizeof(*rig));

    check(rig != NULL);
    memcpy(rig->setup, setup, SETUP_BYTES);
    event_queue_init(&rig->queue);
    rig->pool = pool_new();
    rig->trace.ops = trace_nowhere_ops();
    rig->chance.fill = count_up;
    rig->record.record.ops = &fuzz_record_ops;
    rig->record.clock = &rig->queue.clock;
    timer_init(&rig->record.timer, fuzz_record_fire);
    rig->device = device_new(&(struct device_config){.target_name = FUZZ_TARGET,
                                                     .vendor = "ISCSILAB",
                                                     .product = "Virtual Disk",
                                                     .revision = "0001",
                                                     .ports = ports,
                                                     .port_count = ARRAY_SIZE(ports),
                                                     .tpgs = 3},
                             &rig->queue.clock, rig->pool);
    for (uint16_t i = 0; i < 2; i++) {
        rig->memory[i] = memory_store_new(
            &(struct memory_store_config){.bytes = DISK_BYTES, .has_volatile_cache = i == 0},
            &rig->queue.clock, rig->pool);
        rig->media[i] = media_new(&(struct media_model){US(100), US(100), 4}, &rig->queue.clock,
                                  memory_store_interface(rig->memory[i]));
        device_add_disk(rig->device, i,
                        &(struct disk_config){.name = names[i],
                                              .naa_id = UINT64_C(0x3001020304050607) + i,
                                              .store = media_interface(rig->media[i]),
                                              .block_bytes = i == 0 ? 512 : 4096,
                                              .is_thin = true,
                                              .is_removable = i == 0,
                                              .has_write_cache = i == 0,
                                              .sanitize_ns = SECONDS(10),
                                              .reservations = i == 0 ? &rig->record.record : NULL});
    }
    rig->target = target_new(&(struct target_config){.name = FUZZ_TARGET,
                                                     .portals = portals,
                                                     .portal_count = ARRAY_SIZE(portals),
                                                     .profile = &profile,
                                                     .device = rig->device,
                                                     .pool = rig->pool,
                                                     .trace = &rig->trace,
                                                     .chance = &rig->chance,
                                                     .limits = {.connections = MOST_LANES}});
    ask_for_chap(rig);
    for (uint32_t i = 0; i < MOST_LANES; i++)
        rig->lanes[i].rig = rig;
    return rig;
}

/* All is given back. */
static inline void rig_free(struct rig *rig)
{
    for (uint32_t i = 0; i < MOST_LANES; i++)
        lane_break(&rig->lanes[i]);
    rig_run(rig, SECONDS(5000));
    check(target_session_count(rig->target) == 0);
    check(device_live_tasks(rig->device) == 0);
    check(device_live_nexuses(rig->device) == 0);
    target_free(rig->target);
    device_free(rig->device);
    for (size_t i = 0; i < 2; i++) {
        media_free(rig->media[i]);
        memory_store_free(rig->memory[i]);
    }
    check(pool_live_chunks(rig->pool) == 0);
    check(pool_live_bufs(rig->pool) == 0);
    check(pool_live_blocks(rig->pool) == 0);
    pool_free(rig->pool);
    event_queue_fini(&rig->queue);
    free(rig);
}
