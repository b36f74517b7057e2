"""A task of somebody's own in every job that learns from a made-up world, and in the studio."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from rlhf_kit import cli, tasks, zoo
from rlhf_kit.jobs import JOBS, questions, tour, train_reward_model
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.studio import comparing, rank_tasks, train_runs
from rlhf_kit.studio.compare import Compare
from rlhf_kit.studio.trainings import Jobs
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import world_of
from tests.jobs.test_tour import RANKED, SMALL
from tests.tasks.test_tasks import place, registry  # noqa: F401 (fixtures that tests ask for)


@pytest.fixture
def model(place, tmp_path) -> Path:                                          # noqa: F811
    """A language model that knows the task's words and nothing else."""
    words = text.train_tokenizer(tasks.find(place).corpus(200), 150)
    made = tiny.language_model(words, layers=1, width=16, heads=2, context=96)
    zoo.save_policy(Policy(made, words), tmp_path / "lm")
    return tmp_path / "lm"


def result(job, folder) -> dict:
    for _ in job.run(folder):
        pass
    return json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("settings", [SMALL, RANKED])
def test_a_tour_through_a_task(place, tmp_path, monkeypatch, settings):     # noqa: F811
    monkeypatch.setattr(tour, "EVALUATED", 8)
    monkeypatch.setattr(tour, "EXAMINED", 160)
    found = result(replace(settings, task=place), tmp_path / "run")
    assert set(found["after"]["scores"]) == {"score", "gold"}
    assert found["settings"]["task"] == place
    prompts = {row[side]["prompt"] for row in found["samples"] for side in ("before", "after")}
    assert prompts <= set(tasks.find(place).prompts("heldout"))
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "weather.py:Weather" in page
    assert "shop reviews" not in page
    assert list(json.loads((tmp_path / "run" / "settings.json").read_text())["files"]) == [place.rpartition(":")[0]]


def test_ppo_in_a_task_brings_its_gold(place, model, tmp_path, monkeypatch):        # noqa: F811
    monkeypatch.setattr(questions, "EVALUATED", 8)
    (tmp_path / "long.py").write_text("def reward(prompts, responses):\n    return [len(r) for r in responses]\n")
    job = JOBS["ppo"](model=str(model), reward=f"{tmp_path}/long.py:reward", task=place, changes={
        "steps": 1, "batch_size": 4, "minibatch_size": 4, "epochs": 1, "max_new_tokens": 8})
    found = result(job, tmp_path / "run")
    assert set(found["after"]["scores"]) == {"score", "gold"}
    assert found["prompts"] == len(tasks.find(place).prompts("train"))


def test_a_reward_model_of_a_task_learns_from_what_is_made_for_it(place, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(train_reward_model, "MADE_UP", 24)
    arguments = ["train", "reward-model", "--task", place, "--steps", "1", "--held-out", "12", "--lang", "en",
                 "--output", str(tmp_path / "run")]
    assert cli.main(arguments) == 0
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (found["rankings"], found["held_out"], found["rankings_from"]) == (24, 12, "derived")
    assert 0.5 < found["ceiling"] <= 1
    assert "The task has no rankings of its own" in " ".join(capsys.readouterr().out.split())


def test_fine_tuning_on_a_task_s_texts(place, model, tmp_path):             # noqa: F811
    found = result(JOBS["sft"](model=str(model), task=place, changes={"steps": 2, "batch_size": 4}), tmp_path / "run")
    assert found["loss"]["after"] < found["loss"]["before"]


def test_the_reviews_by_name_are_those_of_the_language(tmp_path):
    parser, asked = cli._parser(), []
    for more in (["--task", "reviews-zh"], ["--lang", "zh"]):
        from rlhf_kit.commands.tour import settings
        asked.append(settings(parser.parse_args(["tour", "--output", str(tmp_path), *more])))
    assert asked[0] == asked[1]
    assert asked[0].claim() == asked[1].claim()


@pytest.mark.parametrize(("words", "complaint"), [
    (["tour", "--task", "wether"], "there is no task 'wether'"),
    (["tour", "--task", "forum-en", "--reviews", "x.csv"], "--task names a made-up world and --reviews a file"),
    (["train", "sft", "--model", "tiny-lm-en", "--task", "nowhere.py:Weather"], "nowhere.py cannot be read"),
    (["train", "stackllama", "--task", "{place}"], "the task weather-en has no answered and no comparisons"),
])
def test_bad_tasks_are_one_line(place, tmp_path, capsys, words, complaint):     # noqa: F811
    arguments = [word.format(place=place) for word in words]
    assert cli.main([*arguments, "--output", str(tmp_path / "out"), "--lang", "en"]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


# In the studio

@pytest.fixture
def workspace(place, tmp_path, monkeypatch):                                # noqa: F811
    monkeypatch.setattr(Jobs, "watch", lambda self: None)
    made = Workspace(tmp_path / "studio", world=world_of(place))
    with closing(made):
        yield made


def test_a_class_ranks_texts_of_the_task(workspace, model):
    number = rank_tasks.more(workspace.labels, zoo.load_policy(model), "en", 4, workspace.world)
    task = workspace.labels.task(number)
    assert task.prompt in tasks.find("weather-en").prompts("heldout")
    assert {response.model for response in task.responses} == {"tiny-lm-weather-en"}


def test_what_the_studio_trains_is_a_command_in_that_world(workspace, place):       # noqa: F811
    train_runs.start_ppo(workspace, "en", by="ana", judge="tiny-rm-weather-en")
    arguments = list(workspace.jobs.all()[0].job.arguments)
    options = cli._parser().parse_args(arguments)
    assert (options.model, options.task, options.judge) == ("tiny-lm-weather-en", place, "tiny-rm-weather-en")
    assert [value for _, value in train_runs.judges([], "zh", workspace.world)] == ["tiny-rm-weather-en",
                                                                                    "tiny-judge-weather-en"]


def test_models_are_compared_on_the_task_s_prompts_and_by_its_gold(workspace):
    panel = Compare("en", workspace)
    assert set(panel.chips()) <= set(tasks.find("weather-en").prompts("heldout"))
    assert panel.saved() == {}
    assert panel.shelf.defaults("en") == ("tiny-lm-weather-en", None, "tiny-judge-weather-en")
    assert comparing.gold_of("Oslo will have snow.", " Take boots.", "en", workspace.world) == 1.0
    assert comparing.gold_of("What else?", " Take boots.", "en", workspace.world) is None
