#!/bin/sh
# Installs what the tests use besides Python packages, where apt can do so without asking.
# Whatever is still missing makes its tests skip, saying so.
set -u
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need chromium chromium
need ffprobe ffmpeg
[ -z "$missing" ] && exit 0
command -v apt-get >/dev/null 2>&1 || { echo "not installed, their tests will skip:$missing"; exit 0; }
if [ "$(id -u)" = 0 ]; then run=""; elif sudo -n true 2>/dev/null; then run="sudo -n"; else
  echo "tests that need these will skip; to run them too: sudo apt-get install$missing"; exit 0
fi
echo "installing for the tests:$missing"
$run apt-get update -qq
# shellcheck disable=SC2086
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null \
  || echo "could not install all of:$missing (their tests will skip)"
exit 0
