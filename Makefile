# Two commands do all the set-up: `make app` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8501
WORKERS ?= 3
NPM_OPTIONS := --silent --no-audit --no-fund --fetch-retries=1 --fetch-timeout=60000
N ?= 3
ENDURING := $(shell grep -l "endurance import" tests/*/test_*.py | grep -v tests/store)
MODULES ?=
CLIENTS := build/clients
# the modules of what `import polysema` gives, whose docstrings are held against the signatures
PUBLIC := core/display.py core/errors.py core/files/formats.py core/files/writers.py core/model/load.py core/space/hits.py \
  core/space/origin.py core/space/space.py indexes/base.py indexes/collection.py indexes/exact.py indexes/faiss_index.py
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help app test clients cluster docs endure mutants notebook lint lint-js format bench browser install lock screenshots clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

app: $(STAMP)  ## install what is needed and open the dashboard on http://127.0.0.1:8501 (PORT=… for another)
	@$(BIN)/polysema app --port $(PORT)

test: $(STAMP)  ## install what is needed and run every test, in three processes (WORKERS=… for another number)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

notebook: $(STAMP)  ## run docs/notebooks anew, keep what it shows, and write its page
	@$(BIN)/python docs/notebook.py

endure: $(STAMP)  ## the long form of the tests: more kills, cuts of the power and damage, every method and word
	POLYSEMA_ENDURE=1 $(BIN)/python -m pytest --timeout=7200 tests/store $(ENDURING)

clients: $(STAMP)  ## install LangChain, LlamaIndex, Chroma and OpenAI's clients beside, and run them against the service
	@test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --quiet --quiet openai langchain-openai llama-index-embeddings-openai-like chromadb
	@cd $(CLIENTS) && npm install $(NPM_OPTIONS) openai
	POLYSEMA_CLIENTS=$(abspath $(CLIENTS)) $(BIN)/python -m pytest tests/clients

cluster: $(STAMP)  ## kill a Milvus server while it writes, and a query node of a cluster under load (needs etcd, minutes)
	$(PIP) install --quiet --target build/broker confluent-kafka
	POLYSEMA_CLUSTER=$(abspath build/broker) $(BIN)/python -m pytest tests/engines/test_crashes.py

mutants: $(STAMP)  ## change single lines of core/ and indexes/ and count what the tests notice (N=… a module, MODULES=…)
	@$(BIN)/python -m tests.mutants -n $(N) $(MODULES)

lint: $(STAMP) lint-js  ## ruff, pydoclint, mypy over the installed packages; prettier and tsc where Node is
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pydoclint --quiet $(PUBLIC)
	rm -rf build && mkdir -p build
	$(PIP) install --quiet --no-deps --no-build-isolation --target build/installed .
	MYPYPATH=build/installed $(BIN)/mypy --config-file pyproject.toml -p polysema.core -p polysema.indexes -p polysema.app

# Without Node or the network this check is left out with one line, unless POLYSEMA_REQUIRE_NODE is set.
lint-js:
	@left_out() { echo "the dashboard's JavaScript and CSS are not checked: $$1"; [ -z "$$POLYSEMA_REQUIRE_NODE" ]; }; \
	if ! command -v npm >/dev/null; then left_out "npm is not here"; \
	elif ! { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci $(NPM_OPTIONS) 2>/dev/null; }; then \
	  left_out "npm could not install what package-lock.json pins"; \
	else npm run --silent lint; fi

docs: $(STAMP)  ## write the references and build the documentation into build/site; warnings are errors
	@$(BIN)/python docs/generate.py
	@rm -rf build/installed && mkdir -p build
	@$(PIP) install --quiet --no-deps --no-build-isolation --target build/installed .
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --clean
	@echo "the documentation is in build/site/index.html"

format: $(STAMP)  ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@if [ -d node_modules ]; then npm run --silent format; fi

bench: $(STAMP)  ## print the speeds, each as a ratio of two things run in turn
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/dashboard.py
	$(BIN)/python benchmarks/dashboard_load.py
	$(BIN)/python benchmarks/dashboard_budgets.py
	$(BIN)/python benchmarks/gpu.py

browser:  ## install the browser that the browser tests drive (Debian and its kin)
	@command -v chromium >/dev/null || { \
	  SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$SUDO apt-get update -qq && $$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }
	@chromium --version 2>/dev/null

screenshots: $(STAMP)  ## take the pictures of the documentation anew (docs/screenshots)
	$(BIN)/python benchmarks/screenshots.py

install: $(STAMP)  ## make .venv with what constraints.txt pins

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"polysema needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Run make with PYTHON=python3.11")'
	@echo "installing what constraints.txt pins into $(VENV) (some minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --quiet -c constraints.txt pip setuptools wheel
	@$(PIP) install --quiet --quiet --no-build-isolation -c constraints.txt -e '.[models,app,onnx,serve,dev]'
	@touch $@

lock: $(STAMP)  ## write constraints.txt anew from what is installed
	$(BIN)/python tests/lock.py > constraints.new && mv constraints.new constraints.txt && touch $(STAMP)

clean:  ## remove what was built (the environment and the pulled weights stay)
	rm -rf build dist node_modules *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
