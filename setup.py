"""Build the Cython kernels: one extension for each `.pyx` file, named by its path, with OpenMP if the compiler has it.

Cython and the C compiler use all cores. The files that take longest come first.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, find_namespace_packages, setup
from setuptools.command.build_ext import build_ext

OPENMP_PROBE = """
#include <omp.h>
int main(void) { return omp_get_max_threads() < 1; }
"""


def compiles(source: str, *flags: str) -> bool:
    """Whether the C compiler compiles and links `source` with `flags`."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe.c")
        probe.write_text(source)
        command = [*compiler, str(probe), *flags, "-o", str(Path(folder, "probe"))]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False


# Some kernels are compiled for several instruction sets. The ending of a file's name selects one and so these flags.
ISA_FLAGS = {
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    "v3": ["-march=x86-64-v3"],
}
built_isas = {isa: flags for isa, flags in ISA_FLAGS.items() if compiles("int main(void) { return 0; }", *flags)}


def isa_of(source):
    """The instruction set in the file's name, such as v3 of fast_v3.pyx, or None."""
    ending = source.stem.rpartition("_")[2]
    return ending if ending in ISA_FLAGS else None


# Vectorised square roots must not set errno. NaN and infinity keep their meaning.
errno = ["-fno-math-errno"] if compiles("int main(void) { return 0; }", "-fno-math-errno") else []
openmp = ["-fopenmp"] if compiles(OPENMP_PROBE, "-fopenmp") else []
if not openmp:
    print("note: this compiler has no OpenMP; fcnlite's own kernels will use one thread", file=sys.stderr)

cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def extension(name, sources, isa=None):
    return Extension(
        name,
        sources,
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        # Python's flags ask for debugging information, which takes a quarter of the compiler's time.
        extra_compile_args=["-O3", "-g0", *errno, *openmp, *built_isas.get(isa, [])],
        extra_link_args=openmp,
    )


# Cython's own code, above all memory views, is compiled once, into a module that the others import.
SHARED = "fcnlite._kernels.cython_shared"


class BuildInParallel(build_ext):
    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or cores


def longest_first(extensions):
    """The extensions by the size of their C files, which is a good estimate of the time that each takes."""
    return sorted(extensions, key=lambda each: -sum(Path(source).stat().st_size for source in each.sources))


# Cython's processes import this file where they are spawned rather than forked.
if __name__ == "__main__":
    kernels = [
        extension(".".join(source.with_suffix("").parts), [source.as_posix()], isa_of(source))
        for source in sorted(Path("fcnlite/_kernels").rglob("*.pyx"))
        if isa_of(source) is None or isa_of(source) in built_isas
    ]
    generated = cythonize(
        [*kernels, extension(SHARED, [f"{SHARED.replace('.', '/')}.c"])],
        shared_utility_qualified_name=SHARED,
        nthreads=cores,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            # None is not an array.
            "allow_none_for_extension_args": False,
        },
    )
    setup(
        # A wheel has the weights of generated shapes, which commands start from, as fcnlite/weights.
        packages=[*find_namespace_packages(include=["fcnlite*"]), "fcnlite.weights"],
        package_dir={"fcnlite.weights": "weights"},
        package_data={"fcnlite": ["py.typed"], "fcnlite.explore": ["page/*"], "fcnlite.weights": ["shapes-*.h5"]},
        ext_modules=longest_first(generated),
        cmdclass={"build_ext": BuildInParallel},
    )
