// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeslug.h - names that a user wrote as names that topics and ids may have.
// Knows no MQTT and no GStreamer.

#pragma once

#include <glib.h>

// Bytes at most, without the NUL.
#define GST_PE_SLUG_MAX 51

// A name of letters, digits, - and _, of ASCII, which differs for different
// names and is the same on every machine. Also without two _ in a row, and
// without one at the beginning or end, so that slugs may be joined by two.
//   name   UTF-8, of any length; borrows
//   blank  ' ' or '_': the one that may be in a name and is _ in the slug.
//          Slugs of one kind are made with the same.
// Where the name has anything else, is longer than 40 bytes or could be taken
// for such a slug, _ and 10 hexadecimal digits of its SHA-256 follow. Returns
// g_free(). Any thread.
char *gst_pe_slug_new(const char *name, char blank);
