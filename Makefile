# `make demo` and `make test` need only Python >= 3.10 with headers, a C compiler, make and git.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install install-test demo test test-slow test-peers test-kill test-long test-large test-kernels test-oldest fuzz \
	sanitize sanitize-threads lint bench dist clean

install: .venv/installed

install-test: .venv/installed-test

# An editable install by path (compat); otherwise Python, started beside a clone called fcnlite, imports that folder as
# the package. It is repeated when the requirements or the kernels change. --no-compile: Python compiles each module at
# its first import, which takes less time for the demo than if pip compiled all modules.
KERNELS := fcnlite/_kernels fcnlite/_kernels/*
.venv/installed: pyproject.toml setup.py $(wildcard $(foreach folder,$(KERNELS),$(folder)/*.pyx $(folder)/*.pxi))
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable . --config-settings editable_mode=compat
	touch $@

# fcnlite is already installed; this adds the requirements of the tests.
.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --no-compile 'fcnlite[test]'
	touch $@

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

# The kernels and their tests in a copy of the sources, compiled with AddressSanitizer and UBSan, then called with wrong
# arguments. It needs GCC; -O1 compiles faster. AddressSanitizer itself needs an eighth of all memory, also of memory
# that is not touched, so that tests of large maps and of little memory cannot run. `make sanitize ISA=v4` takes another
# instruction set.
ISA := any
SANITIZED := build/sanitized
SANITIZERS := address,undefined
define copy_sources
	rm -rf $(SANITIZED) && mkdir -p $(SANITIZED)
	cp -r setup.py pyproject.toml README.md LICENSE fcnlite tests $(SANITIZED)
	find $(SANITIZED)/fcnlite '(' -name '*.so' -o -name '*.c' ')' -delete
	find $(SANITIZED)/fcnlite -name 'fast_*.pyx' ! -name 'fast_$(ISA).pyx' -delete
	sed -i 's/"-O3"/"-O1"/' $(SANITIZED)/setup.py
	$(BIN)/pip install --quiet --target $(SANITIZED)/tools 'setuptools>=77.0.3' 'cython>=3.1'
endef
sanitize: install-test
	$(copy_sources)
	cd $(SANITIZED) && CFLAGS="-fsanitize=$(SANITIZERS) -fno-sanitize-recover=undefined -fno-omit-frame-pointer" \
		LDFLAGS=-fsanitize=$(SANITIZERS) PYTHONPATH=tools $(CURDIR)/$(BIN)/python setup.py -q build_ext --inplace
	cd $(SANITIZED) && export FCNLITE_ISA=$(ISA) ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
		LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" && \
		$(CURDIR)/$(BIN)/python -m pytest -x -k "not large_map and not cannot_start and not fork and not wrong_arguments" tests/kernels \
			tests/compiler/convolution tests/compiler/operations tests/layers/test_kernels.py tests/solver/test_update.py && \
		$(CURDIR)/$(BIN)/python -m tests.kernels 3000

# Every kernel with two threads under ThreadSanitizer. Debian's clang-14, libomp-14-dev and libclang-rt-14-dev: Archer,
# which comes with LLVM's OpenMP, tells the sanitizer where threads wait for each other; GCC's OpenMP does not. Python
# itself is a program that is linked with the sanitizer, because preloading it ends in a segmentation fault.
LLVM := /usr/lib/llvm-14
sanitize-threads: install-test
	$(copy_sources)
	cd $(SANITIZED) && CC=$(LLVM)/bin/clang LDSHARED="$(LLVM)/bin/clang -shared" CFLAGS="-fsanitize=thread -g1" \
		LDFLAGS=-fsanitize=thread PYTHONPATH=tools $(CURDIR)/$(BIN)/python setup.py -q build_ext --inplace
	cd $(SANITIZED) && printf '%s\n' '#include <Python.h>' \
		'int main(int argc, char** argv) { return Py_BytesMain(argc, argv); }' > python.c && \
		$(LLVM)/bin/clang -fsanitize=thread -rdynamic python.c -o python \
			$$($(CURDIR)/$(BIN)/python -c "import sysconfig as s; v = s.get_config_var; print(f'-I{s.get_path(\"include\")} \
			-L{v(\"LIBDIR\")} -Wl,-rpath,{v(\"LIBDIR\")} -lpython{v(\"LDVERSION\")}')") -lpthread
	cd $(SANITIZED) && export FCNLITE_ISA=$(ISA) OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=1 \
		OMP_TOOL_LIBRARIES=$(LLVM)/lib/libarcher.so LD_LIBRARY_PATH=$(LLVM)/lib ARCHER_OPTIONS=verbose=1 \
		TSAN_OPTIONS="ignore_noninstrumented_modules=1 exitcode=66" \
		PYTHONHOME=$$($(CURDIR)/$(BIN)/python -c "import sys; print(sys.base_prefix)") \
		PYTHONPATH=$$($(CURDIR)/$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") && \
		./python -c "from tests.kernels.recording import call_all; call_all()"

# Fuzz the readers of untrusted files, guided by coverage: 1,000,000 cases or 30 minutes each (docs/reliability.md).
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

# The tests of files, commands, data and short trainings with the oldest versions of all requirements, in a copy of the
# sources with a venv of its own. PYTHON must be 3.10, 3.11 or 3.12, for which there are wheels of these versions. `make
# test` has the newest versions, as far as .venv is new. Old libraries warn about their successors.
OLDEST := build/oldest
test-oldest: install-test
	rm -rf $(OLDEST) && mkdir -p $(OLDEST)
	cp -r $$(git ls-files | cut -d / -f 1 | sort -u) $(OLDEST)
	find $(OLDEST)/fcnlite '(' -name '*.so' -o -name '*.c' ')' -delete
	$(BIN)/python -m release.oldest > $(OLDEST)/constraints.txt
	cd $(OLDEST) && $(PYTHON) -m venv .venv && export PIP_CONSTRAINT=constraints.txt && \
		$(BIN)/pip install --quiet setuptools wheel cython numpy scipy && \
		$(BIN)/pip install --quiet --no-build-isolation --editable '.[test]' --config-settings editable_mode=compat && \
		$(BIN)/pip list && $(BIN)/python -m pytest -n auto --dist worksteal -W ignore::DeprecationWarning \
		tests/test_init.py tests/formats tests/fuzz tests/cli tests/data tests/solver tests/segmentation

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
	rm -rf .venv build dist *.egg-info $(foreach folder,$(KERNELS),$(folder)/*.c $(folder)/*.so)
