"""Waiting for a model: who came first goes first, sees the place, and gives the turn up whatever happens."""

import asyncio
from types import SimpleNamespace

import pytest

from rlhf_kit.ui.line import Line
from rlhf_kit.ui.turns import in_turn, waiting
from rlhf_kit.ui.workspace import Workspace


def test_the_line_is_first_come_first_served():
    line = Line()
    a, b, c = (line.join() for _ in range(3))
    assert [line.ahead(x) for x in (a, b, c)] == [0, 1, 2]
    line.leave(b)
    line.leave(b)
    assert [line.ahead(x) for x in (a, c)] == [0, 1]
    line.leave(a)
    assert line.ahead(c) == 0


def test_whoever_is_silent_for_half_a_minute_has_left():
    now = [0.0]
    line = Line(clock=lambda: now[0])
    gone, here = line.join(), line.join()
    for now[0] in (10, 20):
        assert line.ahead(here) == 1
    now[0] = 31
    assert line.ahead(here) == 0
    assert line.ahead(gone) == 0


def test_waiting_tells_each_change_and_gives_the_place_up_when_closed():
    async def story():
        line = Line()
        first, second, third = (line.join() for _ in range(3))
        waits = line.wait(third)
        told = [await anext(waits)]
        line.leave(first)
        told.append(await anext(waits))
        await waits.aclose()
        assert line.ahead(second) == 0
        assert list(line._seen) == [second]
        assert [n async for n in line.wait(second)] == []
        assert list(line._seen) == [second]                        # whose turn it is keeps it
        return told
    assert asyncio.run(story()) == [2, 1]


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path)
    yield made
    made.close()


def told(workspace, refused=None, name="ana"):
    async def story():
        request = SimpleNamespace(username=name, session_hash="x")
        return [said async for said in waiting(workspace, "en", request, refused)]
    return asyncio.run(story())


def test_who_presses_again_and_again_has_to_wait_and_nobody_else(workspace):
    for _ in range(6):
        workspace.line.leave(told(workspace)[-1][1])
    (line, ticket), = told(workspace)
    assert line.startswith("That was very fast: wait ")
    assert ticket is None
    assert told(workspace, name="bo")[-1][1] is not None


def test_who_is_refused_takes_no_place(workspace):
    assert told(workspace, "Write a prompt first.") == [["Write a prompt first.", None]]
    assert workspace.line._seen == {}


def test_a_turn_ends_when_its_page_is_closed(workspace):
    first, second, closed = workspace.line.join(), workspace.line.join(), []

    def stream():
        try:
            yield "A", "one"
            yield "B", "two"
        finally:
            closed.append(True)
    turn = in_turn(workspace, first, stream(), lambda value: [value])
    assert next(turn) == ["one", "A"]
    assert workspace.line.ahead(second) == 1
    turn.close()
    assert closed
    assert workspace.line.ahead(second) == 0
