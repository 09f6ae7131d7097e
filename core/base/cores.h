// SPDX-License-Identifier: LGPL-2.1-or-later
//
// cores.h - how many cores this process may use, which may be fewer than the
// machine has. Private to core.

#pragma once

// The smallest of: the cores in the calling thread's affinity mask; the quota
// of the control groups that the process is in, rounded up; $OMP_NUM_THREADS,
// which other libraries of this kind heed as well. At least 1.
int pe_cores_count(void);

// The quota in cores that `text` gives, as in a cgroup's cpu.max: "50000
// 100000" is 0.5, "max 100000" and anything else 0, no limit.
double pe_cores_parse_quota(const char *text);

// The quota in cores of the cgroup `path` and of all above it, below the folder
// where the file system is mounted; 0: none.
double pe_cores_read_quota(const char *mount, const char *path);
