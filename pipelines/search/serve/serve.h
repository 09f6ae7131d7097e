// SPDX-License-Identifier: LGPL-2.1-or-later
//
// serve.h - pe-search serve: an archive as a page.

#pragma once

// The command, with its arguments: argv[0] is "serve". Returns the program's
// exit status.
int serve_run(int argc, char **argv);
