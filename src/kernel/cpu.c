/* Which tier of kernels this CPU runs, and what the CPU is. */
#include "kernel/kernel.h"

#include <cblas.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* clang 14's __builtin_cpu_supports does not know this one. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

#define RUNS_v3                                                                                    \
    (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&                            \
     __builtin_cpu_supports("bmi2") && has_f16c())
#define RUNS_v4                                                                                    \
    (RUNS_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&         \
     __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&                   \
     __builtin_cpu_supports("avx512vl"))
#endif

extern const struct gx_kernels gx_generic_kernels;
#ifdef GX_HAVE_TIER_v3
extern const struct gx_kernels gx_v3_kernels;
#endif
#ifdef GX_HAVE_TIER_v4
extern const struct gx_kernels gx_v4_kernels;
#endif

enum { MAX_TIERS = 4 };

/* Those that this CPU runs, slowest first. */
static const struct gx_kernels *tier[MAX_TIERS];
static int tiers;

static void list_tiers(void)
{
    tier[tiers++] = &gx_kernels_reference;
    tier[tiers++] = &gx_generic_kernels;
#ifdef GX_HAVE_TIER_v3
    if (RUNS_v3)
        tier[tiers++] = &gx_v3_kernels;
#endif
#ifdef GX_HAVE_TIER_v4
    if (RUNS_v4)
        tier[tiers++] = &gx_v4_kernels;
#endif
}

/* OpenBLAS' own end of its threads. It is in no header, and not in every OpenBLAS. */
extern int blas_thread_shutdown_(void) __attribute__((weak));

/* The threads that OpenBLAS starts when it is loaded wait busily for their first work, 30 ms: in the
 * way of ours, who would start to load weights meanwhile. Setting their number starts them anew. */
static void end_blas_threads(void)
{
    openblas_set_num_threads(1);
    if (blas_thread_shutdown_)
        blas_thread_shutdown_();
}

static void begin(void)
{
    list_tiers();
    end_blas_threads();
}

const struct gx_kernels *gx_kernels_at(int i)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin);
    return i >= 0 && i < tiers ? tier[i] : NULL;
}

static const struct gx_kernels *preferred;

const struct gx_kernels *gx_kernels_best(void)
{
    const struct gx_kernels *best = NULL, *k;
    for (int i = 0; (k = gx_kernels_at(i)); i++)
        best = k;
    return preferred ? preferred : best;
}

void gx_kernels_prefer(const char *name)
{
    preferred = gx_kernels_named(name);
}

const struct gx_kernels *gx_kernels_named(const char *name)
{
    const struct gx_kernels *k;
    for (int i = 0; (k = gx_kernels_at(i)); i++)
        if (!strcmp(k->name, name))
            return k;
    return NULL;
}

int gx_kernels_choose(const struct gx_kernels **kernels, const char *name, struct gx_err *err)
{
    bool best = !name || !*name || !strcmp(name, "auto");
    *kernels = best ? gx_kernels_best() : gx_kernels_named(name);
    if (*kernels)
        return 0;
    char known[160] = "";
    for (int i = 0; gx_kernels_at(i); i++) {
        size_t end = strlen(known);
        snprintf(known + end, sizeof known - end, "%s%s", i ? ", " : "", gx_kernels_at(i)->name);
    }
    return gx_fail(err, GX_E_USAGE, "this processor has no kernels '%s'; it has: %s", name, known);
}

const char *gx_kernels_blas_core(const struct gx_kernels *kernels)
{
    static const struct {
        const char *tier, *core;
    } cores[] = {{"generic", "Prescott"}, {"v3", "Haswell"}, {"v4", "SkylakeX"}};
    for (size_t i = 0; i < sizeof cores / sizeof cores[0]; i++)
        if (!strcmp(kernels->name, cores[i].tier))
            return cores[i].core;
    return NULL;
}

#if defined(__x86_64__) && defined(__linux__)
/* Tiles are large, so a process must ask Linux before it uses them. */
bool gx_cpu_has_amx(void)
{
    enum { GET_PERMITTED = 0x1022, REQUEST = 0x1023, TILES = 18 };
    unsigned a, b, c, d;
    uint64_t permitted = 0;
    if (!syscall(SYS_arch_prctl, GET_PERMITTED, &permitted) && permitted >> TILES & 1)
        return true;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || /* products of bfloat16 */
        !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1))    /* rounding to it */
        return false;
    return !syscall(SYS_arch_prctl, REQUEST, TILES);
}
#else
bool gx_cpu_has_amx(void)
{
    return false;
}
#endif

/* The processor's name as the kernel tells it, "unknown" elsewhere. */
static void read_model(char *model, size_t size)
{
    char line[512];
    snprintf(model, size, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (value && !strncmp(line, "model name", 10)) {
            value += strspn(value, ": \t");
            value[strcspn(value, "\n")] = '\0';
            snprintf(model, size, "%.*s", (int)size - 1, value);
            break;
        }
    }
    fclose(file);
}

static void list_features(char *features, size_t size)
{
    features[0] = '\0';
#if defined(__x86_64__)
#define FEATURE(name) FEATURE_IF(name, __builtin_cpu_supports(name))
#define FEATURE_IF(name, present)                                                                  \
    if (present) {                                                                                 \
        size_t used = strlen(features);                                                            \
        snprintf(features + used, size - used, used ? " %s" : "%s", name);                         \
    }
    FEATURE("sse4.2")
    FEATURE("avx")
    FEATURE("avx2")
    FEATURE("fma")
    FEATURE_IF("f16c", has_f16c())
    FEATURE("bmi2")
    FEATURE("avx512f")
    FEATURE("avx512bw")
    FEATURE("avx512dq")
    FEATURE("avx512vl")
    FEATURE("avx512vnni")
    FEATURE("avx512bf16")
    FEATURE_IF("amx_bf16", gx_cpu_has_amx())
#undef FEATURE_IF
#undef FEATURE
#else
    (void)size;
#endif
}

void gx_cpu_describe(struct gx_cpu_facts *facts)
{
    cpu_set_t set;
    read_model(facts->model, sizeof facts->model);
    list_features(facts->features, sizeof facts->features);
    snprintf(facts->blas, sizeof facts->blas, "%.*s", (int)sizeof facts->blas - 1,
             openblas_get_config());
    snprintf(facts->blas_core, sizeof facts->blas_core, "%.*s", (int)sizeof facts->blas_core - 1,
             openblas_get_corename());
    facts->threads = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}
