/* The open I/O of a number, for tests that speak of I/O by number. */
#pragma once

#include "lab/open_ios.h"

/* NULL: there is none. Looks through all disks of the host. */
static inline struct open_io *find_io(const struct open_ios *ios, const struct san_names *names,
                                      uint32_t host, uint64_t io_id)
{
    for (uint32_t disk = 0; disk < names->hosts[host].disk_count; disk++) {
        struct open_io *io = open_ios_oldest(ios, host, disk);

        while (io && io->io_id != io_id)
            io = io->younger;
        if (io)
            return io;
    }
    return NULL;
}
