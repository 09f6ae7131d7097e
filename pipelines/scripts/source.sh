# SPDX-License-Identifier: LGPL-2.1-or-later
# For the scripts beside it: the part of a pipeline that gives the pictures of
# $1, as words in the array `source`, and the options of peinference in `engine`.
case $1 in
rtsp://* | rtsps://*) source=(rtspsrc "location=$1" latency=200 ! decodebin) ;;
/dev/video*) source=(v4l2src "device=$1" ! decodebin ! videoconvert) ;;
test) source=(videotestsrc is-live=true pattern=smpte !
    video/x-raw,width=320,height=240,framerate=10/1) ;;
*://*) source=(uridecodebin "uri=$1" caps=video/x-raw) ;;
*)
    [ -f "$1" ] || {
        printf '%s: there is no such file, camera (/dev/video0) or URI\n' "$1" >&2
        exit 2
    }
    source=(filesrc "location=$1" ! decodebin)
    ;;
esac
engine=("frame-rate=${RATE:-2/1}" "clip-length=${CLIP:-4}")
[ -z "${MODEL:-}" ] || engine+=("model=$MODEL")
[ -z "${DEVICE:-}" ] || engine+=("device=$DEVICE")
