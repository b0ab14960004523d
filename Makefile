# Everything a fresh machine needs is set up by the targets themselves: a virtual environment with the locked packages.
# Java and Maven must be there for `make test` and `make bench`: they bring a real Kafka. Go brings Helm,
# Node brings Azurite (Azure).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test bench lint readme lock clean

demo: $(VENV)/runtime
	$(BIN)/streamsink demo $(if $(DIR),--dir $(DIR))

test: $(VENV)/development prerequisites
	@echo "building Storj's network for the tests, where it isn't yet: takes minutes"
	$(BIN)/python -c 'from tests.servers.storj.network import network_program as build; build()'
	$(BIN)/python -m pytest tests --ignore=tests/bench $(PYTEST)

bench: $(VENV)/development prerequisites
	$(BIN)/python -m tests.bench $(BENCH)

lint: $(VENV)/development
	$(BIN)/ruff check streamsink tests
	$(BIN)/ruff format --check streamsink tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell streamsink tests connectors.d helm README.md CHANGELOG.md Makefile

# Makes README's configuration tables anew from the definitions, and the chart's schema and README.
readme: $(VENV)/development
	$(BIN)/python -m streamsink.config.tables README.md
	$(BIN)/python -m streamsink.config.chart helm/streamsink
	$(BIN)/python -m tests.servers.go_tools github.com/norwoodj/helm-docs/cmd/helm-docs v1.14.2 -c helm/streamsink

# Writes both lock files anew from pyproject.toml.
lock: $(VENV)/bin/uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --all-extras --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --group dev -c requirements.lock -o tests/requirements.lock

.PHONY: prerequisites
prerequisites:
	@command -v java >/dev/null || { echo "make: Java 17 or newer is needed (a JRE on the PATH)" >&2; exit 1; }
	@command -v mvn >/dev/null || { echo "make: Maven is needed (mvn on the PATH)" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "make: Node 20 or newer is needed (npm on the PATH): it brings Azurite" >&2; exit 1; }
	@command -v go >/dev/null || { echo "make: Go 1.25 or newer is needed (go on the PATH)" >&2; exit 1; }
	@command -v gcc >/dev/null || { echo "make: a C compiler is needed (gcc on the PATH): Storj's storage nodes use it" >&2; exit 1; }

$(VENV)/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q uv

$(VENV)/runtime: requirements.lock pyproject.toml | $(VENV)/bin/uv
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/development: tests/requirements.lock $(VENV)/runtime
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock -r tests/requirements.lock
	@touch $@

clean:
	rm -rf $(VENV) build dist
