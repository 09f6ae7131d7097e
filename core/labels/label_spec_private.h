// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_spec_private.h - building a label specification, shared by its text
// syntax and its file formats.

#pragma once

#include "label_spec.h"

PeLabelSpec *pe_label_spec_new(void);

// Returns a label without prompts of its own.
PeLabel *pe_label_new(const char *name);
void pe_label_free(PeLabel *label);

// Fails when the text is empty or not UTF-8; `where` begins the message.
bool pe_label_check_text(const char *text, const char *where, GError **error);

// Add a label (taken) to a list of them, after a check of its name.
bool pe_label_list_add(GPtrArray *list, PeLabel *label, const char *where,
                       GError **error);

// Add a label for each part of "a dog|a cat"; `what` they are is for messages.
bool pe_label_list_add_bars(GPtrArray *list, const char *text, const char *what,
                            GError **error);

// Make a label's name its only prompt, which no template is applied to.
void pe_label_use_as_prompt(PeLabel *label);

// Add a template to a list of them. Fails when there is no "{}" in it.
bool pe_template_list_add(GPtrArray *templates, const char *text,
                          const char *where, GError **error);

// The last checks and defaults once everything is there; `where` begins the
// message.
bool pe_label_spec_complete(PeLabelSpec *spec, const char *where,
                            GError **error);
