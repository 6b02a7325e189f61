#!/usr/bin/env bash
# Jupyter's own tests of a kernel, and what they do not ask. Needs the program (PEAPOD=path names another one) and Python;
# the packages of requirements.txt go into an environment outside of the repository.
set -eu
cd "$(dirname "$0")"
: "${PEAPOD:=$(cd ../.. && pwd)/target/debug/peapod}"
: "${PEAPOD_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/peapod}"
[ -x "$PEAPOD" ] || { echo "there is no $PEAPOD: cargo build first" >&2; exit 2; }
# One environment for each list of packages: a changed list makes a new one.
environment="$PEAPOD_CACHE/jupyter-$(sha256sum requirements.txt | cut -c1-12)"
if [ ! -e "$environment/complete" ]; then
    rm -rf "$environment"
    mkdir -p "$PEAPOD_CACHE"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
    touch "$environment/complete"
fi
export PEAPOD VIRTUAL_ENV="$environment" PATH="$environment/bin:$PATH"
# Nothing of the person who runs this is read or written.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export HOME="$home" JUPYTER_PLATFORM_DIRS=1 LANG=C.UTF-8 LC_ALL=C.UTF-8
prefix="$home/prefix"
export JUPYTER_PATH="$prefix/share/jupyter"
"$PEAPOD" kernel install --prefix "$prefix" >/dev/null
# A test that waits for what never comes is a failure, not a pause.
timeout 100 python -m unittest "$@" kernel_test peapod_test ipynb_test

# JupyterLab in a real browser.
: "${CHROMIUM:=$(command -v chromium || command -v chromium-browser || command -v google-chrome)}"
export CHROMIUM
cd ../browser
[ -d node_modules/playwright-core ] || npm ci --no-audit --no-fund --silent
node --test --test-reporter=spec --test-timeout=100000 jupyter/*.test.js
