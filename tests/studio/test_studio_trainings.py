"""Trainings in processes of their own: one line, stop and resume, and servers that come and go."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rlhf_kit.storage import StorageError
from rlhf_kit.studio import trainings as module
from rlhf_kit.studio.trainings import JobError, Jobs

DEADLINE = 30


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """Children find `fake_training`."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.fixture
def serve(tmp_path):
    """serve() -> another server's `Jobs` of the same folder; at the end nothing runs any more."""
    made = []

    def start() -> Jobs:
        made.append(Jobs(tmp_path, module="fake_training", every=0.02))
        return made[-1]
    yield start
    for jobs in made:
        jobs.close()
    for look in start().all():
        if look.state in ("running", "waiting", "stopping"):
            made[-1].stop(look.job.name)
    for child in module._CHILDREN.values():
        child.wait(DEADLINE)
    module._CHILDREN.clear()


@pytest.fixture
def jobs(serve):
    return serve()


def begin(jobs: Jobs, name: str, *arguments: str, steps: int = 3, by: str = "ana", **more) -> None:
    jobs.start("ppo", name, ["--steps", str(steps), *arguments], steps=steps, by=by, **more)


def look(jobs: Jobs, name: str):
    return next(one for one in jobs.all() if one.job.name == name)


def until(condition, what: str = "") -> None:
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.01)


def until_state(jobs: Jobs, name: str, state: str) -> None:
    until(lambda: look(jobs, name).state == state, f"{name} is {look(jobs, name)}, not {state}")


def until_steps(jobs: Jobs, name: str, n: int) -> None:
    until(lambda: len(look(jobs, name).steps) >= n, f"{name} has not made {n} steps: {look(jobs, name)}")


def test_a_training_runs_to_its_end_with_one_thread_and_behind_everybody_else(jobs):
    begin(jobs, "one", about={"lang": "en"})
    until_state(jobs, "one", "done")
    seen = look(jobs, "one")
    assert [row["step"] for row in seen.steps] == [1, 2, 3]
    assert (seen.result["nice"], seen.result["threads"]) == (min(os.nice(0) + 10, 19), "1")
    assert (seen.job.by, seen.job.about) == ("ana", {"lang": "en"})
    assert seen.steps[0]["by"] != os.getpid()
    until(lambda: jobs._keeper is None)


def test_stopped_it_keeps_its_steps_and_resumed_it_goes_on_after_them(jobs):
    begin(jobs, "long", "--pause", "0.05", steps=200)
    until_steps(jobs, "long", 2)
    jobs.stop("long")
    stopped = look(jobs, "long")
    assert stopped.state == "stopped"
    assert 2 <= len(stopped.steps) < 200
    jobs.resume("long")
    until_steps(jobs, "long", len(stopped.steps) + 1)
    again = look(jobs, "long").steps
    assert again[:len(stopped.steps)] == stopped.steps
    assert again[-1]["by"] != stopped.steps[0]["by"]


def test_who_does_not_listen_is_made_to(jobs, monkeypatch):
    monkeypatch.setattr(module, "FIRM", 0.3)
    begin(jobs, "deaf", "--deaf", "--pause", "0.05", steps=200)
    until_steps(jobs, "deaf", 1)
    jobs.stop("deaf")
    assert look(jobs, "deaf").state == "stopped"


def test_one_at_a_time_and_the_others_wait_in_the_order_in_which_they_came(jobs):
    for name in ("first", "second", "third"):
        begin(jobs, name, "--pause", "0.05", steps=4 if name == "second" else 200)
    until_state(jobs, "first", "running")
    assert [(one.job.name, one.state, one.ahead) for one in jobs.all()] == [
        ("first", "running", 0), ("second", "waiting", 1), ("third", "waiting", 2)]
    jobs.stop("third")
    jobs.stop("first")
    until_state(jobs, "second", "done")
    assert [look(jobs, name).state for name in ("first", "third")] == ["stopped", "stopped"]
    assert look(jobs, "third").steps == []
    jobs.resume("third")
    jobs.resume("first")                                            # later than third, so behind it
    until_state(jobs, "third", "running")
    assert look(jobs, "first").ahead == 1


def test_two_servers_of_one_folder_run_one_training(serve):
    one, other = serve(), serve()
    for number in range(3):
        begin(one if number % 2 else other, f"run-{number}", "--pause", "0.1", steps=3)
    one.watch()
    other.watch()
    until(lambda: [seen.state for seen in one.all()] == ["done"] * 3)
    times = [[row["at"] for row in seen.steps] for seen in one.all()]
    assert times[0][-1] < times[1][0] < times[1][-1] < times[2][0]
    assert all(len({row["by"] for row in seen.steps}) == 1 for seen in one.all())      # nobody was started twice


def test_what_fails_says_its_last_line_and_is_not_tried_again_by_itself(jobs):
    begin(jobs, "bad", steps=0)
    until_state(jobs, "bad", "failed")
    assert look(jobs, "bad").line == "the disk is full of <b>feathers</b>. Free some space."
    assert not jobs.tend()
    assert look(jobs, "bad").job.starts == 1


def test_a_bug_is_a_failure_too(jobs):
    jobs.module = "no_such_module"
    begin(jobs, "bug")
    until_state(jobs, "bug", "failed")
    assert "no_such_module" in look(jobs, "bug").line


def test_a_process_that_is_killed_is_started_again_but_not_for_ever(jobs, monkeypatch):
    begin(jobs, "hit", "--die", "2", steps=3)                       # dies at step 2, and then has it behind it
    until_state(jobs, "hit", "done")
    assert look(jobs, "hit").job.starts == 2
    monkeypatch.setattr(module, "MOST_STARTS", 1)
    begin(jobs, "doomed", "--die", "1")
    until(lambda: look(jobs, "doomed").state == "failed")
    assert look(jobs, "doomed").line == ""


def test_a_folder_that_somebody_deleted_is_said_and_made_again(jobs):
    begin(jobs, "lost")
    until_state(jobs, "lost", "done")
    until(lambda: jobs._keeper is None)
    shutil.rmtree(jobs.run_folder("lost"))
    assert look(jobs, "lost").state == "gone"
    jobs.resume("lost")
    until_state(jobs, "lost", "done")


def test_names_that_are_no_folder_and_names_that_are_taken(jobs):
    for name in ("", " ", ".", "..", "a/b", "../x", "-x", "a b", "a" * 41, "é\n", ".lock"):
        with pytest.raises(JobError, match="bad_name"):
            begin(jobs, name)
        with pytest.raises(JobError, match="unknown"):
            jobs.stop(name)
    begin(jobs, "短回答-1")
    until_state(jobs, "短回答-1", "done")
    with pytest.raises(JobError, match="taken"):
        begin(jobs, "短回答-1")
    jobs.run_folder("hand").mkdir(parents=True)
    for anew in (False, True):                      # nor thrown away: it was not begun here
        with pytest.raises(JobError, match="taken"):
            begin(jobs, "hand", anew=anew)


def test_an_older_run_goes_only_when_somebody_says_so_and_never_while_it_runs(jobs):
    begin(jobs, "mine", "--pause", "0.1", steps=100, by="ana")
    until_steps(jobs, "mine", 2)
    with pytest.raises(JobError, match="in_use"):
        begin(jobs, "mine", anew=True)
    jobs.stop("mine")
    begin(jobs, "mine", steps=1, by="bo", anew=True)
    until_state(jobs, "mine", "done")
    assert (len(look(jobs, "mine").steps), look(jobs, "mine").job.by) == (1, "bo")


def test_what_somebody_put_beside_a_job_outlives_a_new_start(jobs):
    begin(jobs, "mine", "--pause", "0", f"jobs/mine/{'rankings.jsonl'}", steps=1, files={"rankings.jsonl": "{}"})
    until_state(jobs, "mine", "done")
    (jobs.place("mine") / "notes.txt").write_text("mine")
    begin(jobs, "mine", steps=1, anew=True)
    until_state(jobs, "mine", "done")
    assert (jobs.place("mine") / "notes.txt").read_text() == "mine"
    assert not (jobs.place("mine") / "rankings.jsonl").exists()


def test_a_line_has_an_end(jobs, monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 1)
    begin(jobs, "running", "--pause", "0.1", steps=100)
    until_state(jobs, "running", "running")
    begin(jobs, "waiting")
    with pytest.raises(JobError, match="line_full"):
        begin(jobs, "too-many")


def test_a_full_disk_starts_nothing_and_leaves_nothing(jobs, monkeypatch):
    def full(path, text):
        raise StorageError(f"{path} cannot be written: No space left on device.")
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_text", full)
        with pytest.raises(StorageError, match="No space"):
            begin(jobs, "full", files={"rankings.jsonl": "{}"})
    assert jobs.all() == []
    begin(jobs, "full", files={"rankings.jsonl": "{}"})
    until_state(jobs, "full", "done")
    assert (jobs.place("full") / "rankings.jsonl").read_text() == "{}"


def test_damaged_files_are_nobody_s_training(jobs):
    begin(jobs, "fine")
    until_state(jobs, "fine", "done")
    for name, text in (("torn", "{"), ("list", "[]"), ("strange", '{"name": "strange", "arguments": []}')):
        (jobs.folder / "jobs" / name).mkdir()
        (jobs.folder / "jobs" / name / "job.json").write_text(text)
    (jobs.run_folder("fine") / "metrics.jsonl").write_text("{}\n[1]\n")
    assert [(one.job.name, one.steps) for one in jobs.all()] == [("fine", [])]
    (jobs.run_folder("fine") / "result.json").write_text("{")
    assert "damaged" in look(jobs, "fine").line


SERVER = """
import sys, time
from rlhf_kit.studio.trainings import Jobs
jobs = Jobs(sys.argv[1], module="fake_training", every=0.02)
jobs.watch()
for name in sys.argv[2:]:
    jobs.start("ppo", name, ["--steps", "200", "--pause", "0.05"], steps=200, by="ana")
print("up", flush=True)
time.sleep(600)
"""


def server(folder: Path, *names: str) -> subprocess.Popen:
    """A server in a process of its own, which has started these trainings."""
    home = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parents[1])])
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(folder), *names], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": home})
    assert process.stdout.readline() == "up\n"
    return process


def test_a_server_killed_outright_leaves_its_training_running_and_the_next_one_finds_it(serve, tmp_path):
    with server(tmp_path, "first", "second") as first:
        watching = serve()                                          # looks, and starts nothing
        until_steps(watching, "first", 2)
        first.kill()
    before = look(watching, "first")
    assert before.state == "running"
    until_steps(watching, "first", len(before.steps) + 2)
    watching.watch()
    until_steps(watching, "first", len(before.steps) + 6)
    assert len({row["by"] for row in look(watching, "first").steps}) == 1
    assert (look(watching, "second").state, look(watching, "second").job.starts) == ("waiting", 0)
    watching.stop("first")                                          # nobody's child here
    until_steps(watching, "second", 1)


def test_a_machine_that_went_down_with_everything_goes_on_where_it_was(serve, tmp_path):
    with server(tmp_path, "first") as first:
        watching = serve()
        until_steps(watching, "first", 3)
        first.kill()
    done = look(watching, "first").steps
    os.killpg(int((watching.place("first") / "pid").read_text()), signal.SIGKILL)
    until_state(watching, "first", "waiting")
    watching.watch()
    until_steps(watching, "first", len(done) + 5)
    assert len({row["by"] for row in look(watching, "first").steps}) == 2


def test_many_threads_press_at_once_and_each_name_is_started_once(jobs):
    taken = []

    def press(number: int) -> None:
        try:
            begin(jobs, f"run-{number % 3}", steps=1)
        except JobError as error:
            taken.append(error.key)
    threads = [threading.Thread(target=press, args=(i,)) for i in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == ["taken"] * 6
    until(lambda: [one.state for one in jobs.all()] == ["done"] * 3)
    assert json.loads((jobs.place("run-0") / "ended.json").read_text()) == {"code": 0}
