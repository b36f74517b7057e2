"""`train METHOD --show`: what is shown of a row is what the training step is given, and no weight is read for it."""

import json

import pytest
from chat_models import policy_for, tokenizer_for

from rlhf_kit import cli, zoo
from rlhf_kit.jobs import JOBS
from rlhf_kit.methods import classifier, distil, dpo, kto, rest, reward_model, sft
from rlhf_kit.models.text import encode_prompts

N = 12
ANSWERS = ["First unplug it.", "先拔掉插头。\n再换。", "Replace the part." * 9]


def lines(rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def said(i: int) -> list[dict]:
    return [{"role": "user", "content": f"How do I fix {i}?"}, {"role": "assistant", "content": ANSWERS[i % 3]},
            {"role": "user", "content": "and then?"}, {"role": "assistant", "content": f"你好 {i}"}]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Files of each form, and two models: one with a chat template and one without."""
    folder = tmp_path_factory.mktemp("rows")
    for name, template in (("chat", "chatml"), ("lm", None)):
        zoo.save_policy(policy_for(tokenizer_for(template)), folder / name)
    prompts = [f"How do I fix {i}?" for i in range(N)]
    files = {
        "conversations": [{"messages": said(i)} for i in range(N)],
        "pairs": [{"prompt": p, "chosen": ANSWERS[i % 3], "rejected": f"No {i}."} for i, p in enumerate(prompts)],
        "rankings": [{"prompt": p, "responses": ["First.", "Then.", f"No {i}."], "ranks": [2, 1, 3]}
                     for i, p in enumerate(prompts)],
        "labels": [{"prompt": p, "completion": ANSWERS[i % 3], "label": i % 2 == 0} for i, p in enumerate(prompts)],
        "answers": [{"prompt": p, "response": ANSWERS[i % 3]} for i, p in enumerate(prompts)],
        "prompts": [{"prompt": p} for p in prompts],
    }
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text(lines(rows), encoding="utf-8")
    (folder / "texts.txt").write_text("".join(f"How do I fix {i}?\n\n" for i in range(N)))
    (folder / "marked.csv").write_text("text,label\n" + "".join(
        f"the part {i} is {('bad', 'good')[i % 2]},{i % 2}\n" for i in range(60)))
    (folder / "mine.py").write_text("def reward(prompts, responses):\n    return [len(r) - 3.0 for r in responses]\n")
    (folder / "preamble.txt").write_text("user assistant system")
    return folder


@pytest.fixture(autouse=True)
def here(desk, monkeypatch):
    monkeypatch.chdir(desk)


def shown(job, side="learn"):
    """(ids that are given, which of them are learned) of every text of that side."""
    return {(tuple(text.given), tuple(mark for mark, read in zip(text.learned, text.read, strict=True) if read))
            for one in job.rows(10**6).shown if one.side == side for text in one.texts}


def heard(monkeypatch, module, name, of):
    """What the method hands to one of its functions while it trains."""
    seen, real = [], getattr(module, name)

    def record(*arguments, **more):
        found = real(*arguments, **more)
        seen.extend(of(arguments, found))
        return found
    monkeypatch.setattr(module, name, record)
    return seen


def run(job, folder):
    for _ in job.run(folder):
        pass


def of_batch(arguments, found):
    """ids, mask and counted of `sft._batch`; the first token is given and never predicted."""
    for ids, mask, counted in zip(*(part.tolist() for part in found), strict=True):
        kept = [place for place, there in enumerate(mask) if there]
        yield tuple(ids[place] for place in kept), (False, *(counted[place] for place in kept[1:]))


def of_rollout(arguments, found):
    """A rollout's prompt and response; the loss counts the response, its end included."""
    for row in range(len(found)):
        prompt = found.prompt_ids[row][found.prompt_mask[row]].tolist()
        response = found.response_ids[row][found.mask[row]].tolist()
        yield (*prompt, *response), (False,) * len(prompt) + (True,) * len(response)


SMALL = {"steps": 2, "batch_size": 6}


@pytest.mark.parametrize(("model", "data", "template", "more"), [
    ("chat", "conversations.jsonl", None, {}), ("chat", "conversations.jsonl", None, {"max_length": 60}),
    ("lm", "conversations.jsonl", "zephyr", {}), ("lm", "answers.jsonl", None, {"max_length": 12}),
    ("chat", "answers.jsonl", "own", {}), ("lm", "texts.txt", None, {"max_length": 7})])
def test_sft_is_given_what_is_shown(monkeypatch, tmp_path, model, data, template, more):
    job = JOBS["sft"](model=model, data=data, template=template, changes={**SMALL, **more})
    learn, held_out = shown(job), shown(job, "held_out")
    seen = heard(monkeypatch, sft, "_batch", of_batch)
    run(job, tmp_path / "run")
    assert len(set(seen)) >= 6
    assert set(seen) <= learn | held_out
    assert learn & set(seen)


@pytest.mark.parametrize(("method", "module", "model", "data", "template"), [
    ("dpo", dpo, "lm", "pairs.jsonl", None), ("dpo", dpo, "chat", "pairs.jsonl", "own"),
    ("dpo", dpo, "lm", "rankings.jsonl", None), ("kto", kto, "lm", "labels.jsonl", None),
    ("kto", kto, "chat", "pairs.jsonl", "own")])
def test_dpo_and_kto_are_given_what_is_shown(monkeypatch, tmp_path, method, module, model, data, template):
    job = JOBS[method](model=model, data=data, template=template, held_out=6, max_new_tokens=2,
                       changes={**SMALL, "max_length": 40})
    learn, held_out = shown(job), shown(job, "held_out")
    if method == "kto":                                 # which reads mismatched responses besides
        monkeypatch.setattr(kto, "_mismatched", lambda policy, batch, limit, of=kto.unread_rollout: of(
            policy, [one.prompt for one in batch], [one.response for one in batch]))
    seen = heard(monkeypatch, module, "unread_rollout", of_rollout)
    run(job, tmp_path / "run")
    assert set(seen) <= learn | held_out
    assert learn & set(seen)
    if "pairs" in data and template is None:
        assert shown(job, "left_out")                   # those that are longer than 40 tokens


@pytest.mark.parametrize(("model", "data", "template", "length"), [
    ("lm", "pairs.jsonl", None, 20), ("chat", "pairs.jsonl", "own", 128), ("lm", "rankings.jsonl", None, 10),
    ("new", "pairs.jsonl", None, 10)])
def test_a_reward_model_is_given_what_is_shown(monkeypatch, tmp_path, model, data, template, length):
    job = JOBS["reward-model"](model=model, pairs=data, template=template, held_out=3,
                               changes={**SMALL, "max_length": length})
    learn = {ids for ids, _ in shown(job)}
    seen = heard(monkeypatch, reward_model, "_scores", lambda arguments, found: [
        tuple(row) for rows in arguments[1] for row in rows])
    run(job, tmp_path / "run")
    assert set(seen) <= learn
    assert len(set(seen)) >= 6
    assert any(text.cut for one in job.rows(N).shown for text in one.texts) == (length < 128)


def test_distillation_is_given_what_is_shown(monkeypatch, tmp_path):
    job = JOBS["distil"](model="lm", preamble="preamble.txt", data="answers.jsonl", max_new_tokens=2,
                         changes={**SMALL, "max_length": 40})
    rows = job.rows(N)
    assert {text.part for one in rows.shown for text in one.texts} == {"student", "teacher"}
    assert rows.cut > 0
    every = shown(job) | shown(job, "held_out")
    student = heard(monkeypatch, distil, "_told", of_rollout)
    run(job, tmp_path / "run")
    assert student
    assert set(student) <= every


def test_original_data_and_prompts_of_rest_are_what_is_shown(monkeypatch, tmp_path):
    job = JOBS["rest"](model="lm", reward="mine.py:reward", data="answers.jsonl", prompts="prompts.jsonl",
                       changes={"grows": 1, "updates": 1, "batch_size": 4, "max_new_tokens": 2, "responses": 1})
    learn = shown(job)
    original = heard(monkeypatch, rest, "given_rollout", of_rollout)
    drawn = heard(monkeypatch, rest, "sample_rollout", lambda arguments, found: [
        tuple(ids[mask].tolist()) for ids, mask in zip(found.prompt_ids, found.prompt_mask, strict=True)])
    monkeypatch.setattr(rest, "_check_direction", lambda policy, pairs: None)       # which reads them backwards, too
    run(job, tmp_path / "run")
    assert original
    assert set(original) <= learn
    assert set(drawn) <= {ids for ids, marks in learn if not any(marks)}


@pytest.mark.parametrize("method", ["ppo", "grpo", "online-dpo"])
@pytest.mark.parametrize("template", [None, "own"])
def test_prompts_are_shown_as_they_are_continued_with_what_ends_a_response(method, template):
    job = JOBS[method](model="chat", reward="mine.py:reward", prompts="prompts.jsonl", template=template)
    rows = job.rows(2)
    policy = zoo.load_policy("chat", value_head=False)
    first = "<|im_start|>user\nHow do I fix 0?<|im_end|>\n<|im_start|>assistant\n" if template else "How do I fix 0?"
    ids, mask = encode_prompts(policy.tokenizer, [first])
    assert rows.shown[0].texts[0].ids == ids[mask].tolist()
    assert tuple(rows.ends) == policy.ends
    assert set(rows.ends.values()) == {"</s>", "<|im_end|>"}
    assert (rows.max_new_tokens, rows.response, len(rows.shown)) == (48, None, 2)


def test_a_judge_is_given_what_is_shown(monkeypatch, tmp_path):
    job = JOBS["judge"](model="new", data="marked.csv", changes={**SMALL, "max_length": 4})
    rows = job.rows(60)
    seen = heard(monkeypatch, classifier, "encode_texts", lambda arguments, found: map(tuple, found))
    run(job, tmp_path / "run")
    assert set(seen) == {ids for ids, _ in shown(job)}
    assert [one.label for one in rows.shown[:2]] == ["negative", "positive"]
    assert rows.cut == 60


def test_no_weight_is_read(tmp_path, desk):
    """With weights that cannot be read the rows are shown all the same; and there are no tensors behind the shape."""
    zoo.save_policy(policy_for(tokenizer_for("chatml")), tmp_path / "broken")
    [weights] = (tmp_path / "broken").glob("*.safetensors")
    weights.write_bytes(b"no tensors")
    for name, file in (("sft", {"data": "conversations.jsonl"}), ("dpo", {"data": "pairs.jsonl"}),
                       ("reward-model", {"pairs": "pairs.jsonl"})):
        one, other = (JOBS[name](model=str(model), **file).rows(N) for model in (tmp_path / "broken", desk / "chat"))
        assert one.numbers()["rows"] == other.numbers()["rows"]
        assert one.limit == other.limit
    with pytest.raises(OSError, match="cannot be loaded"):
        run(JOBS["sft"](model=str(tmp_path / "broken"), data="conversations.jsonl"), tmp_path / "run")
    outline, _ = zoo.outline("chat")
    assert {parameter.device.type for parameter in outline.parameters()} == {"meta"}


def test_a_row_is_named_by_its_line(tmp_path):
    rows = [{"prompt": "How?", "response": "So."}, {"prompt": "How?", "response": "So."}, "",
            *({"prompt": f"How {i}?", "response": "So."} for i in range(30)), {"prompt": 7}]
    (tmp_path / "some.jsonl").write_text("".join(f"{json.dumps(row) if row else ''}\n" for row in rows))
    found = JOBS["sft"](model="lm", data=str(tmp_path / "some.jsonl")).rows(100)
    assert [one.line for one in found.shown] == [1, *range(4, 34)]
    assert [one.line for one in JOBS["sft"](model="lm", data="texts.txt").rows(3).shown] == [1, 3, 5]
    pairs = JOBS["kto"](model="lm", data="pairs.jsonl").rows(2)         # one line is two answers
    assert [(one.line, one.texts[0].part) for one in pairs.shown] == [(1, "good"), (1, "bad"), (2, "good"), (2, "bad")]


def test_the_end_of_a_text_that_is_cut_is_not_said_to_be_there():
    """A conversation that is cut in its last answer holds the end of an earlier turn."""
    whole, cut = (JOBS["sft"](model="chat", data="conversations.jsonl", changes={"max_length": n}).rows(1)
                  for n in (200, 38))
    [one], [other] = whole.shown[0].texts, cut.shown[0].texts
    assert one.ids[whole.closed(one)] == 4                              # <|im_end|>, with a line's end behind it
    assert whole.closed(one) == len(one.ids) - 2
    assert cut.ended(other)
    assert cut.closed(other) is None
    assert [piece.mark for piece in cut.pieces(other)] == ["prompt", "learned", "read", "learned", "cut"]
    assert "".join(piece.text for piece in cut.pieces(other)) == "".join(piece.text for piece in whole.pieces(one))


@pytest.mark.parametrize(("model", "template", "end"), [
    ("chat", "own", "<|im_end|>"), ("lm", "zephyr", "</s>"), ("lm", "llama-3", "<|eot_id|>"),
    ("lm", "gemma", "<end_of_turn>")])
@pytest.mark.parametrize(("method", "data"), [("dpo", "pairs.jsonl"), ("kto", "labels.jsonl")])
def test_a_response_that_a_template_wrote_ends_once(method, data, model, template, end):
    """chatml, zephyr and gemma write a line's end behind the end of a turn; no second end may come behind that."""
    rows = JOBS[method](model=model, data=data, template=template).rows(N)
    for text in (text for one in rows.shown if one.side == "learn" for text in one.texts):
        assert [rows.ends[text.ids[place]] for place in rows.ended(text)] == [end]
        assert rows.closed(text) == len(text.ids) - 1


def test_an_end_is_found_where_the_tokenizer_does_not_know_what_the_template_writes_behind_it(tmp_path, policy):
    """A tiny tokenizer knows no line's end; zephyr writes one behind EOS."""
    zoo.save_policy(policy, tmp_path / "tiny")
    (tmp_path / "short.jsonl").write_text(lines({"prompt": f"the lamp {i}", "response": "is red."} for i in range(9)))
    rows = JOBS["sft"](model=str(tmp_path / "tiny"), data=str(tmp_path / "short.jsonl"), template="zephyr").rows(1)
    [text] = rows.shown[0].texts
    assert text.ids[rows.closed(text)] == rows.tokenizer.eos_token_id
    assert rows.closed(text) < len(text.ids) - 1


# -- on the command line ---------------------------------------------------------------------------------------------

def typed(*words, lang="en"):
    return cli.main(["train", *words, "--lang", lang])


def test_on_the_command_line_it_prints_and_trains_nothing(capsys, desk):
    before = sorted(desk.rglob("*"))
    assert typed("sft", "--model", "chat", "--data", "conversations.jsonl", "--show", "2", "--max-length", "60") == 0
    out = capsys.readouterr().out
    assert "Line 1: learned from" in out
    assert "    prompt  | <|im_start|>user⏎\n            | How do I fix 0?<|im_end|>⏎\n" in out
    assert "    learned | First unplug it.<|im_end|>⏎\n" in out
    assert "ends with <|im_end|> (id 4)" in out
    assert "Line 3" not in out
    assert "12 examples in all:" in out
    assert "longer than 60 tokens and were cut" in out                  # what training says of it
    assert "Nothing was trained." in out
    assert sorted(desk.rglob("*")) == before


def test_in_chinese(capsys):
    assert typed("dpo", "--model", "lm", "--data", "pairs.jsonl", "--show", "2", lang="zh") == 0
    out = capsys.readouterr().out
    for part in ("第 1 行：用于训练", "较好的回答：提示 8 个词元", "    提示 | <s>How do I fix 0?",
                 "    学习 | 先拔掉插头。⏎", "共 12 条样例", "没有训练。"):
        assert part in out, part


def test_as_json_it_holds_every_id_and_mask(capsys):
    assert typed("kto", "--model", "lm", "--data", "labels.jsonl", "--show", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    [row] = found["rows"]
    [text] = row["texts"]
    assert (row["line"], row["side"], text["part"]) == (1, "learn", "good")
    assert text["learned"] == [False] * text["prompt_tokens"] + [True] * text["response_tokens"]
    assert text["ends_at"] == [len(text["ids"]) - 1]
    assert [piece["text"] for piece in text["pieces"]] == ["<s>How do I fix 0?", "First unplug it.</s>"]
    assert sum(found["all"]["examples"].values()) == N
    assert found["read"]["rows"] == N


@pytest.mark.parametrize(("words", "expected"), [
    (("sft", "--model", "lm", "--data", "none.jsonl", "--show"), "none.jsonl does not exist"),
    (("sft", "--model", "lm", "--data", "answers.jsonl", "--show", "0"), "--show is 0; it is how many rows"),
    (("sft", "--model", "lm", "--data", "conversations.jsonl", "--show"), "has no chat template"),
    (("sft", "--model", "preamble.txt", "--data", "answers.jsonl", "--show"), "is a file"),
    (("dpo", "--model", "lm", "--data", "pairs.jsonl", "--max-length", "2", "--show"), "fits into 2 tokens")])
def test_what_is_wrong_is_one_line(capsys, words, expected):
    assert typed(*words) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert len(err.strip().splitlines()) == 1


def test_a_run_still_needs_a_folder(capsys):
    with pytest.raises(SystemExit):
        typed("sft", "--model", "lm", "--data", "answers.jsonl")
    assert "required: --output" in capsys.readouterr().err


@pytest.mark.parametrize("words", [
    ("sft", "--data", "answers.jsonl"), ("dpo", "--data", "pairs.jsonl"), ("kto", "--data", "labels.jsonl"),
    ("reward-model", "--data", "pairs.jsonl"), ("rest", "--data", "answers.jsonl", "--reward", "mine.py:reward"),
    ("distil", "--data", "answers.jsonl", "--preamble", "preamble.txt")])
def test_every_method_that_joins_prompt_and_response_says_so(capsys, words):
    assert typed(*words, "--model", "chat", "--show", "1") == 0
    glued = "joined as they stand, with nothing between them: ' do I fix 0?First unplug'"
    assert glued in capsys.readouterr().out
    assert typed(*words, "--model", "chat", "--show", "1", "--template", "own") == 0
    out = capsys.readouterr().out
    assert glued not in out                                             # the template writes turns between them
    assert "written by the model's own chat template" in out


def test_a_prompt_without_room_is_told_before_the_run_refuses_it(capsys):
    assert typed("ppo", "--model", "lm", "--prompts", "prompts.jsonl", "--reward", "mine.py:reward",
                 "--max-new-tokens", "250", "--show", "1") == 0
    assert "12 prompts leave no room for 250 tokens" in capsys.readouterr().out
