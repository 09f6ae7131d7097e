// SPDX-License-Identifier: LGPL-2.1-or-later
//
// uri.c - what is known of a database without libpq. See postgres.h.

#include "postgres.h"

bool
postgres_is_uri(const char *text)
{
    return g_str_has_prefix(text, "postgresql://") ||
           g_str_has_prefix(text, "postgres://");
}

const char *
postgres_find_wrong_options(const char *index, bool exact)
{
    if (index && !postgres_is_uri(index))
        return "--index must be a URI that begins with postgresql://";
    if (exact && !index)
        return "--exact is said of a database (--index); the search of a "
               "folder is exact";
    return NULL;
}

#ifndef HAVE_POSTGRES
static bool
fail(GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "this build has no PostgreSQL, because libpq was not there");
    return false;
}

bool
postgres_load(Archive *archive, const char *uri, PostgresLoad *load,
              GError **error)
{
    return fail(error);
}

PostgresWriter *
postgres_writer_open(const char *uri, const ArchiveModel *model, int patience,
                     GError **error)
{
    fail(error);
    return NULL;
}

void
postgres_writer_close(PostgresWriter *writer)
{
}

bool
postgres_writer_put(PostgresWriter *writer, const char *key,
                    const ArchiveFile *file, const ArchiveContent *content,
                    const uint16_t *vectors, GError **error)
{
    return fail(error);
}

Archive *
postgres_open(const char *uri, bool exact, GError **error)
{
    fail(error);
    return NULL;
}
#endif
