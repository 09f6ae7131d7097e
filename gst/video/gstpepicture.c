// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepicture.c - see gstpepicture.h.

#include "gst/video/gstpepicture.h"

#include <errno.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gst/video/gstpepicturefile.h"

#define PIECE (64 << 10)           // bytes that are read at a time
#define MAX_SIZE ((size_t)1 << 30) // bytes of a file
#define MAX_SIDE 16384             // pixels, as of any frame

typedef struct {
    const char *path;
    GdkPixbufLoader *loader;
    GdkPixbufAnimation *animation; // the loader's, when it has read the file
    GByteArray *bytes;             // of the file so far
    GByteArray *lines;             // 1: the decoder has filled it
    int width, height;             // 0: not known yet
} Picture;

G_GNUC_PRINTF(4, 5)
static void
fail(const Picture *p, PeError code, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, PE_ERROR, (gint)code, "%s: %s", p->path, message);
}

// ---- The decoder ----------------------------------------------------------

static void
on_size_prepared(GdkPixbufLoader *loader, int width, int height, void *data)
{
    Picture *p = data;
    p->width = width;
    p->height = height;
}

static void
on_area_updated(GdkPixbufLoader *loader, int x, int y, int width, int height,
                void *data)
{
    Picture *p = data;
    if (y < 0 || height < 1)
        return;
    guint end = (guint)(y + height);
    if (end > p->lines->len)
        g_byte_array_set_size(p->lines, end);
    memset(p->lines->data + y, 1, (size_t)height);
}

// What the file is, where the decoder does not know it.
static void
fail_unknown(const Picture *p, GError **error)
{
    GstPePictureFile file =
        gst_pe_picture_file_look(p->bytes->data, p->bytes->len);
    if (p->bytes->len == 0) {
        fail(p, PE_ERROR_FORMAT, error, "the file is empty");
    } else if (file.needs) {
        fail(p, PE_ERROR_FORMAT, error,
             "a picture of kind %s, for which gdk-pixbuf has no decoder here "
             "(Debian: %s)",
             file.kind, file.needs);
    } else if (g_strcmp0(file.kind, "a video") == 0) {
        fail(p, PE_ERROR_FORMAT, error,
             "a video, not a picture (pe-embed takes it as --video)");
    } else {
        g_autoptr(GString) names = g_string_new(NULL);
        GSList *formats = gdk_pixbuf_get_formats();
        for (GSList *l = formats; l; l = l->next) {
            g_autofree char *name = gdk_pixbuf_format_get_name(l->data);
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", name);
        }
        g_slist_free(formats);
        fail(p, PE_ERROR_FORMAT, error,
             "%s%snot a picture of a known kind (%s)",
             file.kind ? file.kind : "", file.kind ? ", which is " : "",
             names->str);
    }
}

// In the decoder's words, but for what it does not know.
static void
fail_decoding(const Picture *p, GError *cause, GError **error)
{
    if (g_error_matches(cause, GDK_PIXBUF_ERROR,
                        GDK_PIXBUF_ERROR_UNKNOWN_TYPE)) {
        fail_unknown(p, error);
    } else {
        GstPePictureFile file =
            gst_pe_picture_file_look(p->bytes->data, p->bytes->len);
        fail(p, PE_ERROR_FORMAT, error, "%s: %s",
             file.cut ? "the picture is cut, the file ends too early"
                      : "the picture cannot be decoded",
             cause->message);
    }
    g_error_free(cause);
}

static bool
check_size(const Picture *p, GError **error)
{
    if (p->width <= MAX_SIDE && p->height <= MAX_SIDE)
        return true;
    fail(p, PE_ERROR_FORMAT, error,
         "a picture of %dx%d pixels; a side may have 1 to %d", p->width,
         p->height, MAX_SIDE);
    return false;
}

static bool
write_piece(const Picture *p, const uint8_t *data, size_t n, GError **error)
{
    GError *cause = NULL;
    if (gdk_pixbuf_loader_write(p->loader, data, n, &cause))
        return check_size(p, error);
    fail_decoding(p, cause, error);
    return false;
}

// The decoder knows no icons that hold PNG, but it knows PNG.
static bool
write_icon(const Picture *p, GError **error)
{
    GstPePictureFile file =
        gst_pe_picture_file_look(p->bytes->data, p->bytes->len);
    return write_piece(p, p->bytes->data + file.inner,
                       file.inner ? file.inner_size : p->bytes->len, error);
}

// All of the file, in pieces, so that what is no picture is not read to its
// end.
static bool
feed(Picture *p, FILE *file, GError **error)
{
    g_autofree uint8_t *piece = g_malloc(PIECE);
    bool is_icon = false;
    size_t n;
    while ((n = fread(piece, 1, PIECE, file)) > 0) {
        if (p->bytes->len + n > MAX_SIZE) {
            fail(p, PE_ERROR_FORMAT, error,
                 "a picture file of more than %zu MiB", MAX_SIZE >> 20);
            return false;
        }
        g_byte_array_append(p->bytes, piece, (guint)n);
        is_icon =
            p->bytes->len >= 4 && memcmp(p->bytes->data, "\0\0\1", 4) == 0;
        if (!is_icon && !write_piece(p, piece, n, error))
            return false;
    }
    if (!ferror(file))
        return !is_icon || write_icon(p, error);
    fail(p, PE_ERROR_FILE, error, "cannot be read: %s", g_strerror(errno));
    return false;
}

// A loader is closed whether it has been fed or not.
static bool
decode(Picture *p, FILE *file, GError **error)
{
    GError *cause = NULL;
    if (!feed(p, file, error)) {
        gdk_pixbuf_loader_close(p->loader, NULL);
        return false;
    }
    if (!gdk_pixbuf_loader_close(p->loader, &cause)) {
        fail_decoding(p, cause, error);
        return false;
    }
    return check_size(p, error);
}

// ---- The pixels -----------------------------------------------------------

// Has a decoder that goes on without the rest of the file left out lines? Those
// of other kinds say so themselves, or the file does.
static bool
lacks_lines(const Picture *p, const char *format, int height)
{
    static const char *const silent[] = {"pnm", "ico", NULL};
    if (!g_strv_contains(silent, format))
        return false;
    return (int)p->lines->len < height ||
           memchr(p->lines->data, 0, (size_t)height);
}

static bool
is_opaque(GdkPixbuf *pixbuf)
{
    if (!gdk_pixbuf_get_has_alpha(pixbuf))
        return true;
    const uint8_t *pixels = gdk_pixbuf_read_pixels(pixbuf);
    int stride = gdk_pixbuf_get_rowstride(pixbuf);
    for (int y = 0; y < gdk_pixbuf_get_height(pixbuf); y++) {
        for (int x = 0; x < gdk_pixbuf_get_width(pixbuf); x++) {
            if (pixels[(size_t)y * (size_t)stride + 4 * (size_t)x + 3] != 255)
                return false;
        }
    }
    return true;
}

// Transparent pixels of a palette have a colour that the decoder leaves out.
static void
fill_transparent(GdkPixbuf *pixbuf, int colour)
{
    if (colour < 0 || !gdk_pixbuf_get_has_alpha(pixbuf))
        return;
    uint8_t *pixels = gdk_pixbuf_get_pixels(pixbuf);
    int stride = gdk_pixbuf_get_rowstride(pixbuf);
    for (int y = 0; y < gdk_pixbuf_get_height(pixbuf); y++) {
        for (int x = 0; x < gdk_pixbuf_get_width(pixbuf); x++) {
            uint8_t *p = pixels + (size_t)y * (size_t)stride + 4 * (size_t)x;
            if (p[3] == 0) {
                p[0] = (uint8_t)(colour >> 16);
                p[1] = (uint8_t)(colour >> 8);
                p[2] = (uint8_t)colour;
            }
        }
    }
}

// What the decoder gives although it is not what Pillow would see.
static bool
check_pixels(const Picture *p, GdkPixbuf *pixbuf, const char *format,
             const GstPePictureFile *file, GError **error)
{
    if (file->cut || lacks_lines(p, format, gdk_pixbuf_get_height(pixbuf))) {
        fail(p, PE_ERROR_FORMAT, error,
             "the picture is cut, the file ends too early");
        return false;
    }
    if (file->grey16) {
        fail(p, PE_ERROR_FORMAT, error,
             "a grey picture of 16 bits, which the reference takes for "
             "almost white; convert it to 8 bits");
        return false;
    }
    if (g_str_equal(format, "tiff") && !is_opaque(pixbuf)) {
        fail(p, PE_ERROR_FORMAT, error,
             "a TIFF with transparency, whose colours the decoder darkens; "
             "save it without");
        return false;
    }
    return true;
}

// A TIFF decoder has turned it half way and says what is left.
static PeOrientation
get_orientation(GdkPixbuf *pixbuf, const char *format,
                const GstPePictureFile *file)
{
    if (!g_str_equal(format, "tiff"))
        return file->orientation;
    const char *option = gdk_pixbuf_get_option(pixbuf, "orientation");
    int value = option ? atoi(option) : 1;
    return value >= 1 && value <= 8 ? (PeOrientation)(value - 1)
                                    : PE_ORIENTATION_NORMAL;
}

static PeFrame
view(const GdkPixbuf *pixbuf)
{
    return (PeFrame){
        .format = gdk_pixbuf_get_n_channels(pixbuf) == 4 ? PE_FORMAT_RGBX
                                                         : PE_FORMAT_RGB,
        .width = gdk_pixbuf_get_width(pixbuf),
        .height = gdk_pixbuf_get_height(pixbuf),
        .planes = {gdk_pixbuf_read_pixels(pixbuf)},
        .strides = {gdk_pixbuf_get_rowstride(pixbuf)},
    };
}

static bool
give(const Picture *p, PePictureFunc func, void *user_data, GError **error)
{
    GdkPixbuf *pixbuf = gdk_pixbuf_animation_get_static_image(p->animation);
    if (!pixbuf) {
        fail(p, PE_ERROR_FORMAT, error, "has no picture");
        return false;
    }
    g_autofree char *format =
        gdk_pixbuf_format_get_name(gdk_pixbuf_loader_get_format(p->loader));
    GstPePictureFile file =
        gst_pe_picture_file_look(p->bytes->data, p->bytes->len);
    if (!check_pixels(p, pixbuf, format, &file, error))
        return false;
    fill_transparent(pixbuf, file.transparent);
    PeFrame frame = view(pixbuf);
    frame.orientation = get_orientation(pixbuf, format, &file);
    if (func(&frame, user_data, error))
        return true;
    g_prefix_error(error, "%s: ", p->path);
    return false;
}

// ---- Animations -----------------------------------------------------------

// gdk-pixbuf takes times in a type that GLib has left behind.
G_GNUC_BEGIN_IGNORE_DEPRECATIONS

// All pictures once; an animation goes on for ever.
static int64_t
give_all(const Picture *p, GstPeAnimationFunc func, void *user_data,
         GError **error)
{
    GstPePictureFile file =
        gst_pe_picture_file_look(p->bytes->data, p->bytes->len);
    // The loader of WebP begins now, whatever it is told, and shows a picture
    // for a moment longer than it says.
    GTimeVal time;
    g_get_current_time(&time);
    GdkPixbufAnimationIter *iter =
        gdk_pixbuf_animation_get_iter(p->animation, &time);
    g_get_current_time(&time);
    g_time_val_add(&time, 1000);
    GError *e = NULL;
    int64_t n = 0;
    for (bool more = true; more && n < file.n_pictures && !e; n++) {
        GdkPixbuf *pixbuf = gdk_pixbuf_animation_iter_get_pixbuf(iter);
        fill_transparent(pixbuf, file.transparent);
        PeFrame frame = view(pixbuf);
        more = func(&frame, n, user_data, &e);
        int delay = gdk_pixbuf_animation_iter_get_delay_time(iter); // ms
        g_time_val_add(&time, (glong)MAX(delay, 0) * 1000);
        gdk_pixbuf_animation_iter_advance(iter, &time);
    }
    g_object_unref(iter);
    if (!e && n > 0)
        return n;
    if (e)
        g_propagate_error(error, e);
    else
        fail(p, PE_ERROR_FORMAT, error, "has no picture");
    return -1;
}

G_GNUC_END_IGNORE_DEPRECATIONS

// ---- Files ----------------------------------------------------------------

static void
picture_clear(Picture *p)
{
    g_object_unref(p->loader);
    g_byte_array_unref(p->lines);
    g_byte_array_unref(p->bytes);
}

// What picture_clear() frees, in any case. false with the error.
static bool
picture_decode(Picture *p, const char *path, GError **error)
{
    p->path = path;
    p->bytes = g_byte_array_new();
    p->lines = g_byte_array_new();
    p->loader = gdk_pixbuf_loader_new();
    g_signal_connect(p->loader, "size-prepared", G_CALLBACK(on_size_prepared),
                     p);
    g_signal_connect(p->loader, "area-updated", G_CALLBACK(on_area_updated), p);
    FILE *file = NULL;
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        fail(p, PE_ERROR_FILE, error, "%s",
             g_file_test(path, G_FILE_TEST_EXISTS) ? "is not a regular file"
                                                   : "there is no such file");
    else if (!(file = g_fopen(path, "rb")))
        fail(p, PE_ERROR_FILE, error, "cannot be read: %s", g_strerror(errno));
    bool ok = file && decode(p, file, error);
    if (!file)
        gdk_pixbuf_loader_close(p->loader, NULL);
    else
        fclose(file);
    if (!ok)
        return false;
    p->animation = gdk_pixbuf_loader_get_animation(p->loader);
    if (!p->animation)
        fail(p, PE_ERROR_FORMAT, error, "has no picture");
    return p->animation != NULL;
}

bool
gst_pe_picture_read(const char *path, PePictureFunc func, void *user_data,
                    GError **error)
{
    Picture p = {0};
    bool ok =
        picture_decode(&p, path, error) && give(&p, func, user_data, error);
    picture_clear(&p);
    return ok;
}

bool
gst_pe_picture_is_animation(const char *path)
{
    uint8_t start[21] = {0};
    FILE *file = g_fopen(path, "rb");
    size_t n = file ? fread(start, 1, sizeof start, file) : 0;
    if (file)
        fclose(file);
    // Of WebP, a flag says so. Source: RFC 9649, "Extended File Format".
    bool is_webp = n == sizeof start && memcmp(start + 8, "WEBPVP8X", 8) == 0 &&
                   start[20] & 2;
    return is_webp || memcmp(start, "GIF8", 4) == 0;
}

int64_t
gst_pe_picture_read_animation(const char *path, GstPeAnimationFunc func,
                              void *user_data, GError **error)
{
    Picture p = {0};
    int64_t n = picture_decode(&p, path, error)
                    ? give_all(&p, func, user_data, error)
                    : -1;
    picture_clear(&p);
    return n;
}
