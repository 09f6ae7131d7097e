// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpebackoff.c - see gstpebackoff.h.

#include "gst/sink/gstpebackoff.h"

gint64
gst_pe_backoff_next(GstPeBackoff *backoff)
{
    gint64 longest = (gint64)GST_PE_BACKOFF_FIRST << MIN(backoff->n, 5);

    backoff->n++;
    longest = MIN(longest, GST_PE_BACKOFF_LAST);
    return longest - (gint64)(g_random_double() * (double)longest / 2);
}

void
gst_pe_backoff_reset(GstPeBackoff *backoff)
{
    backoff->n = 0;
}
