"""Waiting for a model: who came first goes first, sees the place, and gives the turn up whatever happens."""

import asyncio
from types import SimpleNamespace

import gradio as gr
import pytest

from rlhf_kit.studio.fields import Names, Steps
from rlhf_kit.studio.line import Line
from rlhf_kit.studio.turns import Turns, in_turn, waiting
from rlhf_kit.studio.workspace import Workspace


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


@pytest.fixture
def turns(workspace):
    with gr.Blocks():
        return Turns(workspace, "zh", gr.State())


def test_after_a_press_that_gradio_refused_the_line_is_empty_and_the_page_says_so(turns):
    ticket = told(turns.workspace)[-1][1]
    line, left = turns.failed(ticket)
    assert line.startswith("没有成功")
    assert left is None
    assert turns.workspace.line._seen == {}


def test_a_run_that_was_stopped_is_no_failure(turns):
    ticket = told(turns.workspace)[-1][1]
    run = in_turn(turns.workspace, ticket, (x for x in [("A", "one"), ("B", "two")]), lambda value: [value])
    next(run)
    assert turns.failed(ticket) == [gr.skip(), gr.skip()]               # told before the generator is closed
    run.close()
    assert turns.failed(ticket) == [gr.skip(), gr.skip()]               # and after
    assert turns.workspace.line._begun == set()


def test_stop_says_something_only_where_something_waited_or_ran(turns):
    ticket = told(turns.workspace)[-1][1]
    assert turns.over(ticket) == ticket                                 # pressed again meanwhile
    assert turns.stopped(ticket, "Stopped: {}".format, "view") == ["Stopped: view", None]
    assert turns.over(ticket) is None
    assert turns.stopped(None, "Stopped: {}".format, "view") == [gr.skip(), None]


def test_what_stop_was_answered_is_said_again_to_that_page_when_the_run_has_ended(turns):
    """On a busy machine the browser still shows lines of the run that came before; the last word is Stop's."""
    ticket = turns.workspace.line.join("one")
    turns.stopped(ticket, "Stopped: {}".format, "view", page="one")
    assert turns.failed(None, "one") == ["Stopped: view", None]
    assert turns.failed(None, "two") == [gr.skip(), gr.skip()]


def test_of_pages_that_stopped_the_latest_are_remembered(turns, monkeypatch):
    monkeypatch.setattr("rlhf_kit.studio.turns.REMEMBERED", 2)
    for page in ("one", "two", "three"):
        turns.stopped(turns.workspace.line.join(page), "Stopped: {}".format, "view", page=page)
    assert [turns.failed(None, page)[0] for page in ("two", "three")] == ["Stopped: view"] * 2
    assert turns.failed(None, "one") == [gr.skip(), gr.skip()]


def test_the_ticket_is_known_while_one_waits(workspace):
    first = workspace.line.join()

    async def story():
        waits = waiting(workspace, "en", SimpleNamespace(username="ana", session_hash="x"), None)
        line, ticket = await anext(waits)
        assert ticket in workspace.line
        await waits.aclose()
        return line
    assert asyncio.run(story()) == "1 person is before you."
    assert list(workspace.line._seen) == [first]


def test_a_press_is_two_events_and_one_for_each_end(workspace):
    """What is refused on the way in, before any code of ours, gives the ticket back too."""
    with gr.Blocks() as page:
        turns, button, line, shown = Turns(workspace, "en", gr.State()), gr.Button(), gr.Textbox(), gr.Textbox()
        going = turns.wire(button.click, lambda request: None, [], lambda request: iter(()), [], line, [shown])
        turns.wire_stop(button, going, line, str)
    events = {fn.fn.__name__: fn for fn in page.fns.values() if fn.fn}
    assert events["act"].concurrency_id == "model"
    failures = [fn for fn in page.fns.values() if fn.trigger_only_on_failure]
    assert [(fn.fn.__name__, fn.trigger_after) for fn in failures] == [("failed", events["act"]._id)]


def test_fields_take_what_the_browser_sends_and_leave_it_to_the_panel():
    with gr.Blocks():
        names, steps = Names(["a"]), Steps(0, 1, 1)
    assert [names.preprocess(x) for x in ("a", "long gone", None, ["a"], 7)] == ["a", "long gone", "", "", ""]
    assert [steps.preprocess(x) for x in (0, 50, 3.0, -1, None, "3", 1e300)] == [0, 50, 3, -1, None, None, None]
    assert [field.get_block_name() for field in (names, steps)] == ["dropdown", "slider"]
