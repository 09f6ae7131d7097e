// SPDX-License-Identifier: LGPL-2.1-or-later
//
// note.c - see note.h.

#include "note.h"

#include <glib.h>

typedef struct {
    NoteFunc func;
    void *user_data;
    char *text;
} Note;

static gboolean
tell(gpointer data)
{
    Note *note = data;
    note->func(note->text, note->user_data);
    return G_SOURCE_REMOVE;
}

static void
free_note(gpointer data)
{
    Note *note = data;
    g_free(note->text);
    g_free(note);
}

void
note_send(NoteFunc func, void *user_data, char *text)
{
    Note *note = g_new(Note, 1);
    *note = (Note){func, user_data, text};
    g_main_context_invoke_full(NULL, G_PRIORITY_DEFAULT, tell, note, free_note);
}
