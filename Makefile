# `make demo` and `make test` need only Python >= 3.10 with headers, a C compiler and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install install-test docs docs-open docs-pdf notebooks demo test test-slow test-peers test-docs test-kill test-long test-large test-kernels test-oldest fuzz \
	sanitize sanitize-threads lint bench bench-all dist clean

install: .venv/installed

install-test: .venv/installed-test

# An editable install by path (compat); otherwise Python, started beside a clone called fcnlite, imports that folder as
# the package. It is repeated when the requirements or the kernels change. --no-compile: Python compiles each module at
# its first import, which takes less time for the demo than if pip compiled all modules.
KERNELS := fcnlite/_kernels fcnlite/_kernels/*
.venv/installed: pyproject.toml setup.py $(wildcard $(foreach folder,$(KERNELS),$(folder)/*.pyx $(folder)/*.pxi))
	@echo "installing fcnlite into .venv and compiling its kernels: about a minute on a quiet machine, several on a busy one"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable . --config-settings editable_mode=compat
	touch $@

# fcnlite is already installed; this adds the requirements of the tests.
.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --no-compile 'fcnlite[test]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/pip install --quiet --no-compile 'fcnlite[docs]'
	touch $@

# The book in English, and in the folder zh of that in Chinese: docs/_build/html/index.html. A warning is an error.
SPHINX := $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet
docs: .venv/installed-docs
	$(SPHINX) -b html -d docs/_build/pages docs docs/_build/html
	$(SPHINX) -b html -d docs/_build/pages-zh docs/zh docs/_build/html/zh

docs-open: docs
	$(BIN)/python -m webbrowser -t "file://$(CURDIR)/docs/_build/html/index.html"

# The exercises as notebooks, with the .py files that are paired with them: docs/exercises/notebooks.
notebooks: .venv/installed-docs
	$(BIN)/python -m docs.book.notebooks

# The book on one page, printed by Chromium: docs/_build/fcnlite.pdf and fcnlite.zh.pdf. It takes minutes.
CHROMIUM ?= chromium
docs-pdf: .venv/installed-docs
	for book in "" zh; do \
		$(SPHINX) -b singlehtml -d docs/_build/pages$${book:+-$$book} docs/$$book docs/_build/single/$$book && \
		$(CHROMIUM) --headless --disable-gpu --no-sandbox --no-pdf-header-footer --virtual-time-budget=100000 \
			--print-to-pdf=docs/_build/fcnlite$${book:+.$$book}.pdf \
			"file://$(CURDIR)/docs/_build/single/$$book/index.html" || exit 1; \
	done

# Segment a scene with the shipped weights; train on generated scenes, measure on held-out ones, segment the scene again.
SCENE := examples/shapes.png examples/shapes_truth.png
demo: install
	$(BIN)/python -m fcnlite.predict weights/shapes-fcn8s.h5 examples/shapes.png --out demo/first
	$(BIN)/python examples/beside_truth.py weights/shapes-fcn8s.h5 $(SCENE) demo/first/beside_truth.png
	$(BIN)/python -m fcnlite.train --data shapes --data-option scene=true --data-option size=128 --batch-size 4 \
		--width 0.125 --iterations 500 --out demo/run --overwrite
	$(BIN)/python examples/beside_truth.py demo/run/best.h5 $(SCENE) demo/beside_truth.png
	@echo "picture, truth, prediction of the trained net, and errors: demo/beside_truth.png"
	@echo "the same with the shipped weights: demo/first/beside_truth.png; report of the training: demo/run/report.html"
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] && command -v xdg-open >/dev/null; then xdg-open demo/beside_truth.png; fi
	@if [ "$$(uname)" = Darwin ]; then open demo/beside_truth.png; fi

# One process for each core, since most tests use one core.
test: install-test lint
	$(BIN)/python -m pytest -n auto --dist worksteal

test-slow: install-test
	$(BIN)/python -m pytest -m slow

# Comparisons with PyTorch, OpenCV and ONNX Runtime, which are installed into the same venv.
test-peers: install-test
	$(BIN)/pip install --quiet 'fcnlite[peers]'
	$(BIN)/python -m pytest -m peers

# The book: built without a warning, the code of all pages run, its notebooks executed.
test-docs: install-test docs
	$(BIN)/python -m pytest -n auto --dist worksteal -m docs tests/test_docs.py tests/book

# Trainings that are killed at random moments and must resume to the same bytes. `make test-kill KILLS=200` kills more.
KILLS := 20
test-kill: install-test
	KILLS=$(KILLS) $(BIN)/python -m pytest -m kill -rP

# 10,000 training steps and 5,000 predictions of changing sizes, whose memory, files, threads and caches are measured.
test-long: install-test
	$(BIN)/python -m tests.long_runs --chart docs/memory.png

# Time and memory of loading a caffemodel of 553 MB.
test-large: install-test
	$(BIN)/python -m pytest -m large

# Calls of the kernels with wrong arguments, so many on each instruction set: none may end the process.
CASES := 100000
test-kernels: install-test
	for isa in $$($(BIN)/python -c "from fcnlite._kernels import isa; print(*isa.available())"); do \
		FCNLITE_ISA=$$isa $(BIN)/python -m tests.kernels $(CASES) || exit 1; \
	done

# The kernels of one instruction set (`make sanitize ISA=v4`) under AddressSanitizer and UBSan: their tests, and calls with
# wrong arguments. It needs GCC.
ISA := any
sanitize: install-test
	$(BIN)/python -m tests.sanitizers.memory $(ISA)

# Every kernel with two threads under ThreadSanitizer. It needs Debian's clang-14, libomp-14-dev and libclang-rt-14-dev.
sanitize-threads: install-test
	$(BIN)/python -m tests.sanitizers.threads $(ISA)

# Fuzz the readers of untrusted files, guided by coverage: 1,000,000 cases or 30 minutes of processor time each
# (docs/reliability.md). It continues where it was interrupted.
# `$(BIN)/python -m tests.fuzz NAME ... --seconds N` fuzzes some of them.
fuzz: install-test
	$(BIN)/pip install --quiet 'fcnlite[fuzz]'
	$(BIN)/python -m tests.fuzz

# Comparisons with PyTorch, ONNX Runtime, OpenVINO and OpenCV, with the chart of docs/performance.md; then the further
# measurements and the profile. It takes half an hour on an otherwise idle machine.
# `$(BIN)/python -m benchmarks NAME` measures one workload.
BENCHMARKS := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks
bench: install-test
	$(BIN)/pip install --quiet 'fcnlite[bench]'
	status=0; for part in "--chart docs/benchmark.png" --more --profile; do \
		$(BENCHMARKS) $$part || status=1; \
	done; exit $$status

# The comparisons with further nets: classifiers, small nets, encoders with decoders, a call of a millisecond; then the
# first picture of a new process. It takes 20 minutes on an otherwise idle machine.
bench-all: install-test
	$(BIN)/pip install --quiet 'fcnlite[bench]'
	status=0; for part in " --further" .first_picture; do $(BENCHMARKS)$$part || status=1; done; exit $$status

# The tests of files, commands, data and short trainings with the oldest versions of all requirements, in a venv of its
# own for PYTHON: 3.10, 3.11 or 3.12, for which there are wheels of these versions. `make test` has the newest versions,
# as far as .venv is new.
test-oldest: install-test
	$(BIN)/python -m release.oldest $(PYTHON)

# The files of a release in dist/, made twice and compared, and tried out in an empty environment (docs/releasing.md).
dist: install-test
	$(BIN)/pip install --quiet 'fcnlite[release]'
	$(BIN)/python -m release.dist

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv build dist docs/_build docs/_figures *.egg-info $(foreach folder,$(KERNELS),$(folder)/*.c $(folder)/*.so)
