"""Chat: the Text page for models with a chat template. The conversation is what the owner's runs hold; see
`components.text.conversation`. The session keeps the way that is shown, the draft, the system prompt and what is
edited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from components import arrival, elsewhere, guide, look_closer, owners, params_form, state, writers
from components import desk as desks
from components.desk import Desk
from components.escape import plain
from components.example import example_run
from components.session import Session
from components.text import chat_files, chat_head, chat_tools, chat_view
from components.text.chat_head import OPENING, SYSTEM
from components.text.conversation import (
    Maker,
    Tree,
    Way,
    grow,
    is_chat,
    messages_before,
    newest_leaf,
    next_seed,
    opened,
    opening_of,
    read,
    siblings,
    system_of,
    way_of,
)  # fmt: skip
from models import lists
from models.errors import BadInput, PlaygroundError
from models.family import InputField
from models.params import ParamField
from models.plain_text import check_text
from models.runtime.job_view import JobView
from models.spec import ModelSpec
from models.types import Request, Run

WRITE, CHAT = "Write", "Chat"
_MODE = state.slot("text-mode", CHAT)
_WAY: state.Slot[Sequence[str]] = state.slot("chat-way", [])
_INPUT: state.Slot[str | None] = state.slot("chat-input", None)
_EDITING: state.Slot[Way | None] = state.slot("chat-editing", None)
_EDIT = state.slot("chat-edit", "")
_FOLLOWED: state.Slot[str | None] = state.slot("chat-followed", None)  # a job
ASK_ALL = "ask-all"  # the purpose of a job that puts one instruction to several models
_ICONS = {WRITE: ":material/edit_note:", CHAT: ":material/forum:"}


@dataclass(frozen=True)
class Chat:
    """What the callbacks of the drawn conversation need."""

    desk: Desk

    @property
    def session(self) -> Session:
        """Return the page's session."""
        return self.desk.session

    @property
    def spec(self) -> ModelSpec:
        """Return the model that answers."""
        return self.desk.spec

    @property
    def fields(self) -> tuple[ParamField, ...]:
        """Return its table of settings."""
        return self.desk.fields

    def send(self) -> None:
        """Take what was written as the next turn; what is refused comes back into the box."""
        text = writers.take_box(self.session, _INPUT.key, _INPUT.get())
        if text is None:
            return
        if not self.ask((*self.way(), text)):
            _INPUT.set(text)

    def ask(self, way: Way) -> bool:
        """Run the question that a way ends in, with settings as they are now; say whether it was queued."""
        state.clear_notices()
        if self.desk.busy():
            return False
        params_form.next_seed(self.spec, again=False)
        params, seed = params_form.acting_values(self.spec, self.fields)
        try:
            for at, text in enumerate(way):
                check_text(text, "question" if at % 2 == 0 else "answer")
            if len(way) > 1 and not way[-2].strip():
                raise BadInput("The answer before this turn is empty. Run it again, or edit the turn before it.")
            before = messages_before(way, SYSTEM.get())
            asked = {"prompt": way[-1], "messages": json.dumps(before, ensure_ascii=False)}
            given, said = lists.draw_inputs(self.desk.family, asked, seed, self.session.jobs.settings)
            if said:
                state.notify(said, "warning")
            request = Request(model=self.spec.id, inputs=given, params=params, seed=seed)
            chat_tools.check_length(self.session.jobs, self.spec, request)
            self.submit(request)
        except PlaygroundError as error:
            state.notify(error.message)
            return False
        return True

    def submit(self, request: Request) -> None:
        """Queue a turn and follow it. Raises `PlaygroundError`."""
        _FOLLOWED.set(self.session.submit([request]))
        _EDITING.pop()

    def again(self, maker: Maker) -> None:
        """Answer a question again by the same model with the same settings and the next seed."""
        state.clear_notices()
        if self.desk.busy():
            return
        seed = next_seed(self.tree(), maker)
        try:
            self.submit(maker.run.request.model_copy(update={"seed": seed}))
        except PlaygroundError as error:
            state.notify(error.message)

    def again_now(self, way: Way) -> None:
        """Answer a question again with all as it is set now, unless that has been answered: then show that."""
        params, seed = params_form.acting_values(self.spec, self.fields)
        tree, system = self.tree(), SYSTEM.get().strip()
        for other in (answer for answer in siblings(tree, (*way, ""))[0] if answer in tree.makers):
            for maker in tree.makers[other]:
                request, kept = maker.run.request, state.at(params_form.lock_key(self.seed_key), True).get()
                same = (request.model, request.params, request.seed) == (self.spec.id, params, seed)
                if same and kept and maker.run.status == "done" and read(request)[0].strip() == system:
                    self.walk(newest_leaf(tree, other))
                    state.notify("Same settings and seed give this same answer. Move a slider or change the seed.",
                                 "info")  # fmt: skip
                    return
        self.ask(way)

    @property
    def seed_key(self) -> str:
        """Return the key of the seed's box."""
        return state.setting_key(self.spec.id, "seed")

    def tree(self) -> Tree:
        """Return the tree of the owner's runs and of what came as files."""
        return grow(chat_tools.runs_of(self.session), chat_files.came())

    def way(self) -> Way:
        """Return the way that is shown, that of a new conversation with its opening."""
        return opened(shown(), OPENING.get())

    def walk(self, way: Way) -> None:
        """Show another branch down to its newest answer."""
        state.clear_notices()
        _WAY.set(list(newest_leaf(self.tree(), way)))
        _EDITING.pop()

    def edit(self, way: Way) -> None:
        """Open the question that a way ends in for changing."""
        _EDITING.set(way)
        _EDIT.set(way[-1])

    def run_edit(self) -> None:
        """Run the changed question as a branch beside the one that it was."""
        way = _EDITING.get()
        if way is not None:
            self.ask((*way[:-1], _EDIT.get()))

    def cancel(self) -> None:
        """Leave the question as it was."""
        _EDITING.pop()

    def begin(self) -> None:
        """Begin a new conversation; the old one is kept among the branches."""
        state.clear_notices()
        _WAY.set([])
        _EDITING.pop()

    def bring_in(self) -> None:
        """Show the conversation of a file that was just uploaded."""
        state.clear_notices()
        talk = chat_files.take()
        if talk is not None:
            _show(talk.system, way_of(talk), talk.question)

    def restore(self, request: Request) -> None:
        """Set model, system prompt, settings and seed to those of an answer; the conversation stays as it is."""
        state.clear_notices()
        try:
            desks.apply(self.session, self.desk.page, request)
        except PlaygroundError as error:
            state.notify(error.message, "warning")
            return
        _given(self.desk).pop()
        SYSTEM.set(read(request)[0])

    def acts(self) -> chat_view.Acts:
        """Return what can be done with a turn here."""
        return chat_view.Acts(
            self.walk, self.again, self.again_now, self.edit, self.run_edit, self.cancel, self.restore
        )


def shown() -> Way:
    """Return the way that is shown."""
    return tuple(_WAY.get())


def stay() -> None:
    """Keep to what is shown, whatever else is answered meanwhile."""
    _WAY.held()


def write() -> None:
    """Choose writing, before the page is drawn."""
    _MODE.set(WRITE)


def choose(desk: Desk) -> bool:
    """Draw the choice between writing and talking for a model with a chat template; say whether it is talking."""
    given = _given(desk).pop()  # of a link or a run that was restored
    if not desk.spec.facts.get("chat"):
        return False
    if given is not None:
        _MODE.set(CHAT if given else WRITE)
    if given:
        _open(desk, given)
    _MODE.held()
    mode = st.segmented_control(
        "Mode", [CHAT, WRITE], key=_MODE.key, required=True, persist_state="session", label_visibility="collapsed",
        format_func=lambda name: f"{_ICONS[name]} {name}", help=None,
    )  # fmt: skip
    return mode == CHAT


def apart(view: JobView) -> bool:
    """Say whether a job is drawn by this mode alone: a finished turn, or one instruction put to several models."""
    return view.purpose == ASK_ALL or (view.finished and is_chat(view.requests[0]))


def draw(chat: Chat) -> None:
    """Draw the conversation with all around it."""
    writers.settle(chat.session, _INPUT.key)
    runs = chat_tools.runs_of(chat.session)
    tree = grow(runs, chat_files.came())
    living = next((view for view in chat.session.jobs.jobs_of(chat.session.owner) if not view.finished), None)
    talking = living is not None and living.purpose != ASK_ALL and is_chat(living.requests[0])
    _follow(tree, runs, living if talking else None, chat)
    chat_head.draw(chat.session, tree, shown(), chat_tools.system_effect(chat.spec))
    way = chat.way()
    chat_tools.draw_line(
        chat.session, chat.spec, tree, shown(), chat.begin, chat.walk, chat.bring_in, locked=talking,
        trims=bool(params_form.values(chat.spec, chat.fields).get("cut_prompt")),
    )  # fmt: skip
    asked = read(living.requests[0])[1] if living is not None and talking else ()
    _draw_turns(chat, tree, asked[:-1] if asked else way, chat.acts(), locked=living is not None)
    guide.draw(chat_tools.newest_turn(chat.session), "chat")
    if living is not None and talking:
        owners.draw_loss(chat.session.known)
        chat_view.draw_living(chat.session, living, asked)
    else:
        _draw_closer(chat, tree, way)
        _draw_start(chat, way, living)
    state.draw_notices()
    waits = "An answer is being written …" if living is not None else "Reply …"
    writers.draw_box_line(chat.session, _INPUT.key)
    st.chat_input(
        waits if way or living is not None else chat_head.begins(chat.spec), key=_INPUT.key,
        disabled=living is not None or writers.is_going(_INPUT.key), on_submit=chat.send,
        **writers.box_asks(chat.session),
    )  # fmt: skip


def _follow(tree: Tree, runs: list[Run], living: JobView | None, chat: Chat) -> None:
    """Go on to the answer of the job that was followed, once it is there; a page that knows no way takes the newest."""
    if living is not None:
        if not _WAY.there:  # after a reload
            system, way = read(living.requests[0])
            _WAY.set(list(way[:-1]))
            SYSTEM.start(system)
            OPENING.start(opening_of(way))
        _FOLLOWED.set(living.id)
        return
    if not _WAY.there and (leaf := newest_leaf(tree)):
        _WAY.set(list(leaf))
        SYSTEM.start(system_of(tree, leaf))
        OPENING.start(opening_of(leaf))
    followed = _FOLLOWED.pop()
    if followed is None:
        return
    done = next((run for run in runs if run.job == followed), None)
    if done is not None:
        answers = [output.text for output in done.outputs if output.kind == "text"]
        _WAY.set([*read(done.request)[1], next((text for text in answers if text), "")])
        return
    view = chat.session.jobs.view(chat.session.owner, followed)
    if view is not None:  # stopped while it waited
        _INPUT.set(read(view.requests[0])[1][-1])
        state.notify("Stopped before it began. Your message is back in the box.", "info")


def _given(desk: Desk) -> state.Slot[str | None]:
    return state.at(state.input_key(desk.place, "messages"), None)


def restore_messages(desk: Desk, item: InputField, given: Mapping[str, str]) -> None:
    """Keep the earlier turns of a request, for `choose` to open; "" where it has none."""
    _given(desk).set(given.get(item.name, ""))


def _open(desk: Desk, given: str) -> None:
    """Show the conversation of a link, its last question in the box."""
    prompt = desk.prompt.get()
    try:
        system, way = read(Request(model=desk.spec.id, inputs={"prompt": prompt, "messages": given}))
    except PlaygroundError as error:
        state.notify(error.message, "warning")
        return
    _show(system, way[:-1], way[-1])


def _show(system: str, way: Way, question: str) -> None:
    """Show a conversation, what its next question is in the box."""
    _WAY.set(list(way))
    SYSTEM.set(system)
    OPENING.set(opening_of(way))
    _EDITING.pop()
    if question:
        _INPUT.set(question)


def _draw_turns(chat: Chat, tree: Tree, way: Way, acts: chat_view.Acts, *, locked: bool) -> None:
    editing = _EDITING.get()
    for at in range(len(way)):
        part = way[: at + 1]
        if part == ("",):
            continue  # the assistant speaks first
        if at % 2 == 0:
            chat_view.draw_question(tree, part, acts, edit_key=_EDIT.key if editing == part else "", locked=locked)
        elif opening_of(part) and len(part) == 2:
            chat_view.draw_opening(tree, part, acts, locked=locked)
        else:
            job = tree.makers[part][-1].run.job if part in tree.makers and len(part) == len(way) else ""
            chat_view.draw_answer(chat.desk, tree, part, acts, locked=locked, run=job)


def _draw_closer(chat: Chat, tree: Tree, way: Way) -> None:
    """Draw what can be looked into of the last answer."""
    for maker in tree.makers.get(way, [])[-1:]:
        if maker.run.request.model in chat.session.catalog and maker.text and not maker.run.error:
            look_closer.draw(chat.session, maker.run, f"chat-after-{maker.run.id}")


def _draw_start(chat: Chat, way: Way, living: JobView | None) -> None:
    """Draw what stands where no answer is being written: another run of this session, or what one may ask."""
    if living is not None and living.purpose != ASK_ALL:
        elsewhere.draw(chat.session, chat.desk.page)
        return
    # what a link asks for is not answered by a stock example
    example = example_run(chat.spec) if not way and arrival.opened_model(chat.desk) != chat.spec.id else None
    if example is not None and example.outputs:
        st.caption(":material/lightbulb: **An example** from this model. Ask for something below to make your own.")
        with st.chat_message("user", avatar=chat_view.ASKED):
            chat_view.say(example.request.inputs.get("prompt", ""), f"example-asked-{chat.spec.id}", asked=True)
        with st.chat_message("assistant", avatar=chat_view.ANSWERED):
            chat_view.say(example.outputs[0].text, f"example-{chat.spec.id}")
    if chat.spec.examples:
        st.pills(
            "Try", chat.spec.examples, key=_example(chat).key, label_visibility="collapsed",
            format_func=plain, on_change=_take_example, args=(chat,), wrap=True, disabled=living is not None,
        )  # fmt: skip


def _example(chat: Chat) -> state.Slot[str | None]:
    return state.at(state.key(chat.spec.id, "chat-examples"), None)


def _take_example(chat: Chat) -> None:
    chosen = _example(chat).get()
    if chosen:
        _example(chat).set(None)  # the pill is a shortcut, not a state
        chat.ask((*chat.way(), chosen))
