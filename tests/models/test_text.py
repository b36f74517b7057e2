"""Text in, text out: what the kit's own tokenizer promises, and what it does with those of others."""

import random

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast

from rlhf_kit import zoo
from rlhf_kit.models import loading, text

ENGLISH = ["The lamp isn't bad: 12 hours, and it works!", "it's  sturdy (really),\nbut loud.", "wow... 3,5 stars"]
CHINESE = ["这个手机很好，屏幕也清楚。", "物流太慢了，差评！", "用了3天就坏了…… 不推荐"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"这个手机很好，。", "very", "good", "a"]


@pytest.fixture(scope="module")
def both():
    return text.train_tokenizer((ENGLISH + CHINESE) * 3, 200)


@pytest.fixture
def bert(tmp_path) -> BertTokenizer:
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    return BertTokenizer(str(tmp_path / "vocab.txt"))


def ids(tokenizer, written: str) -> list[int]:
    return tokenizer(written, add_special_tokens=False).input_ids


# The kit's own tokenizer.

@pytest.mark.parametrize("whole", ENGLISH + CHINESE)
def test_prompt_and_response_put_together_are_the_text(both, whole):
    """Wherever the text is cut between two tokens, the decoded halves are exactly its halves."""
    tokens = ids(both, whole)
    for cut in range(1, len(tokens)):
        halves = [text.decode(both, torch.tensor([part]), torch.ones(1, len(part), dtype=torch.bool))[0]
                  for part in (tokens[:cut], tokens[cut:])]
        assert "".join(halves) == whole


def test_every_chinese_character_is_one_token(both):
    for sentence in CHINESE:
        pieces = [both.decode([i]) for i in ids(both, sentence)]
        assert [p for p in pieces if "\u4e00" <= p[0] <= "\u9fff"] == [c for c in sentence if "\u4e00" <= c <= "\u9fff"]


def test_frequent_words_become_one_token_and_keep_their_space(sentences, tokenizer):
    assert [tokenizer.decode([i]) for i in ids(tokenizer, "the kettle is very pretty")] == [
        "the", " kettle", " is", " very", " pretty"]


def test_the_same_texts_give_the_same_tokenizer():
    """Also when characters must be left out, and thousands of them are equally rare."""
    draw = random.Random(0)
    rare = ["".join(chr(0x4E00 + draw.randrange(3000)) for _ in range(30)) for _ in range(100)]
    for texts, size in ((ENGLISH + CHINESE, 100), (rare, 300)):
        made = {text.train_tokenizer(iter(texts), size).backend_tokenizer.to_str() for _ in range(4)}
        assert len(made) == 1


def test_when_characters_must_be_left_out_the_rarest_go():
    tokenizer = text.train_tokenizer(["好好好好坏坏坏中中" + "东西"], 6)
    assert sorted(tokenizer.get_vocab()) == sorted(["<pad>", "<eos>", "<unk>", "好", "坏", "中"])
    assert ids(tokenizer, "好东西") == [tokenizer.get_vocab()["好"], *[tokenizer.unk_token_id] * 2]


def test_the_vocabulary_has_at_most_the_size_asked_for():
    assert len(text.train_tokenizer(ENGLISH * 5, 50)) == 50


def test_padding_end_and_unknown_have_a_token_each(both):
    assert [both.pad_token_id, both.eos_token_id, both.unk_token_id] == [0, 1, 2]
    assert (text.pad_id(both), text.end_id(both)) == (0, 1)
    assert ids(both, "Ω") == [2]


def test_a_whole_text_is_closed_and_a_prompt_is_not(both):
    assert both("这个手机").input_ids[-1] == 1
    prompt, mask = text.encode_prompts(both, ["这个手机"])
    assert prompt.tolist() == [ids(both, "这个手机")]
    assert mask.all()


# Prompts.

def test_prompts_are_padded_on_the_left(both):
    prompt, mask = text.encode_prompts(both, ["这个手机", "很好"])
    assert prompt.tolist() == [ids(both, "这个手机"), [0, 0, *ids(both, "很好")]]
    assert mask.tolist() == [[True] * 4, [False, False, True, True]]


def test_an_empty_prompt_is_the_end_token(both):
    prompt, mask = text.encode_prompts(both, ["", "很好"])
    assert prompt[0].tolist() == [0, 1]
    assert mask[0].tolist() == [False, True]


def test_of_a_bert_prompt_the_beginning_stays_and_the_closing_goes(bert):
    assert bert("很好").input_ids == [2, 9, 10, 3]                        # [CLS] 很 好 [SEP]
    prompt, mask = text.encode_prompts(bert, ["很好", ""])
    assert prompt.tolist() == [[2, 9, 10], [0, 0, 2]]
    assert mask.tolist() == [[True] * 3, [False, False, True]]
    assert text.end_id(bert) == 3


# Texts and documents.

def test_whole_texts_keep_what_their_tokenizer_puts_around_them(both, bert):
    assert text.encode_texts(bert, ["很好"], 10) == [[2, 9, 10, 3]]
    assert text.encode_texts(both, ["很好"], 10) == [[*ids(both, "很好"), 1]]
    assert text.encode_texts(both, ["很好"], 2)[0][0] == ids(both, "很好")[0]
    assert {len(row) for row in text.encode_texts(bert, ["很好" * 9, "手机" * 9], 5)} == {5}


def test_cutting_long_texts_leaves_no_trace_in_the_tokenizer(both):
    text.encode_texts(both, ["很好" * 9], 5)
    assert len(ids(both, "很好" * 9)) == 18


def test_documents_are_closed_once_and_cut_from_behind(both, bert):
    assert text.encode_documents(both, ["很好"], 10) == [[*ids(both, "很好"), 1]]
    assert text.encode_documents(both, ["很好手机"], 3) == [ids(both, "很好手")]
    assert text.encode_documents(bert, ["很好"], 10) == [[2, 9, 10, 3]]
    assert text.encode_documents(both, [""], 10) == [[1]]


def test_batches_are_padded_on_the_right():
    padded, mask = text.pad_right([[5, 6, 7], [8]], padding=0)
    assert padded.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[True] * 3, [True, False, False]]
    assert (padded.dtype, mask.dtype) == (torch.long, torch.bool)


# Decoding.

def test_only_marked_tokens_are_decoded_and_special_ones_left_out(both):
    row = torch.tensor([[*ids(both, "很好"), 1, *ids(both, "手机")]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert text.decode(both, row, mask) == ["很好"]
    assert text.decode(both, row, torch.zeros_like(mask)) == [""]


def test_chinese_of_a_bert_vocabulary_has_no_spaces(bert):
    row = torch.tensor([[*ids(bert, "这个手机，很好。"), 3]])
    assert text.decode(bert, row, torch.ones_like(row, dtype=torch.bool)) == ["这个手机，很好。"]


def test_a_response_keeps_the_space_before_its_first_word(bert):
    """Decoders of the Llama and BERT kind drop it from the first word they see, which is not the text's first."""
    words = Tokenizer(models.BPE(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    words.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=60, special_tokens=["<unk>", "</s>"], show_progress=False)
    words.train_from_iterator(["a very good cat"] * 5, trainer)
    llama = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", unk_token="<unk>")
    for tokenizer in (llama, bert):
        response = torch.tensor([ids(tokenizer, "very good")[1:]])
        assert text.decode(tokenizer, response, torch.ones_like(response, dtype=torch.bool)) == [" good"]


# A tokenizer for models that only read, and texts cut at either end.

def test_who_only_reads_folds_case_and_width():
    reader = text.train_tokenizer(ENGLISH * 3, 200, reading=True)
    assert ids(reader, "THE Lamp") == ids(reader, "the lamp") == ids(reader, "ｔｈｅ ｌａｍｐ")
    writer = text.train_tokenizer(ENGLISH * 3, 200)
    assert ids(writer, "THE lamp") != ids(writer, "the lamp")


def test_who_only_reads_takes_chinese_words_for_pieces(both):
    reader = text.train_tokenizer(CHINESE * 3, 200, reading=True)
    pieces = [reader.decode([i]) for i in ids(reader, CHINESE[0])]
    assert "".join(pieces) == "这个手机很好,屏幕也清楚。"            # the comma is folded to its narrow form
    assert max(map(len, pieces)) > 1
    assert len(ids(reader, CHINESE[0])) < len(ids(both, CHINESE[0]))


def test_by_the_word_what_is_named_twice_is_the_same_token_twice_and_nothing_is_lost():
    """Case and width stay: a model that reads by the word may write, too."""
    things = ["集市的秤", "村里水泵", "渡口小船", "学校大门", "港口的灯"]
    frames = ("把{}擦亮？", "看{}，Ａ 和 a", "{}在哪？", "去找{}。", "拿{}来")
    texts = [frame.format(thing) for thing in things for frame in frames]
    writer, by_character = (text.train_tokenizer(texts * 3, 60, words=words) for words in (True, False))
    assert [writer.decode(ids(writer, whole)) for whole in texts] == texts
    twice = [writer.decode([i]) for i in ids(writer, "把集市的秤擦亮？集市的秤在哪？")]
    assert twice.count("集市的秤") == 2
    assert len(ids(writer, texts[0])) < len(ids(by_character, texts[0]))


def test_the_same_texts_give_the_same_reader_and_its_vocabulary_has_the_size_asked_for():
    made = {text.train_tokenizer(iter((ENGLISH + CHINESE) * 3), 80, reading=True).backend_tokenizer.to_str()
            for _ in range(3)}
    assert len(made) == 1
    assert len(text.train_tokenizer((ENGLISH + CHINESE) * 3, 80, reading=True)) <= 80


@pytest.mark.parametrize("side", ["left", "right"])
def test_either_end_of_a_long_text_can_be_kept_and_the_tokenizer_is_as_it_was(both, side):
    tokens, end = ids(both, ENGLISH[0]), both.eos_token_id
    both.truncation_side = side
    assert text.encode_texts(both, [ENGLISH[0], "a"], 5)[0] == [*tokens[:4], end]
    assert text.encode_texts(both, [ENGLISH[0], "a"], 5, keep="end")[0] == [*tokens[-4:], end]
    assert both.truncation_side == side
    with pytest.raises((TypeError, ValueError)):
        text.encode_texts(both, [None], 5, keep="end")
    assert both.truncation_side == side


# A tokenizer that was saved with a policy

@pytest.fixture
def saved(policy, tmp_path):
    """A policy's tokenizer as plain transformers loads it."""
    zoo.save_policy(policy, tmp_path / "policy")
    return AutoTokenizer.from_pretrained(tmp_path / "policy")


def test_a_saved_policy_goes_on_after_a_prompt_in_plain_transformers(saved, tokenizer):
    """An EOS behind the prompt would begin another text; TRL, which adds its own, would have two."""
    assert saved("the lamp is").input_ids == ids(tokenizer, "the lamp is")
    assert saved("the lamp is", " very").input_ids == ids(tokenizer, "the lamp is") + ids(tokenizer, " very")


@pytest.mark.parametrize("keep", ["start", "end"])
def test_whole_texts_have_the_ids_that_they_had_before_it_was_saved(saved, tokenizer, sentences, keep):
    texts = ["", "the", *sentences[:20]]
    for limit in (1, 2, 5, 40):
        assert text.encode_texts(saved, texts, limit, keep) == text.encode_texts(tokenizer, texts, limit, keep)
    assert text.encode_documents(saved, texts, 12) == text.encode_documents(tokenizer, texts, 12)
    assert text.prompt_rows(saved, texts) == text.prompt_rows(tokenizer, texts)
    assert text.response_rows(saved, texts) == text.response_rows(tokenizer, texts)


def test_a_judge_made_of_a_saved_policy_closes_texts_in_plain_transformers_too(saved, tokenizer, policy, tmp_path):
    model = loading.load_reward_model(saved.name_or_path, new_head=True)
    zoo.save_reward_model(model, tmp_path / "scorer")
    again = AutoTokenizer.from_pretrained(tmp_path / "scorer")
    assert again("the lamp").input_ids == tokenizer("the lamp").input_ids == [*ids(tokenizer, "the lamp"), 1]
    assert text.encode_texts(again, ["the lamp is"], 3) == text.encode_texts(saved, ["the lamp is"], 3)


def test_other_peoples_tokenizers_stay_as_they_are(bert):
    assert text.opened(bert) is bert
    assert text.closing_again(bert) is bert


# What a tokenizer does not know

def test_the_share_of_unknown_tokens_and_what_they_stand_for(tokenizer):
    share, examples = text.unknown_share(tokenizer, ["the lamp 好 好", "the 😀"])
    whole = sum(len(ids(tokenizer, one)) for one in ("the lamp 好 好", "the 😀"))
    assert share == pytest.approx(sum(ids(tokenizer, one).count(tokenizer.unk_token_id)
                                      for one in ("the lamp 好 好", "the 😀")) / whole)
    assert share > 0
    assert examples[:2] == ["好", "😀"]
    assert text.unknown_share(tokenizer, ["the lamp is very sturdy"]) == (0.0, [])


def test_what_a_tokenizer_to_be_made_will_not_know():
    """A room for two characters: "ab" is known, of 10 characters one c and two d are not; and it turns out so."""
    learnt, texts = ["aaabb", "aac"], ["abab", "abcadd"]
    assert text.too_rare(learnt, texts, 5) == (0.3, ["d", "c"])
    made = text.train_tokenizer(learnt, 5)
    assert text.unknown_share(made, texts)[1] == ["d", "c"]
    assert text.too_rare(learnt, learnt, 700) == (0.0, [])
