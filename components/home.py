"""The Home page: what this is, and a first run with one click."""

from __future__ import annotations

import streamlit as st

from components import example, presence, services, state, story_view
from components.runtime import catalog as read_catalog
from models.errors import PlaygroundError
from models.types import Request

# one prompt and one seed at three temperatures: what this playground is about, at one glance
TEMPERATURES = (0.3, 0.8, 1.6)
FIRST_PROMPT = "Once upon a time a small dragon"
TEXT_PAGE = "pages/text.py"


def show() -> None:
    """Draw the page."""
    st.title("See what a setting does", anchor=False)
    st.markdown(
        "This is a playground for generative AI: write a beginning, move a slider, and watch what changes. "
        "Its models are small, ship with it and run on this machine, so nothing is downloaded and no account is "
        "needed. Every result keeps its settings, and a link carries them to someone else."
    )
    text = [spec for spec in read_catalog().values() if spec.modality == "text"]
    if not text:
        st.error("No model can be used. The catalogue has the details.")
        return
    spec = text[0]
    st.text(f"“{FIRST_PROMPT} …”")
    # the worker warms up while this page is read
    jobs, owner = services.jobs(), presence.session_id()
    if st.button("Write this story", type="primary", icon=":material/auto_stories:", key="first-run"):
        st.session_state[state.prompt_key("text")] = FIRST_PROMPT
        try:
            jobs.submit(owner, [Request(model=spec.id, inputs={"prompt": FIRST_PROMPT}, seed=0)])
        except PlaygroundError as error:
            state.notify(error.message)
        st.switch_page(TEXT_PAGE)
    _draw_example(spec.name)
    st.subheader("What is here", anchor=False)
    with st.container(border=True):
        st.page_link(TEXT_PAGE, label="**Text**", icon=":material/article:")
        st.markdown(
            "A Transformer and an LSTM that learnt the same stories, and chat models made from one of them by "
            "instructions and by feedback. See temperature, top-p and every other setting act, token by token."
        )
    with st.container(border=True):
        st.page_link("pages/image.py", label="**Image**", icon=":material/image:")
        st.markdown(
            "Emoji drawn from words by three architectures side by side: a latent diffusion in Stable Diffusion's "
            "layout, a GAN and a VAE. Steps, guidance, schedulers, inpainting, walks between seeds and prompts."
        )
    with st.container(border=True):
        st.page_link("pages/audio.py", label="**Audio**", icon=":material/graphic_eq:")
        st.markdown(
            "Folk tunes written note by note and played, by a Transformer and an LSTM; numbers spoken in six voices; "
            "a recogniser for your own. Metre, key, temperature, instrument, steps: hear each one act."
        )


def _draw_example(name: str) -> None:
    runs = [example.read_run(example.EXAMPLES / f"temperature-{value}.json") for value in TEMPERATURES]
    st.caption(
        f":material/lightbulb: **An example** by {name}: the same beginning and the same seed at three temperatures."
    )
    story_view.draw(
        [run.outputs[0] for run in runs], "home-example", run="home-example",
        titles=[f"Temperature {value}" for value in TEMPERATURES],
    )  # fmt: skip
