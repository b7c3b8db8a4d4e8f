"""Draw sound: one player, its wave, its spectrogram, its notes; and what a recogniser heard in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import streamlit as st

from components import state
from components.audio import spectrogram, word_times
from components.escape import plain
from components.widgets import charts, frame_player
from models.audio import loudness, scores, tunes
from models.errors import PlaygroundError
from models.types import Output

_NAMED = (0, 2, 4, 7, 9)  # C D E G A: the names of neighbours would touch
Read = Callable[[Output], bytes]
_VIEW = state.slot("sound-view", "")  # the one chosen last
STRANGE_MAX = 6  # sounds that are named one by one
_NOTE_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def draw(outputs: Sequence[Output], key: str, *, live: bool, read: Read) -> None:
    """Draw every sound of a run with the views that belong to it; `read` returns an output's bytes."""
    found = [output for output in outputs if output.kind == "audio"]
    for output in found:
        if len(found) > 1:
            st.markdown(f"**{output.index + 1}** · seed {output.meta.get('seed', '')}")
        views = [view for view in outputs if view.kind == "view" and view.index == output.index]
        if live or not output.media_type.startswith("audio/"):
            _draw_growing(output, views, f"{key}-{output.index}")
        else:
            if data := read(output):
                st.audio(data, format=output.media_type)
            if said := loudness.words(output.meta):
                st.caption(said)
            _draw_views(output, views, f"{key}-{output.index}", read)


def _draw_growing(output: Output, views: Sequence[Output], key: str) -> None:
    """Draw a sound on its way: notes so far, the spectrogram so far. Nothing plays yet."""
    if output.text.startswith("M:"):
        charts.draw(piano_roll(output.text), f"{key}-live")
    if output.meta.get("peaks"):
        charts.draw(wave(output), f"{key}-live-wave")
    for view in views:
        if view.data and view.meta.get("what") == "steps":
            st.image(view.data, width="stretch", alt="The spectrogram so far")
    if seconds := float(output.meta.get("seconds", 0)):
        how = ", refined all at once" if output.meta.get("at_once") else " so far"
        st.caption(f":material/graphic_eq: {seconds:.1f} s of sound{how}")


def _draw_views(output: Output, views: Sequence[Output], key: str, read: Read) -> None:
    kinds = {str(view.meta.get("what")): view for view in views}
    names = ["Wave"]
    if output.text.startswith("M:"):
        names = ["Notes", "Score", "Notation", "Wave"]
    if "mel" in kinds:
        names.append("Spectrogram")
    if "steps" in kinds:
        names.append("Steps")
    own = state.at(state.key(key, "view"), names[0])  # the next sound opens in the same view
    own.start(_VIEW.get() if _VIEW.get() in names else names[0])
    chosen = st.segmented_control(
        "View", names, required=True, key=own.key, label_visibility="collapsed", on_change=_VIEW.follow, args=(own,),
    )  # fmt: skip
    if chosen == "Wave":
        charts.draw(wave(output), f"{key}-wave")
    elif chosen == "Notes":
        charts.draw(piano_roll(output.text), f"{key}-roll")
        filled, bars = output.meta.get("bars_filled", 0), output.meta.get("bars", 0)
        st.caption(f"{filled} of {bars} bars have the right length.")
    elif chosen == "Score":
        _draw_score(output)
    elif chosen == "Notation":
        st.code(tunes.to_abc(output.text, "Tune", int(output.meta.get("tempo", 0))), language=None, wrap_lines=True)
    elif chosen == "Spectrogram":
        draw_mel(kinds["mel"], key, read)
    elif chosen == "Steps":
        _draw_steps(kinds["steps"], key, read)


def draw_mel(view: Output, key: str, read: Read) -> None:
    """Draw a mel spectrogram that can be zoomed, with its scales said in words."""
    seconds, top = float(view.meta.get("seconds", 0)), float(view.meta.get("top_hz", 0))
    alt = "Mel spectrogram: time to the right, frequency upwards, bright is loud"
    spectrogram.draw(read(view), seconds, top, f"{key}-mel", alt=alt)
    st.caption(f"{seconds:.1f} s, 0 to {top:,.0f} Hz on the mel scale (spaced as the ear hears). Bright: loud.")


def _draw_steps(view: Output, key: str, read: Read) -> None:
    count, times = int(view.meta["count"]), view.meta["timesteps"]
    digits = 0 if max(times) > 1 else 2  # some count noise from 1 to 0
    captions = [f"step {step} of {count} · t = {time:.{digits}f}" for step, time in enumerate(times, 1)]
    title = "Latent of the sound" if view.meta.get("of") == "latents" else "Predicted spectrogram (x₀)"
    frame_player.draw(
        read(view), count, tuple(view.meta["tile"]), f"{key}-steps", captions=captions, titles=(title, "")
    )


@st.cache_data(max_entries=50, show_spinner=False)
def _score(text: str) -> str:
    return scores.engrave(tunes.to_abc(text, ""))


def _draw_score(output: Output) -> None:
    try:
        st.image(_score(output.text), width="stretch", alt="The tune as sheet music")
    except PlaygroundError as error:
        st.info(plain(error.message), icon=":material/info:")


def wave(output: Output, *, small: bool = False) -> alt.Chart:
    """Return the wave of a sound, to be zoomed and moved along time; `small`: a still one without its axis."""
    peaks, seconds = output.meta.get("peaks", []), float(output.meta.get("seconds", 0))
    rows = [{"s": round(seconds * at / max(1, len(peaks)), 4), "low": low, "high": high}
            for at, (low, high) in enumerate(peaks)]  # fmt: skip
    along = {"axis": None} if small else {"title": "seconds"}
    chart = alt.Chart(alt.Data(values=rows)).mark_area(opacity=0.85).encode(
        x=alt.X("s:Q", scale=alt.Scale(domain=[0, seconds], nice=False), **along),
        y=alt.Y("low:Q", title=None, scale=alt.Scale(domain=[-1, 1]),
                axis=None if small else alt.Axis(labels=False, ticks=False)),
        y2="high:Q",
    ).properties(
        height=48 if small else 150, description=f"The wave of {seconds:.1f} seconds of sound",
    )  # fmt: skip
    return chart if small else chart.interactive(bind_y=False)


def piano_roll(text: str) -> alt.Chart:
    """Return a tune's written notes over time, repeats once, a bar line each bar."""
    tune = tunes.read(text)
    notes = [note for note in tunes.play(tune, repeats=False) if note.pitch is not None]
    rows = [
        {"start": float(note.start), "end": float(note.start + note.length), "pitch": pitch, "note": _note_name(pitch)}
        for note in notes if (pitch := note.pitch) is not None
    ]  # fmt: skip
    pitches = [note.pitch for note in notes if note.pitch is not None] or [60, 72]
    low, high = min(pitches), max(pitches)
    rows_of = list(range(low - 1, high + 2))
    end = max((float(note.start + note.length) for note in notes), default=8.0)
    return alt.Chart(alt.Data(values=rows)).mark_bar(cornerRadius=2, height=9).encode(
        x=alt.X("start:Q", title="eighths", scale=alt.Scale(domain=[0, end], nice=False),
                axis=alt.Axis(values=list(range(0, int(end) + 1, tune.bar_length)))),
        x2="end:Q",
        y=alt.Y("note:N", title=None, scale=alt.Scale(domain=[_note_name(pitch) for pitch in reversed(rows_of)]),
                axis=alt.Axis(values=[_note_name(pitch) for pitch in rows_of if pitch % 12 in _NAMED], ticks=False,
                              grid=True, labelOverlap=False)),
        tooltip=[alt.Tooltip("note:N"), alt.Tooltip("start:Q", title="at")],
    ).properties(height=max(140, 11 * (high - low + 3)),
                 description=f"Piano roll of {len(rows)} notes").interactive(bind_y=False)  # fmt: skip


def _note_name(pitch: int) -> str:
    return f"{_NOTE_NAMES[pitch % 12]}{pitch // 12 - 1}"


def tune_words(text: str) -> str:
    """Return what a tune is, in words: "jig in 6/8, D major"; "" for what is no tune."""
    if not text.startswith("M:"):
        return ""
    tune = tunes.read(text)
    key = f"{tune.key[:-3]} {tunes.MODES[tune.key[-3:]]}"
    kind = tune.rhythm if tune.rhythm in tunes.RHYTHMS and tune.rhythm != "any" else "tune"
    return f"{kind} in {tune.metre}, {key}"


def draw_heard(outputs: Sequence[Output], key: str, read: Read, recording: bytes | None = None) -> None:
    """Draw what a recogniser heard: the text, when and how sure, the odds over time, the spectrogram.

    Words that have times stand under a player of the `recording`, where that may be heard.
    """
    for output in outputs:
        if output.kind != "text":
            continue
        if words := output.meta.get("words"):
            if recording is not None:
                st.audio(recording)
            word_times.draw(words, f"{key}-{output.index}-words")
            _draw_views_heard(outputs, output, key, read)
            continue
        found, strange = output.meta.get("segments", []), output.meta.get("strange", [])
        what = str(output.meta.get("what") or "label")
        st.markdown("#### " + (plain(output.text) or (f"*Not a {plain(what)}*" if strange else "*Nothing*")))
        if strange:
            st.caption(f":material/block: {plain(strange_words(strange, what))}")
        said = [f"{one['label']} ({one['confidence']:.0%})" for one in found if "confidence" in one]
        if said:
            st.caption(plain("Confidence: " + ", ".join(said)))
        elif len(found) > 1:
            st.dataframe(
                [{"from": one["start_s"], "to": one["end_s"], "said": one["label"]} for one in found],
                hide_index=True, column_config={name: st.column_config.NumberColumn(format="%.1f s", width="small")
                                                for name in ("from", "to")},
            )  # fmt: skip
        _draw_views_heard(outputs, output, key, read)


def _draw_views_heard(outputs: Sequence[Output], output: Output, key: str, read: Read) -> None:
    views = {str(view.meta.get("what")): view for view in outputs if view.kind == "view"}
    if "mel" in views:
        draw_mel(views["mel"], f"{key}-{output.index}", read)
    if "odds" in views:
        charts.draw(odds(json.loads(read(views["odds"]))), f"{key}-odds")


def strange_words(strange: Sequence[dict[str, Any]], what: str) -> str:
    """Say what was left out as unlike everything that the recogniser learnt, and what each is least unlike."""
    parts = ", ".join(f"{one['start_s']:.1f} s (nearest: {one['label']}, outlier {one['outlier']:.1f})"
                      for one in strange[:STRANGE_MAX])  # fmt: skip
    more = f" and {len(strange) - STRANGE_MAX} more" if len(strange) > STRANGE_MAX else ""
    return f"Not a {what}, by its outlier score: at {parts}{more}."


def odds(content: dict[str, Any]) -> alt.Chart:
    """Return the odds of each label over time as a heat map; the blank is left out."""
    seconds, labels, table = content["seconds"], content["labels"], content["odds"]
    width = seconds / max(1, len(table))
    rows = [
        {"s": round(at * width, 3), "end": round((at + 1) * width, 3), "label": labels[place], "odds": value}
        for at, row in enumerate(table) for place, value in enumerate(row) if place and value >= 0.02
    ]  # fmt: skip
    return alt.Chart(alt.Data(values=rows)).mark_rect().encode(
        x=alt.X("s:Q", title="seconds", scale=alt.Scale(domain=[0, seconds], nice=False)),
        x2="end:Q",
        y=alt.Y("label:O", title=None, scale=alt.Scale(domain=labels[1:]),
                axis=alt.Axis(labelOverlap=False, labelFlush=False, labelBound=False)),
        opacity=alt.Opacity("odds:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None),
        tooltip=[alt.Tooltip("label:N"), alt.Tooltip("odds:Q", format=".0%"), alt.Tooltip("s:Q", title="at")],
    ).properties(
        height=max(140, 20 * len(labels) + 50), description="Probability of each label over time",
    ).interactive(bind_y=False)  # fmt: skip
