"""What strangers' code may see, use and leave behind, and a grader that survives what comes back."""

import ctypes
import faulthandler
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

import rlhf_kit
from rlhf_kit.classroom.exercises.answers import Case
from rlhf_kit.classroom.exercises.checking import EXERCISES
from rlhf_kit.classroom.grading import apart, outside, parcels, starting, system_calls, walls

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="grading needs Linux or macOS")
LINUX = sys.platform.startswith("linux")
LIMITS = starting.Limits(seconds=1.0, patience=4.0)
KIT = Path(rlhf_kit.__file__).parent


# A grader that survives: each submission is asked and compared in a process of its own

def children() -> set[int]:
    """Processes that this one has started and that have not ended, or not been asked how."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(stat.parent.name))
        except OSError:
            pass
    return found


def rather(item: object) -> object:
    """Work of every kind."""
    if item == "dies":
        faulthandler.disable()                             # pytest's: it would print all about it
        ctypes.string_at(0)
    elif item == "exits":
        os._exit(0)
    elif item == "sleeps":
        time.sleep(1000)
    elif item == "is large":
        return "x" * (apart.LARGEST + 1)
    elif item == "eats":
        return len(bytearray(2**33))
    return item


@pytest.mark.skipif(not LINUX, reason="other systems do not limit memory")
def test_one_that_dies_costs_one_and_says_why():
    before = children()
    faulty = {"dies": "SIGSEGV", "exits": "no result", "sleeps": "not done after 2 seconds", "is large": "no result"}
    items = ["a", *faulty, "b"]
    results = dict(apart.each(rather, items, 3, seconds=2.0))
    assert sorted(results) == list(range(len(items)))
    assert (results[0], results[5]) == ("a", "b")
    for place, words in enumerate(faulty.values(), 1):
        assert words in results[place].words
    assert "MemoryError" in dict(apart.each(rather, ["eats"], 1))[0].words
    assert children() == before                            # nobody is left over


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_who_stops_listening_leaves_nobody_behind():
    before = children()
    results = apart.each(rather, ["a", "sleeps", "sleeps"], 3)
    assert next(results) == (0, "a")
    assert len(children() - before) == 2
    results.close()
    assert children() == before


# What comes through the wall

def array(kind: int, shape: list[int], numbers: bytes = b"") -> bytes:
    return bytes([kind, len(shape)]) + b"".join(n.to_bytes(4, "little") for n in shape) + numbers


VALUE = array(9, [], bytes(8))
HEAD, TAIL = bytes([0, 1, 0, 0, 0]), bytes(2)


@pytest.mark.parametrize("values", [
    (torch.tensor(1.5, dtype=torch.float64),), (torch.zeros(0, 3), torch.tensor([True, False])), (),
    (torch.arange(6).reshape(2, 3).t(), torch.ones(2, dtype=torch.bfloat16), torch.tensor([1, -2], dtype=torch.int8))])
def test_what_goes_in_comes_out(values):
    reply = parcels.Reply(values, (None, torch.ones(2)), "Error: é\n", False, (0, 3), ("tensor", "int"))
    [back] = parcels.unpack_replies(parcels.pack_reply(reply), 1)
    assert all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(back.values, values, strict=True))
    assert back.gradients[0] is None
    assert torch.equal(back.gradients[1], torch.ones(2))
    assert back[2:] == ("Error: é ", False, (0, 3), ("tensor", "int"))


@pytest.mark.parametrize("forged", [
    b"abc", b"\xff" * 100, b"PK\x03\x04" * 50, b"{" * 1000, HEAD + VALUE, HEAD + VALUE + TAIL + b"more",
    HEAD + array(9, [1] * 255) + bytes(8) + TAIL,          # 255 dimensions
    HEAD + array(9, [2**31] * 8) + TAIL, HEAD + array(1, [0, 2**32 - 1]) + TAIL, HEAD + array(200, []) + TAIL,
    HEAD + b"\xff" + TAIL, bytes([0, 255, 0, 0, 0]) + VALUE * 255 + TAIL])
def test_a_forged_parcel_is_damaged_and_not_an_error_of_ours(forged):
    answer = outside._read(forged, EXERCISES["1.6"].all_cases(1)[:1], [])
    assert answer.trouble == "crash"


def test_a_boolean_is_true_or_false_whatever_came():
    [reply] = parcels.unpack_replies(HEAD + array(0, [3], bytes([0, 1, 77])) + TAIL, 1)
    assert reply.values[0].long().tolist() == [0, 1, 1]


def test_missing_gradients_are_no_answer():
    cases = EXERCISES["1.5"].all_cases(1)[:1]
    packed = parcels.pack_reply(parcels.Reply((torch.ones(()),)))
    assert len(cases[0].gradient)
    assert outside._read(packed, cases, []).trouble == "crash"


# Each exercise alone, its cases in no order

@pytest.fixture(scope="module")
def worker():
    """With walls where there are some."""
    try:
        made = outside.Worker(LIMITS)
    except starting.NoCell:
        made = outside.Worker(LIMITS, cell=False)
    yield made
    made.close()


def asked(worker: outside.Worker, code: str, *names: str, cases: int = 8) -> list[outside.Answer]:
    return worker.ask([code], [(name, [Case((float(i),)) for i in range(cases)]) for name in names])


def numbers(answer: outside.Answer) -> list[float]:
    assert not answer.trouble, answer
    return [float(outcome.values[0]) for outcome in answer.outcomes]


def test_a_count_of_calls_tells_nothing(worker):
    """An answer that knows the first case by its place would be right about the example and nothing else."""
    code = "CALLS = []\ndef f(x):\n    CALLS.append(x)\n    return len(CALLS)"
    orders = [numbers(answer) for _ in range(2) for answer in asked(worker, code, "f", "f")]
    assert all(sorted(order) == list(range(1, 9)) for order in orders)     # one pass, one process
    assert len(set(map(tuple, orders))) > 1                # 8! orders


def test_an_exercise_learns_nothing_from_another(worker):
    """What one function notes in memory or in a file is not there for the next."""
    code = """import os, sys
def note(x):
    sys.noted = True
    open('note', 'w').close()
    return x
def look(x):
    return float(hasattr(sys, 'noted') or os.path.exists('note'))"""
    first, second = asked(worker, code, "note", "look")
    assert numbers(first) == list(range(8))
    assert numbers(second) == [0.0] * 8


def test_a_result_that_is_changed_later_is_what_it_was(worker):
    """One buffer for all answers, honest or not: what counts is what was returned."""
    [answer] = asked(worker, "OUT = torch.zeros(())\ndef f(x):\n    return OUT.fill_(x)", "f")
    assert numbers(answer) == list(range(8))


def test_a_submission_cannot_use_more_than_one_may(worker):
    """Twelve functions that sleep for ever: the first have their patience, then all is used up."""
    code = "import time\n" + "\n".join(f"def f{i}(x): time.sleep(1000)" for i in range(12))
    limits, began = starting.Limits(seconds=0.2, patience=0.4, imports=1.0), time.monotonic()
    usual, worker.limits = worker.limits, limits
    try:
        answers = asked(worker, code, *(f"f{i}" for i in range(12)), cases=1)
    finally:
        worker.limits = usual
    assert {answer.trouble for answer in answers} == {"timeout"}
    assert limits.in_all == (pytest.approx(1.4), pytest.approx(2.8))
    assert time.monotonic() - began < 3 * 1.25 * 2.8       # three times, for a machine that is busy


def test_what_the_system_lacks_is_said(worker):
    if worker.cell and platform.machine() in system_calls.MACHINES:
        assert worker.missing == ()
    else:
        assert "namespaces" in worker.missing or "filter on system calls" in worker.missing


@pytest.mark.skipif(not LINUX, reason="other systems have no such order")
def test_when_memory_runs_out_answers_are_ended_and_nobodys_browser(worker):
    assert Path(f"/proc/{worker._process.program.pid}/oom_score_adj").read_text() == "1000\n"


# Nobody is left behind

def of_worker(folder: str) -> list[int]:
    """Processes that were started for this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if folder.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            pass
    return found


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_grader_that_is_killed_takes_everybody_along(tmp_path):
    """The submission has asked the system not to be killed with its parent, and sleeps for ever."""
    code = f"""import sys
sys.path[:0] = {[str(Path(__file__).parents[1]), str(KIT.parent)]!r}
from attacks import adapt
from rlhf_kit.classroom.exercises.checking import EXERCISES
from rlhf_kit.classroom.grading import outside, starting
try: worker = outside.Worker(starting.Limits(seconds=50, patience=100))
except starting.NoCell: worker = outside.Worker(starting.Limits(seconds=50, patience=100), cell=False)
print(worker._process._folder.name, flush=True)
body = "import ctypes, time\\nctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\\ntime.sleep(1000)"
worker.ask(adapt(body), [("adapt", EXERCISES["1.6"].all_cases(1))])"""
    grader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    folder = grader.stdout.readline().strip()
    until = time.monotonic() + 60
    while len(of_worker(folder)) < 3 and time.monotonic() < until:      # worker, guard, child
        time.sleep(0.1)
    assert len(of_worker(folder)) >= 3
    time.sleep(1)
    grader.kill()
    grader.wait()
    until = time.monotonic() + 10
    while of_worker(folder) and time.monotonic() < until:
        time.sleep(0.1)
    left = of_worker(folder)
    grader.stdout.close()
    shutil.rmtree(folder)                                  # it had no time to
    assert left == []


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_after_an_answer_nobody_is_left(worker):
    asked(worker, "import time\ndef f(x): time.sleep(0.01)\ndef g(x): return x", "f", "g")
    until = time.monotonic() + 10
    while len(of_worker(worker._process._folder.name)) > 1 and time.monotonic() < until:
        time.sleep(0.1)
    assert of_worker(worker._process._folder.name) == [worker._process.program.pid]


def test_a_folder_nested_deeper_than_python_can_walk_is_removed(tmp_path):
    """As an answer could leave one where there are no walls, so that clearing up ends the grader."""
    folder, here = tmp_path / "left", os.getcwd()
    folder.mkdir()
    try:
        os.chdir(folder)
        for depth in range(1200):
            os.mkdir("x")
            if depth % 100 == 0:
                os.symlink("/", "root")
                Path("file").touch()
            os.chdir("x")
    finally:
        os.chdir(here)
    walls.clear(str(folder))
    assert list(folder.iterdir()) == []
    assert Path("/").exists()


# What is seen

def tree(base: Path, *names: str) -> None:
    for name in names:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("x")


def test_only_named_packages_are_visible_never_a_folder_that_holds_more():
    """So neither a virtual environment in a project's folder, nor a clone below /usr, shows what lies around it."""
    paths, visible, empty = starting.allowed()
    library = os.path.dirname(os.__file__)
    outside_of_it = [path for path in visible if not Path(path).is_relative_to(os.path.realpath(library))]
    assert all(Path(path).parent.name in ("site-packages", "dist-packages") or Path(path).name == "lib-dynload"
               for path in outside_of_it), outside_of_it
    assert {"torch", "numpy", "safetensors"} <= {Path(path).name for path in visible}
    assert not {"rlhf_kit", "site-packages", "dist-packages"} & {Path(path).name for path in visible}
    assert not any(Path(KIT).is_relative_to(path) and path not in map(str, Path(os.path.realpath(library)).parents)
                   for path in visible if path != os.path.realpath(library))
    assert all(os.path.join(os.path.realpath(library), name) in empty for name in ("site-packages", "dist-packages")
               if os.path.isdir(os.path.join(os.path.realpath(library), name)))
    assert os.path.realpath(library) in paths


@pytest.mark.parametrize("place", ["project/.venv/lib/python3", "usr/lib/python3"])
def test_hand_ins_and_solutions_around_a_package_are_not_seen(tmp_path, place, has_walls):
    """A virtual environment in the project's folder; a clone below /usr, with Python's library in the same tree."""
    if not has_walls:
        pytest.skip("this system allows no walls")
    tree(tmp_path, f"{place}/os.py", f"{place}/site-packages/torch/a.py", f"{place}/site-packages/rlhf_kit/lesson.py",
         f"{place}/site-packages/notes.txt", "project/hand-ins/ana.ipynb", "project/solution.ipynb",
         "usr/src/clone/solution.ipynb", "usr/share/words")
    (tmp_path / "root").mkdir()
    (tmp_path / place / "site-packages/link").symlink_to(tmp_path / "project/solution.ipynb")
    code = """import os, runpy, sys
base, library = sys.argv[1], sys.argv[1] + '/' + sys.argv[3]
walls = runpy.run_path(sys.argv[2])
packages = library + '/site-packages'
walls['enter_cell'](base + '/root', [library, packages + '/torch', packages + '/link'], [packages])
print(sorted(os.path.relpath(os.path.join(p, n), base) for p, _, names in os.walk(base) for n in names))
print(os.path.exists(packages + '/link'), os.listdir('/dev'), sorted(os.listdir('/'))[:1])"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), walls.__file__, place], capture_output=True,
                          text=True)
    seen = [f"{place}/os.py", f"{place}/site-packages/link", f"{place}/site-packages/torch/a.py"]
    assert done.stdout.splitlines()[:1] == [str(seen)], done.stderr      # a link that leads nowhere
    assert done.stdout.splitlines()[1].startswith("False ")


@pytest.fixture(scope="module")
def has_walls(tmp_path_factory) -> bool:
    """Whether this system lets us build a cell, asked without the worker."""
    code = "import runpy, sys\nrunpy.run_path(sys.argv[1])['enter_cell'](sys.argv[2], [], [])"
    command = [sys.executable, "-c", code, walls.__file__, str(tmp_path_factory.mktemp("root"))]
    return subprocess.run(command, capture_output=True).returncode == 0


# What the system refuses

@pytest.mark.skipif(not LINUX or platform.machine() not in system_calls.MACHINES, reason="there is no such filter")
@pytest.mark.parametrize("call", ["os.fork()", "os.kill(os.getppid(), 0)", "os.kill(-1, 0)", "os.memfd_create('m')",
                                  "__import__('socket').socket()", "os.execv('/bin/true', ['true'])",
                                  "__import__('resource').prlimit(os.getppid(), 4)"])
def test_a_call_that_is_no_computing_is_refused(call):
    code = f"""import ctypes, os, runpy, sys
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
assert runpy.run_path(sys.argv[1])['refuse']()
os.kill(os.getpid(), 0)
print(sum(range(10)))
try: {call}
except OSError as error: print(type(error).__name__)"""
    done = subprocess.run([sys.executable, "-c", code, system_calls.__file__], capture_output=True, text=True)
    assert done.stdout.split() in (["45", "PermissionError"], ["45", "BlockingIOError"]), done.stderr


def test_a_processor_that_the_filter_does_not_know_has_none(monkeypatch):
    """It says so, and the table does; it does not install what would mean something else there."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert system_calls.refuse() is False


def test_the_numbers_of_calls_are_those_of_the_kernel():
    """Those that the C library's header names here."""
    header = next((p for p in map(Path, ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
                                         "/usr/include/asm-generic/unistd.h")) if p.exists()), None)
    if header is None:
        pytest.skip("no header of the kernel")
    column = 0 if "unistd_64" in header.name else 1
    known = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", header.read_text())}
    for name, numbers in system_calls.REFUSED.items():
        if numbers[column] is not None and name in known:
            assert known[name] == numbers[column], name


# As another user, where root runs the tests

@pytest.mark.slow
@pytest.mark.skipif(not LINUX or os.geteuid() != 0, reason="only root can become another user")
def test_it_holds_as_an_ordinary_user_too():
    """The class of test_grading, graded by somebody without rights; where Python lies in a closed home, that is opened
    in a view of the file system that this process alone has."""
    interpreter = Path(sys.executable).resolve()
    home = next(folder for folder in interpreter.parents if folder.parent == Path("/"))
    inner = interpreter.relative_to(home).parts[0]
    place = Path(tempfile.mkdtemp(prefix="rlhf-kit-user-"))
    place.chmod(0o1777)
    (place / "keep").mkdir()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "everybody or killed",
               "--basetemp", f"{place}/pytest", str(Path(__file__).with_name("test_grading.py"))]
    script = f"""set -e
if [ "$(stat -c %a {home})" = 700 ]; then
  mount --bind {home} {place}/keep; mount -t tmpfs none {home}; chmod 755 {home}
  mkdir {home}/{inner}; mount --bind {place}/keep/{inner} {home}/{inner}
fi
exec setpriv --reuid 12345 --regid 12345 --clear-groups {" ".join(map(repr, command))}"""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(place), "HOME": str(place)}
    try:
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, env=environment,
                              cwd=KIT.parent)
    finally:
        for found in place.iterdir():                      # never into what was mounted, should it still be there
            if found.name == "keep":
                found.rmdir()
            else:
                shutil.rmtree(found, ignore_errors=True)
        place.rmdir()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " skipped" not in done.stdout                   # there were walls
