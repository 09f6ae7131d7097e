// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelinks.h - what is linked to a pad, however far away.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

// Borrows the pad.
typedef bool (*GstPePadFunc)(GstPad *pad);

// Does `matches` accept a pad behind this source pad, or in front of this sink
// pad? Looks through bins, tees and queues, and not beyond the first that is
// accepted on each way. It sees the pads' ends that face `pad`, the inside of
// ghost pads among them.
bool gst_pe_links_find(GstPad *pad, GstPePadFunc matches);
