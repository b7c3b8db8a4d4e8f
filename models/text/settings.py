"""The settings of language models: one declaration that page, link, command line and API share."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from models.errors import BadInput
from models.params import Params, above, hint, neutral_values
from models.plain_text import check_text

_SAMPLING = {"do_sample": [True], "temperature": above(0)}
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
        160, ge=1, le=4096, description="At most this many new tokens. The model may end earlier by itself.",
        json_schema_extra=hint(label="Length", cost="limit", group="Length", unit="tokens"),
    )  # fmt: skip
    do_sample: bool = Field(
        True, description="On: draw each token by chance. Off: always take the likeliest one (greedy), so that every "
        "run gives the same, often repetitive text.",
        json_schema_extra=hint(label="Sampling", group="Sampling", live=True),
    )  # fmt: skip
    temperature: float = Field(
        0.8, ge=0.0, le=2.0,
        description="Low keeps to the likeliest words, calm and repetitive; high lets rare "
        "words in, lively and soon confused. 0: greedy.",
        json_schema_extra=hint(neutral=1.0, neutral_unless={"dynatemp_range": above(0)}, step=0.05, group="Sampling",
                               live=True, shown_if={"do_sample": [True]}),
    )  # fmt: skip
    top_p: float = Field(
        0.95, ge=0.05, le=1.0, description="Nucleus sampling: draws only from the likeliest tokens whose "
                                           "probabilities add up to this. Lower: safer, less varied. 1: off.",
        json_schema_extra=hint(label="Top-p", neutral=1.0, step=0.01, group="Sampling", shown_if=_SAMPLING),
    )  # fmt: skip
    top_k: int | None = Field(
        None, ge=1, le=200, description="Draws only from this many likeliest tokens. Small: safe and predictable; "
                                        "large: more variety.",
        json_schema_extra=hint(label="Top-k", group="Sampling", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    min_p: float | None = Field(
        None, ge=0.01, le=1.0, description="Drops tokens less likely than this fraction of the top token. Higher: "
                                           "safer. Few tokens stay when the model is sure, many when not.",
        json_schema_extra=hint(label="Min-p", step=0.01, group="Sampling", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    typical_p: float | None = Field(
        None, ge=0.05, le=0.99, description="Keeps tokens whose surprise is close to the model's average, up to "
                                            "this total probability. Lower: fewer tokens, sometimes without the "
                                            "top one.",
        json_schema_extra=hint(label="Typical-p", step=0.01, group="Sampling", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    top_n_sigma: float | None = Field(
        None, ge=0.1, le=5.0,
        description="Keeps tokens whose logit is within this many standard deviations of the best. Smaller: safer. "
                    "Temperature does not change which tokens stay.",
        json_schema_extra=hint(label="Top-nσ", step=0.1, group="Sampling", advanced=True, shown_if=_SAMPLING),
    )  # fmt: skip
    xtc_probability: float = Field(
        0.0, ge=0.0, le=1.0, description="Probability that XTC removes the obvious tokens at a step (all above the "
                                         "threshold but the least likely). 0: off; 0.5 is usual.",
        json_schema_extra=hint(label="XTC", neutral=0.0, step=0.05, group="Sampling", advanced=True, live=True,
                               shown_if=_SAMPLING),
    )  # fmt: skip
    xtc_threshold: float = Field(
        XTC_THRESHOLD, ge=0.01, le=0.5, description="Tokens more likely than this count as obvious; XTC keeps only "
                                                    "the least likely of them. Lower: wilder. No effect unless two "
                                                    "qualify.",
        json_schema_extra=hint(label="XTC threshold", step=0.01, group="Sampling", advanced=True,
                               shown_if={"xtc_probability": above(0)}),
    )  # fmt: skip
    dynatemp_range: float = Field(
        0.0, ge=0.0, le=2.0,
        description="Varies the temperature by this much: lower where the model is sure, higher where many tokens "
                    "would do. 0: off.",
        json_schema_extra=hint(label="Dynamic temperature ±", neutral=0.0, step=0.05, group="Sampling", advanced=True,
                               live=True, shown_if=_SAMPLING),
    )  # fmt: skip
    dynatemp_exponent: float = Field(
        DYNATEMP_EXPONENT, ge=0.1, le=5.0, description="Above 1: the temperature stays low until the model is "
                                                       "quite unsure. Below 1: it rises early.",
        json_schema_extra=hint(label="Dynamic temperature exponent", step=0.1, group="Sampling", advanced=True,
                               shown_if={"dynatemp_range": above(0)}),
    )  # fmt: skip
    mirostat_tau: float | None = Field(
        None, ge=0.1, le=10.0,
        description="Mirostat: steers towards this average surprise, in bits per token. Low: dull; high: wild. "
                    "Works best at temperature 1 without other filters.",
        json_schema_extra=hint(label="Mirostat τ (target surprise)", step=0.1, group="Sampling", advanced=True,
                               live=True, shown_if=_SAMPLING, unit="bits"),
    )  # fmt: skip
    mirostat_eta: float = Field(
        MIROSTAT_ETA, ge=0.01, le=1.0,
        description="How fast Mirostat corrects. High: reacts to each token; low: to the text as a whole.",
        json_schema_extra=hint(label="Mirostat η (learning rate)", step=0.01, group="Sampling", advanced=True,
                               shown_if={"mirostat_tau": above(0)}),
    )  # fmt: skip
    repetition_penalty: float = Field(
        1.0, ge=1.0, le=2.0, description="Makes tokens that already occurred less likely, in the prompt too. 1: "
                                         "off; 1.1–1.3: fewer loops; higher: even names change.",
        json_schema_extra=hint(neutral=1.0, step=0.05, group="Repetition"),
    )  # fmt: skip
    no_repeat_ngram_size: int | None = Field(
        None, ge=2, le=10, description="No sequence of this many tokens may occur twice, prompt included. Small "
                                       "numbers block even names.",
        json_schema_extra=hint(label="No-repeat n-gram size", group="Repetition", advanced=True, unit="tokens"),
    )  # fmt: skip
    frequency_penalty: float = Field(
        0.0, ge=-2.0, le=2.0, description="Lowers a token's logit each time it occurs in the answer. Positive: "
                                          "fewer repeats; negative: more. 0: off.",
        json_schema_extra=hint(neutral=0.0, step=0.1, group="Repetition", advanced=True),
    )  # fmt: skip
    presence_penalty: float = Field(
        0.0, ge=-2.0, le=2.0, description="Lowers a token's logit once it has occurred in the answer, however "
                                          "often. Positive: new topics; negative: stays on topic. 0: off.",
        json_schema_extra=hint(neutral=0.0, step=0.1, group="Repetition", advanced=True),
    )  # fmt: skip
    dry_multiplier: float = Field(
        0.0, ge=0.0, le=5.0,
        description="DRY: penalises repeated phrases, the longer the stronger. 0: off; 0.8 is usual. Names made of "
                    "several tokens can suffer too.",
        json_schema_extra=hint(label="DRY", neutral=0.0, step=0.1, group="Repetition", advanced=True, live=True),
    )  # fmt: skip
    dry_base: float = Field(
        DRY_BASE, ge=1.0, le=4.0, description="How fast the DRY penalty grows with each further repeated token. 1: "
                                              "no growth; 1.75 is usual.",
        json_schema_extra=hint(label="DRY base", step=0.05, group="Repetition", advanced=True,
                               shown_if={"dry_multiplier": above(0)}),
    )  # fmt: skip
    dry_allowed_length: int = Field(
        DRY_ALLOWED_LENGTH, ge=1, le=20,
        description="Repeats shorter than this are free; longer ones are penalised. Higher: only long repeats are "
                    "discouraged.",
        json_schema_extra=hint(label="DRY allowed length", group="Repetition", advanced=True, unit="tokens",
                               shown_if={"dry_multiplier": above(0)}),
    )  # fmt: skip
    banned: list[str] = Field(
        default_factory=list, max_length=20,
        description="These exact strings never appear. “cat” also blocks “category”; “Cat” needs its own entry. "
                    "\\n: a line break.",
        json_schema_extra=hint(label="Banned words", group="Words", advanced=True),
    )  # fmt: skip
    bias: list[str] = Field(
        default_factory=list, max_length=20, description="Raises or lowers words: “dragon: +5”, “the: -2.5” (-100 "
                                                         "to 100). Each 0.7 doubles or halves the odds.",
        json_schema_extra=hint(label="Word bias (logit bias)", group="Words", advanced=True),
    )  # fmt: skip
    guidance_scale: float = Field(
        1.0, ge=1.0, le=5.0,
        description="Classifier-free guidance: pushes the text towards the prompt and away from the negative "
                    "prompt. Twice the time. 1: off.",
        json_schema_extra=hint(label="Guidance", neutral=1.0, step=0.1, group="Guidance", advanced=True, live=True),
    )  # fmt: skip
    negative_prompt: str = Field(
        "", description="Guidance steers away from this text. Empty: away from what the model writes without a "
                        "prompt.",
        json_schema_extra=hint(label="Negative prompt", group="Guidance", advanced=True,
                               shown_if={"guidance_scale": above(1.0)}),
    )  # fmt: skip
    num_variants: int = Field(
        1, ge=1, le=4, description="How many continuations are written for the same prompt, side by side.",
        json_schema_extra=hint(label="Variants", neutral=1, counts=True, group="Output", shown_if=_SAMPLING),
    )  # fmt: skip
    stop: list[str] = Field(
        default_factory=list, max_length=4, description="The text ends where one of these strings appears; the "
                                                        "string itself is left out. \\n: a line break.",
        json_schema_extra=hint(label="Stop sequences", group="Output", advanced=True),
    )  # fmt: skip
    cut_prompt: bool = Field(
        False, description="On: a prompt that is too long loses its beginning. Off: it is refused.",
        json_schema_extra=hint(label="Trim long prompts", neutral=False, group="Length"),
    )  # fmt: skip
    json_schema: str = Field(
        "", max_length=20_000, description="Forces the output to be JSON that fits this schema. Empty: free text. "
                                           "Too short a length can leave it incomplete.",
        json_schema_extra=hint(label="JSON schema", group="Output", advanced=True),
    )  # fmt: skip
    prompt_lookup_num_tokens: int | None = Field(
        None, ge=1, le=20,
        description="Speeds up repetitive text: copies up to this many tokens from earlier text and checks them "
                    "together. Greedy output stays the same.",
        json_schema_extra=hint(label="Prompt-lookup decoding", group="Speed", advanced=True, live=True, unit="tokens",
                               shown_if={"guidance_scale": [1.0]}),
    )  # fmt: skip
    reuse_cache: bool = Field(
        False,
        description="Keeps the cache of the last prompt and skips the shared beginning: chats answer sooner. "
                    "Rounding may change the text slightly.",
        json_schema_extra=hint(label="Reuse prompt cache (KV cache)", neutral=False, group="Speed", advanced=True,
                               shown_if={"prompt_lookup_num_tokens": [None]}),
    )  # fmt: skip

    @property
    def samples(self) -> bool:
        """Say whether tokens are drawn by chance; temperature 0 is greedy decoding, whatever `do_sample` says."""
        return self.do_sample and self.temperature > 0


NEUTRAL = neutral_values(CausalLMParams)  # values at which a setting does nothing


def check_words(params: CausalLMParams) -> None:
    """Refuse stop sequences, banned words, biases and a negative prompt that could not work. Raises `BadInput`."""
    check_text(params.negative_prompt, "negative_prompt")
    for stop in params.stop:
        _check_length(stop, "stop sequence", STOP_MAX_CHARS)
    for text in params.banned:
        _check_length(text, "banned word", WORD_MAX_CHARS)
    read_bias(params.bias)


def unescaped(text: str) -> str:
    r"""Return a text with the line breaks and tabs that are typed as `\n` and `\t`; `\\` is a backslash."""
    return re.sub(r"\\([nt\\])", lambda found: {"n": "\n", "t": "\t", "\\": "\\"}[found[1]], text)


def read_bias(entries: Sequence[str]) -> list[tuple[str, float]]:
    """Return words and what is added to their logits, from entries such as "dragon: +2.5". Raises `BadInput`."""
    found = []
    for entry in entries:
        text, colon, amount = entry.rpartition(":")
        text = unescaped(text.strip())
        try:
            number = float(amount.replace("\u2212", "-")) if colon and text else float("nan")
        except ValueError:
            number = float("nan")
        if not -BIAS_MOST <= number <= BIAS_MOST:
            raise BadInput(
                f"“{entry[:60]}” cannot be read. Write a word, a colon and a number from -100 to 100, such as "
                "“dragon: +2.5”."
            )
        _check_length(text, "biased word", WORD_MAX_CHARS)
        found.append((text, number))
    return found


def _check_length(text: str, what: str, most: int) -> None:
    check_text(text, what)
    if not text or len(text) > most:
        raise BadInput(f"A {what} has {len(text)} characters; 1 to {most} are allowed. Change or remove it.")
