// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tokenizer.c - CLIP's tokenizer: cleaned text is split into words, digits and
// runs of signs, and each piece is encoded by itself.
// Source: OpenAI CLIP simple_tokenizer.py, SimpleTokenizer.

#include "clean_text.h"
#include "core/pe.h"
#include "vocabulary.h"

#include <string.h>
#include <sys/stat.h>

// Bytes of a text that are looked at; a context has less than 100 tokens.
#define MAX_TEXT ((size_t)4 << 20)

struct PeTokenizer {
    int ref_count; // below `lock`
    char *path;
    struct stat file; // as it was before it was read
    PeVocabulary *vocabulary;
};

// A vocabulary takes a tenth of a second to parse, and every new set of labels
// asks for one: whoever opens a file that is open already, and unchanged, gets
// the same tokenizer. They are immutable.
static GMutex lock;
static GPtrArray *open_tokenizers; // of PeTokenizer, not referenced

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

// A new reference, or NULL.
static PeTokenizer *
find_open(const char *path, const struct stat *file)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    for (guint i = 0; open_tokenizers && i < open_tokenizers->len; i++) {
        PeTokenizer *t = open_tokenizers->pdata[i];
        if (strcmp(t->path, path) == 0 && is_same_file(&t->file, file)) {
            t->ref_count++;
            return t;
        }
    }
    return NULL;
}

PeTokenizer *
pe_tokenizer_open(const char *path, GError **error)
{
    g_return_val_if_fail(path, NULL);
    struct stat file = {0};
    bool exists = stat(path, &file) == 0;
    PeTokenizer *t = exists ? find_open(path, &file) : NULL;
    if (t)
        return t;
    PeVocabulary *vocabulary = pe_vocabulary_open(path, error);
    if (!vocabulary)
        return NULL;
    t = g_new(PeTokenizer, 1);
    *t = (PeTokenizer){1, g_strdup(path), file, vocabulary};
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    if (!open_tokenizers)
        open_tokenizers = g_ptr_array_new();
    g_ptr_array_add(open_tokenizers, t);
    return t;
}

PeTokenizer *
pe_tokenizer_ref(PeTokenizer *t)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    t->ref_count++;
    return t;
}

void
pe_tokenizer_unref(PeTokenizer *t)
{
    if (!t)
        return;
    g_mutex_lock(&lock);
    bool last = --t->ref_count == 0;
    if (last)
        g_ptr_array_remove_fast(open_tokenizers, t);
    if (open_tokenizers->len == 0)
        g_clear_pointer(&open_tokenizers, g_ptr_array_unref);
    g_mutex_unlock(&lock);
    if (!last)
        return;
    pe_vocabulary_free(t->vocabulary);
    g_free(t->path);
    g_free(t);
}

int
pe_tokenizer_get_vocab_size(const PeTokenizer *t)
{
    return t->vocabulary->size;
}

const char *
pe_tokenizer_get_path(const PeTokenizer *t)
{
    return t->path;
}

const char *
pe_tokenizer_get_fingerprint(const PeTokenizer *t)
{
    return t->vocabulary->fingerprint;
}

// ---- Pieces ---------------------------------------------------------------

typedef enum {
    SPACE,
    LETTER,
    NUMBER,
    SIGN, // the rest, combining marks too
} Class;

static Class
classify(gunichar c)
{
    if (g_unichar_isalpha(c))
        return LETTER;
    switch (g_unichar_type(c)) {
    case G_UNICODE_DECIMAL_NUMBER:
    case G_UNICODE_LETTER_NUMBER:
    case G_UNICODE_OTHER_NUMBER:
        return NUMBER;
    default:
        // Its upper case is a letter, so the reference's expression, which
        // ignores case, takes it for neither a letter nor a sign.
        return pe_is_space(c) || c == 0x345 ? SPACE : SIGN;
    }
}

// Bytes of an English contraction's ending ("'s", "'re") at `p`, else 0.
static size_t
match_contraction(const char *p)
{
    static const char *const endings[] = {
        "'s", "'\xc5\xbf", "'t", "'re", "'ve", "'m", "'ll", "'d",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        if (g_str_has_prefix(p, endings[i]))
            return strlen(endings[i]);
    }
    return 0;
}

// The id of a special token spelled out at `p` and its bytes, else -1.
static int
match_special(const PeVocabulary *v, const char *p, size_t *size)
{
    static const char start[] = "<start_of_text>", end[] = "<end_of_text>";
    if (g_str_has_prefix(p, start)) {
        *size = sizeof start - 1;
        return v->start;
    }
    if (g_str_has_prefix(p, end)) {
        *size = sizeof end - 1;
        return v->end;
    }
    return -1;
}

// Bytes of the piece at `p`, which is not white space.
static size_t
measure_piece(const char *p)
{
    size_t size = match_contraction(p);
    if (size > 0)
        return size;
    Class class = classify(g_utf8_get_char(p));
    const char *end = g_utf8_next_char(p);
    while (class != NUMBER && *end && classify(g_utf8_get_char(end)) == class)
        end = g_utf8_next_char(end);
    return (size_t)(end - p);
}

// Append tokens (PeToken) until there are `enough` or the text ends.
static void
tokenize(const PeVocabulary *v, const char *text, guint enough, GArray *tokens)
{
    const char *p = text;
    while (*p && tokens->len < enough) {
        size_t size;
        int special = match_special(v, p, &size);
        if (special >= 0) {
            PeToken token = {special, (size_t)(p - text)};
            g_array_append_val(tokens, token);
        } else if (classify(g_utf8_get_char(p)) == SPACE) {
            size = (size_t)(g_utf8_next_char(p) - p);
        } else {
            size = measure_piece(p);
            pe_bpe_encode(v, text, (size_t)(p - text), size, tokens);
        }
        p += size;
    }
}

// The text from a token on. A token may begin inside a character, which then
// is lost whole.
static char *
copy_rest(const char *text, size_t offset)
{
    while (offset > 0 && ((uint8_t)text[offset] & 0xc0) == 0x80)
        offset--;
    return g_strdup(text + offset);
}

int
pe_tokenizer_encode(const PeTokenizer *t, const char *text, int context_length,
                    int *ids, char **cut)
{
    g_return_val_if_fail(t && text && context_length >= 2 && ids, 0);
    g_autofree char *bounded = g_strndup(text, strnlen(text, MAX_TEXT));
    g_autofree char *clean = pe_tokenizer_clean(bounded);
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(PeToken));
    // One more than there is room for, to see whether the text is too long.
    int room = context_length - 2;
    tokenize(t->vocabulary, clean, (guint)room + 1, tokens);

    int n = MIN((int)tokens->len, room);
    memset(ids, 0, sizeof *ids * (size_t)context_length);
    ids[0] = t->vocabulary->start;
    for (int i = 0; i < n; i++)
        ids[i + 1] = g_array_index(tokens, PeToken, i).id;
    ids[n + 1] = t->vocabulary->end;
    if (cut) {
        bool too_long = (int)tokens->len > room;
        *cut = too_long ? copy_rest(clean,
                                    g_array_index(tokens, PeToken, room).offset)
                        : NULL;
    }
    return n + 2;
}
