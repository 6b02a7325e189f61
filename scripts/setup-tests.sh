#!/usr/bin/env bash
# Installs the system packages that tests use, where they are missing. Safe to run again.
set -eu

packages=()
need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || packages+=("$2")
}
need dash dash
need busybox busybox
need node nodejs
need npm npm
need python3 python3
need chromium chromium
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
# The browser shows Korean with the machine's own fonts.
fc-list 2>/dev/null | grep -qi 'noto.*cjk' || packages+=(fonts-noto-cjk)
# zstd and SQLite are compiled from their bundled sources.
command -v cc >/dev/null 2>&1 || packages+=(build-essential)

if [ ${#packages[@]} -gt 0 ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "installing: ${packages[*]}"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
