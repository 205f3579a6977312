# make run    install what is missing, build, check, start, place one real call, stay up for real phones
# make test   install the test peers and run everything that proves the tree
# make audit  licences, sources and known flaws of what is built upon (the list of flaws comes from the internet)
# make bench  measure CPU per call and per packet, memory per call and start-up

SHELL := /bin/bash
CARGO ?= cargo
export WARDLINE_CONFIG ?= sip-config
DATA ?= data

.PHONY: run test bench audit prompts build fmt-check lint docs unit interop peers tools clean-data

run: tools
	$(CARGO) build --release --locked
	tools/run.sh target/release/wardline $(DATA)

build: tools
	$(CARGO) build --release --locked

test: peers fmt-check lint docs unit

fmt-check:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --no-deps --document-private-items

unit:
	$(CARGO) test --locked --no-fail-fast

bench: tools
	tools/bench.sh

audit:
	$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny@0.20.2
	$(CARGO) deny check bans licenses sources
	$(CARGO) deny check advisories

prompts:
	tools/prompts/render.sh

tools:
	tools/install.sh build

peers:
	tools/install.sh build peers

clean-data:
	rm -rf -- $(DATA)
