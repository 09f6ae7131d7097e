// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetext.h - names that anybody may have written, as text that can be shown.

#pragma once

#include <glib.h>

// One line of valid UTF-8 without control characters and without those that
// turn the direction of writing, at most some hundred bytes long: what is cut
// ends with an ellipsis. Returns a string.
//   text  any bytes; NULL: ""
char *gst_pe_text_clean(const char *text);
