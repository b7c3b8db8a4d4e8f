"""The settings of language models: one declaration that page, link, command line and API share."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from models.errors import BadInput
from models.params import Params, above, hint, neutral_values
from models.plain_text import check_text

_SAMPLING = {"do_sample": [True]}
STOP_MAX_CHARS = 100
WORD_MAX_CHARS = 100
BIAS_MOST = 100.0
DRY_BASE, DRY_ALLOWED_LENGTH = 1.75, 2
XTC_THRESHOLD = 0.1
DYNATEMP_EXPONENT = 1.0
MIROSTAT_ETA = 0.1
TEMPERATURE_LEAST = 0.05


class CausalLMParams(Params):
    """Declare the settings of `generate()` that every causal model honours.

    top-k: Fan et al. 2018; top-p: Holtzman et al. 2020; min-p: Nguyen et al. 2024; typical-p: Meister et al. 2023;
    repetition penalty: Keskar et al. 2019 (CTRL). Frequency and presence penalty: OpenAI's API. DRY and XTC:
    P. E. Weidmann 2024. Mirostat 2: Basu et al. 2021. Top-nσ: Tang et al. 2024. Dynamic temperature: koboldcpp and
    llama.cpp. Guidance: Sanchez et al. 2023. Prompt lookup: Saxena 2023. Their order: `models.text.sampling.stages`.
    """

    max_new_tokens: int = Field(
        160, ge=1, le=4096, description="The most tokens it may add; a story that ends by itself is shorter.",
        json_schema_extra=hint(label="Length", cost="limit", group="Length", unit="tokens"),
    )  # fmt: skip
    do_sample: bool = Field(
        True, description="On: draw each token by chance. Off: always take the likeliest one (greedy), so that every "
        "run gives the same, often repetitive text.",
        json_schema_extra=hint(label="Sample", group="Chance", live=True),
    )  # fmt: skip
    temperature: float = Field(
        0.8, ge=TEMPERATURE_LEAST, le=2.0,
        description="Low keeps to the likeliest words, calm and repetitive; high lets rare "
        "words in, lively and soon confused.",
        json_schema_extra=hint(neutral=1.0, neutral_unless={"dynatemp_range": above(0)}, step=0.05, group="Chance",
                               shown_if=_SAMPLING),
    )  # fmt: skip
    top_p: float = Field(
        0.95, ge=0.05, le=1.0, description="Draws only from the likeliest tokens that together hold this share of "
        "the odds; lower cuts off more rare words. 1 cuts nothing.",
        json_schema_extra=hint(label="Top-p", neutral=1.0, step=0.01, group="Chance", shown_if=_SAMPLING),
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
    top_n_sigma: float | None = Field(
        None, ge=0.1, le=5.0,
        description="Keeps tokens whose score is within this many standard deviations of the best "
        "one; unlike the other cuts it leaves the same tokens at any temperature.",
        json_schema_extra=hint(label="Top-nσ", step=0.1, group="Chance", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    xtc_probability: float = Field(
        0.0, ge=0.0, le=1.0, description="How often the obvious tokens are struck out (XTC), so that the text takes a "
        "less trodden turn. 0 does nothing.",
        json_schema_extra=hint(label="XTC", neutral=0.0, step=0.05, group="Chance", advanced=True, live=True,
                               shown_if=_SAMPLING),
    )  # fmt: skip
    xtc_threshold: float = Field(
        XTC_THRESHOLD, ge=0.01, le=0.5, description="What counts as obvious: of all tokens more likely than this, XTC "
        "leaves only the least likely. Lower makes wilder turns.",
        json_schema_extra=hint(label="XTC threshold", step=0.01, group="Chance", advanced=True,
                               shown_if={"xtc_probability": above(0)}),
    )  # fmt: skip
    dynatemp_range: float = Field(
        0.0, ge=0.0, le=2.0,
        description="Lets the temperature follow the model: this much lower where it is sure of the "
        "next word, this much higher where many would do. 0 does nothing.",
        json_schema_extra=hint(label="Dynamic temperature ±", neutral=0.0, step=0.05, group="Chance", advanced=True,
                               live=True, shown_if=_SAMPLING),
    )  # fmt: skip
    dynatemp_exponent: float = Field(
        DYNATEMP_EXPONENT, ge=0.1, le=5.0, description="Above 1, the dynamic temperature stays low until the model is "
        "quite unsure; below 1, it rises soon.",
        json_schema_extra=hint(label="Dynamic temperature's curve", step=0.1, group="Chance", advanced=True,
                               shown_if={"dynatemp_range": above(0)}),
    )  # fmt: skip
    mirostat_tau: float | None = Field(
        None, ge=0.1, le=10.0,
        description="Steers the text (Mirostat) so that its tokens are this surprising on average, "
        "in bits: low is dull, high is wild, and it stays so to the end. Best with temperature 1 and no other cut.",
        json_schema_extra=hint(label="Mirostat surprise", step=0.1, group="Chance", advanced=True, live=True,
                               shown_if=_SAMPLING, unit="bits"),
    )  # fmt: skip
    mirostat_eta: float = Field(
        MIROSTAT_ETA, ge=0.01, le=1.0,
        description="How fast Mirostat steers: high follows each token, low the whole text.",
        json_schema_extra=hint(label="Mirostat speed", step=0.01, group="Chance", advanced=True,
                               shown_if={"mirostat_tau": above(0)}),
    )  # fmt: skip
    repetition_penalty: float = Field(
        1.0, ge=1.0, le=2.0, description="Makes words that were already used less likely; too much and names change "
        "in the middle of a story. 1 does nothing.",
        json_schema_extra=hint(neutral=1.0, step=0.05, group="Repetition"),
    )  # fmt: skip
    no_repeat_ngram_size: int | None = Field(
        None, ge=2, le=10, description="Forbids any run of this many tokens to come twice; small numbers forbid even "
        "names.",
        json_schema_extra=hint(label="No repeated run of", group="Repetition", advanced=True, unit="tokens"),
    )  # fmt: skip
    frequency_penalty: float = Field(
        0.0, ge=-2.0, le=2.0, description="Lowers a token each time that the answer says it; below 0 the text repeats "
        "itself more and more. 0 does nothing.",
        json_schema_extra=hint(neutral=0.0, step=0.1, group="Repetition", advanced=True),
    )  # fmt: skip
    presence_penalty: float = Field(
        0.0, ge=-2.0, le=2.0, description="Lowers a token once the answer has said it, however often: the text goes on "
        "to new things. Below 0 it keeps to what it has. 0 does nothing.",
        json_schema_extra=hint(neutral=0.0, step=0.1, group="Repetition", advanced=True),
    )  # fmt: skip
    dry_multiplier: float = Field(
        0.0, ge=0.0, le=5.0,
        description="Makes it hard to say whole phrases twice (DRY), the longer the harder; single "
        "words and names stay free. 0 does nothing.",
        json_schema_extra=hint(label="DRY", neutral=0.0, step=0.1, group="Repetition", advanced=True, live=True),
    )  # fmt: skip
    dry_base: float = Field(
        DRY_BASE, ge=1.0, le=4.0, description="How much harder each further repeated token gets.",
        json_schema_extra=hint(label="DRY growth", step=0.05, group="Repetition", advanced=True,
                               shown_if={"dry_multiplier": above(0)}),
    )  # fmt: skip
    dry_allowed_length: int = Field(
        DRY_ALLOWED_LENGTH, ge=1, le=20,
        description="The shortest repeated phrase that DRY makes harder to go on with.",
        json_schema_extra=hint(label="DRY from a run of", group="Repetition", advanced=True, unit="tokens",
                               shown_if={"dry_multiplier": above(0)}),
    )  # fmt: skip
    banned: list[str] = Field(
        default_factory=list, max_length=20,
        description="Texts that must not appear, written exactly so: “cat” forbids "
        "“category” too, “Cat” is another.",
        json_schema_extra=hint(label="Never write", group="Words", advanced=True),
    )  # fmt: skip
    bias: list[str] = Field(
        default_factory=list, max_length=20, description="Makes words likelier or rarer: “dragon: +5” or “the: -2.5”. "
        "From -100 to 100; each 0.7 doubles or halves the odds.",
        json_schema_extra=hint(label="Favour or avoid", group="Words", advanced=True),
    )  # fmt: skip
    guidance_scale: float = Field(
        1.0, ge=1.0, le=5.0,
        description="Follows the prompt more closely than the model would by itself, and away from a "
        "negative prompt if there is one; takes twice the time. 1 does nothing.",
        json_schema_extra=hint(label="Guidance", neutral=1.0, step=0.1, group="Guidance", advanced=True, live=True),
    )  # fmt: skip
    negative_prompt: str = Field(
        "", description="What guidance leads away from: a beginning like the prompt. Empty: from what comes without a "
        "prompt.",
        json_schema_extra=hint(label="Negative prompt", group="Guidance", advanced=True,
                               shown_if={"guidance_scale": above(1.0)}),
    )  # fmt: skip
    num_variants: int = Field(
        1, ge=1, le=4, description="Writes this many continuations of the same prompt side by side.",
        json_schema_extra=hint(label="Variants", neutral=1, group="Output", shown_if=_SAMPLING),
    )  # fmt: skip
    stop: list[str] = Field(
        default_factory=list, max_length=4, description="Ends the text where one of these appears; the stop text "
        "itself is left out.",
        json_schema_extra=hint(label="Stop at", group="Output", advanced=True),
    )  # fmt: skip
    cut_prompt: bool = Field(
        False, description="Lets a prompt that is too long for the model lose its beginning, instead of being refused.",
        json_schema_extra=hint(label="Cut a long prompt", neutral=False, group="Length"),
    )  # fmt: skip
    json_schema: str = Field(
        "", max_length=20_000, description="Makes the text JSON that fits this JSON schema. Empty: free text. A short "
        "length can cut it off before it is complete.",
        json_schema_extra=hint(label="JSON schema", group="Output", advanced=True),
    )  # fmt: skip
    prompt_lookup_num_tokens: int | None = Field(
        None, ge=1, le=20,
        description="Guesses up to this many tokens from what was said before and checks them at once: "
        "quicker where text repeats. Greedy text stays the same; by chance: same odds, another sample.",
        json_schema_extra=hint(label="Prompt lookup", group="Speed", advanced=True, live=True, unit="tokens",
                               shown_if={"guidance_scale": [1.0]}),
    )  # fmt: skip
    reuse_cache: bool = Field(
        False,
        description="Does not read again what the last run on this model began with alike: a chat answers sooner. "
        "Rounding may then differ, so the same request can give another text.",
        json_schema_extra=hint(label="Reuse what was read", neutral=False, group="Speed", advanced=True,
                               shown_if={"prompt_lookup_num_tokens": [None]}),
    )  # fmt: skip


NEUTRAL = neutral_values(CausalLMParams)  # values at which a setting does nothing


def check_words(params: CausalLMParams) -> None:
    """Refuse stop texts, banned texts, biases and a negative prompt that could not work. Raises `BadInput`."""
    check_text(params.negative_prompt, "negative_prompt")
    for stop in params.stop:
        _check_length(stop, "stop text", STOP_MAX_CHARS)
    for text in params.banned:
        _check_length(text, "banned text", WORD_MAX_CHARS)
    read_bias(params.bias)


def read_bias(entries: Sequence[str]) -> list[tuple[str, float]]:
    """Return words and what is added to their scores, from entries such as "dragon: +2.5". Raises `BadInput`."""
    found = []
    for entry in entries:
        text, colon, amount = entry.rpartition(":")
        text = text.strip()
        try:
            number = float(amount.replace("\u2212", "-")) if colon and text else float("nan")
        except ValueError:
            number = float("nan")
        if not -BIAS_MOST <= number <= BIAS_MOST:
            raise BadInput(
                f"“{entry[:60]}” is no bias. Write a word, a colon and a number from -100 to 100, as in “dragon: +2.5”."
            )
        _check_length(text, "word of a bias", WORD_MAX_CHARS)
        found.append((text, number))
    return found


def _check_length(text: str, what: str, most: int) -> None:
    check_text(text, what)
    if not text or len(text) > most:
        raise BadInput(f"A {what} has {len(text)} characters; 1 to {most} are allowed. Change or remove it.")
