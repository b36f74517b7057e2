"""Over-optimisation: labels that are flipped, curves by hand, what a stopped run keeps, and the page."""

import json
import math
import multiprocessing
import re
import signal
import time
from dataclasses import replace

import pytest
import torch

from rlhf_kit import cli, rewards, tasks, zoo
from rlhf_kit.formulas.overoptimisation import gold_at
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.language import sentences
from rlhf_kit.methods.best_of_n import Draws
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import StorageError, remove
from rlhf_kit.studies import overoptimisation as study
from rlhf_kit.studies.frontier import world
from rlhf_kit.studies.overoptimisation import curves, page
from rlhf_kit.studies.overoptimisation.comparisons import compared, labelled
from rlhf_kit.studies.overoptimisation.proxies import Curve, Proxy
from rlhf_kit.studies.overoptimisation.proxies import curves as wanted
from tests.benchmarks import overoptimisation

SMALL = study.Amounts(prompts=8, held_out=6, draws=8, answers=4, scaled=40, ppo_steps=4, every=2, updates=3,
                      sampling=Sampling(max_new_tokens=5))
SLOW = pytest.mark.slow
WRITE = page.write
EVIL = "</script><script>alert(1)</script>"


# -- what learns from what ---------------------------------------------------------------------------------------------

def test_of_four_answers_every_two_are_compared_and_equals_are_not():
    one = Draws("p", (" a", " b", " c", " d"), (0.1, 0.5, 0.5, 0.0), 1, -1.0)
    assert [(pair.chosen, pair.rejected) for pair in compared([one])] == [
        (" b", " a"), (" c", " a"), (" a", " d"), (" b", " d"), (" c", " d")]


def test_a_quarter_of_the_labels_is_flipped_and_fewer_comparisons_are_some_of_the_same():
    pairs = [Comparison("p", f" {i}", " worse") for i in range(4000)]
    noisy = labelled(pairs, 0.25, seed=3)
    share = sum(one.chosen == " worse" for one in noisy) / 4000
    assert share == pytest.approx(0.25, abs=3 * (0.25 * 0.75 / 4000) ** 0.5)
    assert labelled(pairs[:200], 0.25, seed=3) == noisy[:200]
    assert labelled(pairs, 0.0, seed=3) == pairs


def test_the_curves_that_are_asked_for():
    assert [one.proxy for one in wanted(("best-of-n",), (200, 1000))] == [Proxy(200, 0.0), Proxy(1000, 0.0)]
    both = wanted(("best-of-n", "best-of-n-ensembles"), (200, 1000))
    assert sum(one.proxy.kind == "single" for one in both) == 4             # two sizes, flipped and not
    assert {one.proxy.comparisons for one in both if one.proxy.kind != "single"} == {200}
    ppos = [one for one in wanted(study.METHODS, study.SIZES) if one.method == "ppo"]
    assert len(ppos) == len(set(ppos)) == 2 * (2 + 3 + 4)                   # penalties; ensembles; the same, flipped
    assert {one.proxy.comparisons for one in wanted(("ppo",), (50, 70))} == {50}
    assert [*Proxy(200, 0.0).members] == [0]
    assert [*Proxy(200, 0.0, "worst").members] == [0, 1, 2]


# -- curves ------------------------------------------------------------------------------------------------------------

def line_of(gold: torch.Tensor, distance: torch.Tensor) -> curves.Points:
    return curves.Points([*range(len(distance))], distance, gold, gold, [])


def test_best_of_n_begins_at_the_start_and_its_best_of_all_is_the_maximum():
    proxy = torch.tensor([[0.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 0.0]])
    gold = torch.tensor([[0.0, 0.0, 1.0, 0.4], [0.2, 0.2, 0.2, 1.0]])
    found = curves.best_of(proxy, gold, [1, 2, 4])
    assert found.at == [2, 4]
    assert found.distance.tolist() == pytest.approx([math.sqrt(math.log(2) - 1 / 2), math.sqrt(math.log(4) - 3 / 4)])
    assert found.gold[:, 1].tolist() == pytest.approx([0.4 - 0.35, 0.2 - 0.4])
    assert found.proxy[:, 1].tolist() == pytest.approx([3 - 1.5] * 2)


def test_a_curve_gives_back_what_made_it_with_its_loss_and_its_peak():
    """gold = d (1 - .5 d), highest at d = 1; both prompts alike, so that intervals have no width."""
    d = torch.tensor([0.5, 1.0, 1.5, 1.75], dtype=torch.float64)
    points = line_of(gold_at(d, 1.0, 0.5, "best-of-n").expand(2, -1), d)
    start = torch.tensor([[[-1.0, 1.0], [1.0, -1.0]]])
    [found] = curves.gathered([Curve(Proxy(200, 0.0), "best-of-n")], [[points]], start)
    unit = torch.tensor([-1.0, 1.0, 1.0, -1.0]).std().item()
    assert found["fit"]["peak"] == pytest.approx({"value": 1.0, "low": 1.0, "high": 1.0})
    assert found["fit"]["alpha"]["value"] == pytest.approx(1 / unit)
    assert found["fit"]["r2"] == pytest.approx(1.0)
    assert (found["best"], found["lost"]["mean"]) == (1, pytest.approx((0.5 - 1.75 * 0.125) / unit))
    assert found["above_single"] is None                                    # it is the single one


def test_a_curve_that_never_turns_has_no_peak():
    d = torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64)
    found = curves.gathered([Curve(Proxy(200, 0.0), "ppo")], [[line_of((d + d**2).expand(2, -1), d)]],
                            torch.randn(1, 2, 4))[0]["fit"]
    assert found["peak"] == {"value": None, "low": None, "high": None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_at_equal_drift_a_slower_run_on_the_same_road_differs_by_nothing():
    """The rival stands at d = 1 and 3 with gold 2 and 4; this one at 0.5, 2 and 9, the last beyond it."""
    rival = line_of(torch.tensor([[2.0, 4.0], [2.0, 4.0]]), torch.tensor([1.0, 3.0]))
    same = line_of(torch.tensor([[1.0, 3.0, 0.0], [1.0, 3.0, 0.0]]), torch.tensor([0.5, 2.0, 9.0]))
    found = curves.compared(same, rival)
    assert (found["at_equal_drift"]["mean"], found["points"]) == (pytest.approx(0.0), 2)
    assert found["at_the_end"]["mean"] == -4.0
    better = line_of(same.gold + 0.5, same.distance)
    assert curves.compared(better, rival)["at_equal_drift"]["mean"] == pytest.approx(0.5)


def test_what_members_say_together_is_by_hand():
    said = torch.tensor([[[1.0]], [[1.2]], [[2.6]]], dtype=torch.float64)
    assert curves.together(said, Curve(Proxy(200, 0.0, "uwo"), "best-of-n")).item() == pytest.approx(1.34667, abs=1e-4)
    assert curves.together(said, Curve(Proxy(200, 0.0, "uwo"), "ppo")).item() == pytest.approx(1.54933, abs=1e-4)
    assert curves.together(said, Curve(Proxy(200, 0.0), "ppo")).item() == 1.0


# -- whole runs on a model and a world that take no time ---------------------------------------------------------------

class Lamps:
    """Openings and texts in the words that the small policy knows; the more different letters the better."""

    name, lang = "lamps", "en"

    def prompts(self, split="train", n=None, seed=0):
        some = ["the lamp is", "the kettle is", "the chair is very", "the pen is not"]
        return [some[i % 4] for i in range(n or 4)]

    def corpus(self, n, seed=0, split="train"):
        return ["the lamp is very sturdy, and it works.", "the pen is not cheap, and it broke."] * (n // 2)

    def labelled(self, n, seed=0, split="train"):
        return [("the lamp is sturdy", 1)] * n

    def gold(self, prompt, response):
        return len(set(response)) / 26 + len(response) / 1000


@pytest.fixture(scope="module")
def small(policy):
    """The study on a policy that takes no training of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tasks._REGISTERED, "lamps", Lamps)
        patch.setattr(zoo, "build", lambda name: iter(()))
        patch.setattr(world.World, "reference", policy.reference())
        yield


@pytest.fixture
def no_page(monkeypatch):
    """Where the numbers are what counts: the page and its picture are not drawn."""
    monkeypatch.setattr(page, "write", lambda *given: None)


def made(**changes) -> study.OveroptimisationJob:
    return study.OveroptimisationJob(task="lamps", **{"amounts": SMALL, "sizes": (20, 30), **changes})


def numbers(folder) -> dict:
    """The result without what a clock says."""
    found = json.loads((folder / "result.json").read_text())
    return {name: found[name] for name in ("curves", "accuracy", "seeds", "sizes")}


def test_a_run_leaves_every_curve_the_picture_and_reward_models_of_one_scale(small, tmp_path):
    job = made(methods=("best-of-n", "best-of-n-ensembles", "ppo"))
    for _ in job.run(tmp_path):
        pass
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["curves"]) == len(job.curves) == 2 * 2 + 2 * 3 + 2
    assert [one["at"] for one in result["curves"] if one["method"] == "ppo"] == [[1, 2, 4], [1, 2, 4]]
    assert (tmp_path / "overoptimisation.png").read_bytes().startswith(b"\x89PNG")
    assert not list((tmp_path / "checkpoints").rglob("*.safetensors"))      # nothing is left of the trainings
    [answers] = (tmp_path / "points").glob("answers-*/points.json")
    judged = [Draws(**one) for one in json.loads(answers.read_text())]
    texts = [(one.prompt, response) for one in judged for response in one.responses][:SMALL.scaled]
    for folder in (tmp_path / "points").glob("model-*"):
        score = rewards.learned(zoo.load_reward_model(folder))(*zip(*texts, strict=True))
        assert (score.mean().item(), score.std().item()) == pytest.approx((0, 1), abs=1e-3)


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """Both methods in one go."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "write", lambda *given: None)
        for _ in made(sizes=(20,), methods=("best-of-n", "ppo")).run(folder):
            pass
    return folder


@pytest.mark.parametrize("stop", [22, pytest.param(3, marks=SLOW), pytest.param(30, marks=SLOW)])
def test_a_stopped_run_goes_on_with_the_same_numbers(whole, no_page, tmp_path, stop):
    job = made(sizes=(20,), methods=("best-of-n", "ppo"))
    events = job.run(tmp_path / "stopped")
    for _ in range(stop):
        next(events)
    events.close()
    assert not (tmp_path / "stopped/result.json").exists()
    for _ in job.run(tmp_path / "stopped"):
        pass
    assert numbers(tmp_path / "stopped") == numbers(whole)


@pytest.mark.parametrize("there", ["points/ppo-20-0-single-0.03-2-0", pytest.param("points/scores-20-0-0-0",
                                                                                  marks=SLOW)])
def test_killed_it_goes_on_with_the_same_numbers(whole, no_page, tmp_path, there):
    """A process of its own, killed by the system as soon as that is on the disk."""
    def work():
        for _ in made(sizes=(20,), methods=("best-of-n", "ppo")).run(tmp_path / "killed"):
            pass
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    while child.is_alive() and not (tmp_path / "killed" / there).exists():
        time.sleep(0.005)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    work()
    assert numbers(tmp_path / "killed") == numbers(whole)


@pytest.mark.parametrize("earlier", [True, pytest.param(False, marks=SLOW)])
def test_a_measurement_lost_between_checkpoint_and_measuring_is_made_up_for(
        small, no_page, tmp_path, monkeypatch, earlier):
    """Killed right there, the policy of the last checkpoint comes back and is measured; others are made anew."""
    job = made(sizes=(20,), methods=("ppo",))
    for _ in job.run(tmp_path / "whole"):
        pass
    seen, measure = [], world.World.examined_by

    def dies(self, *arguments):
        seen.append(1)
        if len(seen) == 2:                              # behind step 2, of which a checkpoint is kept
            raise KeyboardInterrupt
        return measure(self, *arguments)
    monkeypatch.setattr(world.World, "examined_by", dies)
    with pytest.raises(KeyboardInterrupt):
        for _ in job.run(tmp_path / "cut"):
            pass
    if earlier:
        remove(tmp_path / "cut/points/ppo-20-0-single-0-1-0")
    for _ in job.run(tmp_path / "cut"):
        pass
    assert numbers(tmp_path / "cut") == numbers(tmp_path / "whole")


def test_more_sizes_and_seeds_are_added_and_reward_models_are_not_made_again(small, no_page, tmp_path):
    for _ in made(sizes=(20,), methods=("best-of-n",)).run(tmp_path):
        pass
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "points").glob("model-20-*/*")}
    before = json.loads((tmp_path / "result.json").read_text())["curves"][0]
    for _ in made(sizes=(20, 40), methods=("best-of-n",), seeds=2).run(tmp_path):
        pass
    assert {path: path.stat().st_mtime_ns for path in first} == first
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["seeds"] == [0, 1]
    now = result["curves"][0]["seeds"]
    assert now[0]["proxy"] == before["seeds"][0]["proxy"] != now[1]["proxy"]


def test_other_amounts_are_another_run(small, no_page, tmp_path):
    for _ in made(sizes=(20,), methods=("best-of-n",)).run(tmp_path):
        pass
    with pytest.raises(StorageError, match="draws was 8, is now 4"):
        list(made(sizes=(20,), amounts=replace(SMALL, draws=4)).run(tmp_path))


def test_too_few_different_answers_are_said(small, no_page, tmp_path, monkeypatch):
    monkeypatch.setattr(Lamps, "gold", lambda self, prompt, response: 0.5)
    with pytest.raises(ValueError, match="gave 0 comparisons with a better answer; --sizes asks for 20"):
        list(made(sizes=(20,)).run(tmp_path))


# -- the page ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", ["en", pytest.param("zh", marks=SLOW)])
def test_the_page_says_everything_in_its_language_and_takes_no_text_for_html(small, no_page, tmp_path, lang):
    for _ in made(methods=("best-of-n", "best-of-n-ensembles", "ppo"), lang=lang, sizes=(20,), seeds=2).run(tmp_path):
        pass
    result = json.loads((tmp_path / "result.json").read_text())
    next(one for one in result["curves"] if one["texts"])["texts"][0]["response"] = EVIL
    WRITE(tmp_path, lang, result)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert EVIL not in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<svg") == len(page.panels(result, lang)) == 2 + 2 + 1
    words = sentences(lang)
    for key in ("overoptimisation_line_gold", "overoptimisation_col_peak", "overoptimisation_accuracy_about"):
        assert words[key] in html.replace("&#39;", "'")
    first = (tmp_path / "report.html").read_bytes()
    WRITE(tmp_path, lang, result)
    assert (tmp_path / "report.html").read_bytes() == first


def test_the_command_on_the_page_is_one_that_makes_it():
    found = page.command({"world": "reviews-zh", "lang": "zh", "methods": ["best-of-n"], "sizes": [200, 4000],
                          "seeds": [0, 1]})
    options = cli._parser().parse_args(found.split()[1:])
    assert (options.task, options.methods, options.sizes, options.seeds) == ("reviews-zh", "best-of-n", "200,4000", 2)
    assert not re.search("--methods|--sizes|--seeds", page.command(
        {"world": "reviews-en", "lang": "en", "methods": study.METHODS, "sizes": study.SIZES, "seeds": [0]}))


# -- what is typed -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("arguments", "said"), [
    (["--methods", "ppo,best-of-m"], "--methods names 'best-of-m', which is none of them. Did you mean best-of-n?"),
    (["--sizes", "200,many"], "--sizes names 'many'; expected numbers of comparisons from 20 to 100000"),
    (["--sizes", "5"], "--sizes names '5'"),
    (["--seeds", "0"], "--seeds is 0; it must be at least 1."),
    (["--task", "weather"], "there is no task 'weather'"),
])
def test_bad_input_is_one_line_before_anything_is_made(arguments, said, tmp_path, capsys):
    assert cli.main(["overoptimisation", "--output", str(tmp_path / "run"), "--lang", "en", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_command_shows_a_table_and_says_where_the_picture_is(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rlhf_kit.studies.overoptimisation.OveroptimisationJob",
                        lambda **given: study.job.OveroptimisationJob(**given, amounts=SMALL))
    arguments = ["overoptimisation", "--task", "lamps", "--methods", "best-of-n", "--sizes", "20", "--output",
                 str(tmp_path / "run"), "--lang", "en"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "fitted peak" in said
    assert "Gold turned down" in said
    assert f"{tmp_path / 'run' / 'report.html'}" in said.replace("\n", "")
    assert cli.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["methods"] == ["best-of-n"]


# -- what the pages say ------------------------------------------------------------------------------------------------

def curve_of(curves, comparisons: int, method: str = "best-of-n", kind: str = "single", flipped: float = 0.0,
             penalty: float = 0.0) -> dict:
    [found] = [one for one in curves if (one["comparisons"], one["method"], one["kind"], one["flipped"],
                                         one["penalty"]) == (comparisons, method, kind, flipped, penalty)]
    return found


def test_the_stored_seeds_agree_on_what_the_page_says():
    stored = json.loads(overoptimisation.FILE.read_text(encoding="utf-8"))["curves"]
    few, many = curve_of(stored, 200), curve_of(stored, 4000)
    assert len(few["seeds"]) == len(many["seeds"]) == 3
    for one, other in zip(few["seeds"], many["seeds"], strict=True):
        assert one["gold"][-1] < other["gold"][-1]                          # 4,000 comparisons are worth more at n = 64
        assert one["proxy"][-1] > 1.2                                       # though both are pleased
