#!/usr/bin/env bash
# Does in a real browser what a new user does. `make browser` builds the program first; another one can be named: PEAPOD=path.
set -eu
cd "$(dirname "$0")"
: "${PEAPOD:=$(cd ../.. && pwd)/target/debug/peapod}"
: "${CHROMIUM:=$(command -v chromium || command -v chromium-browser || command -v google-chrome)}"
export PEAPOD CHROMIUM
[ -x "$PEAPOD" ] || { echo "there is no $PEAPOD: cargo build first" >&2; exit 2; }
[ -d node_modules/playwright-core ] || npm ci --no-audit --no-fund --silent
node --test --test-reporter=spec --test-timeout=240000 ./*.test.js
