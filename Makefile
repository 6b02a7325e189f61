# `make test` is all that a fresh Debian or Ubuntu machine with Rust needs to check everything.
.PHONY: test setup lint unit browser jupyter bench deny fuzz

test: setup lint unit browser jupyter

# System packages that tests use: a browser with Korean fonts, shells to compare with, Node.js for the browser's driver.
setup:
	scripts/setup-tests.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings

unit:
	cargo test --workspace --quiet

browser:
	cargo build --quiet
	tests/browser/run.sh

# Jupyter's own tests of a kernel, in a Python environment under ~/.cache/peapod.
jupyter:
	cargo build --quiet
	tests/jupyter/run.sh

# Many more cases of the property tests than `make test` takes (CASES), from other seeds (SEED); what fails is shown as small as it gets.
CASES ?= 100000
SEED ?= $(shell date +%s)
fuzz:
	PEAPOD_FUZZ_CASES=$(CASES) PEAPOD_FUZZ_SEED=$(SEED) cargo test --release -p peapod-sim --test promises
	PEAPOD_FUZZ_CASES=$(CASES) PEAPOD_FUZZ_SEED=$(SEED) cargo test --release -p peapod --test it fuzz

# Figures; nothing here is a test.
bench:
	cargo bench

# Licences and sources of all dependencies (needs cargo-deny).
deny:
	cargo deny check licenses bans sources
