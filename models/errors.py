"""The errors a person can meet, each a sentence that says what was given, what is allowed and what to do.

    PlaygroundError
    ├── BadRequest            the request cannot run as it is
    │   ├── UnknownModel      no such model id
    │   ├── BadParam          a setting is unknown, of the wrong type or out of range
    │   ├── BadInput          a prompt or upload is missing, empty or unreadable
    │   └── PromptTooLong     more tokens than the model's context holds
    ├── BadSetting            a setting of the app (`PLAYGROUND_*`) is wrong
    ├── CatalogError          a catalogue file is wrong; names the file and the allowed values
    ├── WeightsError          a weight or tokenizer file is missing or damaged
    ├── NotEnoughMemory       the model does not fit beside what is loaded and in use
    ├── Stopped               someone pressed Stop: there is no answer
    ├── QueueFull             too many jobs wait already
    ├── NotNow                this run cannot go ahead of the one under way; it waits on
    └── WorkerDied            the worker process ended while it ran this request
        └── ModelRefused      it did so twice in a row on this model

Errors cross the process boundary as plain data: dispatch on `code`, never on the class.
"""

from __future__ import annotations

from typing import Any, ClassVar


def restore(folder: str = "models/embedded") -> str:
    """Return what an error advises where a file of the app's own `folder` is missing or damaged."""
    return f"Restore it; if it came with the app, with `git checkout -- {folder}`."


class PlaygroundError(Exception):
    """Carry one sentence for the reader (`message`) and plain-JSON `details` for code."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **details: Any) -> None:
        message = message.encode("utf-8", "replace").decode()  # half a character, as in a file, cannot be shown
        super().__init__(message)
        self.message = message
        self.details = details

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain JSON: `code`, `message`, `details`."""
        return {"code": self.code, "message": self.message, "details": self.details}


class BadRequest(PlaygroundError):
    code = "bad_request"


class UnknownModel(BadRequest):
    code = "unknown_model"


class BadParam(BadRequest):
    code = "bad_param"


class BadInput(BadRequest):
    code = "bad_input"


class PromptTooLong(BadRequest):
    """`details`: `tokens` given, `limit` that the context holds."""

    code = "prompt_too_long"


class BadSetting(PlaygroundError):
    code = "bad_setting"


class CatalogError(PlaygroundError):
    code = "catalog"


class WeightsError(PlaygroundError):
    code = "weights"


class NotEnoughMemory(PlaygroundError):
    """`details`: `needed_bytes`, `free_bytes`, `could_unload` (model ids).

    Of a run that was refused also `run_bytes`, `room_bytes` (the most that it could have), `fresh` (a fresh worker
    would have the room) and `settings` or `models` that would fit. `midway`: it ran out while it ran; `gain_bytes` is
    what a fresh worker without other models has more.
    """

    code = "not_enough_memory"


class Stopped(PlaygroundError):
    code = "stopped"


class QueueFull(PlaygroundError):
    code = "queue_full"


class NotNow(PlaygroundError):
    code = "not_now"


class WorkerDied(PlaygroundError):
    """`details`: `reason` (one of `killed`, `crashed`, `out_of_memory`, `unresponsive`, `exited`, `closed`)."""

    code = "worker_died"


class ModelRefused(WorkerDied):
    code = "model_refused"


def _tree(root: type[PlaygroundError]) -> dict[str, type[PlaygroundError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found


def error_from_dict(data: dict[str, Any]) -> PlaygroundError:
    """Rebuild an error from `PlaygroundError.to_dict()`; an unknown code gives the base class."""
    kind = _tree(PlaygroundError).get(data.get("code", ""), PlaygroundError)
    return kind(data.get("message", "Something went wrong."), **data.get("details", {}))
