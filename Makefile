# On a fresh clone, `make demo` and `make test` set everything up themselves: a virtual environment in .venv, with the
# locked versions, whose SHA-256 is checked.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow test-peers test-browser fuzz mutants bench docs licences lock dist-check test-lowest \
	lint format clean

# Installed packages are compiled when they are first imported, not all 10,000 modules of them beforehand.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# What is locked is installed from files of a known SHA-256 alone, and built by the locked setuptools.
LOCKED := $(PIP) --require-hashes --no-deps --no-build-isolation --use-pep517

demo: .venv/.usable
	$(BIN)/rcinterp demo --out demo
	@echo 'Open demo/report.html. To use the commands: . $(BIN)/activate'

# Two processes of one thread each: more threads only wait for each other. WORKERS=1 runs the tests one after the other.
WORKERS ?= 2
test test-slow test-peers test-browser mutants dist-check test-lowest: export OMP_NUM_THREADS = 1
test test-slow test-peers test-browser mutants dist-check test-lowest: export OPENBLAS_NUM_THREADS = 1

test: .venv/.installed lint
	$(BIN)/python -m pytest -q -m "not slow" --numprocesses=$(WORKERS) --dist=worksteal

test-slow: .venv/.installed
	$(BIN)/python -m pytest -q -m slow

# Models of tangermeme and bpnet-lite, and memelite's Tomtom: the first time it takes minutes, as packages are compiled.
test-peers: .venv/.installed
	$(PIP) --constraint constraints.txt --editable ".[peers]"
	$(BIN)/python -m pytest -q tests/rcinterp/test_peers.py tests/rcinterp/comparison tests/rcinterp/motifs/test_meme.py

# The report as a person uses it, in headless Chromium (apt-get install chromium): two minutes.
test-browser: .venv/.installed
	$(LOCKED) --requirement locked/browser.txt
	$(BIN)/python -m pip check
	$(BIN)/python -m pytest -q tests/rcinterp/report/test_browser.py

# Would the tests see it if the code were wrong? mutmut changes one thing at a time in what calculates, and runs the
# tests that reach it. SAMPLE of each area are drawn: all 5,900 would take a day. It goes on where it was stopped;
# `rm -r mutants` to begin anew.
SAMPLE ?= 100
SEED ?= 0
mutants: .venv/.installed
	$(PIP) --constraint constraints.txt --editable ".[mutants]"
	$(BIN)/mutmut run --max-children $(WORKERS) "rclayers._exact.*"  # makes all mutants, and runs four
	$(BIN)/python benchmarks/mutants.py --sample $(SAMPLE) --seed $(SEED) --names | xargs $(BIN)/mutmut run --max-children $(WORKERS)
	$(BIN)/python benchmarks/mutants.py --sample $(SAMPLE) --seed $(SEED) --survivors

# Every benchmark that needs no data, one after the other, to results/bench/NAME.json, on two cores that do
# nothing else. It goes on where it was stopped; `rm -r results/bench` to begin anew.
bench: .venv/.installed
	$(BIN)/python benchmarks/all.py --out results/bench

# 200,000 inputs a reader, changed by atheris (Linux): hours on one core. It goes on where it was stopped; `rm -r
# results/fuzz` to begin anew. Inputs that fail are in results/fuzz/READER/failures.
fuzz: export OMP_NUM_THREADS = 1
fuzz: .venv/.installed
	$(PIP) --constraint constraints.txt --editable ".[fuzz]"
	$(BIN)/python benchmarks/fuzz.py --out results/fuzz

# The documentation as a site, in site/index.html; a warning is an error. Nothing in it is loaded from elsewhere. The
# variable keeps the theme from advertising its successor.
docs: .venv/.installed
	$(PIP) --constraint constraints.txt --editable ".[docs]"
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --quiet --strict

# Which licences all that is installed has (docs/project/licences.md), and a list of it for scanners (sbom.json, CycloneDX).
# Tools have an environment of their own, so that they do not stand in the lists.
licences: .venv/.installed .venv/tools/.installed
	sed '/^| Name/,$$d' docs/project/licences.md > .venv/licences.md
	.venv/tools/bin/pip-licenses --python=$(BIN)/python --format=markdown --ignore-packages rcinterp >> .venv/licences.md
	mv .venv/licences.md docs/project/licences.md
	.venv/tools/bin/cyclonedx-py environment --output-reproducible --output-file sbom.json $(BIN)/python

# What is installed above, for every platform: locked/*.txt, from the versions of constraints.txt.
lock: .venv/tools/.installed
	.venv/tools/bin/python tools/lock.py

# Wheel and source distribution, in dist/: what is in them, and the tests on what each installs. Twice as long as `make test`.
dist-check: .venv/tools/.installed
	.venv/tools/bin/python tools/distributions.py --numprocesses=$(WORKERS) --dist=worksteal

# The lowest versions that pyproject.toml admits, in an environment of their own: make test-lowest PYTHON=python3.10
test-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint lowest.txt --editable ".[dev]"
	.venv-lowest/bin/python -m pytest -q -m "not slow" -W default --numprocesses=$(WORKERS) --dist=worksteal

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-lowest build dist *.egg-info demo results site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# What users install, and on top of it what developers need. PyTorch is its build for CPUs, where pip finds that; else that
# of the index, which has CUDA on Linux.
.venv/.usable: pyproject.toml $(addprefix locked/,build.txt torch-cpu.txt torch.txt run.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The locked versions are for Python 3.11 or later; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(LOCKED) --requirement locked/build.txt
	@$(LOCKED) --requirement locked/torch-cpu.txt 2> /dev/null || { \
	echo "pip finds no PyTorch for CPUs alone (locked/torch-cpu.txt): it installs that of the index"; \
	$(LOCKED) --requirement locked/torch.txt; }
	$(LOCKED) --requirement locked/run.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	touch $@

.venv/.installed: .venv/.usable locked/test.txt
	$(LOCKED) --requirement locked/test.txt
	$(BIN)/python -m pip check
	touch $@

.venv/tools/.installed: locked/build.txt locked/tools.txt
	$(PYTHON) -m venv .venv/tools
	.venv/tools/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --no-deps \
		--requirement locked/build.txt --requirement locked/tools.txt
	.venv/tools/bin/python -m pip check
	touch $@
