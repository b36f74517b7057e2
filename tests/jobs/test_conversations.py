"""Conversations on their way through the jobs: written by a template, learned, scored as a person reads them, kept."""

import copy
import io
import json
import re
from dataclasses import replace

import pytest

from rlhf_kit import cli, rewards, zoo
from rlhf_kit.datasets.door import Account
from rlhf_kit.formulas.records import Comparison, Turn
from rlhf_kit.jobs import JOBS, scores, written
from rlhf_kit.models import tiny
from rlhf_kit.models.chats import chat_rows, use_template

SMALL = {"steps": 2, "batch_size": 4}
HEARD = """import json, pathlib
def reward(prompts, responses):
    pathlib.Path("heard.json").write_text(json.dumps([prompts, responses]))
    return [float(len(r)) for r in responses]
"""


def asked(i: int, answer: str = "the lamp is red.") -> list[dict]:
    return [{"role": "user", "content": f"the kettle {i}"}, {"role": "assistant", "content": answer}]


@pytest.fixture
def desk(tmp_path, monkeypatch, policy, tokenizer):
    """A folder with files of conversations, a language model and a reward model; nobody has a template."""
    monkeypatch.chdir(tmp_path)
    zoo.save_policy(policy, tmp_path / "lm")
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16, context=48), tmp_path / "scorer")
    rows = {"messages": [{"messages": asked(i)} for i in range(24)],
            "prompts": [{"messages": asked(i)[:1]} for i in range(24)],
            "pairs": [{"chosen": asked(i), "rejected": asked(i, "the lamp is loud.")} for i in range(24)]}
    for name, some in rows.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    (tmp_path / "mine.py").write_text(HEARD)
    return tmp_path


def run(job, folder) -> dict:
    for _ in job.run(folder):
        pass
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def ppo(**more):
    changes = {**SMALL, "minibatch_size": 4, "epochs": 1, "max_new_tokens": 6, "checks": False}
    return JOBS["ppo"](model="lm", prompts="prompts.jsonl", template="zephyr", changes=changes, **more)


def test_sft_learns_conversations_and_its_model_keeps_the_template(desk):
    result = run(JOBS["sft"](model="lm", data="messages.jsonl", template="zephyr", changes=SMALL), desk / "sft")
    account = Account.of(result["read"])
    assert account.kind == "chats"
    assert ("read_written_by", {"template": "zephyr"}) in account.notes
    again = zoo.load_policy(desk / "sft" / "model", value_head=False)
    assert "<|assistant|>" in again.tokenizer.chat_template
    result = run(JOBS["sft"](model=str(desk / "sft" / "model"), data="messages.jsonl", changes=SMALL), desk / "more")
    assert ("read_written", {}) in Account.of(result["read"]).notes


def test_a_reward_function_hears_the_question_and_the_answer_without_marks(desk):
    result = run(ppo(reward="mine.py:reward"), desk / "ppo")
    prompts, responses = json.loads((desk / "heard.json").read_text())
    assert {prompt.rpartition(" ")[0] for prompt in prompts} == {"the kettle"}
    assert not any("<|" in text or "eos" in text for text in responses)
    assert result["samples"][0]["before"]["prompt"].startswith("the kettle")
    assert result["prompts"] + 3 >= 20


def test_a_reward_model_hears_conversations_as_its_own_template_writes_them(desk, tokenizer):
    """One with a template by that; one without as a dialogue; a classifier as a person reads them."""
    zoo.save_reward_model(_with_template(tokenizer), desk / "zephyr_scorer")
    seen, chat = {}, (Turn("user", "the kettle 1"),)

    def heard(prompts, responses):
        seen["prompt"] = prompts[0]
        return [0.0] * len(prompts)

    for judge, expected in (("zephyr_scorer", "<|user|>\nthe kettle 1<eos>\n<|assistant|>\n"),
                            ("scorer", "\n\nHuman: the kettle 1\n\nAssistant: ")):
        scores.on_chats(heard, {"written": chat}, judge)(["written"], ["x"])
        assert seen["prompt"] == expected
    assert run(ppo(judge="zephyr_scorer"), desk / "out")["steps"] == 2


def _with_template(tokenizer):
    own = copy.deepcopy(tokenizer)
    use_template(own, "zephyr")
    return tiny.reward_model(own, layers=1, width=16, context=48)


def test_a_reward_of_conversations_keeps_what_it_remembers():
    """`of_chats` hands on the state that a checkpoint keeps."""
    normal = rewards.Normalised(lambda prompts, responses: [float(len(p)) for p in prompts])
    wrapped = rewards.of_chats(normal, {"written": (Turn("user", "four"),)})
    wrapped(["written", "as it is"], ["", ""])
    assert wrapped.state_dict() == {"0": normal.state_dict()}


def test_to_know_how_a_judge_reads_a_conversation_it_is_not_loaded_again(desk, monkeypatch):
    score = scores.asked("scorer", None)
    monkeypatch.setattr("rlhf_kit.models.loading._load", lambda *_, **__: pytest.fail("a model was loaded"))
    chat = {"written": (Turn("user", "the kettle"),)}
    seen = scores.on_chats(score, chat, "scorer")(["written"], [" is red."])
    assert seen.tolist() == score([written.as_dialogue(chat["written"])], [" is red."]).tolist()


@pytest.mark.parametrize(("model", "template", "note"), [("scorer", None, "read_no_template"),
                                                         ("new", None, "read_no_template"),
                                                         ("scorer", "zephyr", "read_written_by")])
def test_a_reward_model_learns_pairs_of_conversations(desk, model, template, note):
    job = JOBS["reward-model"](pairs="pairs.jsonl", model=model, template=template, held_out=5, changes=SMALL)
    result = run(job, desk / "rm")
    assert note in [key for key, _ in result["read"]["notes"]]
    assert result["rankings"] == 19
    end = "<eos>\n" if template else ""
    assert result["read_as"]["best"] == repr(("the lamp is red." + end).strip())
    assert zoo.load_reward_model(desk / "rm" / "model").reads_chats is (True if template else None)


@pytest.mark.parametrize("words", [
    ["reward-model", "--pairs", "pairs.jsonl", "--model", "scorer"],
    ["sft", "--model", "lm", "--data", "messages.jsonl", "--template", "zephyr"],
    ["ppo", "--model", "lm", "--reward", "mine.py:reward", "--prompts", "prompts.jsonl", "--template", "zephyr",
     "--minibatch-size", "4", "--epochs", "1", "--max-new-tokens", "4", "--no-checks"]])
def test_an_examination_of_a_few_is_said_to_be_one(desk, capsys, words):
    assert cli.main(["train", *words, "--steps", "1", "--batch-size", "4", "--output", "out", "--lang", "en"]) == 0
    assert re.search("Warning: examined on only [1-9]; below 30", " ".join(capsys.readouterr().out.split()))


def test_a_person_in_the_loop_sees_questions_and_the_policy_is_asked_through_the_template(desk, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n-1\n"))
    words = ["human-loop", "--model", "lm", "--prompts", "prompts.jsonl", "--template", "zephyr", "--batch", "2",
             "--max-new-tokens", "4", "--output", "out", "--lang", "en"]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "24 rows read as prompts: prompt from 'messages'" in out
    assert "written by the chat template zephyr" in out
    assert "the kettle" in out
    assert "<|" not in out
    rows = [json.loads(line) for line in (desk / "out" / "ratings.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(row["prompt"].endswith("<eos>\n<|assistant|>\n") for row in rows)
    result = json.loads((desk / "out" / "result.json").read_text(encoding="utf-8"))
    assert (result["read"]["kind"], result["updates"]) == ("prompts", 1)
    assert "<|" not in json.dumps(result["samples"])


def test_conversations_without_a_template_are_refused_in_one_line(desk, capsys):
    for words in (["sft", "--model", "lm", "--data", "messages.jsonl"],
                  ["ppo", "--model", "lm", "--reward", "mine.py:reward", "--prompts", "prompts.jsonl"],
                  ["sft", "--model", "lm", "--data", "messages.jsonl", "--template", "chatml"],
                  ["reward-model", "--pairs", "pairs.jsonl", "--template", "zephyr"]):
        assert cli.main(["train", *words, "--output", "out", "--lang", "en"]) == 2
        assert "--template" in capsys.readouterr().err
    assert not (desk / "out").exists()


def test_what_was_understood_and_cut_is_printed_before_and_after_and_of_a_finished_run(desk, capsys, tokenizer):
    use_template(own := copy.deepcopy(tokenizer), "zephyr")
    _, said = chat_rows(own, [(Turn("user", "the kettle 1"), Turn("assistant", "the lamp is red."))])[0]
    room = said.index(True) + 2
    words = ["train", "sft", "--model", "lm", "--data", "messages.jsonl", "--template", "zephyr", "--steps", "1",
             "--max-length", str(room), "--output", "out", "--lang", "en"]
    for _ in range(2):
        assert cli.main(words) == 0
        out = capsys.readouterr().out
        assert out.count("24 rows read as conversations: conversations from 'messages'; 24 taken.") == 1
        assert f"are longer than {room} tokens and were cut: their ends are not learned" in out


def test_plain_prompts_are_asked_as_questions_with_a_template_only(tokenizer):
    own = copy.deepcopy(tokenizer)
    use_template(own, "zephyr")
    plain = written.prompts(["the lamp"], own, None, "m")
    assert (plain.items, [key for key, _ in plain.notes]) == (["the lamp"], ["read_plain"])
    assert written.prompts(["the lamp"], own, "own", "m").items == ["<|user|>\nthe lamp<eos>\n<|assistant|>\n"]


def test_dialogues_with_marks_of_their_own_are_learned_as_they_stand_and_that_is_said(tokenizer):
    """By a model that has a template; with --template they become its turns, and of plain texts nothing is said."""
    marked, plain = "\n\nHuman: the kettle\n\nAssistant:", "the kettle is"
    pairs = [Comparison(marked, " the lamp is red.", " the lamp is loud.")]
    mine = copy.deepcopy(tokenizer)
    assert written.comparisons(pairs, mine, None, "lm").notes == ()                     # nothing else could write them
    use_template(mine, "zephyr", "lm")
    for kind, items in (("comparisons", pairs), ("examples", [marked + " red"]), ("answered", [(marked, " red")]),
                        ("prompts", [marked])):
        found = getattr(written, kind)(items, mine, None, "lm")
        assert (found.items, found.notes) == (items, (("read_marked", {}),)), kind
    assert written.comparisons([replace(pairs[0], prompt=plain)], mine, None, "lm").notes == ()
    [turned] = written.comparisons(pairs, mine, "zephyr", "lm").items
    assert "Human:" not in turned.prompt


def test_what_a_template_refuses_is_left_out_and_counted(tokenizer):
    own = copy.deepcopy(tokenizer)
    own.chat_template = ("{% if messages|length > 2 %}{{ raise_exception('too long') }}{% endif %}"
                         "{{ messages[0]['content'] }}")
    short = (Turn("user", "a"), Turn("assistant", "b"))
    found = written.examples([short, short * 2], own, None, "m")
    assert (found.items, found.refused) == ([short], 1)
    with pytest.raises(ValueError, match=r"refuses every conversation \(1\)"):
        written.examples([short * 2], own, None, "m")


def test_two_conversations_that_are_written_alike_are_one_prompt_and_none_is_called_refused(tokenizer):
    """A template that knows no system turn puts it at the head of the question, where another has it already."""
    own = copy.deepcopy(tokenizer)
    own.chat_template = ("{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}"
                         "{% endif %}{{ m['content'] }}\n{% endfor %}")
    told = (Turn("system", "be brief"), Turn("user", "the lamp"))
    found = written.prompts([told, (Turn("user", "be brief\n\nthe lamp"),)], own, None, "m")
    assert (len(found.items), found.refused) == (1, 0)
