#!/bin/sh
# Prints the folder of a Node.js that is new enough for the page: the machine's, else one of npm's, installed once into the
# user's cache.
#   PATH="$(xtask/node.sh):$PATH"
set -eu

version=24.21.0
home="${XDG_CACHE_HOME:-$HOME/.cache}/musicdao/tools/node-$version"
is_new='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || a === 20 && b >= 19 ? 0 : 1)'

if node --eval "$is_new" 2>/dev/null; then
    dirname "$(command -v node)"
    exit 0
fi
if [ ! -x "$home/node_modules/node/bin/node" ]; then
    printf 'Installing Node.js %s once\n' "$version" >&2
    npm install --prefix "$home" --no-audit --no-fund --loglevel=error "node@$version" >&2
fi
printf '%s\n' "$home/node_modules/node/bin"
