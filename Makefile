# `make test` is all that a fresh Debian or Ubuntu machine with Rust needs to check everything.
.PHONY: test setup lint unit browser bench deny

test: setup lint unit browser

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

# Figures; nothing here is a test.
bench:
	cargo bench

# Licences and sources of all dependencies (needs cargo-deny).
deny:
	cargo deny check licenses bans sources
