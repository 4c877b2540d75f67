# Two commands need nothing but Debian 12 and Rust: `make demo` and `make test`.

SHELL := /bin/bash
# Where rustup puts cargo, for shells that were open before.
export PATH := $(PATH):$(HOME)/.cargo/bin
.DEFAULT_GOAL := help

.PHONY: help demo test check bench fuzz image

help: ## lists the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## installs what is missing, builds, runs one whole login, prints its claims, and stays up
	scripts/install-deps.sh build rust
	cargo build --locked --profile quick --bin fedbridge
	$$(scripts/target-dir.sh)/quick/fedbridge demo

test: ## installs what is missing and runs every test, real peers and PostgreSQL included
	scripts/install-deps.sh build test rust
	cd tests/peers/node && npm ci --no-audit --no-fund --silent
	cargo test --locked --workspace -- --skip measured::
	cargo test --locked --workspace --test all -- --test-threads=1 measured::

check: ## the quick loop: format, lints, unit tests; no peers
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace --lib

bench: ## measures logins and requests beside the floor of the same run, and with much stored, on SQLite and PostgreSQL
	scripts/install-deps.sh build test rust
	cargo build --locked --release --bin fedbridge --example bench
	$$(scripts/target-dir.sh)/release/examples/bench

fuzz: ## runs each fuzz target for 60 s (FUZZ_SECONDS=1800 make fuzz: for half an hour)
	scripts/install-deps.sh build rust
	scripts/fuzz.sh

image: ## builds the container image; needs a container engine
	@command -v docker >/dev/null && docker info >/dev/null 2>&1 \
		|| { echo "make image: no container engine runs here; start Docker, or use a machine that has it" >&2; exit 1; }
	DOCKER_BUILDKIT=1 docker build -t fedbridge:latest .
