#include "util/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The number after a line's name ("MemAvailable:", "inactive_file"); -1: there is none. */
static int64_t read_field(const char *path, const char *name)
{
    char line[256];
    long long value = -1;
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    while (value < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)))
            sscanf(line + strlen(name), "%lld", &value);
    fclose(file);
    return value;
}

/* What one control group leaves: its limit less what it holds, where files that lie in memory only
 * because they were read once do not count. */
static int64_t left_in_group(const char *folder, const char *limit_name, const char *used_name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, limit_name);
    int64_t limit = read_field(path, ""); /* "max" is no number */
    snprintf(path, sizeof path, "%s/%s", folder, used_name);
    int64_t used = read_field(path, "");
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    int64_t idle = read_field(path, "inactive_file ");
    if (limit < 0 || used < 0)
        return INT64_MAX;
    used -= idle > 0 ? idle : 0;
    return limit > used ? limit - used : 0;
}

/* Every group from ours up to the root. */
static int64_t left_in_groups(const char *root, char *group, const char *limit_name,
                              const char *used_name)
{
    int64_t left = INT64_MAX;
    for (;;) {
        char folder[4100];
        snprintf(folder, sizeof folder, "%s%s", root, group);
        left = least(left, left_in_group(folder, limit_name, used_name));
        char *slash = strrchr(group, '/');
        if (!slash)
            return left;
        *slash = '\0';
    }
}

static int64_t left_by_groups(void)
{
    char line[2048];
    int64_t left = INT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return left;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        if (!controllers[1])
            left = least(left,
                         left_in_groups("/sys/fs/cgroup", group, "memory.max", "memory.current"));
        else if (strstr(controllers, "memory"))
            left = least(left, left_in_groups("/sys/fs/cgroup/memory", group,
                                              "memory.limit_in_bytes", "memory.usage_in_bytes"));
    }
    fclose(file);
    return left;
}

static int64_t left_of_address_space(void)
{
    struct rlimit limit;
    long long pages = 0;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return INT64_MAX;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    int64_t used = (int64_t)pages * sysconf(_SC_PAGESIZE), all = (int64_t)limit.rlim_cur;
    return all > used ? all - used : 0;
}

int64_t gx_memory_available(void)
{
    int64_t kib = read_field("/proc/meminfo", "MemAvailable:");
    int64_t left = kib < 0 ? INT64_MAX : kib * 1024;
    return least(left, least(left_by_groups(), left_of_address_space()));
}

int64_t gx_memory_peak(void)
{
    int64_t kib = read_field("/proc/self/status", "VmHWM:");
    return kib < 0 ? 0 : kib * 1024;
}

/* ---- blocks ---- */

enum { HUGE_PAGE = 2 << 20, LARGE = 4 * HUGE_PAGE, LINE = 64 };

static size_t whole(size_t bytes)
{
    size_t unit = bytes < LARGE ? LINE : HUGE_PAGE;
    return bytes ? (bytes + unit - 1) / unit * unit : LINE;
}

void *gx_block_new(size_t bytes)
{
    size_t size = whole(bytes);
    if (bytes < LARGE) {
        void *block = aligned_alloc(LINE, size);
        return block ? memset(block, 0, size) : NULL;
    }
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(block, size, MADV_HUGEPAGE);
#endif
    return block;
}

void gx_block_free(void *block, size_t bytes)
{
    if (block && bytes >= LARGE)
        munmap(block, whole(bytes));
    else
        free(block);
}

void gx_block_raise(void *block, size_t bytes, int share, int shares)
{
    size_t pages = bytes / HUGE_PAGE; /* the rest comes up by itself, like all in a small block */
    size_t first = pages * (size_t)share / (size_t)shares;
    size_t last = pages * ((size_t)share + 1) / (size_t)shares;
#ifdef MADV_POPULATE_WRITE
    if (bytes >= LARGE)
        madvise((char *)block + first * HUGE_PAGE, (last - first) * HUGE_PAGE, MADV_POPULATE_WRITE);
#else
    (void)block, (void)first, (void)last;
#endif
}
