"""The limits are the container's, an allocation past them is an error, and freed memory goes back."""

import pytest

from models.runtime import memory
from models.settings import Settings
from tests.fresh import run_fresh

HOST_BYTES = 16_000_000 * 1024
V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"
V1_UNLIMITED = 9223372036854771712


def machine(root, cgroup=None, files=None, host=True):
    """Write another machine's /proc and /sys into `root`; `files` maps paths to their text."""
    texts = {path: str(text) for path, text in (files or {}).items()}
    if cgroup is not None:
        texts["proc/self/cgroup"] = cgroup + "\n"
    if host:
        texts["proc/meminfo"] = f"MemFree:  1 kB\nMemTotal:  {HOST_BYTES // 1024} kB\nMemAvailable:  2 kB\n"
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


V1_OWN = "9:name=systemd:/job\n4:cpu,memory:/job\n0::/job"


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        pytest.param(V1_OWN, {f"{V1}/job/memory.limit_in_bytes": "700000000\n"}, 700_000_000, id="v1"),
        pytest.param(
            V1_OWN,
            {f"{V1}/memory.limit_in_bytes": 600_000_000, f"{V1}/job/memory.limit_in_bytes": 700_000_000},
            600_000_000,
            id="v1, the lowest on the path",
        ),
        pytest.param(
            V1_OWN, {f"{V1}/job/memory.limit_in_bytes": V1_UNLIMITED}, HOST_BYTES, id="v1, a huge number is no limit"
        ),
        pytest.param(
            "4:memory:/docker/0123abcd",
            {f"{V1}/memory.limit_in_bytes": 500_000_000},
            500_000_000,
            id="v1, the path names the host's cgroup and the mount shows only ours",
        ),
        pytest.param(
            "4:memory:/job\n0::/other",
            {f"{V1}/job/memory.limit_in_bytes": 500_000_000, f"{V2}/other/memory.max": 400_000_000},
            500_000_000,
            id="v1 memory beside an empty v2 tree",
        ),
        pytest.param("0::/", {f"{V2}/memory.max": "800000000\n"}, 800_000_000, id="v2"),
        pytest.param(
            "0::/a/b/c",
            {f"{V2}/a/memory.max": 900_000_000, f"{V2}/a/b/memory.max": "max", f"{V2}/a/b/c/memory.max": 950_000_000},
            900_000_000,
            id="nested v2, an outer limit is the lowest",
        ),
        pytest.param(
            "0::/a/b",
            {f"{V2}/a/memory.max": 900_000_000, f"{V2}/a/b/memory.max": 300_000_000},
            300_000_000,
            id="nested v2, the own limit is the lowest",
        ),
        pytest.param(
            "0::/a",
            {f"{V2}/a/memory.max": "max", f"{V2}/b/memory.max": 1_000_000},
            HOST_BYTES,
            id="v2, not a sibling's",
        ),
        pytest.param("0::/a", {f"{V2}/a/memory.max": "max\n"}, HOST_BYTES, id="v2, max is no limit"),
        pytest.param("0::/a", {f"{V2}/a/memory.max": "nonsense"}, HOST_BYTES, id="v2, unreadable is no limit"),
        pytest.param("0::/a", {f"{V2}/a/memory.max": 2 * HOST_BYTES}, HOST_BYTES, id="v2, no more than there is"),
        pytest.param(
            "0::/docker/0123abcd",
            {f"{V2}/memory.max": 400_000_000},
            400_000_000,
            id="v2, the path is not in the mount",
        ),
        pytest.param(
            "0::/../../job", {f"{V2}/memory.max": 400_000_000}, 400_000_000, id="v2, a path out of the namespace"
        ),
        pytest.param("0::/a", {}, HOST_BYTES, id="no cgroup files"),
        pytest.param(None, {f"{V2}/memory.max": 400_000_000}, HOST_BYTES, id="no cgroup"),
    ],
)
def test_the_limit_is_the_lowest_that_holds_for_this_process(tmp_path, cgroup, files, limit):
    assert memory.limit_bytes(machine(tmp_path, cgroup, files)) == limit


def test_a_machine_that_says_nothing_counts_as_two_gigabytes(tmp_path):
    assert memory.limit_bytes(tmp_path) == 2_000_000_000


def test_an_unlimited_cgroup_counts_as_none(tmp_path):
    root = machine(tmp_path, V1_OWN, {f"{V1}/job/memory.limit_in_bytes": V1_UNLIMITED}, host=False)
    assert memory.limit_bytes(root) == 2_000_000_000


def test_the_limit_holds_where_the_total_is_not_told(tmp_path):
    assert memory.limit_bytes(machine(tmp_path, "0::/", {f"{V2}/memory.max": 3_000_000_000}, host=False)) == 3e9


@pytest.mark.parametrize(
    ("cgroup", "files", "kills"),
    [
        pytest.param(
            V1_OWN, {f"{V1}/job/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"}, 3, id="v1"
        ),
        pytest.param(
            "0::/a",
            {f"{V2}/a/memory.events": "low 0\nmax 9\noom 5\noom_kill 4\noom_group_kill 1\n"},
            4,
            id="v2",
        ),
        pytest.param(
            "0::/a/b",
            {f"{V2}/a/memory.events": "oom_kill 7\n", f"{V2}/a/b/memory.events": "oom_kill 2\n"},
            2,
            id="v2, the own cgroup's",
        ),
        pytest.param("0::/a", {}, 0, id="no file"),
        pytest.param(None, {}, 0, id="no cgroup"),
    ],
)
def test_the_killers_strikes_are_counted(tmp_path, cgroup, files, kills):
    assert memory.oom_kills(machine(tmp_path, cgroup, files)) == kills


def in_use(folder, limit, current, version=2, **stat):
    """Return the files of a cgroup with a limit and what is in use of it."""
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    lines = "".join(f"{name} {value}\n" for name, value in {"anon": 7, **stat}.items())
    return {f"{folder}/{names[0]}": limit, f"{folder}/{names[1]}": current, f"{folder}/memory.stat": lines}


@pytest.mark.parametrize(
    ("cgroup", "files", "free"),
    [
        pytest.param(
            "0::/a", in_use(f"{V2}/a", 10**9, 6 * 10**8, inactive_file=10**8, active_file=5 * 10**7),
            450_000_000, id="v2: cached files are given back, a tenth is left",
        ),
        pytest.param(
            V1_OWN, in_use(f"{V1}/job", 10**9, 6 * 10**8, 1, total_inactive_file=10**8, inactive_file=7),
            400_000_000, id="v1",
        ),
        pytest.param(
            "0::/a/b", {**in_use(f"{V2}/a", 10**9, 9 * 10**8), **in_use(f"{V2}/a/b", 8 * 10**8, 10**8)},
            0, id="the tighter of two limits, where others fill the outer one",
        ),
        pytest.param("0::/a", in_use(f"{V2}/a", 3 * 10**8, 10**8), 136_000_000, id="no less than 64 MB are left"),
        pytest.param("0::/a", {f"{V2}/a/memory.max": 10**9}, 400_000_000, id="use unknown: 500 MB is taken"),
        pytest.param("0::/a", in_use(f"{V2}/a", 10**9, 2 * 10**9), -1_100_000_000, id="over the limit"),
    ],
)  # fmt: skip
def test_what_is_free_is_what_others_leave(tmp_path, cgroup, files, free):
    root = machine(tmp_path, cgroup, files, host=False)
    assert memory.free_bytes(root) == free
    assert memory.budget_bytes(Settings(), root) == max(0, free)


def test_without_a_cgroup_the_host_says_what_is_free(tmp_path):
    root = machine(tmp_path, None, host=False)
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text("MemTotal: 10000000 kB\nMemAvailable: 4000000 kB\n")
    assert memory.free_bytes(root) == 3_000_000 * 1024


def tell_own(root, anon_kb, data_kb=0, child_kb=None):
    """Write what this process, and one child of it, holds."""
    (root / "proc/self/task/1").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/status").write_text(f"RssAnon:\t{anon_kb} kB\nVmData:\t{data_kb} kB\n")
    (root / "proc/self/task/1/children").write_text("" if child_kb is None else "77 ")
    if child_kb is not None:
        (root / "proc/77").mkdir(exist_ok=True)
        (root / "proc/77/status").write_text(f"RssAnon:\t{child_kb} kB\n")


class TestBudget:
    LIMIT = 1_000_000 * 1024

    def world(self, root, used_kb, own_kb, child_kb=None):
        machine(root, "0::/a", in_use(f"{V2}/a", self.LIMIT, used_kb * 1024), host=False)
        tell_own(root, own_kb, child_kb=child_kb)

    def test_it_follows_what_the_app_takes_while_it_runs(self, tmp_path):
        self.world(tmp_path, 400_000, 300_000)
        budget = memory.Budget(Settings(), tmp_path)
        assert budget() == 500_000 * 1024
        self.world(tmp_path, 550_000, 300_000)  # the app grew by 150 MB
        assert budget() == 350_000 * 1024
        self.world(tmp_path, 400_000, 300_000)
        assert budget() == 500_000 * 1024

    def test_own_models_and_runs_and_a_tools_process_are_within_it(self, tmp_path):
        self.world(tmp_path, 400_000, 300_000)
        budget = memory.Budget(Settings(), tmp_path)
        self.world(tmp_path, 700_000, 500_000, child_kb=100_000)
        assert budget() == 500_000 * 1024

    def test_what_stays_beside_the_models_is_measured_when_nothing_runs(self, tmp_path):
        self.world(tmp_path, 400_000, 300_000)
        budget = memory.Budget(Settings(), tmp_path)
        self.world(tmp_path, 500_000, 400_000)  # 60 MB of models, 40 MB of libraries
        budget.note_quiet(60_000 * 1024)
        assert budget() == 460_000 * 1024
        budget.note_quiet(200_000 * 1024)  # mapped from files: no memory of its own
        assert budget() == 500_000 * 1024
        budget.note_quiet(60_000 * 1024)
        assert budget() == 460_000 * 1024
        assert budget.fresh_bytes() == 500_000 * 1024
        self.world(tmp_path, 420_000, 320_000)
        budget.note_quiet(0)
        assert budget() == 480_000 * 1024

    def test_a_number_in_the_settings_is_the_budget_whatever_is_free(self, tmp_path):
        self.world(tmp_path, 990_000, 300_000)
        budget = memory.Budget(Settings(memory_bytes=12_345), tmp_path)
        budget.note_quiet(0)
        assert budget() == budget.fresh_bytes() == 12_345


def test_an_allocation_beyond_what_the_cgroup_has_left_is_an_error_and_the_limit_follows():
    said = run_fresh("""
import json, pathlib, tempfile
from models.runtime import memory
from models.settings import Settings
root = pathlib.Path(tempfile.mkdtemp())
for name, text in {
    "proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "1000000000",
    "sys/fs/cgroup/a/memory.current": "500000000", "sys/fs/cgroup/a/memory.stat": "",
}.items():
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
budget = memory.Budget(Settings(), root)
budget.bound()
said = {}

def may(count):
    try:
        return len(bytearray(count))
    except MemoryError:
        return 0

said["at first"] = [may(430_000_000), may(480_000_000)]
(root / "sys/fs/cgroup/a/memory.current").write_text("800000000")
budget.bound()
said["less"] = [may(130_000_000), may(180_000_000)]
(root / "sys/fs/cgroup/a/memory.current").write_text("1000000000")
budget.bound()
said["nothing"] = [may(30_000_000), may(80_000_000)]
print(json.dumps(said))
""")
    assert said == {"at first": [430_000_000, 0], "less": [130_000_000, 0], "nothing": [30_000_000, 0]}


def test_an_explicit_budget_wins(tmp_path):
    root = machine(tmp_path, "0::/", {f"{V2}/memory.max": 1_000_000_000})
    assert memory.budget_bytes(Settings(memory_bytes=12_345), root) == 12_345


def test_an_allocation_past_the_budget_is_an_error_and_the_process_lives():
    said = run_fresh("""
import json, torch
from models.runtime import memory
memory.limit_data(50_000_000)
said = {}
try:
    torch.ones(2_000_000_000, dtype=torch.uint8)
except (RuntimeError, MemoryError) as error:
    said["torch"] = str(error)
try:
    bytearray(2_000_000_000)
except MemoryError:
    said["python"] = True
said["within"] = int(torch.ones(50_000_000, dtype=torch.uint8).sum())
print(json.dumps(said))
""")
    assert "can't allocate memory" in said["torch"]  # the words by which the worker knows it
    assert said["python"]
    assert said["within"] == 50_000_000


def test_the_limit_leaves_room_for_the_budget_and_the_headroom_only():
    said = run_fresh("""
import json, resource
from models.runtime import memory
memory.limit_data(300_000_000)
room = 300_000_000 + memory.HEADROOM_BYTES
held = bytearray(room - 20_000_000)
try:
    more = bytearray(40_000_000)
    print(json.dumps("no limit"))
except MemoryError:
    print(json.dumps("limit"))
""")
    assert said == "limit"


def test_a_hard_limit_that_is_lower_stays():
    soft, hard, wanted = run_fresh("""
import json, resource
from models.runtime import memory
hard = memory._status_bytes("VmData") + 100_000_000
resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
memory.limit_data(1_000_000_000)
print(json.dumps([*resource.getrlimit(resource.RLIMIT_DATA), hard]))
""")
    assert soft == hard == wanted


def test_the_peak_grows_with_what_is_touched_and_outlives_it():
    said = run_fresh("""
import json
from models.runtime import memory
try:
    lets = open("/proc/self/clear_refs", "w").write("5") == 1
except OSError:
    lets = False
block = bytearray(300_000_000)
block[::4096] = b"1" * len(block[::4096])
del block
old = memory.peak_bytes()
memory.reset_peak()
said = {"lets": lets, "old": old, "before": memory.peak_bytes(), "start": memory.rss_bytes()}
block = bytearray(200_000_000)
block[::4096] = b"1" * len(block[::4096])
said["held"] = memory.rss_bytes()
del block
said["after"], said["end"] = memory.peak_bytes(), memory.rss_bytes()
print(json.dumps(said))
""")
    assert said["held"] - said["start"] > 195_000_000
    assert said["end"] - said["start"] < 20_000_000
    assert said["after"] >= said["held"] - 5_000_000
    if said["lets"]:  # the kernel lets the peak be reset
        assert said["old"] - said["before"] > 290_000_000
        assert said["after"] - said["before"] > 190_000_000


def test_trim_gives_back_what_small_blocks_held():
    kept, left = run_fresh("""
import json
from models.runtime import memory
import torch
start = memory.rss_bytes()
blocks = [torch.ones(16_000) for _ in range(4000)]  # 64 kB each: below glibc's own threshold
pin = torch.ones(16_000)  # above them in the heap: it keeps the heap from shrinking
del blocks
kept = memory.rss_bytes() - start
memory.trim()
print(json.dumps([kept, memory.rss_bytes() - start]))
""")
    assert left < 0.1 * kept + 10_000_000


def test_trim_does_not_raise_when_there_is_nothing_to_give_back():
    memory.trim()
    memory.trim()
