"""A training run: what its clock counts, what its curve holds, and that a resumed run is the run it would have been."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from models.torchaudio_guard import guard
from tests.training.runs import options

guard()

import torch  # noqa: E402
from torch import nn  # noqa: E402

from training import loop  # noqa: E402
from training.data import Stream  # noqa: E402
from training.optim import Average, Optimizers  # noqa: E402


class Time:
    """Stand still until told to go on."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def time(monkeypatch):
    found = Time()
    monkeypatch.setattr(loop, "time", found)
    return found


class Toy:
    """Train a small net on four feeds at once: one step a second, batches kept, chance in the net and in the batch."""

    def __init__(self, asked, time):
        torch.manual_seed(asked.seed)
        self.time, self.dealt = time, []
        self.model = nn.Sequential(nn.Linear(12, 12), nn.Dropout(0.3), nn.Linear(12, 3))
        self.optimizers = Optimizers(self.model, 1e-2)
        self.average = Average(self.model, 0.9)
        self.choice, self.generator = loop.draws(asked), torch.Generator().manual_seed(asked.seed)
        self.shuffled = loop.Shuffled(list(range(7)), 3, self.generator)
        self.feed = loop.Feed(lambda: [self.choice.random() for _ in range(5)])
        self.words = loop.draws(asked)
        self.stream = Stream([[one] * 5 for one in range(9)], 12, self.words)
        self.tally = {"even": 0}
        self.run = loop.Run(
            asked, 4, "rows", model=self.model, optimizers=self.optimizers, average=self.average, choice=self.choice,
            generator=self.generator, shuffled=self.shuffled, feed=self.feed, words=self.words, stream=self.stream,
            tally=self.tally,
        )  # fmt: skip

    def train(self, steps=1000):
        for rate in self.run:
            ids = self.stream.take(6 if self.run.progress >= 0.75 else 3)
            batch = [next(self.shuffled).tolist(), next(self.feed), ids.tolist()]
            self.dealt.append(batch)
            noise = torch.randn(3, 12, generator=self.generator)
            loss = (self.model(noise * batch[1]) - torch.tensor(batch[0])[:, None]).square().mean()
            loss.backward()
            self.optimizers.step(rate)
            self.average.update(self.model)
            self.tally["even"] += self.run.step % 2 == 0
            self.time.now += 1.0
            if self.run.count(3, loss=loss, noise=noise.mean()):
                self.run.note(held_out=float(self.average.weights["0.bias"].sum()))
            if len(self.dealt) == steps:
                break
        return self


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_minutes_are_spent_and_measuring_is_no_training_time(tmp_path, time, monkeypatch):
    note = loop.Run.note
    monkeypatch.setattr(loop.Run, "note", lambda run, **m: (setattr(time, "now", time.now + 500), note(run, **m)))
    toy = Toy(options(tmp_path, minutes=0.5), time)
    time.now += 1000  # a long start
    toy.train()
    assert toy.run.step == 30
    assert toy.run.clock.seconds == 30
    assert toy.run.facts() | {"curve": []} == {"steps": 30, "rows": 90, "minutes": 0.5, "curve": []}


def test_a_paused_step_counts_three_usual_ones(tmp_path, time):
    toy = Toy(options(tmp_path, minutes=1.0), time)
    toy.train(10)
    toy.run.clock.restart()
    time.now += 3600
    toy.run.count(3)
    assert toy.run.clock.seconds == 9 + 1 + 3


def test_a_curve_holds_step_minutes_mean_losses_and_what_was_measured(tmp_path, time, capsys):
    toy = Toy(options(tmp_path, minutes=0.5), time)
    losses = []
    count = toy.run.count
    toy.run.count = lambda seen, **named: (losses.append(float(named["loss"].detach())), count(seen, **named))[1]
    toy.train()
    curve = toy.run.curve
    assert [row[0] for row in curve] == [4, 8, 12, 16, 20, 24, 28]
    assert [row[1] for row in curve] == [step / 60 for step in range(4, 29, 4)]
    for row in curve:
        assert row[2] == pytest.approx(sum(losses[row[0] - 4 : row[0]]) / 4)
        assert len(row) == 5
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[0].startswith("step 4  0.1 min  loss ")
    assert "held out" in lines[0]
    assert lines[0].endswith("3 rows/s")


def test_the_rate_falls_over_the_last_part_of_the_minutes(tmp_path, time):
    run = loop.Run(options(tmp_path, minutes=1.0), 100, "rows", decay_from=0.6, warm_up=4)
    rates = []
    for rate in run:
        rates.append(rate)
        time.now += 1.0
        run.count(1)
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4:37] == [1.0] * 33
    assert rates[48] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(1 / 24)


@pytest.mark.parametrize("at", [1, 13, 17, 26])
def test_a_resumed_run_is_the_run_it_would_have_been(tmp_path, time, at):
    whole = Toy(options(tmp_path / "whole", minutes=0.5), time) if (tmp_path / "whole").mkdir() is None else None
    whole.train()
    part = Toy(options(tmp_path, minutes=0.5), time).train(at)
    part.run.save()  # as it does every few minutes
    torch.manual_seed(99)
    later = Toy(options(tmp_path, minutes=0.5), time)
    assert later.run.step == at
    later.train()
    assert part.dealt + later.dealt == whole.dealt
    assert same(later.model, whole.model)
    assert all(torch.equal(value, whole.average.weights[name]) for name, value in later.average.weights.items())
    assert later.run.facts() == whole.run.facts()
    assert later.tally == whole.tally == {"even": 15}


def test_a_run_is_saved_on_the_way_and_at_its_end(tmp_path, time, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 7)
    saved = []
    save = loop.Run.save
    monkeypatch.setattr(
        loop.Run, "save", lambda run, name="latest.pt": (saved.append((name, run.step)), save(run, name))
    )
    Toy(options(tmp_path, minutes=0.5), time).train()
    assert saved == [("latest.pt", 8), ("stable.pt", 15), ("latest.pt", 16), ("latest.pt", 24), ("latest.pt", 30)]
    again = Toy(options(tmp_path, minutes=0.5), time).train()
    assert again.dealt == []  # nothing left to do
    assert again.run.step == 30


def test_more_minutes_continue_from_before_the_rate_fell_unless_it_falls_by_then_anyway(tmp_path, time, capsys):
    first = Toy(options(tmp_path, minutes=0.5), time).train()
    longer = Toy(options(tmp_path, minutes=0.9), time)
    assert longer.run.step == 30
    much_longer = Toy(options(tmp_path, minutes=2.0), time)
    assert much_longer.run.step == 15
    much_longer.train(15)
    assert much_longer.dealt[:7] == first.dealt[15:22]  # rows are still short: from then on the batches differ
    assert capsys.readouterr().out.count("resumed stable.pt at step 15") == 1


def test_a_run_from_shipped_weights_adds_its_minutes_to_theirs(tmp_path, time):
    (tmp_path / "curve.csv").write_text("step,minutes,loss,noise,held_out\n100,5.0,1,2,3\n200,10.0,1,2,3\n")
    asked = options(tmp_path / "work", minutes=0.5, from_shipped=True, shipped=tmp_path)
    asked.work.mkdir()
    facts = Toy(asked, time).train().run.facts()
    assert (facts["steps"], facts["minutes"], facts["rows"]) == (230, 10.5, 3 * 230)
    assert [row[0] for row in facts["curve"]][:4] == [100, 200, 204, 208]
    assert Toy(asked, time).run.facts() == facts  # a checkpoint goes first
    (tmp_path / "training.json").write_text('{"steps": 7, "minutes": 0.2, "curve": []}')
    asked.work = tmp_path / "other"
    assert Toy(asked, time).run.facts()["steps"] == 7


@pytest.mark.parametrize("name", ["latest.pt", "stable.pt"])
def test_a_damaged_checkpoint_gives_one_sentence(tmp_path, time, name):
    Toy(options(tmp_path, minutes=0.5), time).train(3).run.save(name)
    whole = (tmp_path / name).read_bytes()
    for broken in (b"", b"nonsense", whole[: len(whole) // 2]):
        (tmp_path / name).write_bytes(broken)
        with pytest.raises(SystemExit) as problem:
            Toy(options(tmp_path), time)
        assert str(problem.value) == (
            f"The checkpoint {tmp_path / name} is damaged: delete it, or choose another --work."
        )


def test_another_models_checkpoint_gives_one_sentence(tmp_path, time):
    Toy(options(tmp_path, minutes=0.5), time).train(3).run.save()
    for parts in ({"model": nn.Linear(5, 5)}, {"net": nn.Linear(12, 12)}, {"choice": torch.Generator()}):
        with pytest.raises(SystemExit, match=r"latest\.pt was begun with other options: use the same again"):
            loop.Run(options(tmp_path), 4, "rows", **parts)


def test_a_step_that_is_not_counted_is_an_error(tmp_path, time):
    with pytest.raises(RuntimeError, match="once per step"):
        for _ in loop.Run(options(tmp_path), 4, "rows"):
            pass


def test_a_script_ends_with_the_sentence_alone(tmp_path):
    program = (
        "from training import loop; import argparse, pathlib; "
        f"loop.Run(argparse.Namespace(work=pathlib.Path({str(tmp_path)!r}), minutes=1.0, from_shipped=False), 1, 'x')"
    )
    (tmp_path / "latest.pt").write_bytes(b"nonsense")
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr == f"The checkpoint {tmp_path}/latest.pt is damaged: delete it, or choose another --work.\n"


def test_checkpoints_lie_outside_the_work_tree_by_default():
    found = loop.options("words", "models/embedded/some-model", 3.0).parse_args(["--data", "x"])
    assert found.work == Path.home() / ".cache/playground-train/some-model"
    assert (found.minutes, found.seed, found.from_shipped) == (3.0, 0, False)
    assert found.out == found.shipped == Path("models/embedded/some-model")


def test_draws_are_those_of_the_seed():
    assert loop.draws(options(Path(), seed=3)).random() == random.Random(3_000_009).random()


def test_a_stream_loses_no_token_and_begins_a_new_pass_at_a_new_length():
    encoded = [[one] * (one + 2) for one in range(6)]
    tokens = sum(map(len, encoded))  # 27
    stream = Stream(encoded, 9, random.Random(1))
    dealt = torch.cat([stream.take(8).flatten() for _ in range(tokens)]).tolist()
    assert len(dealt) == 9 * tokens
    for number in range(9):  # passes
        once = dealt[number * tokens : (number + 1) * tokens]
        assert sorted(once) == [one for story in encoded for one in story]
    assert dealt[:tokens] != dealt[tokens : 2 * tokens]
    longer = stream.take(2)
    assert longer.shape == (4, 3)
