// SPDX-License-Identifier: LGPL-2.1-or-later
//
// cores.c - see cores.h.
//
// Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and
// cgroup-v1/cpuacct.rst, scheduler/sched-bwc.rst (cpu.cfs_quota_us).

#include "cores.h"

#include <glib.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MOUNT "/sys/fs/cgroup"
#define MOUNT_V1 "/sys/fs/cgroup/cpu"

double
pe_cores_parse_quota(const char *text)
{
    char *end;
    gint64 quota = g_ascii_strtoll(text, &end, 10);
    if (end == text || quota <= 0)
        return 0;
    gint64 period = g_ascii_strtoll(end, NULL, 10);
    return period > 0 ? (double)quota / (double)period : 0;
}

static char *
read_text(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

// Of one cgroup, of either version.
static double
read_folder(const char *folder)
{
    g_autofree char *max = read_text(folder, "cpu.max");
    if (max)
        return pe_cores_parse_quota(max);
    g_autofree char *quota = read_text(folder, "cpu.cfs_quota_us");
    g_autofree char *period = read_text(folder, "cpu.cfs_period_us");
    if (!quota || !period)
        return 0;
    g_autofree char *both = g_strconcat(g_strstrip(quota), " ", period, NULL);
    return pe_cores_parse_quota(both);
}

double
pe_cores_read_quota(const char *mount, const char *path)
{
    g_autofree char *folder = g_build_filename(mount, path, NULL);
    size_t root = strlen(mount);
    double least = 0;
    for (;;) {
        double quota = read_folder(folder);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
        char *slash = strrchr(folder, '/');
        if (!slash || strlen(folder) <= root)
            return least;
        *slash = '\0';
    }
}

// Lines of /proc/self/cgroup are ID:CONTROLLERS:PATH, without controllers in
// version 2.
static double
read_own_quota(void)
{
    g_autofree char *text = read_text("/proc/self", "cgroup");
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    double least = 0;
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) parts = g_strsplit(*line, ":", 3);
        if (g_strv_length(parts) != 3)
            continue;
        g_auto(GStrv) controllers = g_strsplit(parts[1], ",", -1);
        bool v1 = g_strv_contains((const char *const *)controllers, "cpu");
        if (!v1 && *parts[1])
            continue;
        double quota = pe_cores_read_quota(v1 ? MOUNT_V1 : MOUNT, parts[2]);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
    }
    return least;
}

static int
count_affinity(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    return (int)g_get_num_processors();
}

int
pe_cores_count(void)
{
    int n = count_affinity();
    double quota = read_own_quota();
    if (quota > 0 && quota < n)
        n = (int)ceil(quota);
    const char *asked = g_getenv("OMP_NUM_THREADS");
    gint64 limit = asked ? g_ascii_strtoll(asked, NULL, 10) : 0;
    if (limit > 0 && limit < n)
        n = (int)limit;
    return MAX(n, 1);
}
