# Each target installs what it needs. `make` alone lists them.
MUSICDAO := target/release/musicdao
APP := target/release/musicdao-app
BENCHES := listen stream blob discovery search money
# A minute for each target; one input may take 20 seconds and 2 GiB, sanitizer included.
FUZZING := -max_total_time=60 -timeout=20 -rss_limit_mb=2048 -len_control=0

export MUSICDAO_SETUP

.PHONY: help run app build package check-android test regtest workshop bench bench-app scaling fuzz fmt lint advisories

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: ## build MusicDAO and open it: in a window where there is a screen, else for a browser
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then $(MAKE) --no-print-directory app && exec $(APP); \
	else $(MAKE) --no-print-directory build && exec $(MUSICDAO) daemon --web 127.0.0.1:0; fi

app: ## build target/release/musicdao-app, the window
	@xtask/setup.sh app
	@xtask/page.sh
	@cargo build --release --package src-tauri

package: ## build the Debian package, install it, start it, remove it
	@xtask/setup.sh package
	@xtask/package.sh

check-android: ## check that the app type-checks for Android
	@xtask/setup.sh android
	@xtask/check-android.sh

build: ## build target/release/musicdao
	@xtask/setup.sh build
	@xtask/page.sh
	@MUSICDAO_COMMIT=$$(git describe --always --dirty --abbrev=12) cargo build --release --bin musicdao

test: ## check everything
	@xtask/test.sh

regtest: ## run a Bitcoin of one's own, to try every money screen without owning a coin
	@xtask/setup.sh build
	@cargo xtask regtest

workshop: ## play a workshop: ten people found a DAO, invest, are paid back, leave, on a Bitcoin of their own
	@xtask/setup.sh build
	@cargo xtask bitcoind >/dev/null
	@cargo build --package cli
	@cargo run --quiet --package tests --example workshop

bench: build ## measure what docs/benchmarks.md reports
	@cargo build --release --manifest-path benches/Cargo.toml
	@for bench in $(BENCHES); do $(MUSICDAO) bench $$bench || exit 1; done

bench-app: build app ## measure how fast the app starts, answers and scrolls
	@xtask/setup.sh test
	@cargo build --release --package node --example fill
	@APP=$(CURDIR)/$(APP) $(MUSICDAO) bench app

scaling: build ## measure how a DAO scales to 10,000 members, into docs/scaling
	@$(MUSICDAO) emulate --all --seed 1 --report docs/scaling

fuzz: ## fuzz every parser for a minute
	@xtask/setup.sh build
	@tools=$$(xtask/tool.sh cargo-fuzz) && export PATH="$$tools:$$PATH" RUSTC_BOOTSTRAP=1 && cd fuzz && \
	for target in $$(cargo fuzz list); do \
		mkdir -p corpus/$$target && \
		cargo fuzz run -O --codegen-units 16 $$target corpus/$$target seeds/$$target -- $(FUZZING) || exit 1; \
	done

fmt: ## format the sources
	@cargo fmt --all

lint: ## only the formatting, the lints and the rules of the house
	@xtask/setup.sh test
	@cargo fmt --all --check
	@cargo xtask tidy
	@cargo clippy --workspace --all-targets -- -D warnings

advisories: ## known flaws of the dependencies, from the Internet
	@xtask/setup.sh build
	@"$$(xtask/tool.sh cargo-deny)/cargo-deny" --workspace check advisories
