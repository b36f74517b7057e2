"""The panel that trains, by clicks: a reward model, PPO, stop, resume, and what others see of it."""

import sys
import time
from pathlib import Path

import pytest

from rlhf_kit.formulas.records import Ranking
from rlhf_kit.studio.trainings import Jobs
from rlhf_kit.studio.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[1]))

UNKIND = "<img src=x onerror=window.pwned=1>${window.pwned=1}{{value}}"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Twelve ranked lists, and trainings that take a moment and need no model."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    made = Workspace(tmp_path / "studio")
    made.jobs = Jobs(made.folder, module="fake_training", every=0.05)
    rows = [Ranking(f"The lamp {i}", (" is fine.", " broke at once.", " is"), (2, 3, 1)) for i in range(12)]
    made.labels.add_rankings(rows, "ana")
    yield made
    for look in made.jobs.all():
        if look.state in ("running", "waiting"):
            made.jobs.stop(look.job.name)
    made.jobs.close()
    made.labels.close()


def slowly(workspace, monkeypatch, pause: float) -> None:
    """From now on a step takes that long."""
    begin = Jobs.start
    monkeypatch.setattr(Jobs, "start", lambda self, kind, name, arguments, **more: begin(
        self, kind, name, [*arguments, "--pause", str(pause)], **more))


def row(page, name: str):
    return page.locator(f'.rk-train li[data-job="{name}"]')


def in_state(page, name: str, state: str):
    page.locator(f'.rk-train li[data-job="{name}"][data-state="{state}"]').wait_for()


def test_train_run_stop_and_resume_by_clicks(serve, visit, workspace, monkeypatch):
    page = visit(serve("train", workspace=workspace))
    page.get_by_text("12 ranked lists to learn from.").wait_for()
    page.get_by_label("Your name").fill("")
    page.get_by_role("button", name="Train reward model").click()
    page.get_by_text("Write a name of 1 to 100 printable characters first.").wait_for()
    page.get_by_label("Your name").fill("ana")
    page.get_by_role("button", name="Train reward model").click()
    page.get_by_text("rm-1 is in the line.").wait_for()
    in_state(page, "rm-1", "done")
    page.wait_for_function("document.querySelector('#rk-train-judge-en input')?.value === 'rm-1'")

    slowly(workspace, monkeypatch, 0.15)
    page.get_by_role("button", name="Run PPO").click()
    in_state(page, "policy-1", "running")
    page.wait_for_function("(document.querySelector('.rk-train polyline')?.getAttribute('points') || '')"
                           ".split(' ').length > 3")
    page.get_by_role("button", name="Stop: policy-1").click()
    in_state(page, "policy-1", "stopped")
    steps = len(workspace.jobs.all()[-1].steps)
    assert 3 <= steps < 30
    page.get_by_role("button", name="Resume: policy-1").click()
    in_state(page, "policy-1", "running")
    page.wait_for_function(f"+document.querySelector('[role=progressbar]').ariaValueNow > {steps}")
    in_state(page, "policy-1", "done")
    assert page.locator(".rk-train svg[role=img]").first.get_attribute("aria-label").endswith("at step 30")


def test_another_person_sees_the_same_in_another_language_and_so_does_a_new_page(serve, visit, workspace, monkeypatch):
    address = serve("train", workspace=workspace)
    slowly(workspace, monkeypatch, 2.0)
    first, second = visit(address), visit(address, "zh")
    first.get_by_label("Your name").fill(UNKIND[:90])
    first.get_by_role("button", name="Run PPO").click()
    in_state(first, "policy-1", "running")
    in_state(second, "policy-1", "running")
    third = visit(address, dark=True, width=390)
    in_state(third, "policy-1", "running")
    assert UNKIND[:90] in row(second, "policy-1").inner_text()
    assert "PPO · 由" in row(second, "policy-1").inner_text()
    second.get_by_role("button", name="停止: policy-1").click()
    for page in (first, second, third):
        in_state(page, "policy-1", "stopped")
        assert page.evaluate("window.pwned") is None
    assert third.evaluate("document.documentElement.scrollWidth") == 390


def test_it_goes_by_keyboard_alone_and_the_focus_stays(serve, visit, workspace, monkeypatch):
    slowly(workspace, monkeypatch, 0.2)
    page = visit(serve("train", workspace=workspace))
    page.get_by_label("Your name").fill("ana")
    page.get_by_role("button", name="Run PPO").focus()
    page.keyboard.press("Enter")
    in_state(page, "policy-1", "running")
    page.get_by_role("button", name="Stop: policy-1").focus()
    page.wait_for_function("+document.querySelector('[role=progressbar]').ariaValueNow > 3")    # drawn anew meanwhile
    assert page.evaluate("document.activeElement.dataset.act") == "stop"
    page.keyboard.press("Enter")
    in_state(page, "policy-1", "stopped")


def test_a_failure_is_one_line_and_the_page_goes_on(serve, visit, workspace, monkeypatch):
    begin = Jobs.start
    monkeypatch.setattr(Jobs, "start", lambda self, kind, name, arguments, **more: begin(
        self, kind, name, [*arguments, "--steps", "0"], **more))
    page = visit(serve("train", workspace=workspace))
    page.get_by_label("Your name").fill("ana")
    page.get_by_role("button", name="Run PPO").click()
    in_state(page, "policy-1", "failed")
    assert "Failed: the disk is full of <b>feathers</b>. Free some space." in row(page, "policy-1").inner_text()


def test_a_page_that_nobody_looks_at_asks_for_nothing(serve, visit, workspace, monkeypatch):
    slowly(workspace, monkeypatch, 0.2)
    page = visit(serve("train", workspace=workspace))
    page.get_by_label("Your name").fill("ana")
    page.get_by_role("button", name="Run PPO").click()
    in_state(page, "policy-1", "running")
    page.evaluate("document.querySelector('#rk-train-en').style.display = 'none'")
    time.sleep(1)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    time.sleep(2.5)
    page.evaluate("1")
    assert asked == []


def test_charts_say_units_and_values_and_lie_over_one_another(serve, visit, workspace, monkeypatch):
    page = visit(serve("train", workspace=workspace))
    page.get_by_label("Your name").fill("ana")
    for name, beta in (("policy-1", "0.1"), ("policy-2", "0.3")):
        page.get_by_role("spinbutton", name="KL coefficient β").fill(beta)
        page.get_by_role("button", name="Run PPO").click()
        in_state(page, name, "done")
    row(page, "policy-1").get_by_role("button", name="Lay over").click()
    page.locator(".rk-train .legend li").nth(1).wait_for()
    assert page.locator(".legend li").all_inner_texts() == ["policy-2, β = 0.3", "policy-1, β = 0.1"]
    kl = page.locator(".rk-train .curve", has_text="KL, nats per response")
    assert kl.locator("polyline").count() == 2
    assert {"nats", "step", "1", "30"} <= set(kl.locator("svg text").all_text_contents())
    kl.locator("svg").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert kl.locator(".rk-value").inner_text() == "step 2: policy-2, β = 0.3: 1.00; policy-1, β = 0.1: 1.00"
    kl.locator("svg").hover()
    assert kl.locator(".rk-value").inner_text().startswith("step 1")
    kl.locator("h4").hover()
    assert "never is" in page.locator(".rk-explain:visible").inner_text()
    row(page, "policy-1").get_by_role("button", name="Take out of the charts").click()
    page.locator(".rk-train .legend").wait_for(state="detached")


def test_a_training_says_how_long_it_will_take_yet(serve, visit, workspace, monkeypatch):
    slowly(workspace, monkeypatch, 0.5)
    page = visit(serve("train", workspace=workspace))
    page.get_by_label("Your name").fill("ana")
    page.get_by_role("button", name="Run PPO").click()
    row(page, "policy-1").get_by_text("s left").wait_for()
    assert 1 <= int(row(page, "policy-1").locator(".text").inner_text().split("about ")[1].split(" s")[0]) <= 60
