// SPDX-License-Identifier: LGPL-2.1-or-later
//
// encoder_ways.c - see encoder_ways.h.
//
// Not here is what nothing in Debian 12 reads by decodebin, whoever the reader
// is: HAP, DNxHR, CineForm, Ut Video, MagicYUV, FFVHUFF, VC-2 and Snow in their
// usual containers, r10k, v408 and v410, animated WebP, and FFV1 in 16 bits or
// 4:4:0. qtdemux takes VYU of "v308" for YUV. And PNG is not in AVI, where
// ffmpeg takes whole pictures for changes.

#include "encoder_ways.h"

#include <stddef.h>

#define WAY(name, ending, format, ...) \
    { \
        name, ending, "video/x-raw,format=" format " ! " __VA_ARGS__ \
    }
#define X264(name, format) \
    WAY(name, "mp4", format, "x264enc tune=zerolatency ! h264parse ! mp4mux")
#define X265(name, format) \
    WAY(name, "mp4", format, \
        "x265enc speed-preset=ultrafast ! h265parse ! mp4mux")
#define VP9(name, format) \
    WAY(name, "webm", format, "vp9enc deadline=1 cpu-used=8 ! webmmux")
#define AV1(name, format) \
    WAY(name, "webm", format, \
        "av1enc cpu-used=8 usage-profile=realtime ! av1parse ! webmmux")
#define MKV(name, format, encoder) \
    WAY(name, "mkv", format, encoder " ! matroskamux")
#define AVI(name, format, encoder, ...) \
    WAY(name, "avi", format, encoder " ! avimux", __VA_ARGS__)
#define MOV(name, format, encoder) WAY(name, "mov", format, encoder " ! qtmux")

#define FFMPEG(name, ending, ...) \
    { \
        name, ending, .by_ffmpeg = true, .line = "-c:v " __VA_ARGS__ \
    }
#define FFMPEG_VP9(name, format, ...) \
    FFMPEG(name, "webm", "libvpx-vp9 -deadline realtime -pix_fmt " format, \
           __VA_ARGS__)
#define FFMPEG_AV1(name, format) \
    FFMPEG(name, "mkv", \
           "libaom-av1 -usage realtime -cpu-used 8 -pix_fmt " format)
#define PAL .width = 720, .height = 576
#define NTSC .width = 720, .height = 480
#define HD .width = 1280, .height = 720

const Way encoder_ways[] = {
    X264("h264-420", "I420"),
    X264("h264-422", "Y42B"),
    X264("h264-444", "Y444"),
    X264("h264-420-10", "I420_10LE"),
    X264("h264-422-10", "I422_10LE"),
    X264("h264-444-10", "Y444_10LE"),
    FFMPEG("h264-rgb", "mp4", "libx264rgb -pix_fmt rgb24"),
    WAY("openh264", "mp4", "I420", "openh264enc ! h264parse ! mp4mux"),
    X265("h265-420", "I420"),
    X265("h265-422", "Y42B"),
    X265("h265-444", "Y444"),
    X265("h265-420-10", "I420_10LE"),
    X265("h265-422-10", "I422_10LE"),
    X265("h265-444-10", "Y444_10LE"),
    X265("h265-420-12", "I420_12LE"),
    X265("h265-422-12", "I422_12LE"),
    X265("h265-444-12", "Y444_12LE"),
    WAY("vp8", "webm", "I420", "vp8enc deadline=1 cpu-used=8 ! webmmux"),
    VP9("vp9-420", "I420"),
    VP9("vp9-444", "Y444"),
    VP9("vp9-420-10", "I420_10LE"),
    VP9("vp9-422-10", "I422_10LE"),
    VP9("vp9-444-10", "Y444_10LE"),
    VP9("vp9-420-12", "I420_12LE"),
    FFMPEG_VP9("vp9-422", "yuv422p"),
    FFMPEG_VP9("vp9-444-12", "yuv444p12le"),
    FFMPEG_VP9("vp9-rgb", "gbrp", .decoder = "vp9dec shifts R, G and B by one"),
    AV1("av1-420", "I420"),
    AV1("av1-444", "Y444"),
    FFMPEG_AV1("av1-420-10", "yuv420p10le"),
    FFMPEG_AV1("av1-422-12", "yuv422p12le"),
    FFMPEG_AV1("av1-grey", "gray"),
    WAY("mpeg2", "mpg", "I420", "mpeg2enc ! mpegvideoparse ! mpegpsmux"),
    FFMPEG("mpeg1", "mpg", "mpeg1video"),
    FFMPEG("mpeg2-422", "ts", "mpeg2video -pix_fmt yuv422p"),
    FFMPEG("mpeg4", "mp4", "mpeg4"),
    MOV("prores-422", "I422_10LE", "avenc_prores_ks"),
    MOV("prores-444", "Y444_10LE", "avenc_prores_ks"),
    FFMPEG("prores-alpha", "mov",
           "prores_ks -profile:v 4444 -pix_fmt yuva444p10le"),
    FFMPEG("dnxhd", "mov", "dnxhd -b:v 60M -pix_fmt yuv422p", HD),
    FFMPEG("dnxhd-10", "mxf", "dnxhd -b:v 90M -pix_fmt yuv422p10le", HD),
    FFMPEG("dv-pal", "dv", "dvvideo -pix_fmt yuv420p", PAL),
    FFMPEG("dv-ntsc", "dv", "dvvideo -pix_fmt yuv411p -r 30000/1001", NTSC),
    FFMPEG("dvcpro50", "mov", "dvvideo -pix_fmt yuv422p", PAL),
    WAY("theora-420", "ogg", "I420", "theoraenc ! oggmux"),
    WAY("theora-422", "ogg", "Y42B", "theoraenc ! oggmux"),
    WAY("theora-444", "ogg", "Y444", "theoraenc ! oggmux"),

    // Pictures, one by one.
    AVI("mjpeg-420", "I420", "jpegenc"),
    AVI("mjpeg-422", "Y42B", "jpegenc", .decoder = "jpegdec makes it 4:2:0"),
    AVI("mjpeg-444", "Y444", "jpegenc", .decoder = "jpegdec makes it 4:2:0"),
    MOV("png-rgb", "RGB", "pngenc"),
    MOV("png-grey", "GRAY8", "pngenc"),
    MOV("png-grey-16", "GRAY16_BE", "pngenc"),
    FFMPEG("png-rgb-16", "mov", "png -pix_fmt rgb48be",
           .decoder = "pngdec shifts R, G and B by one"),
    FFMPEG("jpeg2000-rgb", "mov", "jpeg2000 -pix_fmt rgb24"),
    FFMPEG("webp", "webp", "libwebp -frames:v 1", .n_frames = 1),
    FFMPEG("gif", "gif", "gif", .endless = true),

    // Without loss.
    MKV("ffv1-420", "I420", "avenc_ffv1"),
    MKV("ffv1-410", "YUV9", "avenc_ffv1"),
    MKV("ffv1-411", "Y41B", "avenc_ffv1"),
    MKV("ffv1-422-10", "I422_10LE", "avenc_ffv1"),
    MKV("ffv1-444-12", "Y444_12LE", "avenc_ffv1"),
    FFMPEG("ffv1-rgb", "mkv", "ffv1 -pix_fmt bgr0"),
    FFMPEG("ffv1-rgb-12", "mkv", "ffv1 -pix_fmt gbrp12le"),
    FFMPEG("ffv1-grey-16", "mkv", "ffv1 -pix_fmt gray16le"),
    AVI("huffyuv-422", "Y42B", "avenc_huffyuv"),
    FFMPEG("huffyuv-rgb", "avi", "huffyuv -pix_fmt rgb24"),
    FFMPEG("qtrle", "mov", "qtrle -pix_fmt rgb24"),

    // As they are.
    FFMPEG("v210", "mov", "v210"),
    AVI("v210-avi", "v210", "identity"),
    FFMPEG("r210", "mov", "r210"),
    FFMPEG("uyvy", "mov", "rawvideo -pix_fmt uyvy422"),
    FFMPEG("rgb", "mov", "rawvideo -pix_fmt rgb24"),
    FFMPEG("bgr", "avi", "rawvideo -pix_fmt bgr24"),
    FFMPEG("i420", "avi", "rawvideo -pix_fmt yuv420p"),
    FFMPEG("y4m", "y4m", "wrapped_avframe -pix_fmt yuv422p"),
    {NULL},
};
