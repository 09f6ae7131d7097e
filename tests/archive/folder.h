// SPDX-License-Identifier: LGPL-2.1-or-later
//
// folder.h - folders of a test's own.

#pragma once

// Make those of this program in memory, where what is synchronised is soon
// there, unless the user has said where.
void folder_use_memory(void);
// Make an empty one; `name` ends in XXXXXX. Returns, folder_remove().
char *folder_make(const char *name);
// Remove it with all that is in it. Takes the path.
void folder_remove(char *path);
