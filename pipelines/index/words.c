// SPDX-License-Identifier: LGPL-2.1-or-later
//
// words.c - see words.h.
//
// `texts` has a row for each file, and `words` is an index of it without a copy
// of the texts, which triggers keep in step. SQLite must be told what was
// indexed when it is to be forgotten, so rows of `texts` are never changed but
// removed and made anew. Each names the content and the label set that it was
// made from; by these it is found when another program has changed a file.

#include "words.h"

#include <string.h>

#include "records.h"

// From this score on a label counts as seen: more likely than not. Segments
// have the labels that fit them best, also where none does.
#define SEEN 0.5

#define LABELS \
    "(SELECT seen_labels(names, labels) FROM segments " \
    "WHERE segments.content = files.content)"

#define PUT \
    "INSERT INTO texts (file, content, label_set, labels) " \
    "SELECT files.name, files.content, contents.label_set, " LABELS \
    " FROM files JOIN contents ON contents.id = files.content WHERE "

// The names are indexed as they are: a path's folders are words, too.
static const char tables[] =
    "CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY,"
    " file TEXT NOT NULL UNIQUE, content INTEGER, label_set TEXT,"
    " labels TEXT);"
    "CREATE INDEX IF NOT EXISTS texts_by_content ON texts (content);"
    "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (file, labels,"
    " content = 'texts', content_rowid = 'id',"
    " tokenize = 'unicode61 remove_diacritics 2');"
    "CREATE TRIGGER IF NOT EXISTS texts_added AFTER INSERT ON texts BEGIN"
    " INSERT INTO words (rowid, file, labels)"
    " VALUES (new.id, new.file, new.labels); END;"
    "CREATE TRIGGER IF NOT EXISTS texts_removed AFTER DELETE ON texts BEGIN"
    " INSERT INTO words (words, rowid, file, labels)"
    " VALUES ('delete', old.id, old.file, old.labels); END;";

// ---- Labels ---------------------------------------------------------------

// seen_labels(names, labels) in SQL, of blobs as in records.h.
static void
list_seen(sqlite3_context *context, int n_values, sqlite3_value **values)
{
    const void *names = sqlite3_value_blob(values[0]);
    const void *labels = sqlite3_value_blob(values[1]);
    char *text = records_list_names(
        names, (size_t)sqlite3_value_bytes(values[0]), labels,
        (size_t)sqlite3_value_bytes(values[1]), SEEN);
    if (text)
        sqlite3_result_text(context, text, -1, g_free);
}

bool
words_add_functions(Database *database, GError **error)
{
    return database_add_function(database, "seen_labels", 2, list_seen, error);
}

// ---- Write ----------------------------------------------------------------

bool
words_prepare(Archive *archive, void *data, GError **error)
{
    Database *database = archive->database;
    return database_execute(database, tables, error) &&
           database_run(database, error,
                        "DELETE FROM texts WHERE id NOT IN (SELECT texts.id "
                        "FROM texts JOIN files ON files.name = texts.file "
                        "AND files.content = texts.content "
                        "JOIN contents ON contents.id = files.content "
                        "AND contents.label_set IS texts.label_set)",
                        "") &&
           database_run(database, error,
                        PUT "files.name NOT IN (SELECT file FROM texts)", "");
}

bool
words_put_file(Database *database, const char *name, GError **error)
{
    return words_remove_file(database, name, error) &&
           database_run(database, error, PUT "files.name = ?", "t", name);
}

bool
words_put_content(Database *database, gint64 content, GError **error)
{
    return database_run(database, error, "DELETE FROM texts WHERE content = ?",
                        "i", content) &&
           database_run(database, error, PUT "files.content = ?", "i", content);
}

bool
words_remove_file(Database *database, const char *name, GError **error)
{
    return database_run(database, error, "DELETE FROM texts WHERE file = ?",
                        "t", name);
}

// ---- Read -----------------------------------------------------------------

static bool
are_there(Archive *archive, bool *there, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT 1 FROM sqlite_master WHERE name = 'words'", "");
    *there = row && database_next(archive->database, row, &e);
    if (*there)
        database_end(row);
    return database_is_fine(e, error);
}

static bool
fetch(Archive *archive, GError **error)
{
    return database_execute(archive->database, tables, error) &&
           archive->remote->read_labels(archive, archive->remote_data, SEEN,
                                        error) &&
           database_run(archive->database, error,
                        "INSERT INTO texts (file, content) SELECT name, "
                        "content FROM files WHERE name NOT IN (SELECT file "
                        "FROM texts)",
                        "");
}

bool
words_fetch(Archive *archive, GError **error)
{
    bool there;
    if (!are_there(archive, &there, error) || there)
        return there;
    if (!database_execute(archive->database, "SAVEPOINT words", error))
        return false;
    bool ok = fetch(archive, error);
    database_execute(archive->database,
                     ok ? "RELEASE words" : "ROLLBACK TO words; RELEASE words",
                     NULL);
    return ok;
}

// One word of the user's: quoted, so that nothing in it is an operator. What is
// joined by other marks, as in a name, must stand in that order.
static void
add_word(GString *match, const char *word)
{
    bool has_letter = false;
    for (const char *p = word; *p; p = g_utf8_next_char(p))
        has_letter |= g_unichar_isalnum(g_utf8_get_char(p));
    if (!has_letter)
        return;
    g_string_append(match, match->len ? " \"" : "\"");
    for (const char *p = word; *p; p++)
        g_string_append_printf(match, *p == '"' ? "\"%c" : "%c", *p);
    g_string_append(match, g_str_has_suffix(word, "*") ? "\"*" : "\"");
}

char *
words_make_match(Archive *archive, const char *text, GError **error)
{
    bool there;
    if (!are_there(archive, &there, error))
        return NULL;
    if (!there) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: was made before archives had words; \"pe-tag prune\" "
                    "or any other pe-tag that writes to it makes them",
                    archive->folder);
        return NULL;
    }
    g_autofree char *shown = g_utf8_make_valid(text, -1);
    g_autoptr(GString) match = g_string_new(NULL);
    if (g_utf8_validate(text, -1, NULL)) {
        g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);
        for (char **word = words; *word; word++)
            add_word(match, *word);
    }
    if (match->len)
        return g_string_free(g_steal_pointer(&match), FALSE);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "\"%s\" has no words: expected letters or digits, in UTF-8",
                shown);
    return NULL;
}

bool
words_verify(Archive *archive, GPtrArray *faults, GError **error)
{
    bool there;
    if (!are_there(archive, &there, error))
        return false;
    if (!there)
        return true;
    return database_add_texts(
        archive->database, faults, error,
        "SELECT 'the words of ' || files.name || ' are not those of its name "
        "and labels' FROM files LEFT JOIN texts ON texts.file = files.name "
        "WHERE texts.content IS NOT files.content "
        "OR texts.labels IS NOT " LABELS " UNION ALL "
        "SELECT 'there are words of ' || file || ', which is no file' "
        "FROM texts WHERE file NOT IN (SELECT name FROM files) UNION ALL "
        "SELECT 'the words of ' || file || ' are not in the full-text index' "
        "FROM texts WHERE id NOT IN (SELECT id FROM words_docsize) UNION ALL "
        "SELECT 'the full-text index has words of no file' "
        "FROM words_docsize WHERE id NOT IN (SELECT id FROM texts)");
}
