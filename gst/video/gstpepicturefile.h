// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepicturefile.h - what the bytes of a picture file say that its decoder
// does not tell. Decodes nothing; for gstpepicture.c.

#pragma once

#include "core/pe.h"

typedef struct {
    const char *kind;  // "WebP", "a video", ...; NULL: not known
    const char *needs; // the Debian package whose decoder may be missing, or
                       // NULL
    PeOrientation orientation; // by EXIF, of the kinds that keep it apart
    bool cut;                  // the file ends before the picture does
    bool grey16;               // grey of 16 bits
    int64_t n_pictures;        // of a GIF or an animated WebP
    size_t inner, inner_size;  // where an icon's largest picture is, if it is
                               // a PNG; else 0
    int transparent; // 0xRRGGBB of a GIF's transparent pixels; -1: none are
} GstPePictureFile;

// Any bytes. Borrows `data` until it returns.
GstPePictureFile gst_pe_picture_file_look(const uint8_t *data, size_t size);
