#!/bin/sh
# Chromium and fonts for Chinese, from Debian (or Ubuntu, as a snap does not do); elsewhere it says what is needed.
set -e
if ! command -v apt-get >/dev/null; then
    echo "The tests of the studio need Chromium; install it with your system's package manager." >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
become=""
[ "$(id -u)" = 0 ] || become="sudo -n"
$become apt-get -qq update >/dev/null
$become apt-get -qq install -y --no-install-recommends chromium fonts-noto-cjk >/dev/null
