// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeclipkey.h - whose events a clip makes: those of whole frames, of a named
// region, or of an object that somebody tracks.

#pragma once

#include "gst/inference/flow/gstpeclips.h"
#include "gst/labels/gstpeplaces.h"

//   params   by which the clip was sampled
//   regions  the named ones in use; NULL: none
// Its name is borrowed from the clip.
GstPePlaceKey gst_pe_clip_get_key(const GstPeClip *clip,
                                  const PeSamplerParams *params,
                                  const GstPeRegions *regions);
