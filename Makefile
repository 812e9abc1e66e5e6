# Every target sets up what it needs in .venv, once; `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Debian's names of what a window on a virtual display takes.
SYSTEM_PACKAGES := xvfb libgl1 libegl1 libopengl0 libglx-mesa0 libgl1-mesa-dri libglib2.0-0 \
	libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 \
	libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libdbus-1-3 libfontconfig1

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench quality docs clean system-packages

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## fill a real tilt series with every method, then show the results
	$(BIN)/wedgefill demo -o demo-output --overwrite

test: $(VENV)/.test ## run every test, windows included (on a virtual display)
	@command -v Xvfb >/dev/null || { \
	  echo "The window tests need Xvfb. Install it once: sudo apt-get install -y $(SYSTEM_PACKAGES)"; \
	  exit 1; }
	@# A process that crashes ends the run: where another takes over, pytest-xdist waits for ever.
	@# Files keep the order of tests/conftest.py: pytest-xdist would begin with those of many tests.
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
	  --max-worker-restart 0 $(PYTEST_ARGS)

lint: $(VENV)/.dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.bench ## measure speed (beside ASTRA's, in one run), start-up and memory
	$(BIN)/python -m benchmarks.speed.projectors
	$(BIN)/python -m benchmarks.speed.convergence
	$(BIN)/python -m benchmarks.speed.networks
	$(BIN)/python -m benchmarks.speed.fill
	$(BIN)/python -m benchmarks.speed.startup
	$(BIN)/python -m benchmarks.speed.memory

# Such as QUALITY_ARGS="--full --minutes 60 --tooth tooth.h5"; results are kept in runs/quality.
quality: $(VENV)/.bench ## measure the quality of every method on objects that training never drew
	$(BIN)/python -m benchmarks.quality $(QUALITY_ARGS)
	$(BIN)/python -m benchmarks.quality.hallucination
	$(BIN)/python -m benchmarks.quality.outside_field
	$(BIN)/python -m benchmarks.quality.check

docs: $(VENV)/.dev ## build the documentation into site/
	$(BIN)/python docs/draw_conventions.py
	$(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

clean: ## remove what make built, the environment included
	rm -rf $(VENV) build dist site demo-output .pytest_cache .mypy_cache .ruff_cache

system-packages: # for .ci/run: the one list of Debian packages
	@echo $(SYSTEM_PACKAGES)

# Groups (PEP 735) need pip 25.1.
$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is older. Say which: make PYTHON=python3.12 ..."; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (a few minutes the first time)"
	$(PIP) install -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	@echo "Installing what the tests need"
	$(PIP) install -c constraints.txt -e '.[all,cluster,train,formats]' --group test
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	@echo "Installing what the benchmarks compare with"
	$(PIP) install -c constraints.txt --group bench
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	@echo "Installing the tools for development"
	$(PIP) install -c constraints.txt --group dev
	@touch $@
