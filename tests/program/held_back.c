/* A disk with a write cache for one file of a program: LD_PRELOAD it.
 *
 *     HELD_BACK=FILE LD_PRELOAD=held_back.so iscsilab serve --disk data=FILE
 *
 * What the program writes to FILE stays in this library's memory until fdatasync(), or RWF_DSYNC;
 * of the rest some pages reach the file at moments of their own, as in a real cache. Reads see all
 * of it. A program that is killed loses what was held back: the page cache of the machine survives
 * its death, this cache does not. With HELD_BACK_LIES=1 fdatasync() says yes and does nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE       4096u
#define MOST_PAGES 65536u /* of the file: 256 MiB */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int held_fd = -1;
static uint8_t *pages[MOST_PAGES]; /* newer than the file; NULL: as in the file */
static uint64_t chance;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_preadv2)(int, const struct iovec *, int, off_t, int);
static ssize_t (*real_pwritev2)(int, const struct iovec *, int, off_t, int);
static int (*real_fdatasync)(int);
static int (*real_fallocate)(int, int, off_t, off_t);

__attribute__((constructor)) static void begin(void)
{
    *(void **)&real_open = dlsym(RTLD_NEXT, "open");
    *(void **)&real_pread = dlsym(RTLD_NEXT, "pread");
    *(void **)&real_preadv2 = dlsym(RTLD_NEXT, "preadv2");
    *(void **)&real_pwritev2 = dlsym(RTLD_NEXT, "pwritev2");
    *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    *(void **)&real_fallocate = dlsym(RTLD_NEXT, "fallocate");
    chance = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int fd = real_open(path, flags, va_arg(arguments, int));
    va_end(arguments);
    const char *held = getenv("HELD_BACK");

    if (fd >= 0 && held && strcmp(path, held) == 0)
        held_fd = fd;
    return fd;
}

static uint64_t roll(uint64_t sides)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (chance >> 33) % sides;
}

static void destage(uint64_t page)
{
    if (!pages[page])
        return;
    if (pwrite(held_fd, pages[page], PAGE, (off_t)(page * PAGE)) != PAGE)
        abort();
    free(pages[page]);
    pages[page] = NULL;
}

static uint8_t *page_of(uint64_t page)
{
    if (page >= MOST_PAGES)
        abort();
    if (!pages[page]) {
        pages[page] = calloc(1, PAGE);
        if (!pages[page] || real_pread(held_fd, pages[page], PAGE, (off_t)(page * PAGE)) < 0)
            abort();
    }
    return pages[page];
}

static void hold(const uint8_t *data, size_t bytes, uint64_t offset)
{
    while (bytes > 0) {
        size_t at = offset % PAGE;
        size_t here = bytes < PAGE - at ? bytes : PAGE - at;

        memcpy(page_of(offset / PAGE) + at, data, here);
        data += here;
        offset += here;
        bytes -= here;
    }
}

/* What is held back of what was read from the file. */
static void lay_over(uint8_t *data, size_t bytes, uint64_t offset)
{
    while (bytes > 0) {
        size_t at = offset % PAGE;
        size_t here = bytes < PAGE - at ? bytes : PAGE - at;

        if (offset / PAGE < MOST_PAGES && pages[offset / PAGE])
            memcpy(data, pages[offset / PAGE] + at, here);
        data += here;
        offset += here;
        bytes -= here;
    }
}

ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    ssize_t total = 0;

    if (fd != held_fd)
        return real_pwritev2(fd, pieces, count, offset, flags);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++) {
        hold(pieces[i].iov_base, pieces[i].iov_len, (uint64_t)(offset + total));
        total += (ssize_t)pieces[i].iov_len;
    }
    for (uint64_t page = (uint64_t)offset / PAGE; page <= (uint64_t)(offset + total - 1) / PAGE;
         page++)
        if (flags & RWF_DSYNC || roll(4) == 0)
            destage(page);
    pthread_mutex_unlock(&lock);
    return total;
}

ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
    if (fd != held_fd)
        return real_pread(fd, data, bytes, offset);
    pthread_mutex_lock(&lock);
    ssize_t got = real_pread(fd, data, bytes, offset);

    if (got > 0)
        lay_over(data, (size_t)got, (uint64_t)offset);
    pthread_mutex_unlock(&lock);
    return got;
}

ssize_t preadv2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    if (fd != held_fd)
        return real_preadv2(fd, pieces, count, offset, flags);
    errno = EAGAIN; /* not without waiting: a thread reads it */
    return -1;
}

int fdatasync(int fd)
{
    if (fd != held_fd)
        return real_fdatasync(fd);
    if (getenv("HELD_BACK_LIES"))
        return 0;
    pthread_mutex_lock(&lock);
    for (uint64_t page = 0; page < MOST_PAGES; page++)
        destage(page);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    static const uint8_t zeros[PAGE];

    if (fd != held_fd)
        return real_fallocate(fd, mode, offset, bytes);
    pthread_mutex_lock(&lock);
    for (off_t done = 0; done < bytes; done += PAGE)
        hold(zeros, (size_t)(bytes - done < PAGE ? bytes - done : PAGE), (uint64_t)(offset + done));
    pthread_mutex_unlock(&lock);
    return 0;
}
