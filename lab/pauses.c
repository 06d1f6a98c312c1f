/* When a multipath disk stands still. */
#include "lab/pauses.h"

#include "sim/core/mem.h"

#include <assert.h>
#include <stdlib.h>

struct disk {
    uint64_t outstanding;
    uint64_t most; /* outstanding, since 'waiting_since_ns' */
    int64_t waiting_since_ns;
};

struct pauses {
    struct disk **disks; /* [host][disk] */
    size_t host_count;
};

struct pauses *pauses_new(const struct san_names *names)
{
    struct pauses *pauses = mem_new(sizeof(*pauses));

    pauses->host_count = names->host_count;
    pauses->disks = mem_array(names->host_count, sizeof(*pauses->disks));
    for (size_t h = 0; h < names->host_count; h++)
        pauses->disks[h] = mem_array(names->hosts[h].disk_count, sizeof(**pauses->disks));
    return pauses;
}

void pauses_free(struct pauses *pauses)
{
    if (!pauses)
        return;
    for (size_t h = 0; h < pauses->host_count; h++)
        free(pauses->disks[h]);
    free(pauses->disks);
    free(pauses);
}

void pauses_submitted(struct pauses *pauses, int64_t at_ns, uint32_t host, uint32_t disk)
{
    struct disk *d = &pauses->disks[host][disk];

    if (d->outstanding++ == 0)
        d->waiting_since_ns = at_ns;
    if (d->outstanding > d->most)
        d->most = d->outstanding;
}

bool pauses_now(const struct pauses *pauses, int64_t at_ns, uint32_t host, uint32_t disk,
                struct pause *ret_pause)
{
    const struct disk *d = &pauses->disks[host][disk];

    *ret_pause = (struct pause){host, disk, d->waiting_since_ns, at_ns, d->most};
    return d->outstanding > 0;
}

bool pauses_done(struct pauses *pauses, int64_t at_ns, uint32_t host, uint32_t disk, bool is_error,
                 struct pause *ret_pause)
{
    struct disk *d = &pauses->disks[host][disk];

    assert(d->outstanding > 0);
    bool is_over = !is_error || d->outstanding == 1;
    pauses_now(pauses, at_ns, host, disk, ret_pause);
    d->outstanding--;
    if (is_over) {
        d->waiting_since_ns = at_ns;
        d->most = d->outstanding;
    }
    return is_over;
}
