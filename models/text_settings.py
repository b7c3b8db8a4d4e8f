"""The settings of language models: one declaration that page, link, command line and API share."""

from __future__ import annotations

from pydantic import Field

from models.params import Params, hint

_SAMPLING = {"do_sample": [True]}


class CausalLMParams(Params):
    """Declare the settings of `generate()` that every causal model honours.

    top-k: Fan et al. 2018; top-p: Holtzman et al. 2020; min-p: Nguyen et al. 2024; typical-p: Meister et al. 2023;
    repetition penalty: Keskar et al. 2019 (CTRL).
    """

    max_new_tokens: int = Field(
        160, ge=1, le=4096, description="The most tokens it may add; a story that ends by itself is shorter.",
        json_schema_extra=hint(label="Length", group="Length", unit="tokens"),
    )  # fmt: skip
    do_sample: bool = Field(
        True, description="On: draw each token by chance. Off: always take the likeliest one (greedy), so that every "
        "run gives the same, often repetitive text.",
        json_schema_extra=hint(label="Sample", group="Chance", live=True),
    )  # fmt: skip
    temperature: float = Field(
        0.8, ge=0.05, le=2.0, description="Low keeps to the likeliest words, calm and repetitive; high lets rare "
        "words in, lively and soon confused.",
        json_schema_extra=hint(step=0.05, group="Chance", shown_if=_SAMPLING),
    )  # fmt: skip
    top_p: float = Field(
        0.95, ge=0.05, le=1.0, description="Draws only from the likeliest tokens that together hold this share of "
        "the odds; lower cuts off more rare words. 1 cuts nothing.",
        json_schema_extra=hint(label="Top-p", step=0.01, group="Chance", shown_if=_SAMPLING),
    )  # fmt: skip
    top_k: int | None = Field(
        None, ge=1, le=200, description="Draws only from this many likeliest tokens; small numbers keep the text on "
        "well-trodden paths.",
        json_schema_extra=hint(label="Top-k", group="Chance", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    min_p: float | None = Field(
        None, ge=0.01, le=1.0, description="Drops tokens less likely than this share of the likeliest one; unlike "
        "top-p it cuts harder where the model is sure.",
        json_schema_extra=hint(label="Min-p", step=0.01, group="Chance", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    typical_p: float | None = Field(
        None, ge=0.05, le=0.99, description="Keeps tokens about as surprising as the model expects, so that it drops "
        "the too obvious ones as well as the too rare.",
        json_schema_extra=hint(label="Typical-p", step=0.01, group="Chance", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    repetition_penalty: float = Field(
        1.0, ge=1.0, le=2.0, description="Makes words that were already used less likely; too much and names change "
        "in the middle of a story. 1 does nothing.",
        json_schema_extra=hint(step=0.05, group="Repetition"),
    )  # fmt: skip
    no_repeat_ngram_size: int | None = Field(
        None, ge=2, le=10, description="Forbids any run of this many tokens to come twice; small numbers forbid even "
        "names.",
        json_schema_extra=hint(label="No repeated run of", group="Repetition", advanced=True, unit="tokens"),
    )  # fmt: skip
    num_variants: int = Field(
        1, ge=1, le=4, description="Writes this many continuations of the same prompt side by side.",
        json_schema_extra=hint(label="Variants", group="Output", shown_if=_SAMPLING),
    )  # fmt: skip
    stop: list[str] = Field(
        default_factory=list, max_length=4, description="Ends the text where one of these appears; the stop text "
        "itself is left out.",
        json_schema_extra=hint(label="Stop at", group="Output", advanced=True),
    )  # fmt: skip
    cut_prompt: bool = Field(
        False, description="Lets a prompt that is too long for the model lose its beginning, instead of being refused.",
        json_schema_extra=hint(label="Cut a long prompt", group="Length"),
    )  # fmt: skip
