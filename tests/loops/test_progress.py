"""The line that follows a training: it passes every step on and writes to stderr alone."""

from rlhf_kit.formulas.records import Step
from rlhf_kit.loops import progress as module
from rlhf_kit.loops.progress import progress


def test_steps_pass_as_they_come_and_the_line_ends_with_the_last(monkeypatch, capsys):
    clock = iter([0.0, 2.0, 2.1, 6.0])                     # begun; three steps, the second too soon to be shown
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    steps = [Step(n, {"loss": 2.0 - n}) for n in range(3)]
    assert list(progress(iter(steps), 3)) == steps
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "\r1/3 · loss 2.00 · 4 s \r3/3 · loss 0.00 · 0 s \n"


def test_nothing_is_run_ahead():
    taken = []
    steps = (taken.append(n) or Step(n, {}) for n in range(3))
    next(progress(steps, 3))
    assert taken == [0]
