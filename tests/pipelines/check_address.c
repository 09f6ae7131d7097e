// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_address.c - addresses, and that nothing secret of them is shown.

#include "pipelines/live/address.h"

#include <gst/gst.h>
#include <string.h>

static void
takes_secrets_apart(void)
{
    static const struct {
        const char *text, *uri, *user, *password, *shown;
    } rows[] = {
        {"rtsp://h/p", "rtsp://h/p", NULL, NULL, "rtsp://h/p"},
        {"rtsp://u:Secret@h:8554/p", "rtsp://h:8554/p", "u", "Secret",
         "rtsp://h:8554/p"},
        {"rtsp://u@h/p", "rtsp://h/p", "u", NULL, "rtsp://h/p"},
        {"rtsp://:Secret@h/p", "rtsp://h/p", "", "Secret", "rtsp://h/p"},
        {"rtsp://u:Sec%2Fret%40@h/p", "rtsp://h/p", "u", "Sec/ret@",
         "rtsp://h/p"},
        {"rtsp://u:Sec@ret@h/p", "rtsp://h/p", "u", "Sec@ret", "rtsp://h/p"},
        {"rtsp://u:Sec:ret@[::1]:9/p", "rtsp://[::1]:9/p", "u", "Sec:ret",
         "rtsp://[::1]:9/p"},
        {"rtsp://h/p?user=u&password=Secret",
         "rtsp://h/p?user=u&password=Secret", NULL, NULL, "rtsp://h/p"},
        {"rtsp://h:8554", "rtsp://h:8554", NULL, NULL, "rtsp://h:8554"},
        {"v4l2:/dev/video0", "v4l2:///dev/video0", NULL, NULL,
         "v4l2:/dev/video0"},
        {"test:", NULL, NULL, NULL, "test:"},
        {"/tmp/a@b.mp4", "file:///tmp/a@b.mp4", NULL, NULL, "/tmp/a@b.mp4"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Address) address = address_parse(rows[i].text, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(address->uri, ==, rows[i].uri);
        g_assert_cmpstr(address->user, ==, rows[i].user);
        g_assert_cmpstr(address->password, ==, rows[i].password);
        g_assert_cmpstr(address->shown, ==, rows[i].shown);
    }
}

// A slash in a password makes the rest of it look like a path.
static void
refuses_without_telling(void)
{
    static const char *const texts[] = {
        "",
        "rtsp://",
        "rtsp://u:Sec/ret@h/p",
        "rtsp://u:Sec?ret@h/p",
        "rtsp://u:Sec#ret@h",
        "v4l2:video0",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(address_parse(texts[i], &error));
        g_assert_nonnull(error);
        g_assert_null(strstr(error->message, "Sec"));
        g_assert_null(strstr(error->message, "ret@"));
    }
}

// What cannot be told from a host and a port is not shown either.
static void
shows_no_half_of_a_password(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Address) address = address_parse("rtsp://u:12/34@h/p", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(address->shown, ==, "rtsp://h/p");
    g_assert_cmpstr(address->name, ==, "h");
}

static void
redacts_what_others_say(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Address) address =
        address_parse("rtsp://viewer:Sec%2Fret@h/p?t=Token", &error);
    g_assert_no_error(error);
    static const char *const texts[] = {
        "cannot open rtsp://viewer:Sec%2Fret@h/p?t=Token (401)",
        "password Sec/ret is wrong",
        "Authorization: Basic dmlld2VyOlNlYy9yZXQ=",
        "no http://other:Secret@x/y and \"https://a:Sec/ret@z\"",
        "see http://x/y?key=Token, please",
    };
    static const char *const secrets[] = {"Sec", "ret@", "Token", "dmlld2V"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *text = address_redact(address, texts[i]);
        g_test_message("%s", text);
        for (size_t j = 0; j < G_N_ELEMENTS(secrets); j++)
            g_assert_null(strstr(text, secrets[j]));
    }
    g_autofree char *plain =
        address_redact(NULL, "file:///a@b.mp4 is not rtsp://h/p");
    g_assert_cmpstr(plain, ==, "file:///a@b.mp4 is not rtsp://h/p");
}

static void
hides_a_login_that_is_given_apart(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Address) address = address_parse("rtsp://h/p", &error);
    g_assert_no_error(error);
    address_set_login(address, "viewer", "Secret");
    g_autoptr(Address) copy = address_copy(address);
    g_assert_cmpstr(copy->password, ==, "Secret");
    g_autofree char *text = address_redact(copy, "viewer with Secret");
    g_assert_cmpstr(text, ==, "*** with ***");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(NULL, NULL);
    g_test_add_func("/address/parse", takes_secrets_apart);
    g_test_add_func("/address/refuse", refuses_without_telling);
    g_test_add_func("/address/half", shows_no_half_of_a_password);
    g_test_add_func("/address/redact", redacts_what_others_say);
    g_test_add_func("/address/apart", hides_a_login_that_is_given_apart);
    return g_test_run();
}
