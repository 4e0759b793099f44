"""The command `python -m fcnlite.data`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from fcnlite import data
from fcnlite._cli.data_options import add_data_options, open_data
from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.parser import add_threads, command_parser, positive
from fcnlite._cli.running import apply_threads, progress_bar
from fcnlite.data import video
from fcnlite.data.recognition import Recognised, recognise
from fcnlite.errors import DataError
from fcnlite.inspection import contents, converting, frames, sheets
from fcnlite.inspection.contents import Split
from fcnlite.inspection.target import check_new

_DESCRIPTION = """\
Say what a folder of labelled pictures is, before anything is trained: the data set that reads it, its splits
and classes with their shares, and every file and object that cannot be used. A contact sheet shows pictures
tinted by class. With --to folder OUT, the pictures and their label maps are written as a folder of images/
and labels/. With --to frames OUT, the frames of a video are written.

The exit status is 1 if there are problems, unless --skip-bad leaves them out, else 0."""

_EXAMPLES = """\
  python -m fcnlite.data photos
  python -m fcnlite.data slices --data-option rest=void
  python -m fcnlite.data coco --data coco --skip-bad --to folder masks
  python -m fcnlite.data clip.mp4 --to frames clip --every 25
  python -m fcnlite.data photos --json - --no-sheet"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    apply_threads(options.threads)
    for target in (options.json, options.sheet):
        check_target(target)
    root, out = Path(options.root), None if options.to is None else Path(options.to[1])
    if out is not None:
        check_new(out)
    if root.suffix.lower() in video.SUFFIXES and not root.is_dir():
        _write_frames(options, root, out)
        return
    if options.to is not None and options.to[0] != "folder":
        raise DataError(f"--to {options.to[0]}: is for video files, and {root} is none; give --to folder OUT.")
    found = Recognised(options.data) if options.data is not None else recognise(root)
    options.data, options.data_option = found.name, [*found.options, *options.data_option]
    given = "".join(f" --data-option {each}" for each in options.data_option)
    opened = f"--data {options.data} --root {root}{given}"
    splits, noted = _read(options)
    wrong = contents.problems(splits)
    if options.json != "-":
        print(f"{root}: {opened}\n\n{contents.text(splits, noted)}")
    held = {"root": str(root), "data": options.data, "data_option": options.data_option}
    write_json(options.json, "data/1", {**held, **contents.values(splits, noted)})
    if not options.no_sheet and any(split.usable for split in splits):
        sheet = Path(options.sheet or f"{root.resolve().name or 'data'}_sheet.png")
        sheets.write(sheet, splits)
        print(f"\ncontact sheet: {sheet}", file=sys.stderr if options.json == "-" else sys.stdout)
    if wrong and not options.skip_bad:
        if out is not None:
            raise DataError(f"{out}: is not written, since there are problems; {_LENIENT}.")
        sys.stdout.flush()
        print(f"train and evaluate stop at these problems; {_LENIENT}.", file=sys.stderr)
        raise SystemExit(1)
    if out is not None:
        with progress_bar("picture") as progress:
            written = converting.write_folder(splits, out, progress)
        print(f"{written} pictures -> {out} (--data folder --root {out})", file=sys.stderr)


def _write_frames(options: argparse.Namespace, root: Path, out: Path | None) -> None:
    """Write the frames of a video, or say how."""
    if out is None or options.to[0] != "frames":
        raise DataError(f"{root}: is a video; --to frames OUT writes its frames as pictures, which predict segments.")
    count, problem = frames.write_frames(root, out, options.every, options.skip_bad)
    if problem:
        print(f"warning: {problem}", file=sys.stderr)
    values = {"root": str(root), "frames": count, "out": str(out), "problems": [problem] if problem else []}
    write_json(options.json, "data/1", values)
    if options.json != "-":
        print(f"{root}: {count} frames -> {out}")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("data", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("root", metavar="DIR", help="the folder to look at, or a video file")
    words = "write to the new folder OUT: the pictures and label maps (folder), or the frames of a video (frames)"
    parser.add_argument("--to", metavar=("FORMAT", "OUT"), nargs=2, action=_To, help=words)
    words = "with --to frames: write every N-th frame (default: 1)"
    parser.add_argument("--every", metavar="N", type=positive, default=1, help=words)
    words = "the contact sheet to write (default: DIR_sheet.png in the working folder)"
    parser.add_argument("--sheet", metavar="FILE.png", help=words)
    parser.add_argument("--no-sheet", action="store_true", help="write no contact sheet")
    add_json(parser, "the contents")
    add_data_options(parser, root=False)
    add_threads(parser)
    return parser


_LENIENT = "--skip-bad leaves such files out, and makes such objects void"


class _To(argparse.Action):
    """Checks the format of --to."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: object = None
    ) -> None:
        if isinstance(values, list) and values[0] not in ("folder", "frames"):
            parser.error(f"--to {values[0]}: expected --to folder OUT, or --to frames OUT for a video.")
        namespace.to = values


def _read(options: argparse.Namespace) -> tuple[list[Split], list[str]]:
    """The usual splits with all their files read, and the warnings of the data set.

    Files without a partner are skipped here in any case, so that all problems are found at once.
    """
    splits: list[Split] = []
    absent: list[str] = []
    lenient = argparse.Namespace(**{**vars(options), "skip_bad": True})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        for name in dict.fromkeys(data.usual_splits(options.data)):
            try:
                dataset = open_data(lenient, name)
            except DataError as error:
                if not splits:
                    raise
                absent.append(f"the split {name} is left out: {error}")  # val=0 leaves none, for example
                continue
            with progress_bar("picture") as progress:
                splits.append(contents.read(dataset, progress))
    noted = [str(each.message) for each in caught if issubclass(each.category, UserWarning)]
    return splits, [*dict.fromkeys(noted), *absent]
