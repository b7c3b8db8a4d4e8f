"""A sweep to take along: its page, its table, its contact sheets, all its files, and the sweep itself for a shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import streamlit as st

from components import result, services, state, sweep_measures
from components.escape import plain
from models import sweep_folder
from models.amounts import size
from models.measuring import Wanted
from models.sweeps import results as tables
from models.sweeps import sheets, whole
from models.sweeps.cells import Plan
from models.sweeps.page import to_html
from models.sweeps.results import Result
from models.types import Output

if TYPE_CHECKING:
    from components.desk import Desk
    from models.runtime.jobs import Jobs

_File = tuple[str, str, Callable[[], bytes], str]  # name, media type, what makes it, hint
MEASURED = ("Page", "All files", "Table", "Effects")  # what holds measures
LOOK_S = 1.0  # after which the menu looks again how far they are
MOST_BYTES = 100_000_000  # of results in a file that is made in the app's own memory


def stored_bytes(desk: Desk, output: Output) -> int:
    """Return how many bytes a result takes, 0 for one whose file was cleared."""
    return stored_size(desk.session.jobs, output)


def stored_size(jobs: Jobs, output: Output) -> int:
    """Return how many bytes an output takes, 0 for one whose file was cleared."""
    if output.data or not output.sha256:
        return len(output.data or output.text.encode())
    with suppress(OSError):
        return jobs.store.path(f"sha256:{output.sha256}").stat().st_size
    return 0


def draw(desk: Desk, plan: Plan, there: Mapping[int, Result], key: str) -> None:
    """Draw the menu of downloads; each file is made when its button is pressed."""
    done = {number: one for number, one in there.items() if one.outputs and not one.error}
    if not done:
        return
    jobs, catalog = desk.session.jobs, desk.session.catalog
    read = partial(result.stored, jobs)
    held = sum(stored_bytes(desk, output) for found in done.values() for output in found.outputs)
    # of what failed the reason is told, as in a shell; its parts are no results
    told = {at: one if at in done else _bare(one) for at, one in there.items()}

    # as files are made, not as the page is drawn: a shell measures all, too, and what was measured before is known
    seen = cache(lambda: whole.measure(
        catalog, jobs.settings, jobs.store, plan, told, read, services.decoder().call,
        size=lambda one: stored_bytes(desk, one),
    ))  # fmt: skip

    def page() -> bytes:
        shown = {at: sweep_folder.loaded(one, read) for at, one in told.items()}
        return to_html(catalog, plan, shown, effects=seen().told).encode()

    def table(make: Callable[[list[dict[str, object]]], str | bytes]) -> bytes:
        made = make(tables.rows(plan, sweep_folder.named(told, catalog, plan), seen().columns))
        return made.encode() if isinstance(made, str) else made

    def effects() -> bytes:
        return whole.effects_csv(plan, seen().told).encode()

    def zipped() -> bytes:
        return sweep_folder.zipped(catalog, plan, told, read, jobs.settings, seen())

    files: dict[str, _File] = {
        "Page (HTML)": ("sweep.html", "text/html", page, "The grid with all results inside; it opens from disk."),
        "All files (ZIP)": ("sweep.zip", "application/zip", zipped,
                            "Each result as a file with its settings inside, tables, page, contact sheets and sweep."),
        **_sheets(sheets.of_sweep(catalog, plan, told, jobs.settings), read),
        "Table (CSV)": ("cells.csv", "text/csv", partial(table, tables.to_csv),
                        "One row for each cell, with measures."),
        "Table (Parquet)": ("cells.parquet", "application/vnd.apache.parquet", partial(table, tables.to_parquet),
                            "One row for each cell, with measures."),
        "Effects (CSV)": (sweep_folder.EFFECTS, "text/csv", effects,
                          "One row for each step of an axis and measure, compared with seeds: corrected over all "
                          "measures together."),
        "Sweep (JSON)": ("sweep.json", "application/json", lambda: plan.sweep.to_json().encode(),
                         "What is varied, without results: python -m models sweep sweep.json --out FOLDER runs it."),
    }  # fmt: skip
    menu = st.popover("Download the sweep", icon=":material/download:", on_change="rerun", key=state.key(key, "out"))
    with menu:
        if held > MOST_BYTES:
            st.caption(plain(
                f"{size(held)} are too much for one file here (at most {size(MOST_BYTES)}). Take the sweep (JSON) and "
                "run python -m models sweep sweep.json --out FOLDER: it finds what was made."
            ))  # fmt: skip
            files = {
                name: one for name, one in files.items() if not name.endswith(("(HTML)", "(ZIP)", "(PNG)", "(JPEG)"))
            }
        else:
            st.caption(f"{size(held)} of results.")
        if not menu.open:
            return
        wanted = whole.wanted(catalog, jobs.settings, plan, told)
        known = sweep_measures.known(desk, wanted)
        st.fragment(_draw_files, run_every=None if known else LOOK_S)(desk, wanted, known, files, key)


def _draw_files(desk: Desk, wanted: Sequence[Wanted], known: bool, files: Mapping[str, _File], key: str) -> None:
    """Draw the buttons; what holds measures waits until all are `known`, and says how far they are."""
    if not known and sweep_measures.known(desk, wanted):
        st.rerun()  # it need not look again
    if not known:
        found = sum(one.key in sweep_measures.values(desk) for one in wanted)
        st.progress(found / len(wanted), f"Measuring for the tables: {found:,} of {len(wanted):,} values")
    for name, (file, media_type, make, hint) in files.items():
        st.download_button(
            name, make, file, media_type, key=state.key(key, file), on_click="ignore", help=hint, width="stretch",
            disabled=not known and name.startswith(MEASURED),
        )  # fmt: skip


def _bare(result: Result) -> Result:
    return replace(result, run=replace(result.run, outputs=[])) if result.run is not None else result


def _sheets(
    made: sheets.Sheets | None, read: sweep_folder.Read
) -> dict[str, tuple[str, str, Callable[[], bytes], str]]:
    """Return the downloads of contact sheets: one file, or a ZIP of several; none where there are no sheets."""
    if made is None:
        return {}
    several = len(made) > 1
    hint = "All cells in one grid with headers; the settings and the sweep are inside."
    if several:
        hint = f"All cells in {len(made)} grids with headers, as a ZIP; the settings and the sweep are inside."

    def files(ending: str) -> bytes:
        drawn = made.files(read, ending)
        return sweep_folder.packed(drawn) if several else next(drawn)[1]

    return {
        f"Contact sheet{'s' * several} ({name})": (
            f"sheets-{ending}.zip" if several else f"sheet-1.{ending}", "application/zip" if several else media_type,
            partial(files, ending), hint,
        )
        for name, ending, media_type in (("PNG", "png", "image/png"), ("JPEG", "jpg", "image/jpeg"))
    }  # fmt: skip
