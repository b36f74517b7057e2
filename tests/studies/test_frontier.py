"""One picture for all: points by hand, costs, what a stopped run keeps, and a page that runs nobody's texts."""

import json
import math
import multiprocessing
import re
import signal
import time
from dataclasses import replace

import pytest

from rlhf_kit import cli, tasks, zoo
from rlhf_kit.evaluate import Estimate
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import sentences
from rlhf_kit.methods.best_of_n import Draws
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import StorageError
from rlhf_kit.studies import frontier
from rlhf_kit.studies.frontier import dials, job, page, points, world

SMALL = frontier.Size(prompts=8, held_out=6, chosen=6, most=64, judged=12, answers=3, steps=2,
                      sampling=Sampling(max_new_tokens=5))
SLOW = pytest.mark.slow
EVIL = "</script><script>alert(1)</script>"


def drawn(*scores: float, gold: tuple[float, ...] = (), logprob: float = -1.0, each: tuple[float, ...] = ()) -> Draws:
    texts = tuple(f" answer {i}" for i in range(len(scores)))
    return Draws("prompt", texts, scores, scores.index(max(scores)), logprob, {"gold": gold or scores},
                 (True,) * len(scores), each or (logprob,) * len(scores))


# -- the table ---------------------------------------------------------------------------------------------------------

def test_methods_come_in_the_order_of_the_table_and_always_with_the_start():
    assert frontier.chosen(["dpo", "ppo"]) == ("sft", "ppo", "dpo")
    assert frontier.chosen(None) == tuple(frontier.METHODS)
    with pytest.raises(ValueError, match=r"names 'pp0', which is none of them\. Did you mean ppo\? There are sft, "):
        frontier.chosen(["pp0"])


@pytest.mark.parametrize("name", [name for name, method in frontier.METHODS.items() if method.learn is not None])
def test_a_dial_is_what_its_configuration_says_and_the_first_setting_is_the_gentlest(name):
    method = frontier.METHODS[name]
    configs = [method.config(value, SMALL) for value in method.values]
    read = {"kl": lambda config: config.kl.coefficient, "beta": lambda config: config.beta,
            "n": lambda config: config.n, "grows": lambda config: config.grows}[method.dial]
    assert tuple(map(read, configs)) == method.values
    falls = method.dial in ("kl", "beta")                       # a high price holds the policy back
    assert list(method.values) == sorted(method.values, reverse=falls)


def test_all_else_stays_when_a_dial_is_turned():
    for method in (one for one in frontier.METHODS.values() if one.dial == "kl"):
        first, *others = [method.config(value, SMALL) for value in method.values]
        assert all(replace(other, kl=first.kl) == first for other in others)


def test_pairs_are_the_best_against_the_worst_and_none_where_both_are_one_text():
    same = Draws("prompt", (" a", " a"), (0.5, 0.5), 0, -1.0)
    [pair] = dials.pairs([drawn(0.2, 0.9, 0.1), same])
    assert (pair.chosen, pair.rejected) == (" answer 1", " answer 2")
    assert [(one.response, one.good) for one in dials.labels([drawn(0.2, 0.9, 0.1), same])] == [
        (" answer 1", True), (" answer 2", False)]


# -- points ------------------------------------------------------------------------------------------------------------

def kept(seed: int, proxy: list[float], gold: list[float], kl: float, method: str = "ppo", value: float = 0.1) -> dict:
    return {"method": method, "dial": "kl", "value": value, "seed": seed, "kl": kl, "cpu_seconds": 10.0 + seed,
            "distinct": 1.0, "eos_rate": 1.0, "each": {"proxy": proxy, "gold": gold}, "texts": [], "drawn": 8,
            "reward_calls": 8, "draws_per_answer": 1}


def test_two_seeds_become_one_point_by_hand():
    [point] = points.gathered([kept(0, [0.2, 0.4], [0.1, 0.3], 3.0), kept(1, [0.4, 0.8], [0.3, 0.3], 5.0)])
    assert point["root_kl"] == 2.0                                          # √ of the mean of 3 and 5
    assert point["cpu_seconds"] == 10.5
    assert point["proxy"]["mean"] == pytest.approx(0.45)                    # of the prompts' means .3 and .6
    half = 1.959964 * math.sqrt(2 * 0.15**2) / math.sqrt(2)                 # s = .15·√2, n = 2
    assert point["proxy"]["high"] - point["proxy"]["mean"] == pytest.approx(half, abs=1e-6)
    assert [one["gold"] for one in point["seeds"]] == pytest.approx([0.2, 0.3])
    assert "each" not in point


def test_a_drift_that_is_estimated_below_0_is_none():
    assert points.root(-0.01) == 0.0


def test_the_best_of_two_of_three_draws_is_the_mean_over_all_pairs():
    """Of 1, 2 and 3 the better of a pair is 2, 3 and 3; their gold 5, 7 and 7."""
    class Fake:
        size = SMALL
    found = job._best([drawn(1.0, 3.0, 2.0, gold=(0.2, 0.7, 0.5), logprob=-30.0)], 2, Fake)
    assert found["each"]["proxy"] == pytest.approx([8 / 3])
    assert found["each"]["gold"] == pytest.approx([(0.5 + 0.7 + 0.7) / 3])
    assert found["kl"] == pytest.approx(math.log(2) - 0.5)                  # so rare that the bound is reached
    assert found["texts"][0]["response"] == " answer 1"                     # the better of the first two


def test_the_drift_of_the_best_of_n_is_of_what_it_chooses_and_not_of_the_best_of_all():
    """Of scores 1, 2 and 3 a pair chooses 2 once and 3 twice; the best of one chooses all alike and drifts nowhere."""
    one = drawn(1.0, 3.0, 2.0, each=tuple(map(math.log, (0.5, 0.1, 0.4))))
    common, rare = (0.36 * (math.log(2) + math.log(0.6) - 0.5) + 0.64 * math.log(1.6),
                    0.81 * (math.log(2) + math.log(0.9) - 0.5) + 0.19 * math.log(1.9))
    assert job._best([one], 2, None)["kl"] == pytest.approx((common + 2 * rare) / 3)
    assert job._best([one], 1, None)["kl"] == pytest.approx(0.0, abs=1e-12)


def test_what_was_paid_before_a_kill_is_estimated_from_the_clock(monkeypatch, tmp_path):
    """Two steps of 3 s on the clock before it, one of 2 s here that took 1 s of the processor: 1/2 · 8 s."""
    monkeypatch.setattr(job, "steps_in", lambda folder: [None, None])
    clock = iter([100.0, 100.0, 100.0, 101.0])
    monkeypatch.setattr(job.time, "process_time", lambda: next(clock))
    paid = job._Paid(tmp_path)
    steps = [Step(number, {"seconds": seconds}) for number, seconds in enumerate((3.0, 3.0, 2.0))]
    assert list(paid.counting(iter(steps))) == steps
    assert paid.seconds == pytest.approx(4.0)


def point(method: str, value: float | None, proxy: float, gold: float, low: float = 0.05) -> dict:
    return {"method": method, "value": value, "dial": "kl",
            **{name: {"mean": x, "low": x - low, "high": x + low, "n": 100} for name, x in (("proxy", proxy),
                                                                                             ("gold", gold))}}


def test_the_most_overrated_point_is_where_the_two_rewards_lie_furthest_apart():
    seen = [point("sft", None, 0.3, 0.2), point("ppo", 0.1, 0.7, 0.6), point("ppo", 0.0, 0.9, 0.1)]
    assert page.ringed(seen) == {"best": 1, "overrated": 2}


def test_a_method_has_turned_where_its_last_interval_lies_below_its_best():
    seen = [point("ppo", 0.1, 0.7, 0.6), point("ppo", 0.0, 0.9, 0.4), point("kto", 1.0, 0.5, 0.45),
            point("kto", 0.1, 0.6, 0.40), point("sft", None, 0.3, 0.2)]
    assert page.turned(seen) == {"ppo": True, "kto": False}


# -- run ---------------------------------------------------------------------------------------------------------------

class Lamps:
    """A world of one word."""

    name, lang = "lamps", "en"

    def prompts(self, split="train", n=None, seed=0):
        some = ["the lamp is", "the", "the kettle is very", "the pen is not"]
        return [some[i % 4] for i in range(n or 4)]

    def corpus(self, n, seed=0, split="train"):
        return ["the lamp is sturdy"] * n

    def labelled(self, n, seed=0, split="train"):
        return [("the lamp is sturdy", 1)] * n

    def gold(self, prompt, response):
        return min(len(response), 20) / 20


@pytest.fixture(scope="module")
def lamps(policy):
    """The study on a model and a reward that take no training of their own, and how often the reward was asked."""
    asked = []

    def proxy(prompts, responses):
        asked.append(len(responses))
        return [min((response.count("a") + len(response) / 100) / 9, 1.0) for response in responses]
    proxy.run_identity = "proxy"                            # how often it was asked is not what it is
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tasks._REGISTERED, "lamps", Lamps)
        patch.setattr(zoo, "build", lambda name: iter(()))
        patch.setattr(world.World, "reference", policy.reference())
        patch.setattr(world.World, "proxy", staticmethod(proxy))
        yield asked


@pytest.fixture
def small(lamps):
    """The same, of one test."""
    lamps.clear()
    return lamps


@pytest.fixture
def no_page(monkeypatch):
    """Where the numbers are what counts: the page and its picture are not drawn."""
    monkeypatch.setattr(page, "write", lambda *given: None)


def made(**changes) -> frontier.FrontierJob:
    return frontier.FrontierJob(task="lamps", size=SMALL, **changes)


def numbers(folder) -> list[dict]:
    """The points without what a clock says."""
    found = json.loads((folder / "result.json").read_text())["points"]
    return [{**{name: value for name, value in one.items() if name != "cpu_seconds"},
             "seeds": [{**seed, "cpu_seconds": 0} for seed in one["seeds"]]} for one in found]


@pytest.fixture(scope="module")
def finished(lamps, tmp_path_factory):
    """Every method's points."""
    folder = tmp_path_factory.mktemp("frontier") / "run"
    for _ in made().run(folder):
        pass
    return folder


def test_every_method_leaves_its_points_and_what_they_cost(finished):
    result = json.loads((finished / "result.json").read_text())
    assert [(one["method"], one["value"]) for one in result["points"]] == [
        (name, value) for name, method in frontier.METHODS.items() for value in method.values or (None,)]
    by_name = {(one["method"], one["value"]): one for one in result["points"]}
    assert by_name["sft", None]["root_kl"] == 0.0
    assert (by_name["best-of-n", 64]["draws_per_answer"], by_name["best-of-n", 64]["drawn"]) == (64, 0)
    assert by_name["ppo", 0.1]["drawn"] == 2 * 64                           # steps · batch
    assert by_name["dpo", 0.1]["drawn"] == by_name["kto", 0.1]["reward_calls"] == 12 * 3
    assert by_name["rs-sft", 16]["drawn"] == 2 * 16 * 16                    # rounds · prompts · n
    assert by_name["rest", 2]["drawn"] == 2 * 8 * 4                         # Grows · prompts · responses
    assert all(len(one["texts"]) == 4 for one in result["points"])
    assert all(one["cpu_seconds"] > 0 for one in result["points"] if one["drawn"])
    assert (finished / "frontier.png").read_bytes().startswith(b"\x89PNG")


FOUR = ("sft", "rest", "ppo", "dpo")


@pytest.fixture(scope="module")
def whole(lamps, tmp_path_factory):
    """Four methods in one go."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "write", lambda *given: None)
        for _ in made(methods=FOUR).run(folder):
            pass
    return folder


@pytest.mark.parametrize("stop", [11, pytest.param(3, marks=SLOW), pytest.param(20, marks=SLOW)])
def test_a_stopped_run_goes_on_with_the_same_numbers(whole, no_page, tmp_path, stop):
    job = made(methods=FOUR)
    events = job.run(tmp_path / "stopped")
    for _ in range(stop):
        next(events)
    events.close()
    assert not (tmp_path / "stopped/result.json").exists()
    for _ in job.run(tmp_path / "stopped"):
        pass
    assert numbers(tmp_path / "stopped") == numbers(whole)
    assert not list((tmp_path / "stopped").rglob("*.safetensors"))          # nothing is left of the trainings


@pytest.mark.parametrize("there", ["checkpoints/rest-2-0", pytest.param("points/ppo-0.1-0", marks=SLOW),
                                   pytest.param("checkpoints/dpo-0.1-0", marks=SLOW)])
def test_killed_it_goes_on_with_the_same_numbers(whole, no_page, tmp_path, there):
    """A process of its own, killed by the system as soon as that is on the disk."""
    def work():
        for _ in made(methods=FOUR).run(tmp_path / "killed"):
            pass
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    while child.is_alive() and not (tmp_path / "killed" / there).exists():
        time.sleep(0.01)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    work()
    assert numbers(tmp_path / "killed") == numbers(whole)


def test_started_anew_nothing_of_before_is_left(small, no_page, tmp_path):
    for _ in made(methods=("sft", "ppo")).run(tmp_path / "run"):
        pass
    (tmp_path / "run/mine.txt").write_text("a note")
    for _ in made(methods=("sft", "rs-sft")).run(tmp_path / "run", fresh=True):
        pass
    assert not list((tmp_path / "run/points").glob("ppo-*"))
    assert len(list((tmp_path / "run/points").glob("rs-sft-*"))) == 3
    assert (tmp_path / "run/mine.txt").exists()


def test_more_seeds_are_added_nothing_is_made_again_and_the_reward_is_asked_as_often_as_the_points_say(
        small, no_page, tmp_path):
    """What PPO drew, and 6 held-out answers of each policy."""
    for _ in made(methods=("sft", "ppo")).run(tmp_path / "run"):
        pass
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert sum(small) == sum(one["reward_calls"] + 6 for one in result["points"])
    [first] = [path.stat().st_mtime_ns for path in (tmp_path / "run/points").glob("ppo-0.1-0/points.json")]
    small.clear()
    for _ in made(methods=("sft", "ppo"), seeds=2).run(tmp_path / "run"):
        pass
    assert [path.stat().st_mtime_ns for path in (tmp_path / "run/points").glob("ppo-0.1-0/points.json")] == [first]
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["seeds"] == [0, 1]
    assert sum(small) == sum(one["reward_calls"] + 6 for one in result["points"])       # of the second seed only
    ppo = next(one for one in result["points"] if one["method"] == "ppo")
    assert ppo["seeds"][0]["proxy"] != ppo["seeds"][1]["proxy"]


def test_another_size_is_another_run(small, no_page, tmp_path):
    for _ in made(methods=("sft",)).run(tmp_path / "run"):
        pass
    other = frontier.FrontierJob(task="lamps", size=replace(SMALL, steps=3), methods=("sft",))
    with pytest.raises(StorageError, match="steps was 2, is now 3"):
        list(other.run(tmp_path / "run"))


# -- the page ----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def two_seeds(lamps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two") / "run"
    for _ in made(methods=("sft", "best-of-n", "ppo"), lang="zh", seeds=2).run(folder):
        pass
    return folder


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_says_everything_in_its_language_and_takes_no_text_for_html(two_seeds, tmp_path, lang):
    result = json.loads((two_seeds / "result.json").read_text())
    for one in result["points"]:
        one["texts"][0]["response"] = EVIL
    page.write(tmp_path, lang, result)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert EVIL not in html
    assert html.count("<script") == 2
    shown = json.loads(re.search(r'id="points">(.*?)</script>', html)[1])
    assert shown["all"][0]["texts"][0]["response"] == EVIL                  # whole: the script writes it as text
    assert len(shown["all"]) == len(result["points"]) == html.count("<tr data-place=")
    words = sentences(lang)
    for key in ("frontier_panel_proxy", "frontier_panel_gold", "frontier_col_cpu", "frontier_name_best-of-n"):
        assert words[key] in html
    ids = re.findall(r'id="(gold|proxy)-(\d+)"', html)
    assert sorted(ids) == sorted((reward, str(i)) for reward in ("proxy", "gold") for i in range(len(result["points"])))


def test_the_same_numbers_make_the_same_page(two_seeds, tmp_path):
    result, first = json.loads((two_seeds / "result.json").read_text()), (two_seeds / "report.html").read_bytes()
    page.write(tmp_path, "zh", result)
    assert (tmp_path / "report.html").read_bytes() == first


def test_the_command_on_the_page_is_one_that_makes_it():
    found = page.command({"world": "reviews-zh", "lang": "zh", "methods": ["sft", "ppo", "dpo"], "seeds": [0, 1]})
    options = cli._parser().parse_args(found.split()[1:])
    assert (options.task, options.lang, options.methods, options.seeds) == ("reviews-zh", "zh", "ppo,dpo", 2)


def test_an_estimate_of_few_prompts_says_so():
    seen = {**point("ppo", 0.1, 0.5, 0.4), "gold": vars(Estimate(0.4, 0.3, 0.5, 8)), "root_kl": 1.0}
    assert page.row(seen, "en") == (
        "PPO, KL coefficient 0.1: √KL 1.00, reward model 0.50, gold 0.400 (0.300–0.500), n = 8")


# -- what is typed -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("arguments", "said"), [
    (["--methods", "ppo,grop"], "--methods names 'grop', which is none of them. Did you mean grpo?"),
    (["--seeds", "0"], "--seeds is 0; it must be at least 1."),
    (["--task", "weather"], "there is no task 'weather'"),
])
def test_bad_input_is_one_line_before_anything_is_made(arguments, said, tmp_path, capsys):
    assert cli.main(["frontier", "--output", str(tmp_path / "run"), "--lang", "en", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_command_says_where_its_points_lie_and_where_the_picture_is(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rlhf_kit.studies.frontier.FrontierJob", lambda **given: frontier.job.FrontierJob(
        **given, size=SMALL))
    arguments = ["frontier", "--task", "lamps", "--methods", "kto", "--output", str(tmp_path / "run"), "--lang", "en"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "KTO, beta 0.5: √KL" in said
    assert f"{tmp_path / 'run' / 'report.html'}" in said.replace("\n", "")
    assert cli.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["methods"] == ["sft", "kto"]


