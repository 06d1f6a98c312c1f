/* The I/O that the workload waits for. */
#include "lab/open_ios.h"

#include "sim/core/hash.h"
#include "sim/core/mem.h"
#include "sim/core/trace.h"

#include <assert.h>
#include <stdlib.h>

struct disk_list {
    struct open_io *oldest;
    struct open_io *youngest;
    size_t count;
};

struct open_ios {
    struct disk_list **disks; /* [host][disk] */
    size_t host_count;
    struct open_io **buckets; /* a power of two */
    size_t bucket_count;
    size_t count;
    struct open_io *spare; /* recycled, through next_in_bucket */
};

struct open_ios *open_ios_new(const struct san_names *names)
{
    struct open_ios *ios = mem_new(sizeof(*ios));

    ios->host_count = names->host_count;
    ios->disks = mem_array(names->host_count, sizeof(*ios->disks));
    for (size_t i = 0; i < names->host_count; i++)
        ios->disks[i] = mem_array(names->hosts[i].disk_count, sizeof(**ios->disks));
    ios->bucket_count = 1024;
    ios->buckets = mem_array(ios->bucket_count, sizeof(*ios->buckets));
    return ios;
}

static void free_list(struct open_io *io)
{
    while (io) {
        struct open_io *next = io->next_in_bucket;

        free(io);
        io = next;
    }
}

void open_ios_free(struct open_ios *ios)
{
    if (!ios)
        return;
    for (size_t i = 0; i < ios->bucket_count; i++)
        free_list(ios->buckets[i]);
    free_list(ios->spare);
    for (size_t i = 0; i < ios->host_count; i++)
        free(ios->disks[i]);
    free(ios->disks);
    free(ios->buckets);
    free(ios);
}

static struct open_io **bucket_of(const struct open_ios *ios, uint32_t host, uint64_t io_id)
{
    return &ios->buckets[hash_mix(host, io_id) & (ios->bucket_count - 1)];
}

static void grow(struct open_ios *ios)
{
    struct open_io **old = ios->buckets;
    size_t old_count = ios->bucket_count;

    ios->bucket_count *= 4;
    ios->buckets = mem_array(ios->bucket_count, sizeof(*ios->buckets));
    for (size_t i = 0; i < old_count; i++) {
        for (struct open_io *io = old[i], *next; io; io = next) {
            struct open_io **bucket = bucket_of(ios, io->host, io->io_id);

            next = io->next_in_bucket;
            io->next_in_bucket = *bucket;
            *bucket = io;
        }
    }
    free(old);
}

struct open_io *open_ios_add(struct open_ios *ios, uint32_t host, uint32_t disk, uint64_t io_id)
{
    struct open_io *io = ios->spare;

    if (io)
        ios->spare = io->next_in_bucket;
    else
        io = mem_new(sizeof(*io));
    if (ios->count >= ios->bucket_count)
        grow(ios);
    struct open_io **bucket = bucket_of(ios, host, io_id);
    struct disk_list *list = &ios->disks[host][disk];
    *io = (struct open_io){.io_id = io_id,
                           .host = host,
                           .disk = disk,
                           .path = TRACE_NONE,
                           .sent_at_ns = -1,
                           .older = list->youngest,
                           .next_in_bucket = *bucket};
    *bucket = io;
    if (list->youngest)
        list->youngest->younger = io;
    else
        list->oldest = io;
    list->youngest = io;
    list->count++;
    ios->count++;
    return io;
}

struct open_io *open_ios_find(const struct open_ios *ios, uint32_t host, uint64_t io_id)
{
    struct open_io *io = *bucket_of(ios, host, io_id);

    while (io && (io->io_id != io_id || io->host != host))
        io = io->next_in_bucket;
    return io;
}

void open_ios_remove(struct open_ios *ios, struct open_io *io)
{
    struct disk_list *list = &ios->disks[io->host][io->disk];
    struct open_io **link = bucket_of(ios, io->host, io->io_id);

    while (*link != io)
        link = &(*link)->next_in_bucket;
    *link = io->next_in_bucket;
    *(io->older ? &io->older->younger : &list->oldest) = io->younger;
    *(io->younger ? &io->younger->older : &list->youngest) = io->older;
    assert(list->count > 0);
    list->count--;
    ios->count--;
    io->next_in_bucket = ios->spare;
    ios->spare = io;
}

struct open_io *open_ios_oldest(const struct open_ios *ios, uint32_t host, uint32_t disk)
{
    return ios->disks[host][disk].oldest;
}

size_t open_ios_count(const struct open_ios *ios, uint32_t host, uint32_t disk)
{
    return ios->disks[host][disk].count;
}
