# Needs nothing but a Python of at least 3.11 with venv; everything else goes into .venv and bakeoff's own cache.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready

COUNT ?= 10000
UNTIMED := tests/simulation tests/contract/test_conformance.py tests/contract/test_importers.py

.PHONY: bench test test-unit faults fuzz lint contract-all ship-all conformance docs support format clean

bench: $(READY)  ## race the study's engines on ResNet-18 and ResNet-50
	$(BIN)/bakeoff run

test: test-unit  ## every test that runs anywhere; the engines of the default race for real
	$(BIN)/pytest --numprocesses 2 --dist loadscope $(UNTIMED)
	$(BIN)/pytest -m "contract or end_to_end" $(UNTIMED:%=--ignore=%)

# What races on this machine does so one at a time; only what times nothing may run side by side.
test-unit: $(READY)
	$(BIN)/pytest -m unit --numprocesses 2 --dist loadgroup tests/unit

faults: $(READY)  ## break things, and see that nothing is lost; FAULTS=--part: a few of each kind
	$(BIN)/python -m tests.faults $(FAULTS)

fuzz: $(READY)  ## model files and engine folders, changed at random; COUNT=10000
	$(BIN)/python -m tests.faults fuzz --count $(COUNT)

contract-all: $(READY)  ## the contract suite on every engine there is
	BAKEOFF_CONTRACT=all $(BIN)/pytest -m contract

ship-all: $(READY)  ## ship and verify, from wheels alone, each engine that a vendor may deploy
	BAKEOFF_SHIP=all $(BIN)/pytest tests/end_to_end/test_ship.py

# An engine that is not right fails the tests, and stands in the table all the same.
conformance: $(READY)  ## ONNX's own node tests on every engine that reads ONNX or a plain graph; writes docs/operators.md
	rm -f .venv/conformance.json
	BAKEOFF_CONFORMANCE=$${BAKEOFF_CONFORMANCE:-all} BAKEOFF_CONFORMANCE_RESULTS=$(CURDIR)/.venv/conformance.json \
		$(BIN)/pytest tests/contract/test_conformance.py; status=$$?; \
	$(BIN)/python docs/make_operators.py .venv/conformance.json && exit $$status

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## the documentation site in site/, its reference made from the code; a warning is an error
	$(BIN)/python docs/make_reference.py
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env docs site

support: $(READY)  ## race every engine on other people's models, for most of an hour, and write docs/support.md from it
	sh docs/support.sh

clean:
	rm -rf .venv

# The lock is uv's; pip installs from it, since pip is what knows the user's mirrors and certificates.
$(READY): pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "bakeoff needs Python 3.11 or newer with venv: install one, or make PYTHON=/path/to/it"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(BIN)/uv export --quiet --frozen --no-emit-project --output-file .venv/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement .venv/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
