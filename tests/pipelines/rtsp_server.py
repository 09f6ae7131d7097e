#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A camera for the tests: rtsp_server.py PORT KIND WIDTHxHEIGHT RATE

Serves rtsp://127.0.0.1:PORT/live, H.264 with a key frame a second, until it is
ended. Port 0 chooses one, and the first line of the output is the port. KIND is
`good`, `h265` (the same in H.265), `login` (user "viewer", password "Geh31m.pw"), or `corrupt`, whose
pictures have wrong bytes in them. Exits with 77 when something is missing.
"""

import random
import sys

try:
    import gi
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as missing:
    print(missing)
    sys.exit(77)

USER, PASSWORD = "viewer", "Geh31m.pw"


def choose_encoder(rate):
    for name, options in (("x264enc", "tune=zerolatency speed-preset=ultrafast "
                           "key-int-max={rate}"),
                          ("openh264enc", "gop-size={rate}")):
        if Gst.ElementFactory.find(name):
            return f"{name} {options.format(rate=rate)}"
    print("no H.264 encoder")
    sys.exit(77)


def choose_chain(kind, rate):
    """From raw pictures to packets."""
    if kind != "h265":
        return (f"{choose_encoder(rate)} ! h264parse name=parser ! "
                "rtph264pay name=pay0 pt=96 config-interval=-1")
    if not Gst.ElementFactory.find("x265enc"):
        print("no H.265 encoder")
        sys.exit(77)
    return ("x265enc tune=zerolatency speed-preset=ultrafast "
            f"key-int-max={rate} option-string=open-gop=0:scenecut=0:pools=1 ! "
            "h265parse name=parser ! "
            "rtph265pay name=pay0 pt=96 config-interval=-1")


class Spoiler:
    """Wrong bytes in three pictures of four; the others let it go on."""

    def __init__(self):
        self.busy = False
        self.random = random.Random(1)

    def spoil(self, pad, info):
        """Python cannot write to the buffer, so it sends another."""
        if self.busy:
            return Gst.PadProbeReturn.OK
        old = info.get_buffer()
        data = bytearray(old.extract_dup(0, old.get_size()))
        draw = self.random.randrange
        if draw(4) > 0:
            for _ in range(len(data) // 20):
                data[draw(8, len(data))] = draw(256)
        new = Gst.Buffer.new_wrapped(bytes(data))
        new.pts, new.dts, new.duration = old.pts, old.dts, old.duration
        self.busy = True
        pad.push(new)
        self.busy = False
        return Gst.PadProbeReturn.DROP


def on_configure(factory, media):
    parser = media.get_element().get_by_name("parser")
    parser.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER,
                                           Spoiler().spoil)


def ask_for_login(server):
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(USER, PASSWORD), token)
    server.set_auth(auth)


def main():
    port, kind, size, rate = sys.argv[1:]
    width, height = size.split("x")
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(
        "( videotestsrc is-live=true pattern=smpte ! "
        f"video/x-raw,format=I420,width={width},height={height},"
        f"framerate={rate}/1 ! {choose_chain(kind, rate)} )")
    factory.set_shared(True)
    if kind == "corrupt":
        factory.connect("media-configure", on_configure)
    if kind == "login":
        ask_for_login(server)
        permissions = GstRtspServer.RTSPPermissions.new()
        permissions.add_permission_for_role("viewer", "media.factory.access",
                                            True)
        permissions.add_permission_for_role("viewer",
                                            "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        print("cannot listen")
        sys.exit(1)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
