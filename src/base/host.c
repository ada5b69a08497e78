/* host.c - what the machine under us says: time, memory used, CPUs we may use. */
#include "base/base.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double slx_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* VmHWM, not ru_maxrss: the latter keeps the peak of the process that called exec, however large
 * that was. */
uint64_t slx_peak_rss_bytes(void)
{
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (f) {
        char line[256];
        while (fgets(line, sizeof line, f) && sscanf(line, "VmHWM: %llu kB", &kib) != 1) {}
        fclose(f);
    }
    if (!kib) {
        struct rusage u;
        if (!getrusage(RUSAGE_SELF, &u)) kib = (unsigned long long)u.ru_maxrss;
    }
    return (uint64_t)kib * 1024;
}

static int affinity_cpus(void)
{
    /* the kernel refuses a set smaller than its own */
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set) break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int bad = sched_getaffinity(0, bytes, set) ? errno : 0,
            n = bad ? 0 : CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (n > 0) return n;
        if (bad != EINVAL) break;
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

/* CPUs a control group's quota amounts to, rounded up; 0 when there is none. One file holds "quota
 * period" (cpu.max), the older layout two files with one number each. */
static double quota_at(const char *folder, bool v2)
{
    char path[4400];
    long long quota = -1, period = 0;
    snprintf(path, sizeof path, "%s/%s", folder, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    /* "max" reads as nothing */
    int got = v2 ? fscanf(f, "%lld %lld", &quota, &period) : fscanf(f, "%lld", &quota);
    fclose(f);
    if (!v2 && got == 1) {
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        if ((f = fopen(path, "r"))) {
            if (fscanf(f, "%lld", &period) != 1) period = 0;
            fclose(f);
        }
    }
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

/* The tightest quota on the way from this process's group up to the root of the mount. */
static double quota_up(const char *mount, const char *group, bool v2)
{
    char path[4200];
    double least = 0;
    if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path) return 0;
    for (size_t root = strlen(mount);;) {
        double q = quota_at(path, v2);
        if (q > 0 && (least == 0 || q < least)) least = q;
        char *slash = strrchr(path, '/');
        if (strlen(path) <= root || !slash || (size_t)(slash - path) < root) return least;
        *slash = 0;
    }
}

int slx_host_threads(void)
{
    int cpus = affinity_cpus();
    double quota = 0;
    FILE *f = fopen("/proc/self/cgroup", "r");
    if (f) { /* lines "id:controllers:/path"; the unified layout has no controllers */
        char line[4096];
        while (fgets(line, sizeof line, f)) {
            line[strcspn(line, "\n")] = 0;
            char *controllers = strchr(line, ':');
            char *group = controllers ? strchr(controllers + 1, ':') : NULL;
            if (!group) continue;
            *group++ = 0;
            bool v2 = !controllers[1];
            if (!v2 && !strstr(controllers, "cpu")) continue;
            double q = quota_up(v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu", group, v2);
            if (q > 0 && (quota == 0 || q < quota)) quota = q;
        }
        fclose(f);
    }
    if (quota > 0 && quota < cpus) {
        cpus = (int)quota;
        if (cpus < quota) cpus++;
    }
    return cpus;
}
