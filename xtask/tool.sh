#!/bin/sh
# Builds a cargo tool of one exact version into the user's cache, once, and prints the folder that holds it.
#   xtask/tool.sh cargo-deny
set -eu

name=${1:-}
case "$name" in
cargo-deny) version=0.20.2 ;;
cargo-fuzz) version=0.13.2 ;;
*)
    echo "usage: xtask/tool.sh cargo-deny | cargo-fuzz" >&2
    exit 2
    ;;
esac
home="${XDG_CACHE_HOME:-$HOME/.cache}/musicdao/tools/$name-$version"

if [ ! -x "$home/bin/$name" ]; then
    printf 'Building %s %s once\n' "$name" "$version" >&2
    # A check runs for a second and is built for minutes, so the build is what must be fast.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install --quiet --locked --root "$home" --target-dir "$home/build" "$name@$version" >&2
    rm -rf "$home/build"
fi
printf '%s\n' "$home/bin"
