// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plugin.c - registers the elements, and forwards what the library says to the
// debug category "pe-core". The elements exist on every machine: which devices
// there are is found out when one is started.

#include "core/pe.h"
#include "gst/convert/gstpemetaconvert.h"
#include "gst/health/gstpehealth.h"
#include "gst/inference/gstpeinference.h"
#include "gst/meta/gstpemeta.h"
#ifdef HAVE_OVERLAY
#include "gst/overlay/gstpeoverlay.h"
#endif
#include "gst/score/gstpescore.h"

GST_DEBUG_CATEGORY_STATIC(pe_core_debug);
#define GST_CAT_DEFAULT pe_core_debug

static void
forward_log(PeLogLevel level, const char *message, void *user_data)
{
    static const GstDebugLevel levels[] = {
        [PE_LOG_ERROR] = GST_LEVEL_ERROR,
        [PE_LOG_WARNING] = GST_LEVEL_WARNING,
        [PE_LOG_INFO] = GST_LEVEL_INFO,
        [PE_LOG_DEBUG] = GST_LEVEL_DEBUG,
    };
    GST_CAT_LEVEL_LOG(GST_CAT_DEFAULT, levels[level], NULL, "%s", message);
}

static gboolean
plugin_init(GstPlugin *plugin)
{
    GST_DEBUG_CATEGORY_INIT(pe_core_debug, "pe-core", 0,
                            "Perception Encoder library");
    pe_log_set(forward_log, NULL);

    const GstMetaInfo *info = GST_PE_META_INFO;
#if GST_CHECK_VERSION(1, 28, 0)
    // Lets unixfdsrc find the metadata by its name.
    gst_meta_factory_register(plugin, info);
#else
    (void)info;
#endif
    gboolean ok = GST_ELEMENT_REGISTER(peinference, plugin);
    ok |= GST_ELEMENT_REGISTER(pemetaconvert, plugin);
    ok |= GST_ELEMENT_REGISTER(pescore, plugin);
    ok |= GST_ELEMENT_REGISTER(pehealth, plugin);
#ifdef HAVE_OVERLAY
    ok |= GST_ELEMENT_REGISTER(peoverlay, plugin);
#endif
    return ok;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, pe,
                  "Embeddings and zero-shot labels of video clips", plugin_init,
                  PACKAGE_VERSION, "LGPL", PACKAGE, PACKAGE_ORIGIN)
