#!/bin/sh
# Builds the Debian package and lives through its life: contents, installing, starting on a screen nobody sees, listening to
# music in its window, removing.
#   xtask/package.sh
# A machine that has the package already is left alone: there it is only built and looked at.
set -eu
cd "$(dirname "$0")/.."

# Small rather than fast; what must be fast is named in Cargo.toml.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=s CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1

# Sizes that a listener on a slow line would like, in bytes. They are goals: a miss is said, not a failure.
GOAL_PACKAGE=10000000
GOAL_BINARY=25000000
# Longest that the app may take to draw and to end on a busy machine, in tenths of a second.
PATIENCE=300

fail() {
    printf 'package: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

build() {
    xtask/page.sh
    [ src-tauri/node_modules/.package-lock.json -nt src-tauri/package-lock.json ] ||
        npm --prefix src-tauri ci --no-audit --no-fund --loglevel=error
    rm -rf target/release/bundle/deb
    npm --prefix src-tauri run --silent tauri -- build --ci --bundles deb
    package=$(echo target/release/bundle/deb/*.deb)
    [ -f "$package" ] || fail "no package in target/release/bundle/deb"
}

# Everything that the desktop looks for is there, and nothing that belongs to the machine that built it.
look() {
    unpacked=$(mktemp -d)
    dpkg-deb --extract "$package" "$unpacked"
    dpkg-deb --field "$package" Package Version Depends
    for file in usr/bin/musicdao-app usr/share/icons/hicolor/128x128/apps/musicdao-app.png; do
        [ -f "$unpacked/$file" ] || fail "no $file: $(cd "$unpacked" && find . -type f)"
    done
    entry=$(echo "$unpacked"/usr/share/applications/*.desktop)
    for line in 'Name=MusicDAO' 'Exec=musicdao-app %U' 'Icon=musicdao-app' 'x-scheme-handler/musicdao' 'audio/flac'; do
        grep -q -- "$line" "$entry" || fail "the desktop entry lacks $line: $(cat "$entry")"
    done
    size=$(stat -c %s "$package")
    binary=$(stat -c %s "$unpacked/usr/bin/musicdao-app")
    printf 'package %s bytes, binary %s bytes\n' "$size" "$binary"
    [ "$size" -le "$GOAL_PACKAGE" ] || printf 'package: larger than its goal of %s bytes\n' "$GOAL_PACKAGE"
    [ "$binary" -le "$GOAL_BINARY" ] || printf 'binary: larger than its goal of %s bytes\n' "$GOAL_BINARY"
    rm -r "$unpacked"
}

# Opens the installed app on a screen of its own with a data folder of its own, and ends it as a session's end does.
start() {
    home=$(mktemp -d)
    mkdir -p "$home/data" "$home/run"
    chmod 700 "$home/run"
    printf 'dht = false\nmdns = false\nport_mapping = false\nlisten = "127.0.0.1:0"\n' >"$home/data/config.toml"
    HOME=$home XDG_RUNTIME_DIR=$home/run XDG_DATA_HOME=$home/share XDG_CONFIG_HOME=$home/config XDG_CACHE_HOME=$home/cache \
        MUSICDAO_DATA=$home/data WEBKIT_DISABLE_DMABUF_RENDERER=1 GDK_BACKEND=x11 \
        xvfb-run --auto-servernum --server-args="-screen 0 1280x800x24" \
        dbus-run-session -- sh -c '
            musicdao-app >"$HOME/log" 2>&1 &
            app=$!
            echo $app >"$HOME/pid"
            wait $app
            echo $? >"$HOME/ended"
        ' &
    session=$!
    await "the app to open its data folder" test -s "$home/data/daemon.json"
    await "the window" grep -q "the window is open" "$home/log"
    kill -TERM "$(cat "$home/pid")"
    await "the app to end" test -s "$home/ended"
    wait "$session" || true
    [ "$(cat "$home/ended")" -eq 0 ] || fail "the app ended with $(cat "$home/ended"): $(cat "$home/log")"
    rm -r "$home"
}

# The window's own test, on the program that was installed: start, play, pause, sound, quit.
listen() {
    cargo xtask fixtures
    cargo build --release --package cli
    MUSICDAO_APP=/usr/bin/musicdao-app cargo test --release --package tests --test window
}

await() {
    what=$1
    shift
    tenths=0
    until "$@"; do
        tenths=$((tenths + 1))
        [ "$tenths" -lt "$PATIENCE" ] || fail "waited in vain for $what: $(cat "$home/log")"
        sleep 0.1
    done
}

live() {
    name=$(dpkg-deb --field "$package" Package)
    if dpkg-query --show "$name" >/dev/null 2>&1; then
        printf '%s is installed here and stays as it is\n' "$name"
        return 0
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "./$package" >/dev/null
    trap 'as_root dpkg --purge "$name" >/dev/null' EXIT
    desktop-file-validate /usr/share/applications/*usicdao*.desktop
    start
    listen
    as_root dpkg --purge "$name" >/dev/null
    trap - EXIT
    left=$(find /usr/bin /usr/share/applications /usr/share/icons /usr/lib /usr/share/doc -ipath '*musicdao*' 2>/dev/null)
    [ -z "$left" ] || fail "removing it left $left"
    printf 'installed, started, listened to, removed\n'
}

build
look
live
