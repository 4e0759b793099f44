"""`python -m tests.sanitizers.threads ISA`: every kernel with two threads under ThreadSanitizer.

It needs Clang with its OpenMP, such as Debian's clang-14, libomp-14-dev and libclang-rt-14-dev. Archer, which comes
with LLVM's OpenMP, tells the sanitizer where threads wait for each other; GCC's OpenMP does not.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from release.commands import run
from tests.sanitizers.build import build, parser

PROGRAM = """
#include <Python.h>
int main(int argc, char** argv) { return Py_BytesMain(argc, argv); }
"""
"""Python, to be linked with the sanitizer, because preloading the sanitizer ends in a segmentation fault."""


def compile_python(compiler: Path, folder: Path) -> Path:
    """Compile the Python that runs this, from its library, with the sanitizer."""
    (folder / "python.c").write_text(PROGRAM)
    libraries, version = map(sysconfig.get_config_var, ("LIBDIR", "LDVERSION"))
    include = f"-I{sysconfig.get_path('include')}"
    linked = (f"-L{libraries}", f"-Wl,-rpath,{libraries}", f"-lpython{version}", "-lpthread")
    run(compiler, "-fsanitize=thread", "-rdynamic", include, "python.c", "-o", "python", *linked, cwd=folder)
    return folder / "python"


def main() -> None:
    made = parser(__doc__)
    words = "the folder of LLVM with bin/clang (default: %(default)s)"
    made.add_argument("--llvm", type=Path, default="/usr/lib/llvm-14", help=words)
    options = made.parse_args()
    clang, libraries = options.llvm / "bin" / "clang", options.llvm / "lib"
    flags = {"CFLAGS": "-fsanitize=thread -g1", "LDFLAGS": "-fsanitize=thread"}
    folder = build("threads", options.isa, CC=str(clang), LDSHARED=f"{clang} -shared", **flags)
    variables = {
        "FCNLITE_ISA": options.isa,
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_TOOL_LIBRARIES": str(libraries / "libarcher.so"),
        "ARCHER_OPTIONS": "verbose=1",
        "LD_LIBRARY_PATH": str(libraries),
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1 exitcode=66",
        "PYTHONHOME": sys.base_prefix,
        "PYTHONPATH": sysconfig.get_path("purelib"),
    }
    script = "from tests.kernels.recording import call_all; call_all()"
    run(compile_python(clang, folder), "-c", script, cwd=folder, **variables)


if __name__ == "__main__":
    main()
