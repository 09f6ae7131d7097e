// SPDX-License-Identifier: LGPL-2.1-or-later
//
// done.c - see done.h. pe-tag writes the file, and pe-tag merge reads it.

#include "done.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/pe.h"
#include "tools/program_output.h"

#define NO_PLAN "done\n"

static char *
get_path(const char *folder)
{
    return g_build_filename(folder, "DONE", NULL);
}

bool
done_remove(const char *folder, GError **error)
{
    g_autofree char *path = get_path(folder);
    if (unlink(path) == 0 || errno == ENOENT)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be removed: %s",
                path, g_strerror(errno));
    return false;
}

bool
done_write(const char *folder, const Done *done, GError **error)
{
    g_autofree char *path = get_path(folder);
    g_autofree char *text =
        done->plan[0] ? g_strdup_printf("done: shard %d/%d of plan %s\n",
                                        done->shard, done->n_shards, done->plan)
                      : g_strdup(NO_PLAN);
    return program_output_write(path, text, -1, error);
}

bool
done_read(const char *folder, Done *done, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *path = get_path(folder), *text = NULL;
    char end;
    *done = (Done){.n_shards = 1};
    if (!g_file_get_contents(path, &text, NULL, &cause)) {
        bool missing = g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT);
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be read: %s%s",
                    path, cause->message,
                    missing ? "; the pe-tag that makes this archive has not "
                              "come to its end: wait for it, or run it again, "
                              "which goes on where it was"
                            : "");
        return false;
    }
    if (g_str_equal(text, NO_PLAN) ||
        (sscanf(text, "done: shard %d/%d of plan %64[0-9a-f]%c", &done->shard,
                &done->n_shards, done->plan, &end) == 4 &&
         end == '\n' && done->shard >= 0 && done->shard < done->n_shards))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: expected \"done\", or \"done: shard I/N of plan ...\"; "
                "this is no file of pe-tag",
                path);
    return false;
}

static bool
is_there(const Done *dones, int n, const Done *of, int shard)
{
    for (int i = 0; i < n; i++) {
        if (dones[i].shard == shard && dones[i].n_shards == of->n_shards &&
            g_str_equal(dones[i].plan, of->plan))
            return true;
    }
    return false;
}

// -1: there is none.
static int
find_other_plan(const Done *dones, int n, const Done *of)
{
    for (int i = 0; i < n; i++) {
        if (dones[i].plan[0] && !g_str_equal(dones[i].plan, of->plan))
            return i;
    }
    return -1;
}

bool
done_check_all(const Done *dones, char *const *folders, int n, GError **error)
{
    for (int i = 0; i < n; i++) {
        for (int shard = 0; shard < dones[i].n_shards; shard++) {
            if (is_there(dones, n, &dones[i], shard))
                continue;
            int other = find_other_plan(dones, n, &dones[i]);
            g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                        "%s is shard %d/%d of plan %.12s, and no folder is "
                        "shard %d/%d of it%s%s%s%.12s: give the folders of all",
                        folders[i], dones[i].shard, dones[i].n_shards,
                        dones[i].plan, shard, dones[i].n_shards,
                        other < 0 ? "" : "; ", other < 0 ? "" : folders[other],
                        other < 0 ? "" : " is of plan ",
                        other < 0 ? "" : dones[other].plan);
            return false;
        }
    }
    return true;
}
