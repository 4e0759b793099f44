"""Build the Cython kernels: one extension a `.pyx` file, with OpenMP where the compiler has it."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

OPENMP_PROBE = """
#include <omp.h>
int main(void) { return omp_get_max_threads() < 1; }
"""


def compiles(source: str, *flags: str) -> bool:
    """Whether the C compiler turns `source` into a program with `flags`."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe.c")
        probe.write_text(source)
        command = [*compiler, str(probe), *flags, "-o", str(Path(folder, "probe"))]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False


# Kernels of one source for several instruction sets: a file's ending says which, and these flags make it so.
ISA_FLAGS = {
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    "v3": ["-march=x86-64-v3"],
}
built_isas = {isa: flags for isa, flags in ISA_FLAGS.items() if compiles("int main(void) { return 0; }", *flags)}


def isa_of(source):
    """The instruction set in the file's name, such as v3 of fast_v3.pyx; None for any machine's."""
    ending = source.stem.rpartition("_")[2]
    return ending if ending in ISA_FLAGS else None


# Square roots of several numbers at once need errno left alone; NaN and infinity stay what they are.
errno = ["-fno-math-errno"] if compiles("int main(void) { return 0; }", "-fno-math-errno") else []
openmp = ["-fopenmp"] if compiles(OPENMP_PROBE, "-fopenmp") else []
if not openmp:
    print("note: this compiler has no OpenMP; fcnlite's own kernels will use one thread", file=sys.stderr)

extensions = [
    Extension(
        f"fcnlite._kernels.{source.stem}",
        [source.as_posix()],
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=["-O3", *errno, *openmp, *built_isas.get(isa_of(source), [])],
        extra_link_args=openmp,
    )
    for source in sorted(Path("fcnlite/_kernels").glob("*.pyx"))
    if isa_of(source) is None or isa_of(source) in built_isas
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    )
)
