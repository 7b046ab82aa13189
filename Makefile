# Needs python3 (3.10 or later) and make; everything else is installed into .venv.
#   make demo    the main job on real data: ledger, a trace, an explanation of a missing row
#   make test    all tests, then a consumer's project in an environment made from the wheel
#   make check   ruff, formatting, mypy, the direction of imports
#   make bench   what capture costs: TPC-H and write-heavy models in all modes, 1,000 tiny models, a memory
#                limit, where the time goes (SCALE, 1 or 10; ROUNDS, 3); PUBLISH=--publish writes docs/benchmark.md
#   make tpc     the queries of TPC-H and TPC-DS through the capture, with replays; writes docs/tpc.md
#   make bench-demo   plain dbt-duckdb against cdme on the demo
#   make bench-tpch   the models of TPC-H alone (SCALE, ROUNDS, SELECT="--select q01 w1_filter")
#   make bench-errors   what refinements cost over capture alone (6 million rows); exits 1 over 15 %
#   make bench-check   what capture costs on seven shapes against bench/baseline.json; exits 1 where it has grown
#   make bench-questions   how long the questions take, on TPC-H (SCALE, default 1); exits 1 where too long
#   make bench-emit   what making the OpenLineage events of MODELS (1000) models costs; exits 1 where too much
#   make fuzz    the laws on random queries for FUZZ_SECONDS (300), which make test only samples
#   make crash   kills runs at every boundary between statements (hours; KILLS=20 for each model: half an
#                hour); make test does twelve
#   make concurrency   200 runs with 1, 4 and 8 threads; make test does six
#   make clean   remove what the above made
PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
FUZZ_SECONDS ?= 300
KILLS ?= 0
SCALE ?= 1
ROUNDS ?= 3
TIMES ?= 10
MODELS ?= 1000
NEEDS := pyproject.toml setup.py constraints.txt

export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: demo test check tpc bench bench-demo bench-tpch bench-errors bench-questions bench-check bench-emit fuzz crash
.PHONY: concurrency clean
.DEFAULT_GOAL := test

$(VENV)/.demo: $(NEEDS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[demo]'
	touch $@

$(VENV)/.dev: $(NEEDS) | $(VENV)/.demo
	$(PIP) -e '.[demo,dev]'
	touch $@

demo: $(VENV)/.demo
	$(BIN)/python demo/run.py

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python integration_tests/run.py

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict cdme_adapter
	$(BIN)/python -m pytest -q tests/test_layers.py

bench-demo: $(VENV)/.dev
	$(BIN)/python -m bench.demo_ratio

$(VENV)/.bench: $(NEEDS) | $(VENV)/.dev
	$(PIP) -e '.[demo,dev,bench]'
	touch $@

tpc: $(VENV)/.dev
	$(BIN)/python -m bench.tpc

bench: $(VENV)/.bench
	$(BIN)/python -m bench.whole --scale $(SCALE) --rounds $(ROUNDS) $(PUBLISH)

bench-tpch: $(VENV)/.bench
	$(BIN)/python -m bench.tpch_cost --scale $(SCALE) --rounds $(ROUNDS) $(SELECT)

bench-errors: $(VENV)/.dev
	$(BIN)/python -m bench.errors

bench-check: $(VENV)/.dev
	$(BIN)/python -m bench.check

bench-questions: $(VENV)/.dev
	$(BIN)/python -m bench.questions --scale $(SCALE) --times $(TIMES)

bench-emit: $(VENV)/.dev
	$(BIN)/python -m bench.emit --models $(MODELS) --check

fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.laws.fuzz --seconds $(FUZZ_SECONDS) --jobs 2

crash: $(VENV)/.dev
	$(BIN)/python -m tests.crash --kills $(KILLS)

concurrency: $(VENV)/.dev
	$(BIN)/python -m tests.concurrency

clean:
	rm -rf $(VENV) build dist *.egg-info demo/data bench/data .hypothesis
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	rm -rf demo/flights/target demo/flights/logs demo/flights/dbt_packages
	rm -rf integration_tests/target integration_tests/logs integration_tests/dbt_packages
	rm -f integration_tests/*.duckdb integration_tests/*.duckdb.wal
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
