/* Down, booting, up: for hosts and arrays alike. */
#include "lab/box_power.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <assert.h>
#include <stdlib.h>

static void end_boot(struct timer *timer)
{
    struct box_power *power = CONTAINER_OF(timer, struct box_power, boot);

    for (uint32_t i = 0; power->is_dark && i < power->nic_count; i++)
        nic_power_on(power->nics[i]);
    power->is_dark = false;
    power->ops->come_up(power);
}

void box_power_init(struct box_power *power, const struct box_power_ops *ops, struct clock *clock,
                    struct fabric *fabric, const struct topology *topology, uint32_t first_nic,
                    uint32_t nic_count)
{
    *power = (struct box_power){.ops = ops,
                                .clock = clock,
                                .nics = mem_array(nic_count ? nic_count : 1, sizeof(struct nic *)),
                                .nic_count = nic_count};
    for (uint32_t i = 0; i < nic_count; i++)
        power->nics[i] = fabric_find_nic(fabric, topology->nics[first_nic + i].full_name);
    timer_init(&power->boot, end_boot);
}

void box_power_fini(struct box_power *power)
{
    clock_cancel(power->clock, &power->boot);
    free(power->nics);
}

void box_power_lose(struct box_power *power, bool is_dark)
{
    bool was_up = box_power_is_up(power);

    clock_cancel(power->clock, &power->boot);
    power->down++;
    if (was_up)
        power->ops->go_down(power);
    for (uint32_t i = 0; is_dark && !power->is_dark && i < power->nic_count; i++)
        nic_power_off(power->nics[i]);
    power->is_dark = power->is_dark || is_dark;
}

void box_power_return(struct box_power *power, int64_t boot_ns)
{
    assert(power->down > 0);
    if (--power->down == 0)
        clock_arm(power->clock, &power->boot, time_after(clock_now_ns(power->clock), boot_ns));
}

void box_power_reboot(struct box_power *power, int64_t boot_ns)
{
    if (power->down > 0)
        return;
    box_power_lose(power, true);
    box_power_return(power, boot_ns);
}

void box_power_stay(struct box_power *power)
{
    clock_cancel(power->clock, &power->boot);
}
