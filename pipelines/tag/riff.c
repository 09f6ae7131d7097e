// SPDX-License-Identifier: LGPL-2.1-or-later
//
// riff.c - see riff.h. For tagger.c.

#include "riff.h"

#include <stdio.h>
#include <string.h>

bool
riff_is_cut(const char *path, gint64 size, gint64 *expected)
{
    guint8 head[12];
    FILE *file = fopen(path, "rbe");
    bool is_avi = file && fread(head, sizeof head, 1, file) == 1 &&
                  memcmp(head, "RIFF", 4) == 0 &&
                  memcmp(head + 8, "AVI ", 4) == 0;
    if (file)
        fclose(file);
    if (!is_avi)
        return false;
    guint32 length;
    memcpy(&length, head + 4, sizeof length);
    *expected = (gint64)GUINT32_FROM_LE(length) + 8;
    return *expected > size + 1;
}
