"""Whose turn it is, to the second: the policy has no clock of its own."""

import pytest

from models.runtime.turns import FAR, GRACE_S, HALF_LIFE_S, OPEN_MAX, PATIENCE_S, Open, Places, Turns, Waiting

LONG, SHORT = 45.0, 2.0


@pytest.fixture
def turns():
    return Turns(short_s=10.0)


def ids(jobs):
    return " ".join(job.job for job in jobs)


def wait(job, owner="", client="", forecast_s=SHORT, asked_at=0.0, gone=False):
    return Waiting(job, owner or job[0], client, forecast_s, asked_at, gone)


def begun(owner="ann", *, ran_s=0.0, aside_s=0.0, forecast_s=LONG, not_for=(), client=""):
    return Open(f"{owner}-runs", owner, client, forecast_s, ran_s, aside_s, not_for)


def test_use_halves_with_time_and_is_forgotten(turns):
    turns.charge("ann", "net", 40.0, now=1000.0)
    assert turns.used("ann", 1000.0) == 40.0
    assert turns.used("ann", 1000.0 + HALF_LIFE_S) == pytest.approx(20.0)
    turns.charge("ann", "net", 5.0, now=1000.0 + HALF_LIFE_S)
    assert turns.used("ann", 1000.0 + HALF_LIFE_S) == pytest.approx(25.0)
    assert turns.used_by_client("net", 1000.0 + 2 * HALF_LIFE_S) == pytest.approx(12.5)
    turns.charge("bob", "", 1.0, now=1000.0 + 40 * HALF_LIFE_S)
    assert set(turns._used) == {"obob", "c"}


def test_a_clock_that_jumps_does_no_harm(turns):
    turns.charge("a", "", 40.0, now=1000.0)
    assert turns.used("a", 0.0) == 40.0  # back: nothing fades, nothing grows
    turns.charge("a", "", 2.0, now=0.0)
    assert turns.used("a", 0.0) == 42.0
    assert turns.used("a", 1e9) == pytest.approx(0.0)  # far ahead: all is forgotten
    assert ids(turns.order([wait("a1"), wait("b1", asked_at=1.0)], [], now=-1e9)) == "b1 a1"


def test_a_charge_is_never_negative(turns):
    turns.charge("ann", "", -5.0, now=0.0)
    assert turns.used("ann", 0.0) == 0.0


def test_who_used_least_goes_first_and_ties_go_by_coming(turns):
    turns.charge("a", "", 30.0, now=0.0)
    turns.charge("b", "", 10.0, now=0.0)
    waiting = [wait("a1", asked_at=1.0), wait("b1", asked_at=2.0), wait("d1", asked_at=4.0), wait("c1", asked_at=3.0)]
    assert ids(turns.order(waiting, [], now=0.0)) == "c1 d1 b1 a1"


def test_a_second_job_counts_after_the_first(turns):
    waiting = [wait("a1"), wait("a2", asked_at=1.0), wait("a3", asked_at=2.0), wait("b1", asked_at=3.0),
               wait("b2", asked_at=4.0)]  # fmt: skip
    assert ids(turns.order(waiting, [], now=5.0)) == "a1 b1 a2 b2 a3"


def test_what_runs_counts_for_its_owner(turns):
    waiting = [wait("a1"), wait("b1", asked_at=1.0)]
    assert ids(turns.order(waiting, [begun("a", ran_s=0.5)], now=2.0)) == "b1 a1"


def test_of_two_newcomers_the_shorter_goes_first_but_not_for_ever(turns):
    waiting = [wait("a1", forecast_s=LONG), wait("b1", asked_at=50.0)]
    assert ids(turns.order(waiting, [], now=60.0)) == "b1 a1"
    late = [wait("a1", forecast_s=LONG), wait("b1", asked_at=PATIENCE_S - 1)]
    assert ids(turns.order(late, [], now=PATIENCE_S)) == "a1 b1"
    assert ids(turns.order(late, [], now=PATIENCE_S - 1e-9)) == "b1 a1"


def test_clients_share_before_owners_do(turns):
    # ten owners of one address have used nothing themselves; their address has
    turns.charge("x", "school", 20.0, now=0.0)
    waiting = [wait(f"{letter}1", client="school", asked_at=float(place)) for place, letter in enumerate("abc")]
    waiting.append(wait("n1", client="home", asked_at=9.0))
    assert ids(turns.order(waiting, [], now=9.0)) == "n1 a1 b1 c1"


def test_within_a_client_owners_go_by_their_own_use(turns):
    turns.charge("a", "school", 20.0, now=0.0)
    waiting = [wait("a1", client="school"), wait("b1", client="school", asked_at=1.0)]
    assert ids(turns.order(waiting, [], now=1.0)) == "b1 a1"


def test_an_owners_second_long_run_waits_behind_the_short_ones_of_others(turns):
    turns.charge("b", "", 100.0, now=0.0)  # bob has used far more than ann
    waiting = [wait("a1", forecast_s=LONG), wait("b1", asked_at=1.0)]
    assert ids(turns.order(waiting, [begun("a", ran_s=1.0)], now=PATIENCE_S)) == "b1 a1"
    assert ids(turns.order(waiting, [], now=PATIENCE_S)) == "a1 b1"
    twice = [wait("a1", forecast_s=LONG), wait("a2", forecast_s=LONG), wait("b1", asked_at=1.0)]
    assert ids(turns.order(twice, [], now=PATIENCE_S)) == "a1 b1 a2"


def test_those_who_left_come_last(turns):
    turns.charge("b", "", 100.0, now=0.0)
    waiting = [wait("a1", gone=True), wait("b1", asked_at=1.0)]
    assert ids(turns.order(waiting, [], now=1.0)) == "b1 a1"
    assert turns.next([waiting[0]], [], 1.0) == waiting[0]  # nobody else waits
    assert turns.next([waiting[0]], [begun("b", ran_s=30)], 1.0) is None  # nothing is set aside for them


def test_what_is_known_moves_and_is_forgotten(turns):
    turns.charge("cookie", "net", 30.0, now=0.0)
    turns.charge("user", "net", 5.0, now=0.0)
    turns.move("cookie", "user", now=HALF_LIFE_S)
    assert turns.used("user", HALF_LIFE_S) == pytest.approx(17.5)
    assert turns.used("cookie", HALF_LIFE_S) == 0.0
    turns.move("user", "user", now=HALF_LIFE_S)
    assert turns.used("user", HALF_LIFE_S) == pytest.approx(17.5)
    turns.forget("user")
    assert turns.used("user", HALF_LIFE_S) == 0.0
    assert turns.used_by_client("net", HALF_LIFE_S) == pytest.approx(17.5)  # a new name is no new client


def test_nothing_waits_nothing_begins(turns):
    assert turns.next([], [], 0.0) is None
    assert turns.order([], [begun()], 0.0) == []


@pytest.mark.parametrize(
    ("running", "job", "goes"),
    [
        ([begun()], wait("b1"), True),
        ([begun(forecast_s=10.0)], wait("b1"), False),  # not long
        ([begun(forecast_s=10.0, ran_s=10.1)], wait("b1"), True),  # forecast too short
        ([begun()], wait("b1", forecast_s=10.0), True),
        ([begun()], wait("b1", forecast_s=LONG / 4), True),  # short beside it
        ([begun()], wait("b1", forecast_s=LONG / 4 + 0.1), False),
        ([begun(forecast_s=11.0, ran_s=100.0)], wait("b1", forecast_s=25.0), True),  # longer than it was forecast
        ([begun(forecast_s=20.0)], wait("b1", forecast_s=10.1), False),
        ([begun()], wait("b1", owner="ann"), False),  # their own
        ([begun(not_for=("b1",))], wait("b1"), False),  # does not fit beside it
        ([begun(not_for=("b2",))], wait("b1"), True),
        ([begun(aside_s=GRACE_S, ran_s=0.0)], wait("b1"), True),
        ([begun(aside_s=GRACE_S + 0.1, ran_s=0.0)], wait("b1"), False),  # it has rested enough
        ([begun(aside_s=GRACE_S + 0.1, ran_s=0.1)], wait("b1"), True),
        ([begun(), begun("bob", forecast_s=SHORT)], wait("c1"), False),  # the one that computes is short
        ([begun(), begun("bob", forecast_s=SHORT, ran_s=11.0)], wait("c1"), True),
        ([begun(), begun("bob", forecast_s=SHORT, ran_s=11.0)], wait("a1", owner="ann"), False),
        ([begun(str(one)) for one in range(OPEN_MAX)], wait("c1"), False),
    ],
)  # fmt: skip
def test_who_is_set_aside_for_whom(turns, running, job, goes):
    assert turns.next([job], running, 0.0) == (job if goes else None)


def test_the_first_that_may_goes_ahead_of_the_order(turns):
    waiting = [wait("b1", forecast_s=LONG), wait("c1", asked_at=1.0), wait("d1", asked_at=2.0)]
    assert turns.next(waiting, [begun(not_for=("c1",))], PATIENCE_S).job == "d1"


def play(owners, newcomer, at_s, forecast_s=LONG):
    """Simulate a day of the queue, second by second: each owner asks for a long run at 0, `newcomer` for a short one.

    Return when the newcomer begins and the order in which all ended. One computes; the newest open one does.
    """
    turns, open_, ended, started = Turns(short_s=10.0), [], [], None
    waiting = [Waiting(f"{owner}#{number}", owner, client, forecast_s) for number, (owner, client) in enumerate(owners)]
    now = 0.0
    while waiting or open_ or now <= at_s:
        if now == at_s:
            waiting.append(Waiting("new", *newcomer, SHORT, now))
        while (job := turns.next(waiting, open_, now)) is not None:
            waiting.remove(job)
            open_.append(Open(job.job, job.owner, job.client, job.forecast_s))
            started = now if job.job == "new" else started
        now += 1.0
        for place, one in enumerate(open_):
            top = place == len(open_) - 1
            open_[place] = Open(
                one.job, one.owner, one.client, one.forecast_s, one.ran_s + top, one.aside_s + (not top)
            )
        if open_ and open_[-1].ran_s >= open_[-1].forecast_s:
            done = open_.pop()
            ended.append(done.job)
            turns.charge(done.owner, done.client, done.ran_s, now)
    return started - at_s, ended


TABS = 22


@pytest.mark.parametrize(
    "owners",
    [
        [(f"owner{number}", f"net{number}") for number in range(TABS)],
        [("greedy", "net")] * TABS,
        [(f"owner{number}", "net") for number in range(TABS)],
    ],
    ids=["22 owners", "22 tabs of one", "22 owners of one address"],
)
@pytest.mark.parametrize("newcomer", [("newcomer", "home"), ("newcomer", "net")], ids=["elsewhere", "same address"])
@pytest.mark.parametrize("at_s", [1.0, 44.0, 45.0, 400.0])
def test_a_newcomer_begins_at_once_whatever_the_greedy_do(owners, newcomer, at_s):
    waited, ended = play(owners, newcomer, at_s)
    assert waited == 0.0
    assert len(ended) == TABS + 1
    assert ended.index("new") == int(at_s // LONG)


def test_ever_new_short_runs_keep_a_long_one_waiting_only_for_so_long():
    turns, open_, now, short, ended = Turns(short_s=10.0), [], 0.0, 0, []
    waiting = [Waiting("long", "ann", "", LONG)]
    while "long" not in ended and now < 1000:
        if not any(job.job != "long" for job in waiting):
            waiting.append(Waiting(f"s{short}", f"owner{short}", "", SHORT, now))
            short += 1
        while (job := turns.next(waiting, open_, now)) is not None:
            waiting.remove(job)
            open_.append(Open(job.job, job.owner, job.client, job.forecast_s))
        now += 1.0
        for place, one in enumerate(open_):
            top = place == len(open_) - 1
            open_[place] = Open(
                one.job, one.owner, one.client, one.forecast_s, one.ran_s + top, one.aside_s + (not top)
            )
        if open_ and open_[-1].ran_s >= open_[-1].forecast_s:
            ended.append(open_.pop().job)
            turns.charge(ended[-1], "", SHORT, now)
    # it begins after PATIENCE_S, and then rests no longer than it runs, but for the grace
    assert now <= PATIENCE_S + SHORT + 2 * LONG + GRACE_S + SHORT


PLACES = Places(per_owner=3, per_client=8, total=12, budget_s=60.0)


def refusal(waiting, job, *, long=False, measured=True, others=True):
    return PLACES.refusal(waiting, job, long=long, measured=measured, others=others)


def many(count, owner="", client=""):
    return [wait(f"{number}", owner or f"o{number}", client) for number in range(count)]


@pytest.mark.parametrize(
    ("waiting", "job", "given", "words"),
    [
        (many(2, "ann"), wait("a1", "ann"), {}, ""),
        (many(3, "ann"), wait("a1", "ann"), {}, "3 of your runs wait already; at most 3 may."),
        (many(7, client="net"), wait("a1", client="net"), {}, ""),
        (many(8, client="net"), wait("a1", client="net"), {}, "8 runs from your network address wait already"),
        (many(8, client="net"), wait("a1", client="other"), {}, ""),
        (many(8), wait("a1"), {}, ""),  # loopback is not limited by its address
        (many(5, client="net"), wait("a1", client="net"), {"long": True}, ""),
        (
            many(6, client="net"), wait("a1", client="net"), {"long": True},
            "6 runs from your network address wait already; the last 2 places are kept for short runs.",
        ),
        (many(11), wait("a1"), {}, ""),
        (many(12), wait("a1"), {}, "12 runs wait already; at most 12 may. Try again in a minute."),
        (many(8), wait("a1"), {"long": True}, ""),
        (many(9), wait("a1"), {"long": True}, "9 runs wait already; the last 3 places are kept for short runs."),
        ([], wait("a1", forecast_s=FAR * 60.0), {}, ""),
        (
            [], wait("a1", forecast_s=FAR * 60.0 + 40), {},
            "This run would take about 6 minutes; while others wait, at most 5 minutes are allowed. Choose smaller",
        ),
        ([], wait("a1", forecast_s=FAR * 60.0 + 40), {"others": False}, ""),
        ([], wait("a1", forecast_s=FAR * 60.0 + 40), {"measured": False}, ""),  # a guess refuses nobody
    ],
)  # fmt: skip
def test_places(waiting, job, given, words):
    said = refusal(waiting, job, **given)
    assert said.startswith(words)
    assert bool(said) == bool(words)


def test_no_limit_by_address_where_it_is_switched_off():
    places = Places(3, 0, 12, 60.0)
    assert (
        places.refusal(many(11, client="net"), wait("a1", client="net"), long=False, measured=True, others=True) == ""
    )
