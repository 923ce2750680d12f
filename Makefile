# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Both make their own virtual environment in .venv; nothing has to be installed by hand.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JS     := tests/js/node_modules/.installed

.PHONY: demo test lint unit soak bench docs clean install

install: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(JS): tests/js/package.json tests/js/package-lock.json
	sh tools/need-node.sh
	cd tests/js && npm ci --silent --no-audit --no-fund
	touch $@

demo: $(STAMP)
	$(BIN)/python examples/demo.py

test: $(STAMP) $(JS) lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: $(STAMP) $(JS)
	APITRAIL_SOAK=1 $(BIN)/python -m pytest tests/property tests/simulation tests/conformance tests/integration
	cd tests/property && ../../$(BIN)/python -m fuzz --megabytes 200

bench: $(STAMP)
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m bench

docs: $(STAMP)
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/states_page.py
	$(BIN)/python -m apitrail.cli.reference > docs/reference/commands.md

clean:
	rm -rf $(VENV) tests/js/node_modules .demo .bench
