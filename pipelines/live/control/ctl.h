// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ctl.h - "pe-live ctl": tells a running pe-live what to do.

#pragma once

// argv: behind "ctl". Returns the program's exit status.
int ctl_main(int argc, char **argv);
