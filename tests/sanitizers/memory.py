"""`python -m tests.sanitizers.memory ISA`: the kernels under AddressSanitizer and UBSan of GCC.

Their tests run, then calls with wrong arguments. AddressSanitizer itself needs an eighth of all memory, also of memory
that is not touched, so that tests of large maps and of little memory cannot run.
"""

from __future__ import annotations

import sys

from release.commands import output, run
from tests.sanitizers.build import build, parser

TESTS = (
    *(f"tests/kernels/test_{each}.py" for each in ("arguments", "large", "processes")),
    "tests/compiler/convolution",
    "tests/compiler/operations",
    "tests/layers/test_kernels.py",
    "tests/solver/test_update.py",
)
LEFT_OUT = ("large_map", "cannot_start", "fork", "wrong_arguments")
CASES = 3000
"""Calls with wrong arguments."""


def main() -> None:
    isa = parser(__doc__).parse_args().isa
    sanitizers = "-fsanitize=address,undefined"
    # Arrays at any address are computed: x86-64 and ARM64 read numbers anywhere.
    checks = "-fno-sanitize=alignment -fno-sanitize-recover=undefined"
    flags = f"{sanitizers} {checks} -fno-omit-frame-pointer"
    folder = build("memory", isa, CFLAGS=flags, LDFLAGS=sanitizers)
    libraries = (output("gcc", f"-print-file-name={each}").strip() for each in ("libasan.so", "libubsan.so"))
    variables = {
        "FCNLITE_ISA": isa,
        "LD_PRELOAD": " ".join(libraries),
        # Python itself leaves memory at its end.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    }
    chosen = " and ".join(f"not {each}" for each in LEFT_OUT)
    run(sys.executable, "-m", "pytest", "-k", chosen, *TESTS, cwd=folder, **variables)
    run(sys.executable, "-m", "tests.kernels", str(CASES), cwd=folder, **variables)


if __name__ == "__main__":
    main()
