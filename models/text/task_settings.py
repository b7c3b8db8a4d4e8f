"""The settings of models that turn one text into another and of those that put it under labels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.params import Params, above, hint

_SAMPLING = {"do_sample": [True], "temperature": above(0)}
_BEAMS = {"num_beams": above(1)}


class Seq2SeqParams(Params):
    """Declare the settings of `generate()` that encoder-decoder models honour.

    Beam search: Lowerre 1976; its length penalty: Wu et al. 2016. No-repeat n-grams: Paulus et al. 2017.
    """

    num_beams: int = Field(
        4, ge=1, le=8, description="Beam search: how many candidate texts are followed at once. 1: none. More: slower, "
                                   "often better up to about 5.",
        json_schema_extra=hint(label="Beams", group="Search", live=True, cost="each"),
    )  # fmt: skip
    length_penalty: float = Field(
        1.0, ge=-2.0, le=4.0, description="Which of the finished candidates wins. Above 0: longer ones are favoured; "
                                          "below 0: shorter ones. 1: their mean log-probability decides.",
        json_schema_extra=hint(label="Length penalty", step=0.1, group="Search", shown_if=_BEAMS),
    )  # fmt: skip
    early_stopping: bool = Field(
        False, description="On: ends as soon as there are as many finished candidates as beams. Off: goes on while a "
                           "better one is likely.",
        json_schema_extra=hint(label="Early stopping", group="Search", shown_if=_BEAMS, advanced=True),
    )  # fmt: skip
    alternatives: int = Field(
        1, ge=1, le=8, description="How many finished candidates of each part are shown with their scores, at most as "
                                   "many as beams. 1: the best alone.",
        json_schema_extra=hint(label="Alternatives", counts=True, group="Search", shown_if=_BEAMS),
    )  # fmt: skip
    do_sample: bool = Field(
        False, description="On: draws tokens by chance, so that each seed gives another text. Off: the likeliest text.",
        json_schema_extra=hint(label="Sampling", group="Sampling", live=True),
    )  # fmt: skip
    temperature: float = Field(
        1.0, ge=0.05, le=2.0, description="Low: keeps to the likeliest tokens. High: lets rare ones in, with errors.",
        json_schema_extra=hint(label="Temperature", neutral=1.0, step=0.05, group="Sampling",
                               shown_if={"do_sample": [True]}, instead="do_sample=false with num_beams=1 is greedy"),
    )  # fmt: skip
    top_p: float = Field(
        1.0, ge=0.05, le=1.0, description="Nucleus sampling: draws only from the likeliest tokens whose probabilities "
                                          "add up to this. Lower: safer, less varied. 1: off.",
        json_schema_extra=hint(label="Top-p", neutral=1.0, step=0.01, group="Sampling",
                               shown_if={"do_sample": [True]}),
    )  # fmt: skip
    top_k: int | None = Field(
        None, ge=1, le=200, description="Draws only from this many likeliest tokens. Small: safe; large: more variety.",
        json_schema_extra=hint(label="Top-k", group="Sampling", advanced=True, shown_if={"do_sample": [True]}),
    )  # fmt: skip
    max_new_tokens: int = Field(
        128, ge=1, le=1024, description="At most this many tokens for each part of the text. Longer ones are cut off.",
        json_schema_extra=hint(label="Length", group="Length", unit="tokens", cost="limit"),
    )  # fmt: skip
    min_new_tokens: int = Field(
        0, ge=0, le=512, description="At least this many tokens for each part: the model may not end before. 0: off.",
        json_schema_extra=hint(label="Least length", group="Length", unit="tokens", neutral=0, advanced=True),
    )  # fmt: skip
    no_repeat_ngram_size: int = Field(
        0, ge=0, le=10, description="No sequence of this many tokens may occur twice in a part. Small numbers block "
                                    "even names. 0: off.",
        json_schema_extra=hint(label="No-repeat n-gram size", group="Repetition", unit="tokens", neutral=0),
    )  # fmt: skip
    repetition_penalty: float = Field(
        1.0, ge=1.0, le=2.0, description="Makes tokens that already occurred less likely. 1: off; 1.1–1.3: fewer "
                                         "loops; higher: even names change.",
        json_schema_extra=hint(label="Repetition penalty", group="Repetition", step=0.05, neutral=1.0, advanced=True),
    )  # fmt: skip
    parts: Literal["sentences", "lines"] = Field(
        "lines", description="What the model reads at once. Sentences: each by itself. Lines: as many sentences of "
                             "a line as fit.",
        json_schema_extra=hint(label="Read by", group="Text"),
    )  # fmt: skip
    glossary: list[str] = Field(
        [], max_length=50, description="Words that stay as they are, such as names. “cat = minet” puts one word for "
                                       "another.",
        json_schema_extra=hint(label="Glossary", group="Text"),
    )  # fmt: skip
    prefix: str = Field(
        "", max_length=200, description="Words put before each part. Some models are told so what to do, such as "
                                        "“summarize: ”.",
        json_schema_extra=hint(label="Instruction", group="Text", advanced=True),
    )  # fmt: skip


class ClassifierParams(Params):
    """Declare what gets a label, and what is kept of the labels' probabilities."""

    by: Literal["text", "lines", "column"] = Field(
        "text", description="What gets a label. Text: all of it one. Lines: each line its own. Column: each row of a "
                            "table (CSV).",
        json_schema_extra=hint(label="Label by", group="Input", live=True),
    )  # fmt: skip
    threshold: float = Field(
        0.0, ge=0.0, le=1.0, description="Below this probability no label is given. High: only sure answers; 0: always "
                                         "one.",
        json_schema_extra=hint(label="Threshold", neutral=0.0, step=0.01, group="Answer"),
    )  # fmt: skip
    temperature: float = Field(
        1.0, ge=0.25, le=4.0, description="Divides the logits. Below 1: more confident; above 1: less so. The order "
                                          "stays.",
        json_schema_extra=hint(label="Temperature", neutral=1.0, step=0.05, group="Answer", log=True),
    )  # fmt: skip
    top_labels: int = Field(
        5, ge=1, le=20, description="How many of the likeliest labels are listed.",
        json_schema_extra=hint(label="Labels listed", counts=True, group="Answer"),
    )  # fmt: skip


class ZeroShotParams(ClassifierParams):
    """Declare the labels that a text is compared with, and how."""

    labels: list[str] = Field(
        ["good news", "bad news", "a question"], max_length=20, description="The labels to choose from, in words.",
        json_schema_extra=hint(label="Labels", group="Labels"),
    )  # fmt: skip
    template: str = Field(
        "This text is about {}.", max_length=200, description="A sentence about the text; {} stands for a label. The "
                                                              "model says whether it follows from the text.",
        json_schema_extra=hint(label="Hypothesis", group="Labels"),
    )  # fmt: skip
    several: bool = Field(
        False, description="On: each label is judged by itself, so several may hold. Off: they share one probability.",
        json_schema_extra=hint(label="Several labels", group="Labels"),
    )  # fmt: skip


class EmbeddingParams(Params):
    """Declare what is compared, how a text becomes one vector, and how many of the nearest are listed."""

    by: Literal["lines", "sentences"] = Field(
        "lines", description="What is compared. Lines: each line is one text. Sentences: each sentence is, as in a "
                             "long document.",
        json_schema_extra=hint(label="Compare by", group="Input"),
    )  # fmt: skip
    pooling: Literal["mean", "cls", "max"] = Field(
        "mean", description="How the vectors of a text's tokens become one: their mean, that of the first token "
                            "(CLS), or the greatest of each number.",
        json_schema_extra=hint(label="Pooling", group="Vectors", names={"cls": "CLS"}),
    )  # fmt: skip
    normalise: bool = Field(
        True, description="On: cosine similarity, −1 to 1; the vectors' direction alone counts. Off: dot product; "
                          "longer vectors come out nearer.",
        json_schema_extra=hint(label="Normalise", group="Vectors", live=True),
    )  # fmt: skip
    threshold: float = Field(
        -1.0, ge=-1.0, le=1.0, description="Texts below this similarity are left out. High: near ones alone; −1: off.",
        json_schema_extra=hint(label="Threshold", neutral=-1.0, step=0.01, group="Answer",
                               shown_if={"normalise": [True]}),
    )  # fmt: skip
    top_texts: int = Field(
        10, ge=1, le=100, description="How many of the nearest texts are listed.",
        json_schema_extra=hint(label="Texts listed", counts=True, group="Answer"),
    )  # fmt: skip
