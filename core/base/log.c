// SPDX-License-Identifier: LGPL-2.1-or-later
//
// log.c - one callback for everything the library says. The plugin forwards it
// to a GStreamer debug category; programs keep the default.

#include "core/pe.h"

static GMutex lock;
static PeLogFunc log_func;
static void *log_data;

static void
log_default(PeLogLevel level, const char *message)
{
    static const GLogLevelFlags flags[] = {
        [PE_LOG_ERROR] = G_LOG_LEVEL_MESSAGE,
        [PE_LOG_WARNING] = G_LOG_LEVEL_MESSAGE,
        [PE_LOG_INFO] = G_LOG_LEVEL_INFO,
        [PE_LOG_DEBUG] = G_LOG_LEVEL_DEBUG,
    };
    g_log("pe", flags[level], "%s", message);
}

void
pe_log_set(PeLogFunc func, void *user_data)
{
    g_mutex_lock(&lock);
    log_func = func;
    log_data = user_data;
    g_mutex_unlock(&lock);
}

void
pe_log(PeLogLevel level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);

    // The callback runs unlocked, so that it may log or set a callback itself.
    g_mutex_lock(&lock);
    PeLogFunc func = log_func;
    void *data = log_data;
    g_mutex_unlock(&lock);
    if (func)
        func(level, message, data);
    else
        log_default(level, message);
}
