"""Conversations become text and ids as TRL makes them of the same rows; what ends a response; who is read by whom."""

import pytest
import torch
from chat_models import config, policy_for, tokenizer_for
from transformers import LlamaForCausalLM, LlamaForSequenceClassification

from rlhf_kit.datasets.chats import Wrong, chat_of, readable
from rlhf_kit.formulas.records import Turn
from rlhf_kit.methods import sft
from rlhf_kit.models import chats, text
from rlhf_kit.models.heads import RewardModel
from rlhf_kit.rewards import learned
from rlhf_kit.sampling import Sampling, given_rollout, sample_rollout

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")

ASK, ANSWER = Turn("user", " How do I fix it? "), Turn("assistant", "First unplug it.\nThen wait. ")
MORE, LAST = Turn("user", "And then?"), Turn("assistant", "你好")
SINGLE, LONG = (ASK, ANSWER), (ASK, ANSWER, MORE, LAST)
NAMES = sorted(chats.TEMPLATES)


def as_dicts(chat):
    return [{"role": turn.role, "content": turn.text} for turn in chat]


def trl_rows(tokenizer, rows, folder, **options):
    """(ids, which are learned) of the rows as TRL's SFTTrainer prepares them."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer
    trainer = SFTTrainer(LlamaForCausalLM(config(tokenizer)), processing_class=tokenizer,
                         train_dataset=Dataset.from_list(rows),
                         args=SFTConfig(output_dir=str(folder), report_to=[], use_cpu=True, max_length=None,
                                        eos_token="</s>", pad_token="<pad>", **options))
    return [(row["input_ids"], [label != -100 for label in row["labels"]]) for row in trainer.train_dataset]


@pytest.mark.parametrize("name", NAMES)
def test_trl_makes_the_same_ids_and_the_same_mask(name, tmp_path):
    """A question with its answer, and a conversation of which TRL learns the last answer."""
    tokenizer = tokenizer_for(name)
    rows = [{"prompt": as_dicts(chat[:-1]), "completion": as_dicts(chat[-1:])} for chat in (SINGLE, LONG)]
    (ids, mask), (long_ids, last) = trl_rows(tokenizer, rows, tmp_path)
    ours, all_said = chats.chat_rows(tokenizer, [SINGLE, LONG])
    assert ours == (ids, mask)
    assert all_said[0] == long_ids
    start = last.index(True)
    assert all_said[1][start:] == last[start:]
    assert any(all_said[1][:start])                                         # the first answer is learned too


@pytest.mark.parametrize("name", ["llama3_training", "gemma_training"])
def test_trl_s_templates_that_mark_the_assistant_agree(name, tmp_path):
    """Every answer of a conversation, found by TRL from marks in its templates and by us without them."""
    from importlib.resources import files
    jinja = files("trl") / "chat_templates"
    tokenizer = tokenizer_for()
    tokenizer.chat_template = (jinja / f"{name}.jinja").read_text(encoding="utf-8")
    (theirs,) = trl_rows(tokenizer, [{"messages": as_dicts(LONG)}], tmp_path, assistant_only_loss=True)
    assert chats.chat_rows(tokenizer, [LONG]) == [theirs]
    tokenizer.chat_template = (jinja / f"{name.removesuffix('_training')}.jinja").read_text(encoding="utf-8")
    ids, mask = chats.chat_rows(tokenizer, [LONG])[0]
    assert ids == theirs[0]
    assert tokenizer.decode([i for i, said in zip(ids, mask, strict=True) if said]).replace("\n", "") == (
        tokenizer.decode([i for i, said in zip(*theirs, strict=True) if said]).replace("\n", ""))


@pytest.mark.parametrize("name", NAMES)
def test_trl_s_reward_trainer_reads_the_same_ids(name, tmp_path):
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer
    tokenizer = tokenizer_for(name)
    row = {"prompt": as_dicts(LONG[:3]), "chosen": as_dicts([LAST]), "rejected": as_dicts([ANSWER])}
    trainer = RewardTrainer(LlamaForSequenceClassification(config(tokenizer, num_labels=1)), processing_class=tokenizer,
                            train_dataset=Dataset.from_list([row]),
                            args=RewardConfig(output_dir=str(tmp_path), report_to=[], use_cpu=True, max_length=None))
    prompt, answers = chats.write_answers(tokenizer, LONG[:3], [(LAST,), (ANSWER,)])
    ours = text.encode_texts(tokenizer, [prompt + answer for answer in answers], 500)
    assert ours == [trainer.train_dataset[0]["chosen_ids"], trainer.train_dataset[0]["rejected_ids"]]


@pytest.mark.parametrize("name", NAMES)
def test_there_is_one_bos_at_most_and_none_where_the_template_has_none(name):
    tokenizer = tokenizer_for(name)
    prompt = chats.write(tokenizer, (ASK,), asked=True)
    ids = text.prompt_rows(tokenizer, [prompt, "plain", "<s>begins with it"])
    assert ids[0] == tokenizer(prompt, add_special_tokens=False).input_ids
    assert [row.count(1) for row in ids] == [int("bos_token" in tokenizer.chat_template), 1, 1]
    assert [row[0] for row in ids[1:]] == [1, 1]
    whole = chats.write(tokenizer, SINGLE)
    assert text.encode_documents(tokenizer, [whole], 500) == [tokenizer(whole, add_special_tokens=False).input_ids]
    assert chats.is_written(tokenizer, prompt)
    assert not chats.is_written(tokenizer, "plain")


@pytest.mark.parametrize(("name", "end"), [("chatml", "<|im_end|>"), ("llama-3", "<|eot_id|>"),
                                           ("gemma", "<end_of_turn>"), ("mistral", "</s>"), ("zephyr", "</s>")])
def test_the_end_of_a_turn_ends_a_response_and_so_does_what_the_config_names(name, end):
    policy = policy_for(tokenizer_for(name))
    wanted = {policy.tokenizer.convert_tokens_to_ids(end), 2}
    assert set(policy.ends) == wanted
    policy.lm.generation_config.eos_token_id = [2, 77, 78]
    assert set(policy.ends) == wanted | {77, 78}


def test_a_rollout_ends_at_any_of_the_ends_and_the_reward_reads_what_was_said_before():
    """The output layer is made to say token 40, then <|im_end|> (or 77, which only the config names)."""
    for last, named in ((4, 2), (77, [2, 77])):
        policy = policy_for(tokenizer_for("chatml"))
        policy.lm.generation_config.eos_token_id = named
        prompt = chats.write(policy.tokenizer, (ASK,), asked=True)
        said = {len(policy.tokenizer(prompt, add_special_tokens=False).input_ids): 40}

        def forward(ids, mask, keep, cache=None, use_cache=False, need_value=True, said=said, last=last, policy=policy,
                    real=policy.forward):
            predicted = real(ids, mask, keep, cache, use_cache, need_value)
            token = said.get(int(mask.sum(-1)[0]), last)
            predicted.logits.fill_(-50.0)[..., token] = 50.0
            return predicted

        policy.forward = forward
        rollout = sample_rollout(policy, [prompt], Sampling(max_new_tokens=6))
        assert rollout.response_ids.tolist() == [[40, last]]
        assert rollout.ended.tolist() == [True]
        assert rollout.responses == [policy.tokenizer.decode([40])]


def test_a_mark_in_the_middle_is_not_hidden_from_the_reward():
    tokenizer = tokenizer_for("llama-3")
    ids = torch.tensor([tokenizer("so<|start_header_id|>user<|eot_id|></s><pad>", add_special_tokens=False).input_ids])
    assert text.decode(tokenizer, ids, torch.ones_like(ids, dtype=torch.bool)) == ["so<|start_header_id|>user"]


def test_given_answers_are_closed_as_the_policy_would_close_them():
    policy = policy_for(tokenizer_for("llama-3"))
    end = policy.tokenizer.convert_tokens_to_ids("<|eot_id|>")
    prompts = [chats.write(policy.tokenizer, (ASK,), asked=True), "plain"]
    rollout = given_rollout(policy, prompts, ["It is fixed.", "It is fixed."])
    assert [row[keep][-1].item() for row, keep in zip(rollout.response_ids, rollout.mask, strict=True)] == [end, 2]
    assert text.response_rows(policy.tokenizer, ["x<|eot_id|>"], prompts[:1])[0].count(end) == 1


def test_a_reward_model_reads_in_ppo_what_it_learned_from():
    """A policy's response has lost its end of turn; the reward model gets it back."""
    tokenizer = tokenizer_for("chatml")
    torch.manual_seed(0)
    model = RewardModel(LlamaForSequenceClassification(config(tokenizer, num_labels=1)), tokenizer).eval()
    prompt, (answer,) = chats.write_answers(tokenizer, (ASK,), [(ANSWER,)])
    assert answer == ANSWER.text + "<|im_end|>\n"
    score = learned(model)
    assert torch.equal(score([prompt], [answer]), score([prompt], [ANSWER.text]))
    assert not torch.equal(score(["plain"], [answer]), score(["plain"], [ANSWER.text]))


def test_sft_learns_what_the_assistant_said_and_nothing_else():
    """Two conversations that differ in what the user says have one loss pattern; the mask covers the answers' ids."""
    policy = policy_for(tokenizer_for("llama-3"))
    rows = sft._encode(policy, [LONG], sft.Config(max_length=200))
    ids, _, counted = sft._batch(rows, 0, torch.device("cpu"))
    assert policy.tokenizer.decode(ids[counted]) == "First unplug it.\nThen wait.<|eot_id|>你好<|eot_id|>"
    everything = sft._encode(policy, [LONG], sft.Config(max_length=200, response_only=False))
    assert sft._batch(everything, 0, torch.device("cpu"))[2].sum() == len(rows[0][0]) - 1


def test_what_does_not_fit_is_counted():
    policy = policy_for(tokenizer_for("chatml"))
    length, first = len(chats.chat_rows(policy.tokenizer, [LONG])[0][0]), 2
    fits = [sft.fit(policy, [LONG, LONG], sft.Config(max_length=n)) for n in (length, length - 1, first)]
    assert [(fit.left_out, fit.cut) for fit in fits] == [(0, 0), (0, 2), (2, 0)]


def test_a_template_without_system_turns_gets_them_with_the_first_question():
    told = (Turn("system", "Be brief."), ASK)
    for name in ("gemma", "mistral"):
        written = chats.write(tokenizer_for(name), told, asked=True)
        assert "Be brief.\n\n How do I fix it?" in written
        assert "system" not in written


def test_a_system_turn_is_not_lost_where_the_assistant_speaks_first():
    for name in ("gemma", "mistral"):
        made = tokenizer_for(name)
        rows, mask = chats.chat_rows(made, [(Turn("system", "Be brief."), ANSWER, MORE, LAST)])[0]
        learned = made.decode([i for i, one in zip(rows, mask, strict=True) if one])
        assert "Be brief." in made.decode(rows)
        assert "Be brief." not in learned
        assert "First unplug it." in learned
        assert "你好" in learned
        assert "And then?" not in learned


def test_a_system_turn_in_between_changes_no_turn_before_it():
    """At the head of the first user turn it would be said too early, and the first answer would not be learned from."""
    for name in ("gemma", "mistral"):
        made = tokenizer_for(name)
        rows, mask = chats.chat_rows(made, [(ASK, ANSWER, Turn("system", "Be brief."), MORE, LAST)])[0]
        assert made.decode(rows).startswith(chats.write(made, SINGLE).rstrip())
        learned = made.decode([i for i, one in zip(rows, mask, strict=True) if one])
        assert "First unplug it." in learned
        assert "你好" in learned
        assert "Be brief." not in learned


def test_a_template_that_marks_answers_and_knows_no_system_turns():
    made = tokenizer_for("gemma")
    made.chat_template = made.chat_template.replace(
        "{{ '<start_of_turn>' + ('model'", "{% generation %}{{ '<start_of_turn>' + ('model'", 1).replace(
        "{% endfor %}", "{% endgeneration %}{% endfor %}", 1)
    rows, _ = chats.chat_rows(made, [(Turn("system", "Be brief."), ASK, ANSWER)])[0]
    assert "Be brief.\n\n How do I fix it?" in made.decode(rows)


@pytest.mark.parametrize(("name", "said"), [
    ("llama3", "expected one of own, chatml"), ("own", "brings no chat template. Choose one of chatml"),
    ("chatml", "needs the tokens <|im_start|>, <|im_end|>, which small does not have")])
def test_templates_that_cannot_be_used(name, said, tokenizer):
    with pytest.raises(chats.CannotWrite) as caught:
        chats.use_template(tokenizer, name, "small")
    assert said in str(caught.value)


def test_a_tiny_model_can_have_conversations_all_the_same(tokenizer):
    """Zephyr's turns are closed by EOS, which every model has."""
    import copy
    own = copy.deepcopy(tokenizer)
    chats.use_template(own, "zephyr")
    ids, mask = chats.chat_rows(own, [((Turn("user", "the lamp")), Turn("assistant", "is red"))])[0]
    assert own.eos_token_id in [i for i, said in zip(ids, mask, strict=True) if said]


def test_without_a_template_a_conversation_is_a_dialogue():
    assert readable((ASK,)) == ASK.text
    assert readable((MORE, LAST, MORE)) == (
        "\n\nHuman: And then?\n\nAssistant: 你好\n\nHuman: And then?\n\nAssistant:")
    with pytest.raises(chats.CannotWrite, match="Choose one with --template"):
        chats.write(tokenizer_for(), SINGLE)


def test_a_response_ends_where_somebody_else_begins_to_speak():
    marks = "User:", "Assistant:"
    assert chats.first_turn(" Yes.\n\nUser: And why?\n\nAssistant: So.", marks) == " Yes."
    assert chats.first_turn(" Yes.", marks) == " Yes."
    assert chats.first_turn(" Yes.\n\nUser: And why?", None).endswith("why?")


def test_a_tool_call_is_refused_by_name_and_never_dropped_without_a_word():
    call = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Ulm"}}}
    for said in ("Let me see.", "", None):
        with pytest.raises(Wrong, match="tool_calls"):
            chat_of([{"role": "user", "content": "Rain?"},
                     {"role": "assistant", "content": said, "tool_calls": [call]}])
    plain = chat_of([{"role": "user", "content": "Rain?", "tool_calls": None},
                     {"role": "assistant", "content": "No.", "tool_calls": []}])
    assert len(plain) == 2


@pytest.mark.parametrize("mark", [{"weight": 0}, {"train": False}, {"weight": "0"}, {"train_on_turn": False}])
def test_a_turn_that_its_file_says_not_to_learn_is_refused_and_never_learned(mark):
    with pytest.raises(Wrong, match=f"turn with {next(iter(mark))} "):
        chat_of([{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Snow.", **mark},
                 {"role": "user", "content": "Sure?"}, {"role": "assistant", "content": "No.", "weight": 1}])
    asked = {"role": "user", "content": "Rain?", **mark}                # a question is not learned anyway
    assert len(chat_of([asked, {"role": "assistant", "content": "No.", "weight": 1, "train": True}])) == 2
