"""Tasks by name: the kit's own, one that is registered in a line or stands in a file, and what is made for it."""

import random
import textwrap
from pathlib import Path
from typing import ClassVar

import pytest

from rlhf_kit import tasks, zoo
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.jobs import JOBS
from rlhf_kit.tasks import Task
from rlhf_kit.tasks.rankings import ordered, origin, rankings_of

WEATHER = """
    import random

    PLACES = ("Oslo", "Lima", "Cairo", "Quito", "Turin")
    ADVICE = {"rain": "a coat", "snow": "boots", "sun": "a hat", "fog": "a light"}

    class Weather:
        name = "weather-en"

        def prompts(self, split="train", n=None, seed=0):
            found = [f"{place} will have {sky}." for i, place in enumerate(PLACES) for j, sky in enumerate(ADVICE)
                     if ((i + j) % 4 == 0) == (split == "heldout")]
            return found if n is None else random.Random(seed).choices(found, k=n)

        def corpus(self, n, seed=0, split="train"):
            return [text for text, _ in self.labelled(n, seed, split)]

        def labelled(self, n, seed=0, split="train"):
            rng = random.Random(seed)
            return [self.report(opening, rng) for opening in self.prompts(split, n, seed)]

        def gold(self, prompt, response):
            wanted = ADVICE[prompt.removesuffix(".").split()[-1]]
            return float([thing for thing in ADVICE.values() if thing in response] == [wanted])

        def report(self, opening, rng):
            text = f" Take {rng.choice(list(ADVICE.values()))}."
            return opening + text, int(self.gold(opening, text))
"""


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(tasks, "_REGISTERED", {})


@pytest.fixture
def place(tmp_path) -> str:
    (tmp_path / "weather.py").write_text(textwrap.dedent(WEATHER))
    return f"{tmp_path / 'weather.py'}:Weather"


class Sums:
    """A task whose texts begin with no prompt."""

    name = "sums"
    texts: ClassVar[list[tuple[str, int]]] = [("2 = 2", 1), ("1 = 2", 0), ("3 = 3", 1), ("1 = 3", 0)]

    def prompts(self, split="train", n=None, seed=0):
        return ["Sum: "] if n is None else ["Sum: "] * n

    def corpus(self, n, seed=0, split="train"):
        return [text for text, _ in self.labelled(n, seed, split)]

    def labelled(self, n, seed=0, split="train"):
        return random.Random(seed).choices(self.texts, k=n)

    def gold(self, prompt, response):
        raise AssertionError("nobody may ask about a prompt that is not there")


def test_the_kits_own_tasks_are_tasks():
    assert tasks.names() == ["reviews-en", "reviews-zh", "forum-en", "forum-zh", "translation", "arithmetic",
                             "assistant-en", "assistant-zh"]
    for name in tasks.names():
        task = tasks.find(name)
        assert isinstance(task, Task)
        assert task.labelled(4, seed=1) == task.labelled(4, seed=1)
        assert sorted(label for _, label in task.labelled(4)) == [0, 0, 1, 1]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_forum_s_label_is_what_its_gold_says(lang):
    from rlhf_kit.datasets.stack_exchange.threads import TEMPLATES
    from rlhf_kit.tasks.forum.task import ACCEPTABLE, HELPFUL
    forum = tasks.find(f"forum-{lang}")
    for text, label in forum.labelled(30):
        end = TEMPLATES[lang][1]
        prompt = text[:text.index(end) + len(end)]
        gold = forum.gold(prompt, text[len(prompt):])
        assert (gold >= HELPFUL) if label else (gold < ACCEPTABLE)


def test_one_line_registers_a_task_and_gives_it_tiny_models():
    assert tasks.register(Sums) is Sums
    assert tasks.names()[-1] == "sums"
    assert isinstance(tasks.find("sums"), Sums)
    assert [zoo.tiny_name(part, "sums") for part in zoo.PARTS] == ["tiny-lm-sums", "tiny-judge-sums", "tiny-rm-sums"]
    assert zoo.is_tiny("tiny-lm-sums")
    assert {"tiny-lm-sums", "tiny-judge-sums", "tiny-rm-sums"} <= {one["name"] for one in zoo.names()}


def test_known_names_stand_for_the_same_models_as_before():
    assert [zoo.tiny_name(part, f"reviews-{lang}") for lang in ("en", "zh") for part in zoo.PARTS] == [
        "tiny-lm-en", "tiny-judge-en", "tiny-rm-en", "tiny-lm-zh", "tiny-judge-zh", "tiny-rm-zh"]
    assert [zoo.tiny_name("lm", f"forum-{lang}") for lang in ("en", "zh")] == ["tiny-forum", "tiny-forum-zh"]
    assert [tasks.tiny_lang(name) for name in ("tiny-forum", "tiny-forum-zh")] == ["en", "zh"]
    assert zoo.tiny_name("lm", "translation") == "tiny-translator"
    assert {zoo.task_of(name) for name in zoo.TINY} == set(tasks.OWN)
    assert [tasks.tiny_lang(f"tiny-{part}-assistant-zh") for part in zoo.PARTS] == ["zh"] * 3
    assert not any(zoo.is_tiny(name) for name in ("tiny-lm-reviews-en", "tiny-lm-forum-en", "gpt2", "tiny-lm-sums"))


def test_a_world_of_several_languages_may_be_named_without_one():
    assert [tasks.in_language(name, "zh") for name in ("assistant", "forum")] == ["assistant-zh", "forum-zh"]
    assert [tasks.in_language(name, "zh") for name in ("assistant-en", "translation", "weather", "x.py:Y")] == [
        "assistant-en", "translation", "weather", "x.py:Y"]


@pytest.mark.parametrize(("change", "complaint"), [
    ({"name": "Weather!"}, "the name of Sums is 'Weather!'; expected small letters"),
    ({"name": "reviews-en"}, "calls itself reviews-en, which is one of the kit's own"),
    ({"labelled": None}, None), ({"gold": None, "name": None}, "the name of Sums is None")])
def test_a_task_that_cannot_be_registered_is_refused_in_one_line(change, complaint):
    kind = type("Sums", (Sums,), change)
    if complaint is None:
        class Lacks:
            name = "lacks"
        kind, complaint = Lacks, "Lacks has no prompts and no corpus and no labelled and no gold"
    with pytest.raises(ValueError, match=complaint) as caught:
        tasks.register(kind)
    assert "\n" not in str(caught.value)
    assert tasks.names() == list(tasks.OWN)


@pytest.mark.parametrize(("content", "complaint"), [
    (None, "cannot be read: No such file"), ("x = (", "line 1: SyntaxError"), ("y = 1", "has no class 'Weather'"),
    ("class Weather:\n    def __init__(self):\n        self.rain = 1 / 0\n", "cannot be made: ZeroDivisionError"),
    ("class Weather:\n    name = 'w'\n", "Weather has no prompts and no corpus")])
def test_a_file_that_holds_no_task_is_one_line(tmp_path, content, complaint):
    file = tmp_path / "mine.py"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=complaint) as caught:
        tasks.find(f"{file}:Weather")
    assert "\n" not in str(caught.value)


def test_a_name_that_nobody_knows_is_one_line():
    with pytest.raises(ValueError, match="no task 'wether'; there are reviews-en, reviews-zh, forum-en, forum-zh"):
        tasks.find("wether")


def test_a_task_that_was_changed_has_another_place_in_the_cache(place):
    tasks.find(place)
    before = zoo.place("tiny-lm-weather-en")
    tasks.find(place)
    assert zoo.place("tiny-lm-weather-en") == before
    file = Path(place.rpartition(":")[0])
    file.write_text(file.read_text().replace("boots", "skis"))
    tasks.find(place)
    assert zoo.place("tiny-lm-weather-en") != before


# Rankings

def test_an_order_without_noise_is_that_of_gold_and_equals_tie():
    order, ranks = ordered([0.2, 0.9, 0.2, 0.5], 0.0, random.Random(0))
    assert order == [1, 3, 0, 2]
    assert ranks == (1, 2, 3, 3)


def test_noise_orders_two_as_bradley_terry_says():
    """Quality 0.5 apart at T = 0.5: σ(1) = 0.731; of 4,000 draws within four standard errors."""
    rng = random.Random(1)
    wins = sum(ordered([0.5, 0.0], 0.5, rng)[0][0] == 0 for _ in range(4000)) / 4000
    assert abs(wins - 0.7311) < 4 * (0.7311 * 0.2689 / 4000) ** 0.5


def test_a_task_without_rankings_gets_them_from_gold(place):
    weather = tasks.find(place)
    assert origin(weather) == "derived"
    for split in ("train", "heldout"):
        found = rankings_of(weather, 30, 3, seed=2, split=split)
        assert len(found) == 30
        assert {one.prompt for one in found} <= set(weather.prompts(split))
        assert all(len(set(one.responses)) == len(one.responses) <= 3 for one in found)
        for one in found:
            gold = [weather.gold(one.prompt, response) for response in one.responses]
            assert gold == sorted(gold, reverse=True)
            assert [rank == 1 for rank in one.ranks] == [g == max(gold) for g in gold]
    assert rankings_of(weather, 5, 3, seed=2) == rankings_of(weather, 5, 3, seed=2)


def test_texts_without_prompts_are_ranked_by_their_labels():
    for one in rankings_of(Sums(), 20, 4):
        assert one.prompt == ""
        assert {text: rank == 1 for text, rank in zip(one.responses, one.ranks, strict=True)} == {
            "2 = 2": True, "3 = 3": True, "1 = 2": False, "1 = 3": False}


def test_a_tasks_own_rankings_and_comparisons_come_first():
    reviews = tasks.find("reviews-en")
    assert rankings_of(reviews, 3, 4, 0.1, seed=5) == reviews.rankings(3, 4, 0.1, seed=5)

    class Pairs(Sums):
        def comparisons(self, n, seed=0, split="train"):
            return [Comparison("q", "good", "bad")] * n
    assert [one.responses for one in rankings_of(Pairs(), 2)] == [("good", "bad")] * 2
    assert origin(Pairs()) == "comparisons"


def test_a_task_with_one_text_only_cannot_be_ranked():
    class One(Sums):
        texts: ClassVar[list[tuple[str, int]]] = [("2 = 2", 1)]
    with pytest.raises(ValueError, match="has no two different texts to one prompt"):
        rankings_of(One(), 3)


# Jobs

def test_a_run_is_of_its_task_and_of_the_task_s_file(place):
    kind = JOBS["sft"]
    plain, named = kind(model="tiny-lm-en").claim(), kind(model="tiny-lm-en", task=place).claim()
    assert "task" not in plain
    assert plain["files"] == {}
    assert named["task"] == place
    file = Path(place.rpartition(":")[0])
    file.write_text(file.read_text().replace("boots", "skis"))
    assert kind(model="tiny-lm-en", task=place).claim() != named
    tasks.register(Sums)
    assert kind(model="tiny-lm-en", task="sums").claim()["files"] == {"sums": tasks.identity(Sums())}


@pytest.mark.parametrize(("name", "settings"), [("sft", {"data": "a.txt"}), ("ppo", {"prompts": "a.txt", "judge": "x"}),
                                                ("human-loop", {"prompts": "a.txt"}),
                                                ("stackllama", {"data": "Posts.xml", "quantize": "none"})])
def test_a_task_and_a_file_are_refused(name, settings):
    model = {} if name == "stackllama" else {"model": "tiny-lm-en"}
    with pytest.raises(ValueError, match="--task names a made-up world"):
        JOBS[name](**model, **settings, task="forum-en")
