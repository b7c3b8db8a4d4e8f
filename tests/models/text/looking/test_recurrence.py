"""The recurrent state over a text, held against the equations of an LSTM, a step at a time."""

import numpy as np
import torch

from models.runtime.engine import StopSignal
from models.text.looking import passes, recurrence
from tests.models.text.looking.test_passes import context, found, ids_of
from tests.tiny import final_of, plain
from tests.tiny.kept_texts import look, written


def by_hand(net, ids):
    """Return hidden and cell states, layers × 2 × units × tokens, from the gates' own equations."""
    size, states = net.config.hidden_size, []
    held = [(torch.zeros(size), torch.zeros(size)) for _ in range(net.config.num_hidden_layers)]
    for token in ids:
        x = net.embed.weight[token]
        for layer, (hidden, cell) in enumerate(held):
            named = {name: getattr(net.lstm, f"{name}_l{layer}") for name in ("weight_ih", "bias_ih", "weight_hh",
                                                                              "bias_hh")}  # fmt: skip
            gates = named["weight_ih"] @ x + named["bias_ih"] + named["weight_hh"] @ hidden + named["bias_hh"]
            let_in, forget, new, out = gates.chunk(4)
            cell = forget.sigmoid() * cell + let_in.sigmoid() * new.tanh()
            x = out.sigmoid() * cell.tanh()
            held[layer] = (x, cell)
        states.append(torch.stack([torch.stack(pair) for pair in held]))
    return torch.stack(states, -1)


def test_the_state_is_that_of_running_it_step_by_step(engine):
    kept = written(engine, "lstm")
    parts, meta, _ = found(engine, "lstm", "state", kept)
    net, _ = plain(engine.catalog["text/lstm"].folder())
    with torch.inference_mode():
        expected = by_hand(net, ids_of(kept)).numpy()
    assert parts["state"].shape == (2, 2, recurrence.UNITS, len(ids_of(kept)))
    chosen = np.take_along_axis(expected, parts["units"].astype(np.int64)[..., None], axis=2)
    np.testing.assert_allclose(parts["state"], chosen, atol=2e-3)
    before = np.concatenate([np.zeros_like(expected[..., :1]), expected[..., :-1]], -1)
    np.testing.assert_allclose(parts["change"], np.sqrt(((expected - before) ** 2).mean(2)), rtol=1e-3, atol=1e-6)
    assert (meta["layers"], meta["units"]) == (2, 80)
    assert len(meta["pieces"]) == len(ids_of(kept))


def test_the_units_that_vary_most_are_shown_the_most_varying_first(engine):
    kept = written(engine, "lstm")
    parts, _, _ = found(engine, "lstm", "state", kept)
    net, _ = plain(engine.catalog["text/lstm"].folder())
    with torch.inference_mode():
        spread = by_hand(net, ids_of(kept)).numpy().var(-1)  # layers × 2 × units
    shown = np.take_along_axis(spread, parts["units"].astype(np.int64), axis=2)
    assert (np.diff(shown, axis=-1) <= 1e-6).all()
    left = np.sort(spread, -1)[..., : 80 - recurrence.UNITS]
    assert (shown.min(-1) >= left.max(-1) - 1e-6).all()


def test_of_a_long_text_the_end_is_shown_but_all_is_read(engine, monkeypatch):
    kept = written(engine, "lstm", max_new_tokens=30)
    whole, _, _ = found(engine, "lstm", "state", kept)
    monkeypatch.setattr(passes, "TOKENS_MAX", 8)
    parts, meta, notes = found(engine, "lstm", "state", kept)
    np.testing.assert_allclose(parts["change"], whole["change"][..., -8:], rtol=1e-5)
    assert len(meta["pieces"]) == 8
    assert "last 8 are shown" in notes[0]


def test_stop_works_between_tokens(engine):
    kept = written(engine, "lstm")
    asked = []

    def stopped():
        asked.append(True)
        return len(asked) > 3

    with engine._registry.lease("text/lstm") as loaded:
        events = list(recurrence.state(engine.catalog["text/lstm"], look("lstm", "state", kept), loaded,
                                       context(kept, stopped)))  # fmt: skip
    assert len(asked) == 4
    assert events[-1].stats == {"stopped": True}


def test_a_stopped_look_is_no_result(engine):
    kept = written(engine, "lstm")
    stop = StopSignal()
    stop.request()
    assert final_of(engine, look("lstm", "state", kept), stop).outputs == ()
