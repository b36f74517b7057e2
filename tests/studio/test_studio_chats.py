"""The studio with an instruct model: what is typed is asked as a question, and judges read it as they learned to."""

from types import SimpleNamespace

import pytest
import torch
from chat_models import config, policy_for, tokenizer_for
from transformers import LlamaForSequenceClassification

from rlhf_kit import zoo
from rlhf_kit.attribution import pieces
from rlhf_kit.formulas.records import Turn
from rlhf_kit.jobs.written import question
from rlhf_kit.models.chats import write
from rlhf_kit.models.heads import RewardModel
from rlhf_kit.rewards import learned
from rlhf_kit.sampling import Sampling, sample_rollout
from rlhf_kit.studio import rank_tasks
from rlhf_kit.studio.compare import Compare
from rlhf_kit.studio.probe import Probe
from rlhf_kit.studio.rank import Rank
from rlhf_kit.studio.workspace import Workspace

TYPED, ALONE = "How do I fix it?", SimpleNamespace(username=None)
QUESTION = (Turn("user", TYPED),)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """An instruct model that ends with half of its tokens, and two reward models on its tokenizer."""
    home, tokenizer = tmp_path_factory.mktemp("models"), tokenizer_for("chatml")
    policy = policy_for(tokenizer)
    policy.lm.generation_config.eos_token_id = list(range(0, len(tokenizer), 2))
    zoo.save_policy(policy, home / "instruct")
    for name, chats in (("scorer", True), ("plain", False)):
        torch.manual_seed(1)
        scorer = RewardModel(LlamaForSequenceClassification(config(tokenizer, num_labels=1)), tokenizer)
        scorer.reads_chats = chats
        zoo.save_reward_model(scorer, home / name)
    return home


@pytest.fixture
def workspace(models, tmp_path):
    made = Workspace(tmp_path, [str(models / name) for name in ("instruct", "scorer", "plain")], prompts=[TYPED])
    yield made
    made.close()


def test_what_is_typed_is_a_question_of_a_model_with_a_template_and_a_beginning_of_others(tokenizer):
    chatty = tokenizer_for("chatml")
    assert question(tokenizer, TYPED) == (TYPED, None)
    assert question(chatty, TYPED) == (write(chatty, QUESTION, asked=True), QUESTION)
    written, chat = question(chatty, "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:")
    assert chat == (Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c"))
    assert question(chatty, written) == (written, None)                 # in its own marks: as it stands
    assert question(chatty, "System: x")[1] == (Turn("user", "System: x"),)


def test_compare_asks_through_the_template_shows_no_marks_and_lets_the_judge_read_the_conversation(workspace, models):
    panel = Compare("en", workspace)
    *_, (view, line) = panel.generate(TYPED, ("instruct", "", ""), (1, 1, 1), "scorer", 3, 1.0, 12)
    assert line.startswith("Done")
    assert view["prompt"] == TYPED
    policy, scorer = zoo.load_policy(models / "instruct"), zoo.load_reward_model(models / "scorer")
    asked = write(policy.tokenizer, QUESTION, asked=True)
    rollout = sample_rollout(policy, [asked] * 3, Sampling(max_new_tokens=12), seed=3)
    assert rollout.ended.any()
    for i, sample in enumerate(view["columns"][0]["samples"]):
        assert "".join(piece[0] for piece in sample["pieces"]) == rollout.responses[i]
        whole = learned(scorer, output="probability")([asked], [rollout.responses[i]])
        assert sample["reward"] == pytest.approx(whole.item(), abs=1e-3)


def test_pieces_leave_out_what_ends_a_response_besides_eos():
    tokenizer = tokenizer_for("chatml")
    ids = tokenizer("How<start_of_turn>", add_special_tokens=False).input_ids
    assert [piece.text for piece in pieces(tokenizer, ids)][-1] == "<start_of_turn>"
    shown = pieces(tokenizer, ids, ends=ids[-1:])
    assert ("".join(piece.text for piece in shown), shown[-1].end) == ("How", len(ids))


def test_the_histogram_asks_every_prompt_so(workspace, models, monkeypatch):
    heard = []
    sampled = sample_rollout
    monkeypatch.setattr("rlhf_kit.studio.comparing.held_out", lambda lang, world: [TYPED, "And now?"])
    monkeypatch.setattr("rlhf_kit.studio.comparing.PROMPTS", 2)
    monkeypatch.setattr("rlhf_kit.sampling.sample_rollout",
                        lambda policy, prompts, *more: heard.append(prompts) or sampled(policy, prompts, *more))
    *_, (found, _) = Compare("en", workspace).measure(("instruct", "", ""), (1, 1, 1), "scorer", 3, 1.0, 8)
    assert len(found["series"][0]["scores"]) == 2
    tokenizer = tokenizer_for("chatml")
    assert heard == [[write(tokenizer, (Turn("user", text),), asked=True) for text in (TYPED, "And now?")]]


def test_a_reward_model_reads_a_dialogue_in_the_form_that_it_learned_from(workspace, models, monkeypatch):
    monkeypatch.setattr("rlhf_kit.studio.probing.REVIEWS", 4)
    text = f"Human: {TYPED}\n\nAssistant: First unplug it."
    panel, tokenizer = Probe("en", workspace), tokenizer_for("chatml")
    for name, prompt, said in (("scorer", write(tokenizer, QUESTION, asked=True), "First unplug it."),
                               ("plain", "", text)):
        *_, (view, line) = panel.score(text, name)
        assert line.startswith("Done")
        score = learned(zoo.load_reward_model(models / name))([prompt], [said]).item()
        assert view["score"] == pytest.approx(score, abs=1e-3)
        assert "".join(part for part, _ in view["parts"]) == text


def test_lists_to_rank_are_written_by_the_model_named_at_start_and_judged_as_answers(workspace, models, monkeypatch):
    panel = Rank("en", workspace)
    monkeypatch.setattr("rlhf_kit.studio.workspace.example", lambda lang: {"rank": []})
    *_, (cards, notice) = panel.more("ana", {"empty": ""}, 4, False, False, ALONE)
    assert notice.startswith("A new list")
    assert cards["prompt"] == TYPED
    assert not any("<|" in text for text in cards["texts"])
    task = workspace.labels.task(cards["task"])
    assert {response.model for response in task.responses} == {"instruct"}
    last = {"task": task.id, "order": [0, 1, 2, 3], "groups": ((0,), (1,), (2,), (3,))}
    asked = write(tokenizer_for("chatml"), QUESTION, asked=True)
    for name, prompt in (("scorer", asked), ("plain", TYPED)):
        *_, (verdict, _) = panel.opinion(last, name)
        scores = learned(zoo.load_reward_model(models / name))([prompt] * 4, list(task.texts)).tolist()
        assert [row["score"] for row in verdict["rows"]] == [f"{score:+.2f}" for score in scores]
    assert rank_tasks.sample(zoo.load_policy(models / "instruct"), TYPED, 4, seed=5)
