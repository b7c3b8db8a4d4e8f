"""What a language model keeps of several texts between two steps: keys and values, or a recurrent state.

A row of it can be asked for alone, as the model's own `generate()` would hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from transformers import Cache, DynamicCache


class Group:
    """Hold keys and values of rows of one length: for each layer rows × heads × room × width."""

    def __init__(self, caches: Sequence[Any], length: int, room: int) -> None:
        self.rows, self.length = len(caches), length
        self.keys, self.values = (
            [self._filled([getattr(cache.layers[at], name) for cache in caches], room)
             for at in range(len(caches[0].layers))]
            for name in ("keys", "values")
        )  # fmt: skip

    def _filled(self, parts: Sequence[torch.Tensor], room: int) -> torch.Tensor:
        _, heads, length, width = parts[0].shape
        whole = parts[0].new_empty(len(parts), heads, length + room, width)
        for row, part in enumerate(parts):
            whole[row, :, :length] = part[0]
        return whole

    def keep(self, rows: Sequence[int]) -> None:
        self.keys = [one[list(rows)] for one in self.keys]
        self.values = [one[list(rows)] for one in self.values]
        self.rows = len(rows)


class Keys(Cache):  # type: ignore[misc, unused-ignore]
    """Keep the keys and values of rows of several lengths; a model's layers see no difference."""

    def __init__(self, caches: Sequence[Any], lengths: Sequence[int], room: int) -> None:
        self.layers: list[Any] = []  # the base class's own are not used
        self.groups = []
        for length in dict.fromkeys(lengths):
            mine = [cache for cache, its in zip(caches, lengths, strict=True) if its == length]
            self.groups.append(Group(mine, length, room))

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> Any:
        """Take one more position of each row; return the keys and values of each group."""
        keys, values, at = [], [], 0
        for group in self.groups:
            mine, end = slice(at, at + group.rows), group.length
            group.keys[layer_idx][:, :, end] = key_states[mine, :, 0]
            group.values[layer_idx][:, :, end] = value_states[mine, :, 0]
            keys.append(group.keys[layer_idx][:, :, : end + 1])
            values.append(group.values[layer_idx][:, :, : end + 1])
            at += group.rows
        return keys, values

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the length of the longest row."""
        return max(group.length for group in self.groups)

    # -- what `Together` asks ----------------------------------------------------------------------------------------

    @property
    def lengths(self) -> list[int]:
        return [group.length for group in self.groups for _ in range(group.rows)]

    def given(self) -> dict[str, Any]:
        at = torch.tensor(self.lengths)[:, None]  # rows × 1
        return {"past_key_values": self, "position_ids": at}

    def alone(self, row: int, model: Any) -> dict[str, Any]:
        cache, length = DynamicCache(config=model.config), self.lengths[row]
        for group in self.groups:
            if row < group.rows:
                for at, (keys, values) in enumerate(zip(group.keys, group.values, strict=True)):
                    cache.update(*(one[row : row + 1, :, :length].contiguous() for one in (keys, values)), at)
                break
            row -= group.rows
        return {
            "past_key_values": cache, "position_ids": torch.tensor([[length]]),
            "attention_mask": torch.ones(1, length + 1, dtype=torch.int64),
        }  # fmt: skip

    def take(self, out: Any) -> None:
        for group in self.groups:
            group.length += 1

    def keep(self, rows: Sequence[int]) -> None:
        at = 0
        for group in self.groups:
            mine, at = [row - at for row in rows if at <= row < at + group.rows], at + group.rows
            if len(mine) < group.rows:
                group.keep(mine)
        self.groups = [group for group in self.groups if group.rows]


class State:
    """Keep the recurrent state of rows: tensors of layers × rows × width."""

    name: ClassVar[str] = "state"

    def __init__(self, outs: Sequence[Any]) -> None:
        self.tensors = tuple(torch.cat(parts, dim=1) for parts in zip(*(out[self.name] for out in outs), strict=True))

    def given(self) -> dict[str, Any]:
        return {self.name: self.tensors}

    def alone(self, row: int, model: Any) -> dict[str, Any]:
        return {self.name: tuple(one[:, row : row + 1].contiguous() for one in self.tensors)}

    def take(self, out: Any) -> None:
        self.tensors = out[self.name]

    def keep(self, rows: Sequence[int]) -> None:
        self.tensors = tuple(one[:, list(rows)] for one in self.tensors)
