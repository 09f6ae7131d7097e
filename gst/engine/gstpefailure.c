// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpefailure.c - see gstpefailure.h.

#include "gst/engine/gstpefailure.h"

#include "gst/engine/gstpenotes.h"

#define GST_CAT_DEFAULT gst_pe_notes_get_category()

void
gst_pe_failure_forget(GstPeFailure *failure)
{
    g_atomic_int_set(&failure->failed, 0);
}

static void
post(GstPeFailure *failure, GQuark domain, int code, const char *message)
{
    if (g_atomic_int_compare_and_exchange(&failure->failed, 0, 1))
        gst_element_message_full(failure->element, GST_MESSAGE_ERROR, domain,
                                 code, g_strdup(message), NULL, __FILE__,
                                 GST_FUNCTION, __LINE__);
    else
        GST_WARNING_OBJECT(failure->element, "then: %s", message);
}

void
gst_pe_failure_post_format(GstPeFailure *failure, const char *message)
{
    post(failure, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, message);
}

void
gst_pe_failure_post(GstPeFailure *failure, const GError *error)
{
    GQuark domain = GST_LIBRARY_ERROR;
    int code = GST_LIBRARY_ERROR_FAILED;

    if (error->domain == PE_ERROR) {
        switch ((PeError)error->code) {
        case PE_ERROR_FILE:
        case PE_ERROR_DEVICE:
            domain = GST_RESOURCE_ERROR;
            code = GST_RESOURCE_ERROR_NOT_FOUND;
            break;
        case PE_ERROR_FORMAT:
        case PE_ERROR_SHAPE:
            domain = GST_STREAM_ERROR;
            code = GST_STREAM_ERROR_FORMAT;
            break;
        case PE_ERROR_NOMEM:
            domain = GST_RESOURCE_ERROR;
            code = GST_RESOURCE_ERROR_NO_SPACE_LEFT;
            break;
        case PE_ERROR_BACKEND:
        case PE_ERROR_CANCELLED:
            break;
        }
    }
    post(failure, domain, code, error->message);
}
