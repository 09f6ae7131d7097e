// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperesult_private.h - a result from within, for the files that read it.

#pragma once

#include "gstperesult.h"

struct _GstPeResult {
    int refs; // atomic
    // Copies, owned, with all that they point to.
    GstPeResultFields fields;
};
