#!/bin/sh
# Installs the app on the emulator or telephone that adb sees, starts it, and fails where it does not stay alive.
#   src-tauri/packaging/android-smoke.sh APK
set -eu

app=org.musicdao.app
# Long enough for a slow emulator to load the library and start the node.
patience=30

adb install -r "$1"
adb logcat -c
adb shell am start -W -n "$app/.MainActivity"
for _ in $(seq "$patience"); do
    adb shell pidof "$app" >/dev/null || { adb logcat -d | tail -n 200; echo "the app has ended" >&2; exit 1; }
    sleep 1
done
if adb logcat -d | grep -E "UnsatisfiedLinkError|FATAL EXCEPTION|panicked at"; then
    exit 1
fi
