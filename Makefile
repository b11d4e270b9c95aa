# Everything a fresh machine needs, in one virtual environment that is made when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup test slow lint demo gpu gpu-all gpu-here docs notebooks clean

help:
	@echo "make demo   train on the caption grammar and compare with MLE (a few minutes)"
	@echo "make test   the fast tests"
	@echo "make slow   the tests that take minutes"
	@echo "make lint   ruff and mypy"
	@echo "make gpu    all that needs a CUDA device, with the seconds of each check"
	@echo "make gpu-all  the same with each generator and each discriminator"
	@echo "make gpu-here the same as gpu with PYTHON as it is, and nothing installed"
	@echo "make notebooks  the notebooks of docs/ as .ipynb files, into notebooks/"
	@echo "make docs   the pages of docs/ and the API reference, into site/"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt "torch" -e ".[dev]"
	touch $(READY)

test: setup
	$(BIN)/python -m pytest -m "not slow" -q -n logical --maxprocesses 8 --dist worksteal

slow: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

demo: setup
	$(BIN)/seqgan run --data grammar --size quick --corpus.num_train 4000 --output_dir runs/demo --overwrite true

# On a machine without a network, whose Python has the packages: PYTHON=python make gpu-here
gpu: setup
	$(BIN)/python -m benchmarks.gpu_check $(CHECKS)

gpu-all: setup
	$(BIN)/python -m benchmarks.gpu_check --all $(CHECKS)

gpu-here:
	$(PYTHON) -m benchmarks.gpu_check $(CHECKS)

notebooks: setup
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	mkdir -p notebooks
	cd docs/notebooks && for page in $$(grep -l kernelspec *.md); do \
		../../$(BIN)/jupytext --quiet --to ipynb --output ../../notebooks/$${page%.md}.ipynb $$page || exit 1; done

docs: setup
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf build dist site notebooks *.egg-info .pytest_cache .ruff_cache .mypy_cache
