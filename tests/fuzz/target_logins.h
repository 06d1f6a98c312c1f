/* Logins as they should be, with the keys of the setup, and CHAP with right and wrong proofs. */
#pragma once

#include "tests/fuzz/target_pdus.h"

static inline size_t add_text(char *text, size_t room, size_t at, const char *key,
                              const char *value)
{
    int bytes = snprintf(text + at, room - at, "%s=%s", key, value);

    check(bytes > 0 && at + (size_t)bytes + 1 <= room);
    return at + (size_t)bytes + 1;
}

/* The login's next request, with the proof and what the step says. By its spare byte: 1 a wrong
 * proof, 2 asks for proof as well, 4 with the target's own challenge (12.1.3: to be refused). */
static inline void do_prove(struct lane *lane, const struct step *step)
{
    static char text[MOST_FUZZ_DATA];
    char hex[2 + 2 * CHAP_BINARY_MOST + 1];
    uint8_t digest[CHAP_DIGEST_MOST];
    struct step with_proof = *step;
    size_t at = 0;

    if (lane->is_challenged) {
        size_t bytes =
            chap_digest((enum chap_algorithm)lane->chap_algorithm, lane->chap_identifier,
                        &lane->rig->user, lane->challenge, lane->challenge_bytes, digest);

        digest[0] ^= step->spare & 1;
        lane->has_proven = lane->has_proven || !(step->spare & 1);
        check(text_from_hex(digest, bytes, hex, sizeof(hex)));
        at = add_text(text, sizeof(text), at, "CHAP_N", lane->rig->user.name);
        at = add_text(text, sizeof(text), at, "CHAP_R", hex);
        if (step->spare & 6) {
            if (!(step->spare & 4))
                lane->challenge[0] ^= 1;
            check(text_from_hex(lane->challenge, lane->challenge_bytes, hex, sizeof(hex)));
            if (!(step->spare & 4))
                lane->challenge[0] ^= 1;
            at = add_text(text, sizeof(text), at, "CHAP_I", "7");
            at = add_text(text, sizeof(text), at, "CHAP_C", hex);
        }
    }
    if (at + step->data_bytes <= 8192) {
        memcpy(text + at, step->data, step->data_bytes);
        at += step->data_bytes;
    }
    with_proof.data = (const uint8_t *)text;
    with_proof.data_bytes = (uint16_t)at;
    do_login(lane, &with_proof);
}

/* Keys that a session can have, by the setup. */
static inline size_t good_keys(const struct rig *rig, char *text, size_t room)
{
    static const char *const bursts[] = {"MaxBurstLength=262144\nFirstBurstLength=65536\n",
                                         "MaxBurstLength=4096\nFirstBurstLength=512\n",
                                         "MaxBurstLength=512\nFirstBurstLength=512\n",
                                         "MaxBurstLength=16384\nFirstBurstLength=8192\n"};
    static const char names[] = "InitiatorName=iqn.2024-01.lab:hv1\nTargetName=" FUZZ_TARGET
                                "\nSessionType=Normal\n"; /* CHAP has said them */
    const uint8_t *setup = rig->setup;
    int bytes = snprintf(text, room,
                         "%sHeaderDigest=%s\n"
                         "DataDigest=%s\nInitialR2T=%s\nImmediateData=%s\n%sMaxOutstandingR2T=%u\n"
                         "MaxRecvDataSegmentLength=%u\nDefaultTime2Wait=0\nDefaultTime2Retain=%u\n"
                         "ErrorRecoveryLevel=0\nMaxConnections=1\n%s",
                         setup[5] & SETUP_CHAP ? "" : names, setup[0] & 1 ? "CRC32C" : "None",
                         setup[0] & 2 ? "CRC32C" : "None", setup[0] & 4 ? "Yes" : "No",
                         setup[0] & 8 ? "No" : "Yes", bursts[setup[0] >> 4 & 3],
                         1u + (setup[1] & 3), setup[1] & 4 ? 512u : 8192u, setup[1] & 8 ? 20u : 0u,
                         setup[1] & 16 ? "iSCSIProtocolLevel=2\n" : "");

    for (int i = 0; i < bytes; i++)
        text[i] = text[i] == '\n' ? '\0' : text[i];
    return (size_t)bytes;
}

static inline bool is_impostor(const struct rig *rig)
{
    return (rig->setup[5] & (SETUP_CHAP | SETUP_IMPOSTOR)) == (SETUP_CHAP | SETUP_IMPOSTOR);
}

/* The security stage, as it should be; an impostor goes on as if nothing were wrong. */
static inline void authenticate(struct lane *lane)
{
    static const char offer[] = "InitiatorName=iqn.2024-01.lab:hv1\0TargetName=" FUZZ_TARGET
                                "\0SessionType=Normal\0AuthMethod=CHAP";
    static const char algorithms[] = "CHAP_A=8,7,6,5";
    struct step step = {.patch_at = 255, .lun = 1};

    step.data = (const uint8_t *)offer;
    step.data_bytes = sizeof(offer);
    do_login(lane, &step);
    step.data = (const uint8_t *)algorithms;
    step.data_bytes = sizeof(algorithms);
    if (lane->conn)
        do_login(lane, &step);
    step.data_bytes = 0;
    step.detail = 0 | 1 << 2 | 16;
    step.spare = lane->rig->setup[5] & SETUP_MUTUAL ? 2 : 0;
    if (is_impostor(lane->rig))
        step.spare |= 1;
    if (lane->conn)
        do_prove(lane, &step);
    check(lane->conn == NULL || login_says(lane, "AuthMethod=CHAP"));
}

static inline void good_login(struct rig *rig, uint32_t index, uint8_t choice)
{
    char text[1024];
    struct lane *lane = &rig->lanes[index];
    struct step step = {.detail = 1 | 3 << 2 | 16, .patch_at = 255, .lun = 1};

    lane_open(rig, index, choice);
    if (!lane->conn)
        return;
    if (rig->setup[5] & SETUP_CHAP)
        authenticate(lane);
    if (!lane->conn)
        return;
    step.data = (const uint8_t *)text;
    step.data_bytes = (uint16_t)good_keys(rig, text, sizeof(text));
    do_login(lane, &step);
}

/* Takes what a new nexus is told first, on both disks. */
static inline void clear_attentions(struct lane *lane)
{
    static const struct step ready = {.flags = STEP_FINAL, .patch_at = 255};
    static const struct step ready_2 = {.flags = STEP_FINAL, .patch_at = 255, .lun = 6};

    for (int i = 0; i < 3 && lane->conn; i++) {
        do_command(lane, &ready);
        if (lane->conn)
            do_command(lane, &ready_2);
    }
}
