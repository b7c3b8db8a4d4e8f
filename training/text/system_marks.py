"""Measure what a system prompt does to a chat model: how often an instruction in it shows in the answer.

    python -m training.text.system_marks --model models/embedded/story-chat

Each question is answered under the same random numbers without a system prompt, then with each of five. "Short" and
"long" stood in the training conversations so, what the others ask for in other words alone. An instruction shows if the
answer is shorter (longer) than the one without, ends sadly, names a dragon, or calls somebody Mia. Chance alone makes
half of the answers shorter, and some end sadly anyway: the share without a system prompt stands beside each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.text.instructions import LONG, SHORT, mood_of, things

# a story about one thing, asked in one wording: what differs is the system prompt alone
THINGS = (
    "fox", "boat", "cake", "key", "owl", "tree", "river", "lamp", "horse", "garden", "kite", "snow", "bear", "drum",
    "ship", "frog", "hat", "moon", "castle", "bike", "pond", "robot", "shell", "mouse", "train",
)  # fmt: skip
Shows = Callable[[str, str], bool]  # (answer, answer without a system prompt)
PROMPTS: dict[str, tuple[str, Shows]] = {
    "short": (SHORT, lambda text, without: len(text) < len(without)),
    "long": (LONG, lambda text, without: len(text) > len(without)),
    "sad": ("Every story must end sadly.", lambda text, without: mood_of(text) == "sad"),
    "dragon": ("Put a dragon into every story.", lambda text, without: "dragon" in things(text)),
    "name": ("Name the hero of each story Mia.", lambda text, without: "Mia" in text),
}


def main() -> None:
    """Measure the model that the command line names, and add what was found to its marks.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model to measure")
    parser.add_argument("--rounds", type=int, default=4, help="answers to each question, each from other seeds")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    from training.text.chat_marks import answers
    from training.text.chat_model import load_merged, make_tokenizer

    model, tokenizer = load_merged(options.model).eval(), make_tokenizer(options.model)
    questions = [f"Tell me a story about {'an' if one[0] in 'aeiou' else 'a'} {one}." for one in THINGS]

    def told(system: str) -> list[str]:
        return [
            text for turn in range(options.rounds)
            for text, _ in answers(model, tokenizer, questions, 1000 * turn, system=system)
        ]  # fmt: skip

    found = marks(told)
    file = options.model / "marks.json"
    content = json.loads(file.read_text("utf-8"))
    content["marks"] |= found
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    print(json.dumps(found, indent=1))


def marks(told: Callable[[str], Sequence[str]]) -> dict[str, Any]:
    """Return the share of answers in which each instruction shows, with it and, for what is no comparison, without.

    `told(system)` returns the answers to the same questions in the same order; "" is no system prompt.
    """
    without = told("")
    found: dict[str, Any] = {"system_answers": len(without)}
    for name, (system, shows) in PROMPTS.items():
        pairs = list(zip(told(system), without, strict=True))
        found[f"system_{name}"] = round(sum(shows(one, other) for one, other in pairs) / len(pairs), 4)
        if name in ("sad", "dragon", "name"):
            found[f"system_{name}_without"] = round(sum(shows(one, "") for one in without) / len(without), 4)
    return found


if __name__ == "__main__":
    main()
