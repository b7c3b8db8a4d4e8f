"""What a room says of itself, so that the generic pages know no modality: one frozen `Modality` per room.

A room is a folder with a `page.py` that holds `ROOM = Modality(...)`; `components.rooms` finds it. What is left out is
drawn by the generic page, or is not offered. Output kinds, input types and job purposes are open words: one that no
room knows is told in a sentence, never an error. A wrong declaration raises `TypeError` when it is made: the room is
then left out, and the others stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from models.family import ROOM_NAMES, InputField, is_room_name
from models.types import Output, Request, Run

if TYPE_CHECKING:
    from components.desk import Desk
    from components.session import Session
    from models.catalog import Catalog
    from models.runtime.job_view import JobView
    from models.spec import ModelSpec


def _need(held: object, name: str, good: bool, must: str) -> None:
    """Raise `TypeError` with a sentence unless the field `name` of a declaration is good."""
    if not good:
        raise TypeError(f"{type(held).__name__}.{name} is {getattr(held, name)!r}; it must be {must}.")


@dataclass(frozen=True)
class Segment:
    """Name a part of a page: the models made for one task. The choice among a page's segments stands above its models.

    `fits(spec)` says whether a model belongs to it; `none` is the sentence where no model does, which says what to do.
    `placeholder` is its prompt box's; its prompt is its own. `given(desk)` draws what stands above that, `lesson(desk)`
    what stands below how its model works, once that is opened.
    """

    title: str
    icon: str
    fits: Callable[[ModelSpec], bool]
    none: str
    placeholder: str = ""
    given: Callable[[Desk], None] | None = None
    lesson: Callable[[Desk], None] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be a segment."""
        _need(self, "title", isinstance(self.title, str) and bool(self.title.strip()), "a text that can be read")
        _need(self, "fits", callable(self.fits), "a function")
        for name in ("given", "lesson"):
            _need(self, name, (one := getattr(self, name)) is None or callable(one), "a function or None")
        for name in ("icon", "none", "placeholder"):
            _need(self, name, isinstance(getattr(self, name), str), "a text")


@dataclass(frozen=True)
class RoomPage:
    """Name one page of a room: its script under pages/ (or anywhere), its title, icon and words on Home.

    Pages of a `group` stand together in the navigation, by `order`. `families` are the names of the families whose
    models run on it; empty: all that no other page of the room names, on the first page that says so. `segments` part
    its models by task; empty: they stand in one list. `prompt_px` is how high its prompt box is; 0: as the room's.
    """

    script: Path
    title: str
    icon: str
    about: str
    group: str = "Create"
    order: int = 100
    families: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    prompt_px: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be a page."""
        _need(self, "script", isinstance(self.script, Path), "a Path")
        _need(self, "title", isinstance(self.title, str) and bool(self.title.strip(" _")), "a text that can be read")
        for name in ("icon", "about", "group"):
            _need(self, name, isinstance(getattr(self, name), str), "a text")
        _need(self, "order", isinstance(self.order, int) and not isinstance(self.order, bool), "a whole number")
        named = isinstance(self.families, tuple) and all(isinstance(one, str) and one for one in self.families)
        _need(self, "families", named, "a tuple of names of families")
        parts = isinstance(self.segments, tuple) and all(type(one).__name__ == "Segment" for one in self.segments)
        _need(self, "segments", parts, "a tuple of Segment")
        if parts and len({one.title for one in self.segments}) < len(self.segments):
            raise TypeError(f"RoomPage.segments of {self.title!r} have one title twice. Give each its own.")

    def segment_for(self, spec: ModelSpec) -> Segment | None:
        """Return the segment of a model of this page: the first that it fits, else the first; None without any."""
        return next((one for one in self.segments if one.fits(spec)), next(iter(self.segments), None))

    @property
    def id(self) -> str:
        """Return the name that tells it from the other pages of its room: its script's, without the ending."""
        return self.script.stem


@dataclass(frozen=True)
class Showing:
    """Hand outputs of one run to the view of a kind.

    `outputs` are all of the run; `key` is unique on the page. `live`: they are on their way. `request` made them (None
    where unknown). `read(output)` returns an output's bytes, from the store if need be.
    """

    outputs: Sequence[Output]
    key: str
    read: Callable[[Output], bytes]
    live: bool = False
    request: Request | None = None

    def of(self, kind: str) -> list[Output]:
        """Return the outputs of a kind."""
        return [output for output in self.outputs if output.kind == kind]


@dataclass(frozen=True)
class Tile:
    """Hold what a cell of a grid shows of an output: a text, something seen, or something heard with a cover.

    `data` is what the browser shows or plays, of the type `media_type`; keep it small. `cover` (PNG) stands for what is
    heard. What is `small` shows its pixels. `parts` is a text as pieces, each "=" (alike), "+" (here alone) or "-"
    (in the one it is compared with alone). `note` stands below it; `version` tells it from an earlier one of its cell.
    """

    kind: Literal["text", "seen", "heard"]
    text: str = ""
    data: bytes = b""
    media_type: str = ""
    cover: bytes = b""
    small: bool = False
    parts: tuple[tuple[Literal["=", "+", "-"], str], ...] = ()
    note: str = ""
    version: str = ""


@dataclass(frozen=True)
class Act:
    """Hand the output of a finished run, of several the chosen one, to a room's actions; `key` is unique there."""

    desk: Desk
    run: Run
    output: Output
    key: str


@dataclass(frozen=True)
class Takes:
    """Say that a room takes outputs of a kind as input, its own or other rooms', and how the button is called.

    `fits(desk, output)` says whether it is offered on the page of `desk`. `take(desk, output)` sets the page of a model
    of the room, and returns the model's id; it raises `PlaygroundError` for what cannot be taken. The page that shows
    this model is opened then, where it is another one; for None, pressed on another room's page, the room's first.
    `name` begins the button's key.
    """

    name: str
    kind: str
    label: str
    icon: str
    help: str
    fits: Callable[[Desk, Output], bool]
    take: Callable[[Desk, Output], str | None]


@dataclass(frozen=True)
class Writes:
    """Offer to write into the texts of every page, from something that a model of this room turns into words.

    `label`, `icon` and `help` are its button's, `name` begins its keys. `model(catalog)` returns the model that does
    it, one that is here before one to be got; None where there is none. `limits(spec)` is the sentence that says what
    it understands. `draw(key, take)` draws the widget, named by `key`, that hands a file to `take(data)`; `item` is the
    model's input that the file is. `read(outputs)` returns the words, "" for none; `nothing` is then told. `asks` of
    `st.chat_input` lets a box with a send button take the file too, and `taken(value)` returns it from what was sent.
    """

    name: str
    label: str
    icon: str
    help: str
    item: str
    nothing: str
    model: Callable[[Catalog], ModelSpec | None]
    limits: Callable[[ModelSpec], str]
    draw: Callable[[str, Callable[[bytes], None]], None]
    read: Callable[[Sequence[Output]], str]
    taken: Callable[[Any], bytes | None]
    asks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SettingsFile:
    """Say which files of a room carry settings: their name in a sentence, what to tell, endings and size.

    How they are read is declared beside the room's families; see `models.readers`.
    """

    name: str
    hint: str
    endings: tuple[str, ...]
    megabytes: int


@dataclass(frozen=True)
class InputType:
    """Draw, keep and restore one type of input, on any page whose models take it.

    `draw(desk, item)` draws its widget (None: page parts of the room's own give it). `value(desk, item)` returns what
    a request carries: text, or a `sha256:` reference; None for nothing. `restore(desk, item, inputs)` sets the page to
    a request's inputs. `hold(desk, item)` returns what the page keeps for a reload, where that is not the value;
    `recall(desk, item, inputs)` sets it again, where that is not to restore what is not there.
    `check(folder, data, name)` decodes an upload and raises `BadInput`; None for a type without uploads. It runs in a
    process of its own with bounded time and memory (`models.runtime.decoder`): a function of a module that imports
    little, without a closure. The files that it leaves in `folder` are kept beside the upload under their names, so
    that no run decodes it again; what it returns is plain JSON.
    Inputs whose type is `beside` stand in columns. `uses` names settings on which the widget depends. `press` is the
    sentence that says how a request that has such an input is started, where that is not by Run. `shown(desk,
    value)` draws what a request carries of it, to be looked at where nothing can be changed. `amount(desk, item)` says
    how much there is of what the page holds, in what `Family.amount` counts, where the request alone does not tell.
    """

    value: Callable[[Desk, InputField], str | None]
    restore: Callable[[Desk, InputField, Mapping[str, str]], None]
    draw: Callable[[Desk, InputField], None] | None = None
    check: Callable[[Path, bytes, str], Any] | None = None
    beside: bool = False
    uses: tuple[str, ...] = ()
    hold: Callable[[Desk, InputField], str | None] | None = None
    recall: Callable[[Desk, InputField, Mapping[str, str]], None] | None = None
    press: str = ""
    shown: Callable[[Desk, str], None] | None = None
    amount: Callable[[Desk, InputField], float | None] | None = None


@dataclass(frozen=True)
class Look:
    """Offer a look into finished runs, such as their steps.

    `fits(catalog, run)` says whether a run has something to see; `draw(session, run, key)` draws it.
    """

    name: str
    fits: Callable[[Catalog, Run], bool]
    draw: Callable[[Session, Run, str], None]


@dataclass(frozen=True)
class Mode:
    """Offer another way to use a room's page beside its prompt box, such as chat.

    `choose(desk)` draws the choice where the model offers one and says whether this mode is on; `draw(desk)` then
    draws all below the model. `keeps(view)` says of a job that this mode alone draws it.
    """

    choose: Callable[[Desk], bool]
    draw: Callable[[Desk], None]
    keeps: Callable[[JobView], bool]


@dataclass(frozen=True)
class Words:
    """Name what a room counts and makes.

    `counted` is the unit of the stat `tokens`; progress in it may end before its total. `decoded` is what latents
    become; `rest` what remains of a request that can be skipped through; `one` the word for a run of a single step.
    """

    counted: str = "tokens"
    decoded: str = "the result"
    rest: str = ""
    one: str = "step"


def never(request: Request, more: int) -> bool:
    """Say no."""
    return False


@dataclass(frozen=True)
class Modality:
    """Declare a room.

    - `id` is the first part of its models' ids; `pages` are its pages, the first its own; each says which families'
      models run on it.
    - `views` draw outputs by kind, still and live; `tiles` draw one output small, by kind (without one, its words are
      shown). `cells` give one as the cell of a grid, by kind (without one: its words), `differences` the second of two
      as what tells it from the first (without one: its words, piece by piece).
    - `waiting(request, key)` draws what stands there before the first preview.
    - `says(output)` tells in plain words what an output is (without it: its own words after the prompt), for its name
      among others; `earlier(desk, runs, shown)` draws the list of earlier results (without it: one row a run).
    - `actions` draw the buttons under an output, by kind; under a finished run stand its `looks`, one of them open, and
      the panels of `after(desk, run, key)`.
    - `after_shared(session, run, key)` draws those of these panels that need no model, for whoever has a link to a
      result, and names the others (without it: none is drawn, and that is said).
    - `jobs` draw jobs by purpose, living and finished; `modes` are further ways to use the page.
    - `welcome(session)` draws a first run with one click on Home, which shows that of the first room that has one.
    - `beside_run(desk, live)` draws what stands beside Run, `below(desk)` what stands below the result.
    - `inputs` are the types of input whose widgets live here; `takes` what outputs it takes as input; `writes` how it
      writes into the texts of every page; `file` those of its files that settings are read from.
    - `placeholder` and `prompt_px` are the prompt box's; with `own_prompts` each family of the page has a prompt of its
      own, as its words mean nothing to the others.
    - `skips(request, more)` says whether Skip has something to go on with; `more` requests follow in the job.
      `end_line`: how a job ended is told above its result, so that nothing moves.
    """

    id: str
    pages: tuple[RoomPage, ...]
    views: Mapping[str, Callable[[Showing], None]]
    words: Words = Words()
    tiles: Mapping[str, Callable[[Output, Callable[[Output], bytes], str], None]] = field(default_factory=dict)
    cells: Mapping[str, Callable[[Output, Callable[[Output], bytes]], Tile]] = field(default_factory=dict)
    differences: Mapping[str, Callable[[Output, Output, Callable[[Output], bytes]], Tile]] = field(default_factory=dict)
    waiting: Callable[[Request, str], None] | None = None
    says: Callable[[Output], str] | None = None
    earlier: Callable[[Desk, Sequence[Run], str], None] | None = None
    actions: Mapping[str, Callable[[Act], None]] = field(default_factory=dict)
    looks: tuple[Look, ...] = ()
    after: Callable[[Desk, Run, str], None] | None = None
    after_shared: Callable[[Session, Run, str], Sequence[str]] | None = None
    jobs: Mapping[str, Callable[[Desk, JobView, str], None]] = field(default_factory=dict)
    modes: tuple[Mode, ...] = ()
    welcome: Callable[[Session], None] | None = None
    beside_run: Callable[[Desk, bool], None] | None = None
    below: Callable[[Desk], None] | None = None
    inputs: Mapping[str, InputType] = field(default_factory=dict)
    takes: tuple[Takes, ...] = ()
    writes: tuple[Writes, ...] = ()
    file: SettingsFile | None = None
    placeholder: str = ""
    prompt_px: int = 80
    own_prompts: bool = False
    skips: Callable[[Request, int], bool] = never
    end_line: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be a room."""
        _need(self, "id", is_room_name(self.id), ROOM_NAMES)
        several = {"pages": RoomPage, "looks": Look, "modes": Mode, "takes": Takes, "writes": Writes}
        for name, kind in several.items():
            given = getattr(self, name)
            good = isinstance(given, tuple) and all(type(one).__name__ == kind.__name__ for one in given)
            _need(self, name, good and (bool(given) or name != "pages"), f"a tuple of {kind.__name__}")
        for name in ("views", "tiles", "cells", "differences", "actions", "jobs", "inputs"):
            given = getattr(self, name)
            good = isinstance(given, Mapping) and all(
                type(one).__name__ == "InputType" if name == "inputs" else callable(one) for one in given.values()
            )
            _need(self, name, good, "a mapping of " + ("InputType" if name == "inputs" else "functions"))
        for item in fields(self):
            if "Callable" in str(item.type) and "Mapping" not in str(item.type):
                given = getattr(self, item.name)
                _need(self, item.name, callable(given) or (given is None and "None" in str(item.type)), "a function")
        _need(self, "words", type(self.words).__name__ == "Words", "Words")
        _need(self, "file", self.file is None or type(self.file).__name__ == "SettingsFile", "a SettingsFile or None")
        claimed = [name for page in self.pages for name in page.families]
        if twice := next((name for name in claimed if claimed.count(name) > 1), ""):
            raise TypeError(f"Modality.pages name the family {twice!r} twice; a family runs on one page. Name it once.")

    @property
    def page(self) -> RoomPage:
        """Return its first page, its own."""
        return self.pages[0]

    @property
    def title(self) -> str:
        """Return the title of its own page."""
        return self.page.title

    def page_for(self, family: str) -> RoomPage:
        """Return the page on which the models of a family run: the one that names it, else the first that names none.

        The first of all where every page names families, and none this one, so that no model is without a page.
        """
        claims = (page for page in self.pages if family in page.families)
        rest = (page for page in self.pages if not page.families)
        return next(claims, None) or next(rest, self.pages[0])

    def place(self, page: RoomPage) -> str:
        """Return what the keys of a page begin with: the room's id for its first page, `room/script` for another."""
        return self.id if page == self.page else f"{self.id}/{page.id}"
