# Every target installs what it misses first and says so; `make` alone lists them.
# Times are budgets on two cores, from a clean clone (first figure) and when all is built (second).

# The node is linked statically, so that it runs on images whose C library is older than this machine's.
TARGET := $(shell uname -m)-unknown-linux-gnu

.PHONY: help setup setup-test setup-bench build build-node dist walk demo test conformance conformance-chat crash soak soak-engine soak-chat soak-verify rolling bench bench-calls bench-apply \
	bench-scale bench-node bench-balancer bench-deploy bench-chat screenshots clean

help: ## List the targets
	@printf '  %-21s %-72s %-8s %s\n' target 'what it does' first again
	@awk -F ':.*## | [|] ' '/^[a-z-]+:.*## / { printf "  make %-16s %-72s %-8s %s\n", $$1, $$2, $$3, $$4 }' $(MAKEFILE_LIST)

setup: ## Install what building and the demo need | 2 min | 1 s
	@.ci/setup build

setup-test: ## Install what the tests need too | 4 min | 1 s
	@.ci/setup test

setup-bench:
	@.ci/setup bench

build: setup build-node ## Build the three programs, optimised | 10 min | 5 s
	cargo build --release --workspace --exclude chat-node --locked

build-node:
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --profile node --package chat-node --locked --target $(TARGET)
	install -D -m 755 target/$(TARGET)/node/chat-node target/release/chat-node

dist: build ## Pack programs, completions, manual and documents, with a checksum | 11 min | 20 s
	.ci/dist

walk: ## Type what the README says into a Debian with Rust and nothing else; needs root | 15 min | 14 min
	.ci/walk

demo: build ## The whole life of a stack, and what breaks it | 14 min | 4 min
	target/release/albatross smoke examples/chatroom.yaml

test: setup-test ## Every check and every test | 45 min | 25 min
	.ci/test

conformance: setup-test ## The official SDKs against mock-cloud and our client | 8 min | 90 s
	cargo test --workspace --test conformance --locked

conformance-chat: setup-test ## Socket.IO's clients and a browser against the node | 7 min | 7 min
	cargo build --workspace --bins --test it --locked
	.ci/conformance-chat

crash: setup-test ## Kill albatross at every point there is, run it again | 16 min | 6 min
	cargo test --profile crash --workspace --features crash-points --test crash --locked

soak: soak-engine soak-verify soak-chat ## All three | 140 min | 120 min

soak-engine: setup-test ## 100,000 simulated lives; ROUNDS=300 of two crashes or faults | 70 min | 60 min
	test -n "$$SEED" || SEEDS=$${SEEDS:-100000} cargo test --profile crash --workspace --features crash-points --test simulation --locked -- --nocapture
	cargo test --profile crash --workspace --features crash-points --test crash --locked -- soak

soak-chat: setup-test ## 2,000 clients, all of it ended and started again; SECONDS=600 | 14 min | 11 min
	ulimit -n 16384 && cargo test --release --package chat-node --test soak --locked

soak-verify: setup-test ## 2,000 verdicts on rooms, well and sick; CLOUD_SEEDS=40 on clouds | 60 min | 50 min
	SEEDS=$${SEEDS:-2000} cargo test --workspace --locked --lib -- --nocapture seeded_rooms
	LOAD=2 SEEDS=$${LOADED:-200} cargo test --workspace --locked --lib -- --nocapture seeded_rooms
	CLOUD_SEEDS=$${CLOUD_SEEDS:-40} cargo test --workspace --locked --test it -- --nocapture seeded_faults

rolling: setup-test ## 500 clients while releases, Redis, nodes, hosts go; HOSTS=machine | 14 min | 3 min
	ulimit -n 16384 && cargo test --release --workspace --test rolling --locked

bench: build ## Time the road, stage by stage; see BENCHMARKS.md | 12 min | 2 min
	cargo run --release --locked --example bench_road

bench-calls: build ## Count signed calls a second; see BENCHMARKS.md | 12 min | 1 min
	cargo run --release --locked --example bench_calls

bench-apply: build ## Hold an apply against the fewest calls and the shortest time | 12 min | 2 min
	cargo run --release --locked --example bench_apply

bench-scale: build ## Plan and apply 10, 100 and 1,000 instances; see BENCHMARKS.md | 12 min | 2 min
	cargo run --release --locked --example bench_scale

bench-node: build ## Size, needs and start of the chat node; see BENCHMARKS.md | 12 min | 5 s
	cargo run --release --locked --example bench_node

bench-balancer: setup-bench build ## Hold the load balancer against nginx; see BENCHMARKS.md | 12 min | 1 min
	cargo run --release --locked --example bench_balancer

bench-deploy: setup-bench build ## Deploy to 20 and 100 hosts beside Ansible and pyinfra; needs root; QUICK=1 | 45 min | 30 min
	.ci/peers deploy
	target/release/mock-cloud image build
	cargo run --release --locked --example bench_deploy -- $(if $(QUICK),quick)

bench-chat: setup-bench build-node ## Hold the chat node against Flask, Node.js and the limit; QUICK=1 | 14 min | 9 min
	.ci/peers chat
	cargo run --release --locked --package chat-load --example bench_chat -- $(if $(QUICK),quick)

screenshots: export ALBATROSS = $(CURDIR)/target/debug/albatross
screenshots: export TOPOLOGY = $(CURDIR)/examples/chatroom.yaml
screenshots: export CHAT_NODE = target/debug/chat-node
screenshots: setup-test ## Take the pictures of pages and terminals in docs/images anew | 8 min | 3 min
	cargo build --workspace --bins --test it --locked
	mkdir -p docs/images
	cd tests/browser && npm ci --no-audit --no-fund
	export CHROMIUM="$$(command -v chromium || command -v chromium-browser || command -v google-chrome)" && \
	for what in tests/browser tests/browser/region tests/browser/report tests/browser/terminal; do \
		node "$$what/screenshots.mjs" docs/images || exit 1; \
	done

clean: ## Remove what was built
	cargo clean
	rm -rf tests/browser/node_modules tests/conformance/node/node_modules
