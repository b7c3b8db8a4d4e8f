"""The settings of models that say in words what an image shows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.params import Params, above, hint

WRITERS = {"lstm": "LSTM", "transformer": "Transformer"}  # decoders by name, and what pages call them
BOTH: Literal["both"] = "both"
_DRAWN = {"do_sample": [True]}


class CaptionParams(Params):
    """Declare which decoder writes, how it chooses words, and how many captions it writes.

    Beam search: Lowerre 1976. Its length penalty: Wu et al. 2016.
    """

    decoder: Literal["both", "lstm", "transformer"] = Field(
        BOTH, description="Which network writes. LSTM: one recurrent state, word after word. Transformer: each word "
                          "attends to all before it. Both attend to the same image.",
        json_schema_extra=hint(label="Decoder", group="Writing", names={**WRITERS, BOTH: "both"}),
    )  # fmt: skip
    captions: int = Field(
        3, ge=1, le=5, description="How many captions each decoder gives: the best of the beams, or as many draws. "
                                   "Each is shown with its probability.",
        json_schema_extra=hint(label="Captions", counts=True, step=1, group="Writing"),
    )  # fmt: skip
    with_style: bool = Field(
        True, description="On: the style is said, too, as in “pizza, 3d”. Off: the caption ends with the name.",
        json_schema_extra=hint(label="Say the style", group="Writing"),
    )  # fmt: skip
    do_sample: bool = Field(
        False, description="On: draws words by chance, so that each seed gives other captions. Off: the likeliest "
                           "captions.",
        json_schema_extra=hint(label="Sampling", group="Sampling", live=True),
    )  # fmt: skip
    num_beams: int = Field(
        4, ge=1, le=8, description="Beam search: how many captions are followed at once. 1: the likeliest word each "
                                   "time (greedy), one caption. More: slower, seldom better above 4.",
        json_schema_extra=hint(label="Beams", step=1, group="Search", shown_if={"do_sample": [False]}),
    )  # fmt: skip
    length_penalty: float = Field(
        0.0, ge=-2.0, le=2.0, description="Which finished beam wins. 0: the likeliest; above: longer ones; below: "
                                          "shorter ones. Each caption shows its plain probability.",
        json_schema_extra=hint(label="Length penalty", neutral=0.0, step=0.1, group="Search", advanced=True,
                               shown_if={"do_sample": [False], "num_beams": above(1)}),
    )  # fmt: skip
    temperature: float = Field(
        0.7, ge=0.05, le=3.0, description="Low: keeps to the likeliest words. High: lets rare ones in, until names "
                                          "mix.",
        json_schema_extra=hint(label="Temperature", neutral=1.0, step=0.05, group="Sampling", shown_if=_DRAWN,
                               instead="do_sample=false with num_beams=1 is greedy"),
    )  # fmt: skip
    top_k: int | None = Field(
        None, ge=1, le=200, description="Draws only from this many likeliest words. Small: safe; large: more variety.",
        json_schema_extra=hint(label="Top-k", group="Sampling", shown_if=_DRAWN),
    )  # fmt: skip
    top_p: float = Field(
        1.0, ge=0.05, le=1.0, description="Nucleus sampling: draws only from the likeliest words whose probabilities "
                                          "add up to this. Lower: safer, less varied. 1: off.",
        json_schema_extra=hint(label="Top-p", neutral=1.0, step=0.01, group="Sampling", shown_if=_DRAWN),
    )  # fmt: skip
