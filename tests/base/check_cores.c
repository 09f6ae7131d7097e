// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_cores.c - quotas of both versions of control groups, affinity and the
// environment.

#include "core/base/cores.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <sched.h>

static void
reads_a_quota(void)
{
    g_assert_cmpfloat(pe_cores_parse_quota("50000 100000\n"), ==, 0.5);
    g_assert_cmpfloat(pe_cores_parse_quota("400000 100000"), ==, 4);
    g_assert_cmpfloat(pe_cores_parse_quota("max 100000\n"), ==, 0);
    g_assert_cmpfloat(pe_cores_parse_quota("-1 100000"), ==, 0);
    g_assert_cmpfloat(pe_cores_parse_quota("100000"), ==, 0);
    g_assert_cmpfloat(pe_cores_parse_quota(""), ==, 0);
}

static void
write_file(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
remove_tree(const char *path)
{
    g_autofree char *line = g_strdup_printf("rm -r '%s'", path);
    g_assert_true(g_spawn_command_line_sync(line, NULL, NULL, NULL, NULL));
}

static void
takes_the_least_quota_up_to_the_mount(void)
{
    g_autofree char *top = g_dir_make_tmp("check-cores-XXXXXX", NULL);
    g_autofree char *outer = g_build_filename(top, "a", NULL);
    g_autofree char *inner = g_build_filename(outer, "b", NULL);
    write_file(inner, "cpu.max", "max 100000\n");
    g_assert_cmpfloat(pe_cores_read_quota(top, "/a/b"), ==, 0);
    write_file(outer, "cpu.max", "150000 100000\n");
    g_assert_cmpfloat(pe_cores_read_quota(top, "/a/b"), ==, 1.5);
    write_file(top, "cpu.max", "100000 100000\n");
    g_assert_cmpfloat(pe_cores_read_quota(top, "/a/b"), ==, 1);
    g_assert_cmpfloat(pe_cores_read_quota(top, "/"), ==, 1);
    g_assert_cmpfloat(pe_cores_read_quota(outer, "/b"), ==, 1.5);
    remove_tree(top);
}

static void
reads_version_1(void)
{
    g_autofree char *top = g_dir_make_tmp("check-cores-XXXXXX", NULL);
    write_file(top, "cpu.cfs_quota_us", "-1\n");
    write_file(top, "cpu.cfs_period_us", "100000\n");
    g_assert_cmpfloat(pe_cores_read_quota(top, "/"), ==, 0);
    write_file(top, "cpu.cfs_quota_us", "250000\n");
    g_assert_cmpfloat(pe_cores_read_quota(top, "/"), ==, 2.5);
    remove_tree(top);
}

static void
heeds_affinity_and_the_environment(void)
{
    cpu_set_t all, one;
    g_unsetenv("OMP_NUM_THREADS");
    g_assert_cmpint(sched_getaffinity(0, sizeof all, &all), ==, 0);
    g_assert_cmpint(pe_cores_count(), <=, CPU_COUNT(&all));
    g_assert_cmpint(pe_cores_count(), >=, 1);
    g_setenv("OMP_NUM_THREADS", "1", TRUE);
    g_assert_cmpint(pe_cores_count(), ==, 1);
    g_setenv("OMP_NUM_THREADS", "nonsense", TRUE);
    g_assert_cmpint(pe_cores_count(), >=, 1);
    g_unsetenv("OMP_NUM_THREADS");

    int first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    g_assert_cmpint(sched_setaffinity(0, sizeof one, &one), ==, 0);
    g_assert_cmpint(pe_cores_count(), ==, 1);
    sched_setaffinity(0, sizeof all, &all);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cores/quota", reads_a_quota);
    g_test_add_func("/cores/least", takes_the_least_quota_up_to_the_mount);
    g_test_add_func("/cores/version-1", reads_version_1);
    g_test_add_func("/cores/environment", heeds_affinity_and_the_environment);
    return g_test_run();
}
