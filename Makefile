# Everything a fresh machine needs is set up by the targets themselves: a virtual environment with the locked packages.
# Java and Maven must be there for `make test` and `make bench`: they bring a real Kafka. Go brings Helm,
# Node brings Azurite (Azure). MariaDB comes from apt-get where mariadbd isn't there yet. Rust brings the native JSON
# reader: `make demo` and the product go without it.

PYTHON ?= python3
# How many tests run at a time; most of them wait for a server.
JOBS ?= 2
VENV := .venv
# A program that was never run starts as quickly as one that was.
export UV_COMPILE_BYTECODE := 1
BIN := $(VENV)/bin

.PHONY: demo test storm bench fuzz lint readme lock sbom clean

demo: $(VENV)/runtime
	$(BIN)/streamsink demo $(if $(DIR),--dir $(DIR))

test: $(VENV)/development prerequisites native
	@echo "building Storj's network for the tests, where it isn't yet: takes minutes"
	$(BIN)/python -c 'from tests.servers.storj.network import network_program as build; build()'
	$(BIN)/python -m tests.run $(JOBS) $(PYTEST)

# Storms from SEED on, one after another, for MINUTES; see tests/README.md.
storm: $(VENV)/development prerequisites native
	$(BIN)/python -m tests.storm.harness --minutes $(or $(MINUTES),60) --seed $(or $(SEED),1) --protocol $(or $(PROTOCOL),classic) $(STORM)

bench: $(VENV)/development prerequisites native
	$(BIN)/python -m tests.bench $(BENCH)

# Any bytes into the native readers, for SECONDS, with memory checked: TARGET=json or avro. Needs a nightly Rust and cargo-fuzz.
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo "make: cargo-fuzz is needed (cargo install cargo-fuzz)" >&2; exit 1; }
	mkdir -p build/fuzz/$(or $(TARGET),json)
	cd streamsink/native && cargo +nightly fuzz run --target-dir ../../build/fuzz/target $(or $(TARGET),json) \
		../../build/fuzz/$(or $(TARGET),json) -- -max_total_time=$(or $(SECONDS),60) -max_len=4096

lint: $(VENV)/development
	$(BIN)/ruff check streamsink tests
	$(BIN)/ruff format --check streamsink tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell streamsink tests connectors.d compose.yaml helm README.md CHANGELOG.md Makefile

# Makes the tables of keys anew from the definitions, and the chart's schema and README.
readme: $(VENV)/development
	$(BIN)/python -m streamsink.tooling.tables .
	$(BIN)/python -m streamsink.tooling.chart helm/streamsink
	$(BIN)/python -m tests.servers.go_tools github.com/norwoodj/helm-docs/cmd/helm-docs v1.14.2 -c helm/streamsink

# Writes both lock files anew from pyproject.toml.
lock: $(VENV)/bin/uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --all-extras --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --group dev -c requirements.lock -o tests/requirements.lock

# The native JSON reader; built once into a cache outside the tree, by its source's hash.
.PHONY: native
native: $(VENV)/runtime
	$(BIN)/python -m streamsink.tooling.native

.PHONY: prerequisites
prerequisites:
	@command -v java >/dev/null || { echo "make: Java 17 or newer is needed (a JRE on the PATH)" >&2; exit 1; }
	@command -v mvn >/dev/null || { echo "make: Maven is needed (mvn on the PATH)" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "make: Node 20 or newer is needed (npm on the PATH): it brings Azurite" >&2; exit 1; }
	@command -v go >/dev/null || { echo "make: Go 1.25 or newer is needed (go on the PATH)" >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "make: Rust 1.63 or newer is needed (cargo on the PATH): it builds the native reader" >&2; exit 1; }
	@command -v gcc >/dev/null || { echo "make: a C compiler is needed (gcc on the PATH): Storj's storage nodes use it" >&2; exit 1; }
	@PATH="$$PATH:/usr/sbin"; command -v mariadbd >/dev/null || command -v apt-get >/dev/null || \
		{ echo "make: MariaDB 10.11 or newer is needed (mariadbd and mariadb-install-db on the PATH)" >&2; exit 1; }

$(VENV)/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q uv

$(VENV)/runtime: requirements.lock pyproject.toml | $(VENV)/bin/uv
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	$(BIN)/python -m compileall -q streamsink
	@touch $@

$(VENV)/development: tests/requirements.lock $(VENV)/runtime
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock -r tests/requirements.lock
	@touch $@

# What streamsink is made of, with versions and hashes, as a CycloneDX document: every package that requirements.lock names.
CYCLONEDX := cyclonedx-bom==7.5.0
sbom: $(VENV)/bin/uv
	@mkdir -p build
	$(BIN)/uv tool run -q --from $(CYCLONEDX) cyclonedx-py requirements --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-format JSON --output-file build/sbom.cdx.json requirements.lock
	@echo build/sbom.cdx.json

clean:
	rm -rf $(VENV) build dist
