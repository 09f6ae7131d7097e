// SPDX-License-Identifier: LGPL-2.1-or-later
//
// config.h - what a stream is to be: of the command line, the configuration
// file or a command. Every key is checked here, so that a typo is told with the
// stream's name before anything starts.

#pragma once

#include <gst/gst.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "pipelines/live/address.h"
#include "pipelines/live/settings.h"
#include "pipelines/live/supervisor.h"

typedef struct {
    char *name;
    Address *address;
    char *transport; // of RTSP: "tcp", "udp" or "auto"
    SupervisorLimits limits;
    bool loop; // a file is played again at its end
    Settings *settings;
} StreamConfig;

// What all streams have in common.
typedef struct {
    char *model, *vocab, *device, *precision; // NULL: the default
    int batch, threads;                       // 0: the default
    double kept;         // seconds of encoded pictures; 0: none
    bool overlay;        // pictures with what was found are wanted
    bool health;         // pictures are watched by a pehealth
    StreamConfig *usual; // without name and address: what streams begin with
} LiveConfig;

void live_config_init(LiveConfig *config);
void live_config_clear(LiveConfig *config);

// A stream with the usual settings. Returns it.
StreamConfig *stream_config_new(const LiveConfig *config, Address *address);
void stream_config_free(StreamConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StreamConfig, stream_config_free)

// Set one key as a text, such as "labels" or "watchdog".
bool stream_config_set(StreamConfig *config, const char *key, const char *value,
                       GError **error);

// A stream from its members in a file or a command. `name` gets what the stream
// is called even when this fails, or NULL.
StreamConfig *stream_config_read(const LiveConfig *config, JsonObject *object,
                                 char **name, GError **error);

// Called for each stream of a file, with `stream` or with what is wrong with
// it. Takes stream; borrows the others.
typedef void (*ConfigFunc)(StreamConfig *stream, const char *name,
                           const GError *error, void *user_data);

// The file of --config: what all streams have in common into `config`, and then
// each stream. Returns false when nothing of the file can be used.
bool live_config_load(LiveConfig *config, const char *path, ConfigFunc func,
                      void *user_data, GError **error);

// Is it a good name of a stream? If not, sets `error`.
bool check_stream_name(const char *name, GError **error);
