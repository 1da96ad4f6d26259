#!/usr/bin/env bash
# Every check in order, with the time that each took; the first that fails ends the run.
# Where CI is set, a test that was skipped for want of network namespaces is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

# A hang ends as a failure even where cargo-nextest, which watches each test, is missing.
LONGEST_TEST_RUN=40m
SKIPPED='skipped: no namespaces'

stage=
began=$SECONDS
times=()

begin() {
    finish
    stage=$1
    began=$SECONDS
    printf '\n== %s\n' "$stage"
}

finish() {
    [ -z "$stage" ] || times+=("$(printf '%5d s  %s' $((SECONDS - began)) "$stage")")
    stage=
}

summary() {
    local status=$? failed=$stage
    finish
    printf '\n== times\n'
    printf '%s\n' "${times[@]}"
    printf '%5d s  in all\n' "$SECONDS"
    [ "$status" -eq 0 ] || printf 'FAILED: %s\n' "$failed"
}
trap summary EXIT

# Node.js may lie beside another compiler, as Debian's does: it leads the path here alone.
page() {
    PATH="$(xtask/node.sh):$PATH" npm --prefix ui run --silent "$1"
}

# Runs the tests and leaves their whole output, of those that pass too, in $report.
run_tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        report=target/nextest/default/junit.xml
        cargo nextest run --workspace
    else
        report=target/test-output.txt
        timeout --foreground "$LONGEST_TEST_RUN" cargo test --workspace --tests -- --show-output 2>&1 | tee "$report"
    fi
}

refuse_skips() {
    local skips
    test -s "$report"
    skips=$(grep -F "$SKIPPED" "$report" | sort | uniq -c) || return 0
    printf '%s\n' "$skips"
    [ -z "${CI:-}" ] || return 1
}

begin "system packages"
xtask/setup.sh test

begin "cargo-deny"
deny=$(xtask/tool.sh cargo-deny)

begin "fixtures"
cargo xtask fixtures

# The money tests run against it.
begin "bitcoind"
cargo xtask bitcoind

# The window has it within itself, and so has the program.
begin "page"
xtask/page.sh

begin "format"
cargo fmt --all --check

begin "tidy"
cargo xtask tidy

begin "licences and bans"
"$deny/cargo-deny" --log-level error --workspace check licenses bans sources

begin "lints"
cargo clippy --workspace --all-targets -- -D warnings

# The end-to-end tests start them.
begin "program and window"
cargo build --package cli --package src-tauri

begin "page: types and components"
page check
page test

begin "page in browsers"
page e2e

begin "tests"
run_tests

begin "skipped tests"
refuse_skips

begin "tests in the documentation"
cargo test --workspace --doc

if [ "${SKIP_ANDROID:-}" = 1 ]; then
    printf '\n== not checked: types for Android (SKIP_ANDROID=1)\n'
else
    begin "types for Android"
    xtask/check-android.sh
fi

begin "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
