"""A command's results as files: what a name asks for, refused before the run or written as it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models import shell
from models.errors import BadInput
from models.family import Family
from models.spec import ModelSpec
from models.stamps import ending as ending_of
from models.types import Output, Request

SHORT_CHARS = 200  # of a detail of an output on the last line; what is longer comes with --full


def header(output: Output, full: bool) -> dict[str, Any]:
    """Return what the last line tells of an output; without `full` its long details are named alone."""
    told = output.to_header()
    if not full:
        long = [name for name, value in output.meta.items() if len(json.dumps(value)) > SHORT_CHARS]
        told["meta"] = {name: value for name, value in output.meta.items() if name not in long}
        if long:
            told["left_out"] = sorted(long)
    return told


def check(out: Path, spec: ModelSpec, family: Family) -> None:
    """Refuse a file that cannot be written, or whose name says what this model cannot be saved as, before the run."""
    kind = out.suffix[1:].lower()
    if family.saves and kind and kind not in family.saves:
        raise BadInput(
            f"--out: {out.name} would be a file of the kind .{kind}; {spec.id} is saved as "
            f"{', '.join('.' + one for one in family.saves)}. Give the file one of these endings."
        )
    check_target(out)


def check_target(path: Path, option: str = "out") -> None:
    """Refuse a file that cannot be written. Raises `BadInput`."""
    try:
        shell.check_target(path, option)
    except shell.Unwritable as error:
        raise BadInput(str(error)) from error


def target(out: Path, output: Output, count: int) -> Path:
    """Return the file that one of `count` outputs goes into: `out`, or `out-2.txt`, `out-3.txt`, …"""
    return out if count == 1 or output.index == 0 else out.with_stem(f"{out.stem}-{output.index + 1}")


def save(out: Path, family: Family, request: Request, output: Output, count: int) -> Path:
    """Write an output to `out`, or to `out-2.txt`, `out-3.txt`, … where there are several, as its ending says."""
    path = target(out, output, count)
    kind, own = path.suffix[1:].lower(), ending_of(output.media_type)
    if not family.saves and own and kind not in ("", own):
        path = path.with_name(f"{path.name}.{own}")  # a family that does not say what it makes: nothing is lost
        shell.tell(f"--out: the result is a file of the kind .{own}: it was saved as {path.name}.")
    data = family.save(request, output, kind) if kind in family.saves else output.data
    return shell.write_file(path, data)
