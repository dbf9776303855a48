#!/bin/sh
# Installs what the tests use besides Python packages, where apt can do so without asking.
# Whatever is still missing makes its tests skip, saying so.
set -u
missing=""
need() { [ -n "$1" ] || missing="$missing $2"; }
need "$(command -v chromium)" chromium
need "$(command -v ffprobe)" ffmpeg
# Debian's nginx lies in /usr/sbin, which is not in everybody's path.
need "$(ls /usr/lib/nginx/modules/ngx_rtmp_module.so 2>/dev/null)" "nginx-light libnginx-mod-rtmp"
[ -z "$missing" ] && exit 0
command -v apt-get >/dev/null 2>&1 || { echo "not installed, their tests will skip:$missing"; exit 0; }
if [ "$(id -u)" = 0 ]; then run=""; elif sudo -n true 2>/dev/null; then run="sudo -n"; else
  echo "tests that need these will skip; to run them too: sudo apt-get install$missing"; exit 0
fi
had_nginx=$(ls /usr/sbin/nginx 2>/dev/null)
echo "installing for the tests:$missing"
$run apt-get update -qq
# shellcheck disable=SC2086
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null \
  || echo "could not install all of:$missing (their tests will skip)"
# The tests start an nginx of their own; nobody asked for one that serves port 80.
if [ -z "$had_nginx" ] && [ -d /run/systemd/system ] && [ -e /usr/sbin/nginx ]; then
  $run systemctl disable --quiet --now nginx || true
fi
exit 0
