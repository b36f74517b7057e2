"""A lesson's own models, prompts and world in its panel, without a browser."""

import pytest

import rlhf_kit as kit
from rlhf_kit import cli
from rlhf_kit.models import tiny
from rlhf_kit.studio import inline, opening
from rlhf_kit.studio.compare import Compare
from rlhf_kit.studio.probe import Probe
from rlhf_kit.studio.rank import Rank
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import world_of


@pytest.fixture(autouse=True)
def nobody_looks(monkeypatch):
    monkeypatch.setenv(inline.SWITCH, "off")


def test_a_lessons_own_models_prompts_and_world_stand_in_its_panel(policy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kit.panel("compare", models={"plain": policy, "middle": policy, "PPO": policy},
              prompts=["the lamp is", "the pen is"], task="forum-en", folder="runs/lesson-00")
    assert "rlhf-kit studio --panel compare --lang en --data runs/lesson-00" in capsys.readouterr().out
    kit.panel("probe", folder="my runs")
    assert "--data 'my runs'" in capsys.readouterr().out
    begins = opening.read("runs/lesson-00")
    made = Workspace("runs/lesson-00", begins.models, world=world_of(begins.task), prompts=begins.prompts)
    panel = Compare("en", made)
    assert panel.choices()[2][:3] == ["plain", "middle", "PPO"]
    assert panel.chips() == ["the lamp is", "the pen is"]
    assert panel.saved() == {}
    assert panel.shelf.reference("PPO", "en") == "plain"
    assert made.world.of("en").prompts("heldout")[0].startswith("Question:")


def test_the_learners_own_reward_model_is_the_one_that_is_probed(tokenizer, tmp_path):
    model = tiny.reward_model(tokenizer, layers=1, width=16)
    model.shift = 0.5
    kit.panel("probe", models={"mine": model}, prompts=["My own text."], folder=tmp_path)
    made = Workspace(tmp_path, opening.read(tmp_path).models, prompts=opening.read(tmp_path).prompts)
    panel = Probe("en", made)
    assert panel.choices()[1] == "mine"
    assert panel.shelf.judge("mine", "en").network.shift == pytest.approx(0.5)
    assert panel.start() == "My own text."
    assert panel.saved() is None
    assert made.shelf.reward_model("en") == "mine"


def test_lists_of_a_lesson_are_ranked_in_either_language(tmp_path):
    kit.panel("rank", "zh", task="forum-en", lists=[("Question: why?\n\nAnswer:", [" a.", " b.", " c.", " d."])],
              folder=tmp_path)
    panel = Rank("zh", Workspace(tmp_path, world=world_of("forum-en")))
    cards = panel._next("ada", 4, False, False)
    assert sorted(cards["texts"]) == [" a.", " b.", " c.", " d."]
    panel.workspace.close()


def test_a_damaged_opening_is_one_line(tmp_path, capsys):
    (tmp_path / opening.FILE).write_text("{")
    assert cli.main(["studio", "--data", str(tmp_path)]) == 2
    assert "opening.json cannot be read" in capsys.readouterr().err


def test_a_world_of_several_languages_is_opened_in_that_of_the_page():
    assert [world_of("forum").name(lang) for lang in ("en", "zh")] == ["forum-en", "forum-zh"]
    assert world_of("forum-en").name("zh") == "forum-en"
    assert world_of(None).name("zh") == "reviews-zh"
