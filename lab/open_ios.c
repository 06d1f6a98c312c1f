/* The I/O that the workload waits for. */
#include "lab/open_ios.h"

#include "sim/core/mem.h"
#include "sim/core/trace.h"

#include <assert.h>
#include <stdlib.h>

/* Those that are on one path now. Which is the oldest is found out when somebody asks, from 'from'
 * on: what leaves and joins touches no other entry. */
struct path_share {
    struct open_io *from; /* of the disk's list: none on this path is older; NULL: there is none */
    uint64_t from_order;
    size_t count;
};

struct disk_list {
    struct open_io *oldest;
    struct open_io *youngest;
    size_t count;
    struct path_share *shares; /* by path; the last: were never sent. Owned */
};

struct open_ios {
    const struct san_names *names;
    struct disk_list **disks; /* [host][disk] */
    struct open_io *spare;    /* recycled, through younger */
    uint64_t submissions;
};

struct open_ios *open_ios_new(const struct san_names *names)
{
    struct open_ios *ios = mem_new(sizeof(*ios));

    ios->names = names;
    ios->disks = mem_array(names->host_count, sizeof(*ios->disks));
    for (size_t i = 0; i < names->host_count; i++) {
        const struct host_names *host = &names->hosts[i];

        ios->disks[i] = mem_array(host->disk_count, sizeof(**ios->disks));
        for (size_t d = 0; d < host->disk_count; d++)
            ios->disks[i][d].shares =
                mem_array(host->path_count + 1, sizeof(*ios->disks[i][d].shares));
    }
    return ios;
}

static void free_list(struct open_io *io)
{
    while (io) {
        struct open_io *next = io->younger;

        free(io);
        io = next;
    }
}

void open_ios_free(struct open_ios *ios)
{
    if (!ios)
        return;
    for (size_t i = 0; i < ios->names->host_count; i++) {
        for (size_t d = 0; d < ios->names->hosts[i].disk_count; d++) {
            free_list(ios->disks[i][d].oldest);
            free(ios->disks[i][d].shares);
        }
        free(ios->disks[i]);
    }
    free_list(ios->spare);
    free(ios->disks);
    free(ios);
}

static struct path_share *share_of(const struct open_ios *ios, uint32_t host, uint32_t disk,
                                   uint32_t path)
{
    size_t path_count = ios->names->hosts[host].path_count;

    return &ios->disks[host][disk].shares[path == TRACE_NONE ? path_count : path];
}

/* The search for the oldest begins at 'io' (may be NULL) from now on. */
static void begin_at(struct path_share *share, struct open_io *io)
{
    if (share->from)
        share->from->searches--;
    share->from = io;
    if (!io)
        return;
    io->searches++;
    share->from_order = io->order;
}

static void join_share(struct path_share *share, struct open_io *io)
{
    if (share->count++ == 0 || io->order < share->from_order)
        begin_at(share, io);
}

/* It leaves the list: where a search would begin with it, it begins with the next. */
static void pass_searches_on(struct path_share *shares, struct open_io *io)
{
    for (; io->searches > 0; shares++) {
        if (shares->from == io)
            begin_at(shares, io->younger);
    }
}

struct open_io *open_ios_add(struct open_ios *ios, uint32_t host, uint32_t disk, uint64_t io_id)
{
    struct disk_list *list = &ios->disks[host][disk];
    struct open_io *io = ios->spare;

    if (io)
        ios->spare = io->younger;
    else
        io = mem_aligned(_Alignof(struct open_io), sizeof(*io));
    *io = (struct open_io){.io_id = io_id,
                           .host = host,
                           .disk = disk,
                           .path = TRACE_NONE,
                           .sent_at_ns = -1,
                           .order = ios->submissions++,
                           .older = list->youngest};
    *(list->youngest ? &list->youngest->younger : &list->oldest) = io;
    list->youngest = io;
    list->count++;
    join_share(share_of(ios, host, disk, TRACE_NONE), io);
    return io;
}

void open_ios_sent(struct open_ios *ios, struct open_io *io, uint32_t path)
{
    assert(path != TRACE_NONE);
    share_of(ios, io->host, io->disk, io->path)->count--;
    io->path = path;
    join_share(share_of(ios, io->host, io->disk, path), io);
}

void open_ios_remove(struct open_ios *ios, struct open_io *io)
{
    struct disk_list *list = &ios->disks[io->host][io->disk];

    assert(list->count > 0);
    share_of(ios, io->host, io->disk, io->path)->count--;
    pass_searches_on(list->shares, io);
    *(io->older ? &io->older->younger : &list->oldest) = io->younger;
    *(io->younger ? &io->younger->older : &list->youngest) = io->older;
    list->count--;
    io->younger = ios->spare;
    ios->spare = io;
}

struct open_io *open_ios_oldest(const struct open_ios *ios, uint32_t host, uint32_t disk)
{
    return ios->disks[host][disk].oldest;
}

struct open_io *open_ios_oldest_on(const struct open_ios *ios, uint32_t host, uint32_t disk,
                                   uint32_t path)
{
    struct path_share *share = share_of(ios, host, disk, path);

    if (share->count == 0)
        return NULL;
    struct open_io *oldest = share->from;

    while (oldest->path != path)
        oldest = oldest->younger;
    if (oldest != share->from)
        begin_at(share, oldest);
    return oldest;
}

size_t open_ios_count(const struct open_ios *ios, uint32_t host, uint32_t disk)
{
    return ios->disks[host][disk].count;
}
