// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepicturefile.c - see gstpepicturefile.h. Every length of the file is
// checked before it is believed.

#include "gst/video/gstpepicturefile.h"

#include <string.h>

// A piece of the file; reads behind its end give 0.
typedef struct {
    const uint8_t *data;
    size_t size;
} Bytes;

static bool
starts_with(Bytes b, size_t at, const char *magic, size_t n)
{
    return at <= b.size && n <= b.size - at &&
           memcmp(b.data + at, magic, n) == 0;
}

static Bytes
cut_out(Bytes b, size_t at, size_t n)
{
    at = MIN(at, b.size);
    return (Bytes){b.data + at, MIN(n, b.size - at)};
}

static uint32_t
read_int(Bytes b, size_t at, int n, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) {
        size_t p = at + (size_t)(little ? n - 1 - i : i);
        v = v << 8 | (p < b.size ? b.data[p] : 0);
    }
    return v;
}

// ---- TIFF, which EXIF is --------------------------------------------------

#define TAG_BITS 258
#define TAG_ORIENTATION 274
#define TAG_SAMPLES 277

// The first value of a tag of the first directory; 0: it is not there.
static uint32_t
find_tag(Bytes b, uint32_t tag)
{
    bool little = starts_with(b, 0, "II", 2);
    size_t at = read_int(b, 4, 4, little);
    uint32_t n = read_int(b, at, 2, little);
    for (uint32_t i = 0; i < n && at + 14 <= b.size; i++, at += 12) {
        if (read_int(b, at + 2, 2, little) != tag)
            continue;
        bool is_short = read_int(b, at + 4, 2, little) == 3;
        uint32_t count = read_int(b, at + 6, 4, little);
        size_t value = at + 10;
        if (count > (is_short ? 2 : 1))
            value = read_int(b, value, 4, little);
        return read_int(b, value, is_short ? 2 : 4, little);
    }
    return 0;
}

// Some writers put JPEG's header in front in other kinds of files, too.
static PeOrientation
read_exif(Bytes b)
{
    if (starts_with(b, 0, "Exif\0\0", 6))
        b = cut_out(b, 6, b.size);
    uint32_t value = find_tag(b, TAG_ORIENTATION);
    return value >= 1 && value <= 8 ? (PeOrientation)(value - 1)
                                    : PE_ORIENTATION_NORMAL;
}

static void
look_at_tiff(Bytes b, GstPePictureFile *file)
{
    file->grey16 = find_tag(b, TAG_BITS) == 16 && find_tag(b, TAG_SAMPLES) < 2;
}

// ---- PNG, WebP ------------------------------------------------------------

static void
look_at_png(Bytes b, GstPePictureFile *file)
{
    size_t at = 8;
    file->cut = true;
    file->grey16 = read_int(b, 24, 2, false) == 0x1000; // depth, colour
    while (at + 12 <= b.size) {
        size_t n = read_int(b, at, 4, false);
        if (n > b.size - at - 12)
            return;
        if (starts_with(b, at + 4, "eXIf", 4))
            file->orientation = read_exif(cut_out(b, at + 8, n));
        if (starts_with(b, at + 4, "IEND", 4)) {
            file->cut = false;
            return;
        }
        at += n + 12;
    }
}

static void
look_at_webp(Bytes b, GstPePictureFile *file)
{
    size_t end = (size_t)read_int(b, 4, 4, true) + 8;
    file->cut = end > b.size;
    for (size_t at = 12; at + 8 <= b.size;) {
        size_t n = read_int(b, at + 4, 4, true);
        if (starts_with(b, at, "EXIF", 4))
            file->orientation = read_exif(cut_out(b, at + 8, n));
        file->n_pictures += starts_with(b, at, "ANMF", 4);
        at += 8 + n + n % 2;
    }
}

// ---- JPEG -----------------------------------------------------------------

// The next marker at or behind `at` that is not part of compressed data, or the
// end of the file.
static size_t
find_marker(Bytes b, size_t at)
{
    for (; at + 2 <= b.size; at++) {
        uint8_t code = b.data[at + 1];
        bool restart = code >= 0xd0 && code <= 0xd7;
        if (b.data[at] == 0xff && code != 0 && code != 0xff && !restart)
            return at;
    }
    return b.size;
}

static void
look_at_jpeg(Bytes b, GstPePictureFile *file)
{
    bool have_exif = false;
    file->cut = true;
    for (size_t at = find_marker(b, 2); at + 2 <= b.size;) {
        uint8_t code = b.data[at + 1];
        if (code == 0xd9) {
            file->cut = false;
            return;
        }
        size_t n = read_int(b, at + 2, 2, false);
        if (code == 0xe1 && !have_exif &&
            starts_with(b, at + 4, "Exif\0\0", 6)) {
            have_exif = true;
            file->orientation = read_exif(cut_out(b, at + 4, MAX(n, 2) - 2));
        }
        at = find_marker(b, at + 2 + n);
    }
}

// ---- GIF ------------------------------------------------------------------

// Behind the blocks of data at `at`, the last of which is empty.
static size_t
skip_blocks(Bytes b, size_t at)
{
    while (at < b.size && b.data[at] != 0)
        at += 1 + (size_t)b.data[at];
    return at + 1;
}

// Of the colour table whose size and presence `flags` tell; 0: there is none.
static size_t
table_size(uint32_t flags)
{
    return flags & 0x80 ? 3u << ((flags & 7) + 1) : 0;
}

// Behind the picture whose description begins at `at`.
static size_t
skip_picture(Bytes b, size_t at)
{
    return skip_blocks(b, at + 11 + table_size(read_int(b, at + 9, 1, false)));
}

// How many pictures there are, and the colour of the first one's transparent
// pixels.
static void
look_at_gif(Bytes b, GstPePictureFile *file)
{
    uint32_t flags = read_int(b, 10, 1, false);
    size_t table = 13, n = table_size(flags), at = 13 + n;
    int index = -1;
    while (starts_with(b, at, "!", 1)) {
        if (starts_with(b, at + 1, "\xf9\x04", 2))
            index = b.size > at + 6 && b.data[at + 3] & 1 ? b.data[at + 6] : -1;
        at = skip_blocks(b, at + 2);
    }
    flags = read_int(b, at + 9, 1, false);
    if (table_size(flags) > 0) {
        table = at + 10;
        n = table_size(flags);
    }
    if (starts_with(b, at, ",", 1) && index >= 0 && 3 * (size_t)index < n)
        file->transparent =
            (int)read_int(b, table + 3 * (size_t)index, 3, false);
    while (starts_with(b, at, ",", 1) || starts_with(b, at, "!", 1)) {
        bool picture = b.data[at] == ',';
        file->n_pictures += picture;
        at = picture ? skip_picture(b, at) : skip_blocks(b, at + 2);
    }
}

// ---- BMP, PNM -------------------------------------------------------------

// Without compression, as most are, its sides tell where it ends.
static void
look_at_bmp(Bytes b, GstPePictureFile *file)
{
    bool old = read_int(b, 14, 4, true) == 12; // OS/2's header
    uint64_t width = read_int(b, 18, old ? 2 : 4, true);
    int32_t height = (int32_t)read_int(b, old ? 20 : 22, old ? 2 : 4, true);
    uint64_t bits = read_int(b, old ? 24 : 28, 2, true);
    uint32_t compression = old ? 0 : read_int(b, 30, 4, true);
    uint64_t lines = (uint64_t)ABS((int64_t)height);
    uint64_t line = (width * bits + 31) / 32 * 4;
    if (compression == 0 || compression == 3)
        file->cut = read_int(b, 10, 4, true) + line * lines > b.size;
}

// The number at *at, behind blanks and comments; moves there.
static uint32_t
read_number(Bytes b, size_t *at)
{
    uint32_t n = 0;
    while (*at < b.size && !g_ascii_isdigit(b.data[*at])) {
        if (b.data[(*at)++] == '#') {
            while (*at < b.size && b.data[*at] != '\n')
                (*at)++;
        }
    }
    for (; *at < b.size && g_ascii_isdigit(b.data[*at]); (*at)++)
        n = MIN(n, 99999) * 10 + (uint32_t)(b.data[*at] - '0');
    return n;
}

static void
look_at_pgm(Bytes b, GstPePictureFile *file)
{
    size_t at = 2;
    read_number(b, &at); // the width
    read_number(b, &at);
    file->grey16 = read_number(b, &at) > 255;
}

// ---- ICO ------------------------------------------------------------------

// A side of 256 is written as 0.
static int
read_side(Bytes b, size_t at)
{
    int side = (int)read_int(b, at, 1, true);
    return side ? side : 256;
}

static void
look_at_icon(Bytes b, GstPePictureFile *file)
{
    int n = (int)read_int(b, 4, 2, true), best = 0;
    for (int i = 0; i < n; i++) {
        size_t at = 6 + 16 * (size_t)i;
        int pixels = read_side(b, at) * read_side(b, at + 1);
        if (at + 16 > b.size || pixels <= best)
            continue;
        best = pixels;
        file->inner_size = read_int(b, at + 8, 4, true);
        file->inner = read_int(b, at + 12, 4, true);
    }
    file->cut = file->inner + file->inner_size > b.size;
    if (file->cut || !starts_with(b, file->inner, "\x89PNG", 4))
        file->inner = file->inner_size = 0;
}

// ---- Kinds ----------------------------------------------------------------

static const struct {
    size_t at;
    const char *magic;
    size_t size;
    const char *kind, *needs;
    void (*look)(Bytes b, GstPePictureFile *file);
} kinds[] = {
    {0, "\x89PNG\r\n\x1a\n", 8, "PNG", NULL, look_at_png},
    {0, "\xff\xd8\xff", 3, "JPEG", NULL, look_at_jpeg},
    {0, "GIF8", 4, "GIF", NULL, look_at_gif},
    {0, "II*\0", 4, "TIFF", NULL, look_at_tiff},
    {0, "MM\0*", 4, "TIFF", NULL, look_at_tiff},
    {0, "BM", 2, "BMP", NULL, look_at_bmp},
    {0, "P2", 2, "PGM", NULL, look_at_pgm},
    {0, "P5", 2, "PGM", NULL, look_at_pgm},
    {8, "WEBP", 4, "WebP", "webp-pixbuf-loader", look_at_webp},
    {4, "ftypavif", 8, "AVIF", "heif-gdk-pixbuf", NULL},
    {4, "ftypavis", 8, "AVIF", "heif-gdk-pixbuf", NULL},
    {4, "ftyphe", 6, "HEIC", "heif-gdk-pixbuf", NULL},
    {4, "ftypmif1", 8, "HEIC", "heif-gdk-pixbuf", NULL},
    {4, "ftyp", 4, "a video", NULL, NULL},
    {0, "\x1a\x45\xdf\xa3", 4, "a video", NULL, NULL},
    {0, "\0\0\0\fjP  ", 8, "JPEG 2000", NULL, NULL},
    {0, "\0\0\1\0", 4, "ICO", NULL, look_at_icon},
};

GstPePictureFile
gst_pe_picture_file_look(const uint8_t *data, size_t size)
{
    GstPePictureFile file = {.transparent = -1};
    Bytes b = {data, size};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!starts_with(b, kinds[i].at, kinds[i].magic, kinds[i].size))
            continue;
        file.kind = kinds[i].kind;
        file.needs = kinds[i].needs;
        if (kinds[i].look)
            kinds[i].look(b, &file);
        break;
    }
    return file;
}
