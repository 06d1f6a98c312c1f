/* Who may use an LU: see reservation.h. */
#include "target/reservation.h"

#include <string.h>

#include "target/lun.h"

bool pr_type_is_known(unsigned type)
{
    switch ((enum scsi_pr_type)type) {
    case SCSI_PR_WRITE_EXCLUSIVE:
    case SCSI_PR_EXCLUSIVE_ACCESS:
    case SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS:
    case SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS:
    case SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS:
    case SCSI_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS:
        return true;
    }
    return false;
}

bool pr_is_all_registrants(unsigned type)
{
    return type == SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS ||
           type == SCSI_PR_EXCLUSIVE_ACCESS_ALL_REGISTRANTS;
}

bool pr_is_for_registrants(unsigned type)
{
    return type == SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS ||
           type == SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS || pr_is_all_registrants(type);
}

static bool is_write_exclusive(unsigned type)
{
    return type == SCSI_PR_WRITE_EXCLUSIVE || type == SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS ||
           type == SCSI_PR_WRITE_EXCLUSIVE_ALL_REGISTRANTS;
}

/* iSCSI names were folded to lower case when they came in (RFC 3722), so bytes are compared. */
bool nexus_identity_equal(const struct nexus_identity *a, const struct nexus_identity *b)
{
    return a->relative_port_id == b->relative_port_id &&
           memcmp(a->isid, b->isid, sizeof(a->isid)) == 0 &&
           strcmp(a->initiator_name, b->initiator_name) == 0;
}

bool pr_is_holder(const struct lun *lun, const struct registration *registration)
{
    const struct reservations *held = &lun->reservations;

    if (held->type == PR_NONE || !registration)
        return false;
    return pr_is_all_registrants(held->type) || held->holder == registration;
}

bool pr_allows(const struct lun *lun, const struct nexus *nexus, enum access access)
{
    unsigned type = lun->reservations.type;

    if (type == PR_NONE || access == ACCESS_ANY)
        return true;
    const struct registration *registration = nexus_at(nexus, lun)->registration;

    if (pr_is_holder(lun, registration))
        return true;
    if (registration && pr_is_for_registrants(type))
        return true;
    return access == ACCESS_READ && is_write_exclusive(type);
}

struct registration *pr_find(const struct lun *lun, const struct nexus_identity *identity)
{
    struct registration *each = lun->reservations.registrations;

    while (each && !nexus_identity_equal(&each->identity, identity))
        each = each->next;
    return each;
}

static void join(struct lun *lun, struct registration *registration, struct nexus *nexus)
{
    registration->nexus = nexus;
    if (nexus)
        nexus_at(nexus, lun)->registration = registration;
}

void pr_nexus_arrived(struct lun *lun, struct nexus *nexus)
{
    struct registration *registration = pr_find(lun, &nexus->identity);

    if (registration)
        join(lun, registration, nexus);
}

void pr_nexus_left(struct lun *lun, struct nexus *nexus)
{
    struct registration *registration = nexus_at(nexus, lun)->registration;

    nexus_at(nexus, lun)->registration = NULL;
    if (registration && registration->nexus == nexus)
        registration->nexus = NULL;
}

void pr_attention(const struct lun *lun, const struct registration *registration,
                  unsigned attention)
{
    if (registration->nexus)
        attention_put(&nexus_at(registration->nexus, lun)->attentions, (enum attention)attention);
}

struct registration *pr_register(struct lun *lun, const struct nexus_identity *identity,
                                 uint64_t key, struct nexus *nexus)
{
    struct reservations *held = &lun->reservations;
    struct registration **end = &held->registrations;

    assert(key != 0);
    assert(held->registration_count < PR_MOST_REGISTRATIONS);
    while (*end)
        end = &(*end)->next;
    struct registration *registration = pool_take(lun->device->pool, sizeof(*registration));

    *registration = (struct registration){.key = key, .identity = *identity};
    join(lun, registration, nexus);
    *end = registration;
    held->registration_count++;
    return registration;
}

void pr_reserve(struct lun *lun, unsigned type, struct registration *holder)
{
    lun->reservations.type = type;
    lun->reservations.holder = pr_is_all_registrants(type) ? NULL : holder;
}

void pr_release(struct lun *lun, const struct nexus *except)
{
    bool is_told = pr_is_for_registrants(lun->reservations.type);

    pr_reserve(lun, PR_NONE, NULL);
    if (!is_told)
        return;
    for (const struct registration *each = lun->reservations.registrations; each;
         each = each->next) {
        if (!except || each->nexus != except)
            pr_attention(lun, each, ATTENTION_RESERVATIONS_RELEASED);
    }
}

static void unlink_registration(struct lun *lun, struct registration *registration)
{
    struct registration **each = &lun->reservations.registrations;

    while (*each != registration)
        each = &(*each)->next;
    *each = registration->next;
    lun->reservations.registration_count--;
    if (registration->nexus)
        nexus_at(registration->nexus, lun)->registration = NULL;
    pool_give(lun->device->pool, registration, sizeof(*registration));
}

void pr_unregister(struct lun *lun, struct registration *registration)
{
    struct reservations *held = &lun->reservations;
    bool was_holder = held->holder == registration;

    unlink_registration(lun, registration);
    if (was_holder)
        pr_release(lun, NULL);
    else if (!held->registrations)
        pr_reserve(lun, PR_NONE, NULL);
}

void pr_forget(struct lun *lun)
{
    while (lun->reservations.registrations)
        unlink_registration(lun, lun->reservations.registrations);
    lun->reservations = (struct reservations){0};
}
