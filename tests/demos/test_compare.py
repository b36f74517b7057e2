"""Compare in a browser: the saved example at once, generating by keys, a strip by arrow keys, text that stays text."""

import json
import re
import shutil
import time

import pytest
from playwright.sync_api import expect

from rlhf_kit import zoo
from rlhf_kit.models import tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.loading import save_model
from rlhf_kit.storage import new_folder
from rlhf_kit.studio import problems
from rlhf_kit.studio.fields import Steps
from rlhf_kit.studio.trainings import Job
from rlhf_kit.studio.workspace import Workspace

EVIL = ["${Object.assign(window,{pwned:1}).pwned+41}", "{{constructor.constructor('pwned=1')()}}",
        "<img src=x onerror=window.pwned=1>", "<script>window.pwned=1</script>", "‮abc\n"]


def saved(pieces):
    samples = [{"pieces": [[text, x, -x, 1.0] for text, x in pieces], "reward": 0.75, "kl": 5.0, "tokens": len(pieces),
                "gold": 0.5, "ended": True}] * 3
    view = {"prompt": "p", "beta": 0.05, "reward": "tiny-judge-en",
            "columns": [{"name": name, "step": None, "steps": None, "reference": "before", "samples": samples}
                        for name in ("before", "after")]}
    return {"compare": {"views": [view] * 6, "histogram": {"reward": "tiny-judge-en", "series": [
        {"name": "before", "scores": [0.1, 0.5]}, {"name": "after", "scores": [0.9, 0.95]}]}}}


@pytest.fixture
def example(monkeypatch):
    said = saved([("It", 0.25), (" is", -0.5), (" good", 0.125), ("", 0.0)])
    monkeypatch.setattr(problems, "example", lambda lang: said)


@pytest.fixture
def models(policy, tokenizer, tmp_path):
    """Two policies and a judge in folders, named at start."""
    zoo.save_policy(policy, tmp_path / "before")
    zoo.save_policy(policy, tmp_path / "after")
    with new_folder(tmp_path / "praise") as unfinished:
        save_model(tiny.classifier(tokenizer, layers=1, width=16), tokenizer, unfinished)
    return [str(tmp_path / name) for name in ("before", "after", "praise")]


def line(page):
    return page.locator("#rk-compare-line .rk-notice")


def ready(page):
    """Once the page knows which models there are."""
    page.wait_for_function("document.querySelector('#rk-compare-first input')?.value === 'before'")


def test_the_saved_example_is_there_at_once_and_nothing_is_loaded(serve, visit, example, tmp_path):
    workspace = Workspace(tmp_path / "studio")
    address = serve("compare", workspace=workspace)
    began = time.monotonic()
    page = visit(address)
    page.locator(".rk-token").first.wait_for()
    assert time.monotonic() - began < 20                    # `make bench ARGS=first_view` measures it
    assert page.locator(".rk-tokens").count() == 6
    assert page.locator("dd").all_inner_texts()[:5] == ["0.75", "5.0", "4", "0.50", "0.50"]
    page.get_by_text("No trained model yet. Run lesson 01").wait_for()
    assert page.locator(".rk-histogram svg").get_attribute("aria-label") == "before: mean 0.30; after: mean 0.93"
    assert workspace.shelf.loaded() == 0


def test_lens_price_and_arrow_keys(serve, visit, example):
    page = visit(serve("compare"))
    strip = page.locator(".rk-tokens").first
    strip.focus()
    said = page.locator(".rk-number").first
    assert said.inner_text() == "“It” reward +0.25"
    page.keyboard.press("ArrowRight")
    assert said.inner_text() == "“ is” reward −0.50"
    assert page.locator(".rk-on").all_inner_texts() == [" is"]
    page.keyboard.press("End")
    assert said.inner_text() == "“⟨end⟩” reward +0.00"
    page.keyboard.press("Tab")                                          # to the sample's numbers
    page.keyboard.press("Tab")
    assert page.locator(".rk-tokens").nth(1).evaluate("e => e === document.activeElement")      # one stop a strip
    assert strip.locator(".rk-token").nth(1).get_attribute("class") == "rk-token rk-minus rk-marked"
    page.get_by_label("KL", exact=True).check()
    assert strip.locator(".rk-token").nth(1).get_attribute("class") == "rk-token rk-plus rk-marked"
    strip.locator(".rk-token").nth(1).hover()
    assert said.inner_text() == "“ is” log π - log ρ = +0.50 nats"
    page.get_by_label("KL coefficient β").fill("0.1")
    assert page.locator("dd").all_inner_texts()[3] == "0.25"


def test_generating_by_keys_and_stopping(serve, visit, models, tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "studio", models)
    page = visit(serve("compare", workspace=workspace))
    ready(page)
    prompt, stop = page.get_by_label("Prompt"), page.get_by_role("button", name="Stop (Esc)")
    prompt.fill("   ")
    prompt.press("Control+Enter")
    page.get_by_text("Write a prompt first.").wait_for()
    expect(stop).to_be_disabled()                                   # Gradio drops a press while the last one is ending
    prompt.fill("a" * 100_000)
    prompt.press("Control+Enter")
    page.get_by_text("The prompt has 100,000 characters").wait_for()
    expect(stop).to_be_disabled()
    assert len(prompt.input_value()) == 100_000
    prompt.fill("the lamp is")
    prompt.press("Control+Enter")
    page.get_by_text("Done in").wait_for(timeout=120_000)           # imports, once
    assert page.locator(".rk-column h3").all_inner_texts() == ["before", "after"]
    slow(monkeypatch)
    page.get_by_label("Prompt").press("Control+Enter")
    page.get_by_text("tokens · Stop (Esc)").wait_for()
    escape(page, page.get_by_text("Stopped. What was written so far is shown"))
    page.wait_for_timeout(700)
    assert line(page).inner_text().startswith("Stopped. What")      # and nothing else afterwards
    wait_until(lambda: workspace.line._seen == {})


def test_the_best_of_n_beside_single_samples(serve, visit, models, tmp_path):
    page = visit(serve("compare", workspace=Workspace(tmp_path / "studio", models)))
    ready(page)
    page.get_by_label("Prompt").fill("the lamp is")
    page.get_by_role("button", name="Models and settings").click()
    page.locator("#rk-compare-n input[type=number]").fill("8")
    page.locator("#rk-compare-n input[type=number]").press("Tab")
    page.get_by_label("Prompt").press("Control+Enter")
    page.get_by_text("Done in").wait_for(timeout=120_000)
    heads = page.locator(".rk-column h3")
    assert heads.all_inner_texts() == ["before", "before · best of 8", "after"]
    assert page.locator(".rk-column").nth(1).locator("dd").all_inner_texts()[1] == "≤ 1.2"
    rewards = [page.locator(".rk-column").nth(i).locator("dd").first for i in range(2)]
    assert float(rewards[1].inner_text()) >= float(rewards[0].inner_text())
    slider = page.locator(".rk-tools input[type=range]").last
    slider.focus()
    page.keyboard.press("Home")
    assert heads.all_inner_texts()[1] == "before · best of 1"
    assert rewards[1].inner_text() == rewards[0].inner_text()                       # the same draw
    assert page.locator(".rk-column").nth(1).locator("dd").all_inner_texts()[1] == "≤ 0.0"


def test_stop_with_nothing_running_says_nothing_and_odd_values_do_not_block_the_line(serve, visit, models, tmp_path,
                                                                                      monkeypatch):
    workspace = Workspace(tmp_path / "studio", models)
    page = visit(serve("compare", workspace=workspace), "zh", locale="zh-CN")
    ready(page)
    page.locator("#rk-compare-prompt textarea").fill("the")
    page.get_by_role("button", name="模型与设置").click()
    page.get_by_label("种子", exact=True).fill("-1")
    page.locator("#rk-compare-prompt textarea").press("Control+Enter")
    page.get_by_text("用时").wait_for(timeout=120_000)
    said = line(page).inner_text()
    page.keyboard.press("Escape")
    page.wait_for_timeout(700)
    assert line(page).inner_text() == said

    def refuse(*_):
        raise ValueError("before any code of ours")
    monkeypatch.setattr(Steps, "preprocess", refuse)
    page.locator("#rk-compare-prompt textarea").press("Control+Enter")
    page.get_by_text("没有成功，原因写在服务器的屏幕上。你写的内容还在").wait_for()
    wait_until(lambda: workspace.line._seen == {})


def test_the_next_in_line_sees_the_place_and_goes_on_when_the_first_leaves(serve, visit, models, tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "studio", models)
    address, closed = serve("compare", workspace=workspace), slow(monkeypatch)
    first, second, third = visit(address), visit(address), visit(address, "zh", locale="zh-CN")
    for page, said in ((first, "tokens · Stop"), (second, "1 person is before you."), (third, "前面还有 2 人。")):
        ready(page)
        page.locator("#rk-compare-prompt textarea").fill("the")
        page.locator("#rk-compare-prompt textarea").press("Control+Enter")
        page.get_by_text(said).wait_for()
    first.close()
    second.get_by_text("tokens · Stop").wait_for()
    assert closed
    escape(second, third.get_by_text("停止 (Esc)"))


def test_a_page_that_is_closed_gives_up_its_place(serve, visit, models, tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "studio", models)
    address, _ = serve("compare", workspace=workspace), slow(monkeypatch)
    pages = [visit(address) for _ in range(3)]
    for page, said in zip(pages, ("tokens · Stop", "1 person is before you.", "2 people are before you."), strict=True):
        ready(page)
        page.locator("#rk-compare-prompt textarea").press("Control+Enter")
        page.get_by_text(said).wait_for()
    began = time.monotonic()
    pages[1].close()
    pages[2].get_by_text("1 person is before you.").wait_for()
    escape(pages[0], pages[0].get_by_text("Stopped."))
    pages[2].get_by_text("tokens · Stop").wait_for()
    assert time.monotonic() - began < 15                    # and not after the half minute of those who say nothing
    escape(pages[2], pages[2].get_by_text("Stopped."))


def test_text_stays_text(serve, visit, monkeypatch):
    monkeypatch.setattr(problems, "example", lambda lang: saved([(text, 0.5) for text in EVIL]))
    page = visit(serve("compare"))
    seen = page.locator(".rk-tokens").first.locator(".rk-token").all_text_contents()
    assert seen == [text.replace("\n", "↵\n") for text in EVIL]
    assert page.evaluate("window.pwned") is None
    assert page.locator(".rk-columns img, .rk-columns script").count() == 0


def test_on_a_telephone_in_chinese(serve, visit, example):
    page = visit(serve("compare"), "zh", width=390, height=844, locale="zh-CN")
    page.locator(".rk-token").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_text("还没有训练好的模型。请先运行第 01 课").wait_for()
    page.get_by_role("button", name="第一次买露营椅，").click()
    page.wait_for_function("document.querySelector('#rk-compare-prompt textarea')?.value === '第一次买露营椅，'")


def trained(policy, tokenizer, run, **settings):
    """What a PPO run of ten steps leaves, with snapshots at 0 and 5."""
    for place in ("snapshots/step-0000", "snapshots/step-0005", "policy"):
        zoo.save_policy(Policy(policy.lm, tokenizer), run / place)
    (run / "settings.json").write_text(json.dumps({"job": "ppo", "lang": "en", **settings}))
    (run / "metrics.jsonl").write_text('{"step": 10}\n')


def test_open_it_in_compare_generates_at_once_with_the_judge_that_was_pleased(serve, visit, models, policy, tokenizer,
                                                                              tmp_path):
    workspace = Workspace(tmp_path / "studio", [models[2]])
    runs = workspace.folder / "runs"
    trained(policy, tokenizer, runs / "policy-1", model=models[0], judge="runs/rm-1/model")     # from that folder
    (runs / "policy-1" / "result.json").write_text(json.dumps({"job": "ppo", "stages": {}}))
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16), runs / "rm-1" / "model")
    (runs / "rm-1" / "settings.json").write_text(json.dumps({"job": "rewardmodel", "lang": "en"}))
    workspace.jobs._write(Job(name="policy-1", kind="ppo", arguments=(), steps=10, by="ana"))
    page = visit(serve("compare", "train", workspace=workspace))
    page.get_by_role("tab", name="Train").click()
    page.get_by_role("button", name="Open it in Compare").click()
    page.get_by_text("Done in").wait_for(timeout=120_000)
    assert page.locator(".rk-column h3").all_inner_texts() == ["policy-1 · before", "policy-1 · step 10 of 10"]
    assert page.locator(".rk-by").inner_text() == "Scored by rm-1."
    chosen = [page.locator(f"#rk-compare-{which} input").input_value() for which in ("first", "second", "third")]
    assert chosen == ["policy-1 · before", "policy-1", "(none)"]


def test_samples_of_another_choice_are_marked_and_their_names_are_those_of_now(serve, visit, models, policy, tokenizer,
                                                                              tmp_path):
    workspace = Workspace(tmp_path / "studio", models)
    trained(policy, tokenizer, workspace.folder / "runs" / "mine", model=models[0], judge=models[2])
    page = visit(serve("compare", workspace=workspace))
    ready(page)
    old, go = page.get_by_text("these samples are of the choice before"), page.get_by_role("button", name="Generate (C")

    def generated(name, step=""):
        go.click()
        page.locator(".rk-column h3", has_text=name + step).wait_for(timeout=120_000)
        page.get_by_text("Done in").wait_for()
        assert not old.is_visible()
        assert page.locator(".rk-tokens").nth(1).get_attribute("aria-label") == f"Sample 1 of {name}"
    generated("after")
    page.get_by_role("button", name="Models and settings").click()
    second = page.locator("#rk-compare-second input")
    second.click()
    page.get_by_role("option", name="mine", exact=True).click()
    old.wait_for()
    generated("mine", " · step 10 of 10")
    page.locator("#rk-compare-second-step input[type=range]").fill("5")
    old.wait_for()
    generated("mine", " · step 5 of 10")
    prompt = page.locator("#rk-compare-prompt textarea")
    prompt.fill("the")
    old.wait_for()


def test_the_slider_goes_over_the_kept_steps(serve, visit, models, policy, tokenizer, tmp_path):
    trained(policy, tokenizer, tmp_path / "studio" / "runs" / "mine", model=models[0], judge=models[2])
    page = visit(serve("compare", workspace=Workspace(tmp_path / "studio")))
    page.get_by_role("button", name="Models and settings: mine · before, mine").click()
    slider = page.locator("#rk-compare-second-step input[type=range]")
    slider.wait_for()
    assert [slider.get_attribute(name) for name in ("min", "max", "step")] == ["0", "10", "5"]
    slider.fill("5")
    page.locator("#rk-compare-prompt textarea").fill("the")
    page.locator("#rk-compare-prompt textarea").press("Control+Enter")
    page.get_by_text("mine · step 5 of 10").wait_for()


def test_tokens_at_most_ends_where_the_models_context_does_and_what_is_cut_is_said(serve, visit, models, tmp_path):
    """The models of these tests read 48 tokens."""
    config = json.loads((tmp_path / "after" / "config.json").read_text())
    longer = shutil.copytree(tmp_path / "after", tmp_path / "longer")
    (longer / "config.json").write_text(json.dumps({**config, "n_positions": 300}))
    workspace = Workspace(tmp_path / "studio", models)
    address = serve("compare", workspace=workspace)
    workspace.shelf.named["longer"] = str(longer)               # there once the page has asked anew, and not before
    page = visit(address)
    page.wait_for_function("document.querySelector('#rk-compare-third input')?.value === 'longer'")
    page.locator("#rk-compare-more").click()
    most = page.locator("#rk-compare-most input[type=range]")
    expect(most).to_have_attribute("max", "47")
    page.get_by_text("at most 48 tokens together, prompt included").wait_for()

    def choose(**names):
        for which, name in names.items():
            page.locator(f"#rk-compare-{which} input").click()
            page.get_by_role("option", name=name, exact=True).click()
            expect(page.get_by_role("option")).to_have_count(0)
    choose(third="(none)", second="longer", first="longer")
    expect(page.locator("#rk-compare-more")).to_have_text("Models and settings: longer, longer")    # the third is off
    expect(most).to_have_attribute("max", "299")
    choose(second="after", first="before")
    expect(most).to_have_attribute("max", "47")
    most.fill("47")
    page.locator("#rk-compare-prompt textarea").fill("the lamp is")
    page.locator("#rk-compare-prompt textarea").press("Control+Enter")
    page.get_by_text("of 47 new tokens fit behind the prompt").wait_for(timeout=120_000)


def slow(monkeypatch):
    """A policy that takes its time; returns a list that is filled when a stream is closed."""
    from rlhf_kit.studio import comparing
    closed, responses = [], comparing.responses

    def slowly(*of):
        try:
            for grown in responses(*of):
                for _ in range(30):
                    time.sleep(0.15)
                    yield grown
        finally:
            closed.append(1)
    monkeypatch.setattr(comparing, "responses", slowly)
    return closed


def escape(page, seen):
    """Press Escape until it is seen to have worked: on a busy machine the button may come a moment after its words."""
    for _ in range(10):
        page.keyboard.press("Escape")
        page.wait_for_timeout(1000)
        if seen.is_visible():
            break
    seen.wait_for()


def wait_until(true, seconds=15):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_is_picked_before_the_server_has_said_what_there_is_stays(serve, browser, models, tmp_path):
    """The lists come late on a slow machine; where nothing was picked, they still choose what is compared."""
    workspace = Workspace(tmp_path / "studio", models)
    page, held = browser.new_page(), []
    page.set_default_timeout(20_000)
    page.route("**/queue/join*", lambda route: route.continue_() if held is None else held.append(route))
    page.goto(serve("compare", workspace=workspace))
    page.locator("#rk-early").wait_for(state="detached")
    page.locator(".rk-fold-button").click()
    page.wait_for_function("document.querySelector('#rk-compare-first input')?.value === 'before'")
    page.locator("#rk-compare-second input").click()
    page.get_by_role("option", name="tiny-lm-en").click()
    page.wait_for_timeout(500)
    assert len(held) >= 2                               # what the page asks when it opens, and what the pick asks
    waiting, held = held, None
    for route in waiting:
        route.continue_()
    expect(page.locator("#rk-compare-more")).to_have_text(re.compile("before.*tiny-lm-en"))
    page.wait_for_timeout(1500)
    chosen = [page.locator(f"#rk-compare-{which} input").input_value() for which in ("first", "second", "judge")]
    assert chosen == ["before", "tiny-lm-en", "praise"]
    page.close()
