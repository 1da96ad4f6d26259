#!/bin/sh
# Builds the page into ui/dist, and installs what that needs where the lockfile has changed.
#   xtask/page.sh
set -eu
cd "$(dirname "$0")/../ui"
PATH="$(../xtask/node.sh):$PATH"

[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error
npm run --silent build -- --logLevel warn
