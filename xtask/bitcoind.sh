#!/bin/sh
# Prints the folder of a recent bitcoind and bitcoin-cli: the machine's, else those of Bitcoin Core's source that the Rust
# package libbitcoinkernel-sys carries, built once into the user's cache. The daemon has no wallet.
#   xtask/bitcoind.sh
set -eu
cd "$(dirname "$0")/.."

package=0.4.1
version=31.99
# Version 29 relays what treasuries need: version 3 transactions, packages, ephemeral anchors.
oldest=29
cache="${XDG_CACHE_HOME:-$HOME/.cache}/musicdao"
home="$cache/bitcoin-$version"

say() { printf '%s\n' "$*" >&2; }

# The machine's own, where both lie side by side and are recent.
find_installed() {
    daemon=$(command -v bitcoind) || return 1
    [ -x "$(dirname "$daemon")/bitcoin-cli" ] || return 1
    major=$("$daemon" -version | sed -n '1s/.*version v\([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge "$oldest" ] || return 1
    dirname "$daemon"
}

# Cargo fetches and verifies the package as it does any other.
fetch() {
    printf '%s\n' '[package]' 'name = "source"' 'version = "0.0.0"' 'edition = "2024"' '[lib]' 'path = "/dev/null"' \
        '[dependencies]' "libbitcoinkernel-sys = \"=$package\"" '[workspace]' >"$part/Cargo.toml"
    cargo vendor --quiet --versioned-dirs --manifest-path "$part/Cargo.toml" "$part/vendor" >/dev/null
    source="$part/vendor/libbitcoinkernel-sys-$package/bitcoin"
    grep -q "CLIENT_VERSION_MAJOR ${version%.*}" "$source/CMakeLists.txt" || {
        say "libbitcoinkernel-sys $package does not carry Bitcoin Core $version"
        exit 1
    }
}

build() {
    nice -n 10 cmake -G Ninja -S "$source" -B "$part/build" -DCMAKE_BUILD_TYPE=Release \
        -DBUILD_DAEMON=ON -DBUILD_CLI=ON -DENABLE_WALLET=OFF -DBUILD_TESTS=OFF -DBUILD_TX=OFF -DBUILD_UTIL=OFF \
        -DBUILD_BENCH=OFF -DBUILD_FUZZ_BINARY=OFF -DENABLE_IPC=OFF -DWITH_ZMQ=OFF -DWITH_EMBEDDED_ASMAP=OFF \
        >"$part/log" 2>&1 || {
        cat "$part/log" >&2
        exit 1
    }
    nice -n 10 ninja -C "$part/build" bitcoind bitcoin-cli >&2
}

# The folder appears whole or not at all.
place() {
    mkdir -p "$part/whole/bin"
    for program in bitcoind bitcoin-cli; do
        strip -o "$part/whole/bin/$program" "$part/build/bin/$program"
    done
    "$part/whole/bin/bitcoind" -version | head -n 1 >&2
    [ -x "$home/bin/bitcoind" ] || mv "$part/whole" "$home"
}

if find_installed; then
    exit 0
fi
if [ ! -x "$home/bin/bitcoind" ]; then
    xtask/setup.sh bitcoind
    say "Building Bitcoin Core $version once, which takes about 12 minutes of one core"
    mkdir -p "$cache"
    part=$(mktemp -d "$cache/bitcoin-part-XXXXXX")
    trap 'rm -rf "$part"' EXIT
    trap 'exit 1' INT TERM
    fetch
    build
    place
fi
printf '%s\n' "$home/bin"
