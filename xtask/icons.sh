#!/bin/sh
# Draws every size of the mark from icons/mark.svg: for desktops into icons/, for Android into src-tauri/gen/android.
#   xtask/icons.sh
# It needs the packages of src-tauri (npm ci --prefix src-tauri).
set -eu
cd "$(dirname "$0")/.."

drawn=$(mktemp -d)
trap 'rm -rf "$drawn"' EXIT

# A launcher lays its own shape over the ground and cuts off what is outside the middle 61 %, and tints the one-coloured
# form as it likes.
without_ground() { grep -v 'id="ground"' icons/mark.svg | sed 's/viewBox="0 0 64 64"/viewBox="-13 -13 90 90"/'; }
without_ground >"$drawn/foreground.svg"
without_ground | sed 's/stroke="#F[0-9A-F]*"/stroke="#FFF"/' >"$drawn/monochrome.svg"
printf '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path fill="#121110" d="M0 0H64V64H0Z"/></svg>\n' \
    >"$drawn/background.svg"
cp icons/mark.svg "$drawn/mark.svg"
cat >"$drawn/icons.json" <<'MANIFEST'
{
  "default": "mark.svg",
  "bg_color": "#121110",
  "android_bg": "background.svg",
  "android_fg": "foreground.svg",
  "android_fg_scale": 100,
  "android_monochrome": "monochrome.svg"
}
MANIFEST

npm --prefix src-tauri run --silent tauri -- icon "$drawn/icons.json" --output "$drawn/out" >&2
for size in 32x32 64x64 128x128 128x128@2x icon; do
    cp "$drawn/out/$size.png" icons/
done
cp "$drawn/out/icon.ico" "$drawn/out/icon.icns" icons/
android=src-tauri/gen/android/app/src/main/res
[ ! -d "$android" ] || cp -R "$drawn/out/android/." "$android/"
