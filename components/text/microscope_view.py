"""The token microscope: a finished text token by token, seen again under other settings without writing it again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from components import job_panel, labelled, params_form, state, studies, theme
from components.escape import plain
from components.session import Session
from components.text import branch_tree, token_map
from components.text.branches import Written, is_view, root, tree, written_from
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.params import ParamField, in_effect
from models.runtime.jobs import Jobs
from models.spec import ModelSpec
from models.text import looks
from models.text.sampling.stages import SETTINGS, STAGES, beside, effective
from models.text.settings import NEUTRAL
from models.types import Output, Request, Run

TOOL = "microscope"
READ = 200  # runs of the session that are looked through for branches
_PIECES: state.Slot[dict[str, list[str]]] = state.slot("microscope-pieces", {})
PIECES_KEPT = 6  # texts whose pieces a session holds
_MEASURES = {"probability": "Probability", "entropy": "Uncertainty (entropy)", "rank": "Rank"}
_HELP = (
    "Probability: pale = expected, strong = surprising. Entropy: strong = many tokens were plausible. Rank: strong "
    "= far from the top choice."
)
SURPRISE_BITS = 8.0  # of the strongest colour


def fits(catalog: Catalog, run: Run) -> bool:
    """Say whether a run's making was kept and its family can look into it."""
    spec = catalog.get(run.request.model)
    kept = any(is_view(output) for output in run.outputs)
    return kept and spec is not None and TOOL in catalog.family(spec.id).tools


def draw(session: Session, run: Run, key: str) -> None:
    """Draw the branches of a text, and one of them under the microscope."""
    spec = session.catalog[run.request.model]
    runs = [*session.jobs.store.runs(session.owner, limit=READ, models=[run.request.model]), run]
    texts = written_from(list({one.id: one for one in runs}.values()), run.request)
    if not texts:
        return
    where = state.key("microscope", hashlib.sha256(json.dumps(root(run.request)).encode()).hexdigest()[:12])
    looked_at, showing = state.at(state.key(where, "of")), state.at(state.key(where, "shown"))
    names = {branch_tree.name(text.run.id, text.index): text for text in texts}
    own = next(name for name, text in names.items() if text.run.id == run.id)
    if looked_at.get() != run.id:  # a new run of this prompt: look at it, not at an older one
        looked_at.set(run.id)
        showing.set(own)
    shown = showing.get()
    shown = shown if shown in names else own
    if len(texts) > 1:
        st.caption(f"{len(texts)} texts from this prompt. Each branch is listed under the text it came from.")
        tree_key = state.key(where, "tree")
        nodes = tree(texts)
        made = [(node.written.run, node.written.output) for node in nodes]
        named = labelled.of_outputs(session.catalog, made, says=False)
        branch_tree.draw(nodes, named, shown, tree_key, lambda: _choose(showing, tree_key))
    _look(session, spec, names[shown], f"{key}-{shown}")


def _choose(showing: state.Slot[str], tree_key: str) -> None:
    picked = token_map.chosen(tree_key, "pick")
    if isinstance(picked, str):
        showing.set(picked)


@st.fragment
def _look(session: Session, spec: ModelSpec, text: Written, key: str) -> None:
    fields = session.catalog.family(spec.id).fields(spec)
    own = _own(fields, text.run)
    measure = st.segmented_control(
        "Colour by", list(_MEASURES), default="probability", required=True, format_func=_MEASURES.__getitem__,
        key=f"{key}-measure", help=_HELP,
    )  # fmt: skip
    with st.container(border=True, gap="small"):
        params = _settings(fields, own, key)
        with st.container(horizontal=True):
            st.button(
                "Reset to this text's settings", icon=":material/undo:", key=f"{key}-own", on_click=_set_back,
                args=(fields, own, key), disabled=params == own,
            )  # fmt: skip
            if st.button(
                "Use for the next run", icon=":material/tune:", key=f"{key}-use", on_click=_use,
                args=(spec, fields, text.run, params), help="Copies these settings to the sidebar.",
            ):  # fmt: skip
                st.rerun()
    if (found := scores(session, text, key)) is None:
        return
    text = found
    map_key, position_key = state.key(key, "map"), state.key(key, "position")
    position = min(state.at(position_key, 0).get(), len(text.ids) - 1)
    try:
        answer, pieces = _ask(session.jobs, spec, text, params, own, measure, position)
    except PlaygroundError as error:
        st.warning(plain(error.message), icon=":material/warning:")
        return
    st.markdown(sentence(answer, params, {item.name: item.label for item in fields}))
    shown = text.output
    asked = _Asked(session, spec, text, params, answer, map_key, position_key)
    told = words_of(answer["heat"], measure)
    token_map.draw(
        pieces, strengths(answer["heat"], measure), told, map_key, run=text.view.sha256,
        measure=measure, given=shown.text[: int(shown.meta.get("prompt_chars", 0))], stage=answer["stage"],
        stages=[_label(fields, name) for name in answer["stages"]], forced=text.forced,
        at=_position(answer, fields), on_pick=asked.pick, on_branch=asked.branch,
        branch="Press a token to continue from here with it. The original text is kept; the new one becomes a "
               "branch.",
    )  # fmt: skip
    if not answer["whole"]:
        st.caption(
            ":material/info: Only this model's likeliest tokens were saved, so entropy is a lower bound and typical-p, "
            "top-nσ, dynamic temperature, Mirostat and JSON-schema results are approximate."
        )
    if asked.went.pop():
        st.rerun()


def scores(session: Session, text: Written, key: str) -> Written | None:
    """Return a text whose logits are there: its own, or computed again. None while they are not, which is said."""
    if session.jobs.store.path(text.view.sha256).exists():
        return text
    asked = state.at(state.key(key, "again"), False)
    if not asked.get():
        took = text.run.stats.get("seconds", 0.0)
        st.info(
            "The scores of this text were cleared to save room; the newest texts keep theirs. The model can compute "
            f"them again, which takes about as long as the text did ({took:.0f} s).",
            icon=":material/cleaning_services:",
        )  # fmt: skip
        st.button("Compute again", icon=":material/refresh:", key=f"{key}-compute", on_click=asked.set, args=(True,))
        return None
    outputs = studies.study(session, text.run, again(text.run), looks.SCORES, load=False)
    if outputs is None:
        return None
    # a text that was stopped may go on for a token more here: the first ones are its own
    view = next((one for one in outputs if one.index == text.index and same_text(one, text)), None)
    if view is None:
        st.warning(
            "These settings now write another text, as after an update of the model or a library, so the scores of "
            "this one are lost. Run it again, then look at the new text.", icon=":material/warning:",
        )  # fmt: skip
        return None
    return text if view.sha256 == text.view.sha256 else replace(text, scores=view)


def again(run: Run) -> Request:
    """Return the request that computes the logits of a run's texts again; of one that was stopped, as far as it got."""
    params = dict(run.request.params)
    if run.status != "done":
        written = [len(one.meta.get("ids", ())) - int(one.meta.get("forced", 0)) for one in run.outputs if is_view(one)]
        params["max_new_tokens"] = max(1, *written)
    return run.request.model_copy(update={"params": params, "study": looks.SCORES})


def same_text(view: Output, text: Written) -> bool:
    """Say whether logits that were computed again are those of this text."""
    return tuple(view.meta.get("ids", ()))[: len(text.ids)] == text.ids


class _Asked:
    """What the callbacks of one drawn map need."""

    def __init__(
        self, session: Session, spec: ModelSpec, text: Written, params: Mapping[str, Any],
        answer: Mapping[str, Any], map_key: str, position_key: str,
    ) -> None:  # fmt: skip
        self.session, self.spec, self.text, self.params = session, spec, text, params
        self.answer, self.map_key, self.position = answer, map_key, state.at(position_key, 0)
        self.went = state.at(state.key(map_key, "went"), False)

    def pick(self) -> None:
        """Look at another position."""
        at = token_map.chosen(self.map_key, "pick")
        if isinstance(at, int) and 0 <= at < len(self.text.ids):
            self.position.set(at)

    def branch(self) -> None:
        """Write on from a position with another token, under the settings shown."""
        wanted = token_map.chosen(self.map_key, "branch")
        at = self.answer.get("at")
        if not isinstance(wanted, dict) or at is None or wanted.get("at") != at["at"]:
            return
        if not isinstance(wanted.get("id"), int):  # a list is in no set
            return
        known = {token["id"] for token in at["tokens"]}
        if wanted.get("id") not in known:
            return
        state.clear_notices()
        if not job_panel.busy(self.session):
            request = self.text.run.request
            forced = [*self.text.ids[: at["at"]], wanted["id"]]
            params = {**request.params, **self.params}
            params = {name: value for name, value in params.items() if name != "num_variants"}
            inputs = {**request.inputs, "forced": json.dumps(forced)}
            try:
                branch = request.model_copy(update={"inputs": inputs, "params": params})
                self.session.submit([branch])
            except PlaygroundError as error:
                state.notify(error.message)
        self.went.set(True)  # the whole page has to be drawn


def _own(fields: tuple[ParamField, ...], run: Run) -> dict[str, Any]:
    """Return the stages' settings under which a run wrote, off ones left out."""
    values = {**{item.name: item.default for item in fields}, **run.request.params}
    acting = set(in_effect(fields, values))
    return effective({name: values[name] for name in SETTINGS if name in acting})


def _settings(fields: tuple[ParamField, ...], own: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Draw a widget for each stage of the model, set to the text's own at first; return those that are on."""
    items = [item for item in fields if item.name in STAGES]
    rare = [item for item in items if item.advanced]
    st.caption(
        "What if the settings had been different? The text stays; tokens these settings would have removed "
        "are crossed out."
    )
    found = _columns([item for item in items if not item.advanced], own, key)
    if rare:
        fold = state.key(key, "more")
        st.html(f"<style>{theme.dotted([], [fold] if any(item.name in own for item in rare) else [])}</style>")
        with st.expander("More settings", key=fold):
            found |= _columns(rare, own, key)
            on = effective(found)
            found |= _columns([item for item in fields if beside(item.name) in on], own, key)
    return effective(found)


def _columns(items: Sequence[ParamField], own: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = {}
    for column, some in zip(st.columns(2), (items[::2], items[1::2]), strict=True):
        with column:
            for item in some:
                found[item.name] = params_form.draw_apart(item, _start(item, own), key)
    return found


def _start(item: ParamField, own: Mapping[str, Any]) -> Any:
    """Return where a widget begins: at the text's own value, or where its stage does nothing."""
    if item.name in own or item.optional:
        return own.get(item.name)
    return NEUTRAL.get(item.name, item.default)


def _set_back(fields: tuple[ParamField, ...], own: Mapping[str, Any], key: str) -> None:
    for item in fields:
        if item.name in SETTINGS:
            params_form.set_apart(item, _start(item, own), key)


def _use(spec: ModelSpec, fields: tuple[ParamField, ...], run: Run, params: Mapping[str, Any]) -> None:
    others = {name: value for name, value in run.request.params.items() if name not in SETTINGS}
    params_form.set_values(spec, fields, {**others, **params, "do_sample": True, "seed": run.request.seed})


def _ask(
    jobs: Jobs, spec: ModelSpec, text: Written, params: Mapping[str, Any], own: Mapping[str, Any], measure: str, at: int
) -> tuple[dict[str, Any], list[str]]:
    """Return the tool's answer, and the tokens' texts, which are asked for once."""
    kept = _PIECES.held()
    ref = f"sha256:{text.view.sha256}"
    data = {"ref": ref, "params": dict(params), "own": dict(own), "measure": measure, "position": at,
            "seed": text.run.request.seed, "row": text.index, "pieces": ref not in kept}  # fmt: skip
    answer = jobs.engine.call(spec.id, TOOL, data)
    if "pieces" in answer:
        kept[ref] = answer["pieces"]
        for old in list(kept)[:-PIECES_KEPT]:
            del kept[old]
    return answer, kept[ref]


def _position(answer: Mapping[str, Any], fields: tuple[ParamField, ...]) -> dict[str, Any]:
    at = answer["at"]
    drawn = next(token for token in at["tokens"] if token["id"] == at["drawn"])
    facts = (
        f"Probability {_percent(drawn['p'][0])}, rank {at['rank']:,}. Entropy {at['entropy']:.1f} bits: as uncertain "
        f"as {_tokens(round(2 ** at['entropy']), 'equally likely ')}. These settings leave {_tokens(at['left'])}; this "
        f"one then has {_percent(drawn['p'][-1])}."
    )
    return {**at, "facts": facts, "stages": [_label(fields, name) for name in at["stages"]]}


def _label(fields: tuple[ParamField, ...], name: str) -> str:
    return next((item.label for item in fields if item.name == name), name.replace("_", " "))


def _percent(p: float) -> str:
    return f"{100 * p:.0f}%" if p >= 0.0995 else f"{100 * p:.1f}%" if p >= 0.00095 else "under 0.1%"


def _tokens(count: int, which: str = "") -> str:
    return f"{count:,} {which}{'token' if count == 1 else 'tokens'}"


def sentence(answer: Mapping[str, Any], params: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Say what settings would have removed: "**34 of 120 tokens** would have been removed: 34 by top-p 0.8"."""
    total, counts = answer["tokens"], answer["forbidden"]
    perplexity = 2 ** answer["bits"]
    bits = (
        f"{answer['bits']:.2f} bits per token: like guessing among {_tokens(round(perplexity), 'equally likely ')} "
        f"each time (perplexity {perplexity:.1f})."
    )
    if not counts:
        return f"**None of {total:,} tokens** would have been removed under these settings. {bits}"

    def one(name: str) -> str:
        value = params.get(name)
        shown = f" {value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""
        label = labels.get(name, name)
        return f"{counts[name]:,} by {label[:1].lower()}{label[1:]}{shown}"

    return (
        f"**{sum(counts.values()):,} of {total:,} tokens** would have been removed: "
        f"{', '.join(plain(one(name)) for name in counts)}. {bits}"
    )


def strengths(heat: Sequence[float], measure: str) -> list[float]:
    """Return how strongly each token is coloured, 0 … 1, from the tool's numbers."""
    if measure != "probability":
        return list(heat)
    return [round(min(1.0, -math.log2(max(p, 1e-9)) / SURPRISE_BITS), 3) for p in heat]


def words_of(heat: Sequence[float], measure: str) -> list[str]:
    """Return each token's number in words."""
    if measure == "entropy":
        return [f"entropy {8 * value:.1f} bits" for value in heat]
    if measure == "rank":
        return [f"rank {10 ** (3 * value):.0f}" for value in heat]
    return [_percent(value) for value in heat]
