# Every target does its own set-up; see README.md.
.DEFAULT_GOAL := help
# For check-delivery.
export SEED MESSAGES
.PHONY: help run build test check lint fmt contract bench bench-quick bench-nodes check-delivery attacks

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Build, and serve the demo on http://127.0.0.1:3000
	target/release/horse-trust demo

build: web/dist/index.html ## Make target/release/horse-trust
	cargo build --release --locked -p horse-trust

test: ## Check everything: format, lints, unit, integration, end-to-end
	scripts/test

check: lint ## Check in under a minute what needs no server and no browser: format, lints, unit tests
	cargo test --workspace --lib --locked --quiet

lint: ## Check format, structure and lints alone
	python3 -B scripts/structure/test_structure.py --quiet
	scripts/check-structure
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	if command -v cargo-deny >/dev/null; then cargo deny --locked check; fi

fmt: ## Format the code
	cargo fmt --all

contract: ## Write the declarations and the documents' schemas from crates/horse-trust/src/contract
	WRITE_CONTRACT=1 cargo test --locked --quiet -p horse-trust --lib contract::generate

bench: ## Measure beside the other servers; takes about an hour
	scripts/bench

bench-quick: ## The same in under three minutes
	scripts/bench --quick

bench-nodes: build ## Measure one, two and three nodes beside Node with its Redis adapter; ten minutes: make bench-nodes ROUNDS=5
	scripts/test-requirements
	cargo build --release --locked -p horse-trust-bench
	npm ci --prefix bench/peers/node --no-audit --no-fund
	node bench/nodes.js --write --rounds $(or $(ROUNDS),3)

check-delivery: build ## Messages through bad weather, on one node, on three, over a Redis Cluster, and to webhooks: make check-delivery SEED=7 MESSAGES=50000
	npm ci --prefix e2e --no-audit --no-fund
	cd e2e && node --test --test-concurrency=1 tests/checker.test.js checks/cluster-checker.test.js
	cd e2e && REDIS_CLUSTER=true node --test checks/cluster-checker.test.js
	cd e2e && MESSAGES=$${MESSAGES:-20000} KILLS=10 node --test tests/webhook-kills.test.js

attacks: build ## Attack a server, and two nodes over PostgreSQL and Redis, while others chat; half an hour: make attacks ONLY=reading
	scripts/test-requirements
	cd e2e && node attacks/run.js --only "$(ONLY)"

web/dist/index.html: web/node_modules/.package-lock.json web/index.html web/vite.config.ts web/tsconfig.json packages/events/index.d.ts $(shell find web/src -type f)
	npm run --silent build --prefix web

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	npm ci --prefix web --no-audit --no-fund
