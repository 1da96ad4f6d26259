#!/bin/sh
# Checks that the app's Rust type-checks for Android, JNI and all. It proves no more than that: nothing is linked, packed
# or run, and what C compiles to here has the host's headers and is thrown away.
#   xtask/check-android.sh
# rustup's std cannot be built from Debian's source, nor the other way round: the toolchain is Debian's throughout.
set -eu
cd "$(dirname "$0")/.."

export PATH=/usr/bin:/bin
export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
# -Zbuild-std is not stable.
export RUSTC_BOOTSTRAP=1
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_DIR=target/android
export CC_aarch64_linux_android=clang-19 CXX_aarch64_linux_android=clang++-19
export AR_aarch64_linux_android=llvm-ar-19 RANLIB_aarch64_linux_android=llvm-ranlib-19
export CFLAGS_aarch64_linux_android="--target=aarch64-linux-android26 -nostdlibinc -isystem /usr/aarch64-linux-gnu/include -D_GNU_SOURCE -fPIC"
export CXXFLAGS_aarch64_linux_android="$CFLAGS_aarch64_linux_android"
export CMAKE_TOOLCHAIN_FILE_aarch64_linux_android="$PWD/xtask/android.cmake"

# The page is embedded in the app; whether it is the true one is not what is checked here.
if [ ! -e ui/dist/index.html ]; then
    mkdir -p ui/dist
    printf '<!doctype html>\n' >ui/dist/index.html
fi
exec cargo check -Zbuild-std --target aarch64-linux-android --lib --package src-tauri "$@"
