// SPDX-License-Identifier: LGPL-2.1-or-later
//
// address.h - where a stream comes from, as the user wrote it, with its secrets
// apart from what may be shown. Everything that is printed about a stream
// passes address_redact().

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    ADDRESS_TEST,    // test:PATTERN, moving pictures of videotestsrc
    ADDRESS_CAMERA,  // v4l2:/dev/video0
    ADDRESS_FILE,    // a path, or file://
    ADDRESS_NETWORK, // rtsp://, http:// and so on
} AddressKind;

typedef struct {
    AddressKind kind;
    char *uri;     // without user and password; NULL: ADDRESS_TEST
    char *pattern; // of ADDRESS_TEST; NULL: the usual one
    char *user;    // NULL: none
    char *password;
    char *shown;       // what may be printed
    char *name;        // what a stream is called when nobody named it
    GPtrArray *hidden; // char *, texts that must not be printed
} Address;

// text  such as rtsp://user:password@host/path, v4l2:/dev/video0, test: or a
//       path; user and password may be written with %XX
// Returns NULL and sets `error`, which names no secret.
Address *address_parse(const char *text, GError **error);
Address *address_copy(const Address *address);
void address_free(Address *address);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Address, address_free)

// Use these in place of what the URI has; NULL: leave that. Copies them.
void address_set_login(Address *address, const char *user,
                       const char *password);

// Is it a source that never ends by itself?
bool address_is_live(const Address *address);

// `text` without the address's secrets, and without users, passwords and
// queries of any other URI. address may be NULL. Returns, g_free().
char *address_redact(const Address *address, const char *text);
