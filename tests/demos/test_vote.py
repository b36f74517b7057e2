"""Blind votes in a browser: blind, told, and dead until the next pair."""

import json

import httpx
import pytest

from rlhf_kit import zoo


@pytest.fixture
def workspace(stand_in):
    return stand_in


def test_votes_by_keys_tell_names_only_afterwards(serve, visit, workspace):
    page = visit(serve("vote", workspace=workspace))
    page.locator(".choice").first.wait_for()
    page.get_by_text("Pair 1 of 40").wait_for()
    assert "tiny-" not in page.content()
    first = page.locator(".text").first.inner_text()
    page.keyboard.press("1")
    page.locator(".whose", has_text="tiny-ppo · reward +1.00").wait_for()
    assert page.locator(".whose", has_text="tiny-base · reward -1.00").count() == 1
    assert page.locator(".choice:disabled").count() == 4
    page.keyboard.press("3")                                    # dead until the next pair
    said, = workspace.labels.judgements()
    assert workspace.labels.task(said.task_id).texts[said.groups[0][0]].strip() == first
    page.keyboard.press("Control+Enter")
    page.get_by_text("Pair 2 of 40").wait_for()
    assert "tiny-" not in page.locator(".rk-pair").inner_text()
    page.keyboard.press("4")
    page.get_by_role("button", name="Next pair").wait_for()
    assert sorted(said.flags for said in workspace.labels.judgements()) == [(), ("both bad",)]
    page.get_by_text("Only 2 votes: the intervals are still wide.").wait_for(timeout=120_000)   # imports, once
    page.keyboard.press("Control+z")
    page.get_by_text("Its pair is not asked again").wait_for()
    assert len(workspace.labels.judgements()) == 1


def test_nothing_that_the_server_sent_before_the_vote_names_a_model(serve, visit, workspace):
    """Every answer of the server until the pair is on the screen; the stream that brings it is asked below."""
    address = serve("vote", workspace=workspace)
    page = visit(address)
    page.locator(".choice").first.wait_for()
    page.get_by_text("Pair 1 of 40").wait_for()
    everything = page.evaluate("""async () => {
        const urls = performance.getEntriesByType('resource').map(entry => entry.name)
            .filter(url => !/\\.(js|css|woff2|svg)$/.test(url) && !url.includes('/queue/'));
        return (await Promise.all(urls.map(async url => (await fetch(url)).text()))).join('')
            + document.documentElement.outerHTML + JSON.stringify([window.gradio_config, {...localStorage}]);
    }""")
    assert len(everything) > 10_000
    assert "tiny-base" not in everything
    assert "tiny-ppo" not in everything


def test_the_stream_that_brings_a_pair_names_no_model(serve, workspace):
    address = serve("vote", workspace=workspace)
    number, = (one["id"] for one in httpx.get(f"{address}config").json()["dependencies"]
               if one.get("api_name") == "vote_show_en")
    asked = {"data": ["ana", "", "one"], "fn_index": number, "session_hash": "x"}
    httpx.post(f"{address}gradio_api/queue/join", json=asked)
    with httpx.stream("GET", f"{address}gradio_api/queue/data", params={"session_hash": "x"}, timeout=60) as events:
        sent = []
        for line in events.iter_lines():
            sent.append(line)
            if "process_completed" in line:
                break
    shown = json.loads(sent[-1].removeprefix("data:"))["output"]["data"][0]
    assert len(shown["texts"]) == 2
    assert not [line for line in sent if "tiny-base" in line or "tiny-ppo" in line]


def test_a_narrow_dark_chinese_page(serve, visit, workspace):
    page = visit(serve("vote", workspace=workspace), "zh", width=390, touch=True, dark=True, locale="zh-CN")
    page.get_by_text("第 1 对，共 40 对").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="平手").tap()
    page.get_by_role("button", name="下一对").wait_for()
    page.locator(".whose", has_text="tiny-ppo · 奖励 +1.00").wait_for()
    assert len(workspace.labels.judgements()[0].groups) == 1


def test_two_models_of_the_shelf_are_put_against_each_other_on_my_prompts(serve, visit, stand_in, policy, tmp_path):
    other = policy.reference()
    other.lm.transformer.wte.weight.data.mul_(1.3)
    for name, model in (("before", policy), ("after", other)):
        zoo.save_policy(model, tmp_path / name)
    stand_in.shelf.named = {name: str(tmp_path / name) for name in ("before", "after")}
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "the lamp"}\n{"prompt": "the bag"}\n')
    page = visit(serve("vote", workspace=stand_in))
    page.locator(".side").first.wait_for()
    page.get_by_role("button", name="Put any two models").click()
    page.wait_for_function("document.querySelector('#rk-vote-second-en input')?.value === 'after'")
    page.locator("input[type=file]").set_input_files(tmp_path / "prompts.jsonl")
    page.get_by_text("prompts.jsonl is in the field above.").wait_for()
    page.wait_for_function("document.querySelector('#rk-vote-prompts-en textarea')?.value.includes('the bag')")
    page.get_by_role("button", name="Let them write").click()
    page.get_by_text("new pairs of 2 prompts").wait_for(timeout=60_000)
    page.wait_for_function("document.querySelector('#rk-vote-match-en input')?.value.startsWith('after / before')")
    prompt = page.locator(".rk-pair .prompt")
    page.wait_for_function("['the lamp', 'the bag'].includes(document.querySelector('.rk-pair .prompt').textContent)")
    assert "before" not in page.locator(".rk-pair").inner_text()            # blind until the vote
    first = prompt.inner_text()
    page.keyboard.press("2")
    page.locator(".rk-pair .whose", has_text="before").wait_for()
    page.get_by_role("row", name="after / before 1 0 1 50 % (5 % – 95 %)").wait_for()
    page.keyboard.press("Control+Enter")
    page.wait_for_function("first => document.querySelector('.rk-pair .prompt').textContent !== first", arg=first)
    assert prompt.inner_text() in ("the lamp", "the bag")
