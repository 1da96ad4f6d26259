#!/bin/sh
# Installs what MusicDAO needs of Debian and rustup and what is missing; says nothing where all is there.
#   xtask/setup.sh build     to compile and run the program
#   xtask/setup.sh app       to compile and run the window, too
#   xtask/setup.sh package   to make and try the Debian package
#   xtask/setup.sh android   to check the app's types for Android
#   xtask/setup.sh bitcoind  to build Bitcoin Core's daemon for tests
#   xtask/setup.sh test      to compile, run and test all of it; Android's part is left out where SKIP_ANDROID=1
# MUSICDAO_SETUP=skip trusts the machine as it is.
set -eu

# A linker for .cargo/config.toml, C and CMake for libopus and SQLite, ALSA's headers for the sound.
build="build-essential pkg-config clang mold cmake libasound2-dev"
# The window and its tray.
app="libwebkit2gtk-4.1-dev libayatana-appindicator3-dev librsvg2-dev file"
# A check of the menu entry for the package, and leave to open a screen of one's own.
package="desktop-file-utils xauth"
# Android's std is built from Debian's source by Debian's compiler; C is compiled, not linked.
android="rustc-web cargo-web rust-web-src clang-19 lld-19 llvm-19 libc6-dev-arm64-cross"
# Bitcoin Core's daemon.
bitcoind="build-essential pkg-config cmake ninja-build libboost-dev libevent-dev"
# Songs and their transcoding; a sound server whose output can be recorded; a bus for the media keys;
# links between network namespaces; clocks that are off; a screen nobody sees, and who presses the window's buttons;
# a browser.
tests="asc-music chromium ffmpeg pulseaudio pulseaudio-utils libasound2-plugins dbus iproute2 util-linux libfaketime"
tests="$tests webkit2gtk-driver xvfb"

say() { printf '%s\n' "$*" >&2; }

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
    missing=
    for package in "$@"; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0

    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        command -v sudo >/dev/null || { say "Not root and no sudo here. As root: apt-get install$missing"; exit 1; }
    fi
    say "Installing$missing"
    apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"
    $apt update
    # One word for each package.
    # shellcheck disable=SC2086
    $apt install --yes --no-install-recommends $missing >/dev/null
}

find_rust() {
    command -v cargo >/dev/null && return 0
    say "There is no cargo here. Install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer: https://rustup.rs"
    exit 1
}

# npm builds the page; where Debian's Node.js is too old for it, xtask/node.sh brings one.
find_node() {
    command -v npm >/dev/null || install_packages nodejs npm
    xtask/node.sh >/dev/null
}

add_component() {
    cargo "$2" --version >/dev/null 2>&1 && return 0
    say "Installing the Rust component $1"
    rustup component add "$1"
}

cd "$(dirname "$0")/.."
[ "${MUSICDAO_SETUP:-}" != skip ] || exit 0
case "${1:-}" in
build) packages=$build ;;
app) packages="$build $app" ;;
package) packages="$build $app $tests $package" ;;
android) packages="$build $android" ;;
bitcoind) packages=$bitcoind ;;
test)
    packages="$build $app $bitcoind $tests"
    [ "${SKIP_ANDROID:-}" = 1 ] || packages="$packages $android"
    ;;
*)
    say "usage: xtask/setup.sh build | app | package | android | bitcoind | test"
    exit 2
    ;;
esac

command -v apt-get >/dev/null || {
    say "No apt here. Install what Debian calls: $packages"
    say "then say: make MUSICDAO_SETUP=skip ..."
    exit 1
}
# One word for each package.
# shellcheck disable=SC2086
install_packages $packages
find_rust
case "$1" in android | bitcoind) ;; *) find_node ;; esac
if [ "$1" = test ]; then
    add_component rustfmt fmt
    add_component clippy clippy
fi
