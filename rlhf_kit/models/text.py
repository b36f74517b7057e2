"""Between text and token ids: a tokenizer trained on a corpus, prompts padded on the left, texts on the right.

What a chat template has written (`chats.is_written`) and what begins with BOS is tokenised as it stands: nothing is
put in front of it a second time, nothing behind it.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from rlhf_kit.models.chats import ending, openings

PAD, EOS, UNKNOWN = "<pad>", "<eos>", "<unk>"
Keep = Literal["start", "end", "both"]      # of a text that is too long
CLOSES = "closes_texts"             # in tokenizer_config.json: judges close whole texts, it does not by itself

# A piece is a word with the space before it, a run of digits, one Chinese character, or one other mark. So
# Chinese is read by character, or where asked for by word, English by word or part of a word, and decoding is plain
# concatenation.
_PIECES = r" ?[A-Za-z']+| ?[0-9]+|[\p{Han}]| ?[^\sA-Za-z0-9\p{Han}]|\s+"
_BY_WORD = _PIECES.replace(r"[\p{Han}]|", r"[\p{Han}]+|", 1)        # a run of Chinese may be cut into words


def train_tokenizer(texts: Iterable[str], vocabulary_size: int, *, reading: bool = False,
                    words: bool = False) -> PreTrainedTokenizerFast:
    """A byte-pair tokenizer for exactly this kind of text; the same texts give the same tokenizer.

    Args:
        words: Chinese characters that often stand together become one token: what is named twice in a text is then
            easier to say again, and texts are shorter.
        reading: for a model that never writes: `words`, and case and width are folded; a word tells a judge more than
            each of its characters.

    Padding, end and unknown have a token each: a pad that equals EOS would hide the end of a response from
    whoever masks by id (arXiv:2403.17031; STYLE trap 3).
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, fuse_unk=False))
    if reading:
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_BY_WORD if reading or words else _PIECES), "isolated")
    tokenizer.decoder = decoders.Fuse()
    texts, room = list(texts), max(vocabulary_size - 3, 1)
    trainer = trainers.BpeTrainer(vocab_size=vocabulary_size, special_tokens=[PAD, EOS, UNKNOWN], show_progress=False,
                                  limit_alphabet=room, min_frequency=2 if reading else 0,
                                  initial_alphabet=_commonest(map(tokenizer.normalizer.normalize_str, texts) if reading
                                                              else texts, room))
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = _closing(tokenizer.token_to_id(EOS))    # a whole text is closed; prompts are not
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, unk_token=UNKNOWN,
                                   padding_side="left", clean_up_tokenization_spaces=False)


def opened(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The same, but it puts no end token behind a text by itself: for a model that writes on after what it was given.

    So plain transformers continues a prompt, and TRL, which closes responses itself, does not close them twice. Whoever
    judges with it (`encode_texts`) still closes whole texts, by a word in tokenizer_config.json. Only a tokenizer of
    `train_tokenizer` is changed; other people's rules are theirs.
    """
    if not tokenizer.is_fast or not _closes(tokenizer):
        return tokenizer
    made = copy.deepcopy(tokenizer)
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    made.init_kwargs[CLOSES] = True
    return made


def closing_again(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """What `opened` changed, changed back: for a judge, which reads whole texts, in plain transformers too."""
    if CLOSES not in tokenizer.init_kwargs:
        return tokenizer
    made = copy.deepcopy(tokenizer)
    made.backend_tokenizer.post_processor = _closing(tokenizer.eos_token_id)
    del made.init_kwargs[CLOSES]
    return made


def _closing(end: int) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(single=f"$A {EOS}", special_tokens=[(EOS, end)])


def _closes(tokenizer: PreTrainedTokenizerBase) -> bool:
    """True of what `train_tokenizer` makes: a template of the text and EOS."""
    rule = json.loads(tokenizer.backend_tokenizer.to_str())["post_processor"] or {}
    pieces = [next(iter(piece.items())) for piece in rule.get("single", [])]
    return [(kind, piece["id"]) for kind, piece in pieces] == [("Sequence", "A"), ("SpecialToken", EOS)]


def too_rare(learnt: Iterable[str], texts: Iterable[str], vocabulary_size: int,
             shown: int = 6) -> tuple[float, list[str]]:
    """Of a tokenizer that `train_tokenizer` will make of `learnt`: the share of the characters of `texts` that it will
    not know, and which these are, the commonest first; before it is made."""
    known = {*_commonest(learnt, max(vocabulary_size - 3, 1))}
    seen = Counter()
    for text in texts:
        seen.update(text)
    lost = Counter({character: n for character, n in seen.items() if character not in known})
    return sum(lost.values()) / max(sum(seen.values()), 1), [character for character, _ in lost.most_common(shown)]


def _commonest(texts: Iterable[str], n: int) -> list[str]:
    """The n commonest characters; of equally rare ones the trainer would keep others each time."""
    counts = Counter()
    for text in texts:
        counts.update(text)
    return sorted(counts, key=lambda character: (-counts[character], character))[:n]


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id that fills padding: the pad token, else EOS (harmless here: masks come from lengths, not ids)."""
    return next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None)


def end_id(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The id that closes a response: EOS, else [SEP] (a language model with a BERT vocabulary), else None."""
    return tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id


def end_ids(tokenizer: PreTrainedTokenizerBase, generation: Any = None) -> tuple[int, ...]:
    """Every id that ends a response: `end_id`, the template's end of turn, and all of `generation.eos_token_id`."""
    named = getattr(generation, "eos_token_id", None)
    turn = ending(tokenizer)
    found = [end_id(tokenizer), None if turn is None else turn.token,
             *(named if isinstance(named, list | tuple) else [named])]
    return tuple(dict.fromkeys(i for i in found if i is not None))


def check_texts(texts: Sequence[str], what: str = "texts") -> list[str]:
    """The texts as a list. Raises: ValueError for one text in place of a list of them, or for what is no text."""
    if isinstance(texts, str):
        shown = repr(texts if len(texts) <= 40 else texts[:40] + "…")
        raise ValueError(f"the {what} are one text, {shown}; expected a list of texts, such as [{shown}].")
    texts = list(texts)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            shown = " ".join(repr(text).split())
            raise ValueError(f"number {number} of the {what} is {shown[:60]}, not a text; expected a list of texts.")
    return texts


def encode_prompts(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Ids and mask of prompts to be continued, padded on the left: [B, P] long, [B, P] bool (True on tokens)."""
    return _pad(prompt_rows(tokenizer, prompts), pad_id(tokenizer), left=True)


def prompt_rows(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of prompts to be continued.

    What the tokenizer puts in front stays ([CLS], BOS); what it puts behind ([SEP], EOS) goes, or the model
    would be asked to continue after the end. An empty prompt becomes the one token EOS.
    """
    closing = {tokenizer.sep_token_id, tokenizer.eos_token_id} - {None}
    rows, begins = [], openings(tokenizer)
    for prompt, ids in zip(prompts, _ids(tokenizer, check_texts(prompts, "prompts")), strict=True):
        while ids and ids[-1] in closing and not (begins and prompt.startswith(begins)):
            ids = ids[:-1]
        rows.append(ids or [end_id(tokenizer) or 0])
    return rows


def response_rows(tokenizer: PreTrainedTokenizerBase, responses: Sequence[str],
                  prompts: Sequence[str] | None = None) -> list[list[int]]:
    """Token ids of responses as a policy would write them: nothing in front, the end token behind.

    That is EOS, or to those of the `prompts` that a chat template has written the end of a turn; never two, and nothing
    behind it: a line's end that the template writes there, no policy would write.
    """
    end, turn, begins = end_id(tokenizer), ending(tokenizer), openings(tokenizer)
    ends, rows = set(end_ids(tokenizer)), []
    for number, ids in enumerate(tokenizer(check_texts(responses, "responses"), add_special_tokens=False).input_ids):
        written = prompts is not None and turn is not None and begins and prompts[number].startswith(begins)
        last = turn.token if written and turn.token is not None else end
        if written and turn.behind and ids[-len(turn.behind) - 1:] == [turn.token, *turn.behind]:
            ids = ids[:-len(turn.behind)]
        rows.append(ids if last is None or (written and ids and ids[-1] in ends) else [*ids, last])
    return rows


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int,
                 keep: Keep = "start") -> list[list[int]]:
    """Token ids of whole texts for a classifier, with what its tokenizer puts around them ([CLS], [SEP], EOS).

    Of longer texts `max_length` tokens are kept: the first ones or, where what matters is the response behind a long
    prompt, the last, or as many of both. An empty text becomes one padding token.
    """
    if keep == "both":
        rows = encode_texts(tokenizer, texts, sys.maxsize)
        head = max_length // 2
        return [ids if len(ids) <= max_length else [*ids[:head], *ids[head - max_length:]] for ids in rows]
    if CLOSES in tokenizer.init_kwargs:                     # the same ids as before it was `opened`
        begins = openings(tokenizer)
        ends = [() if begins and text.startswith(begins) else (tokenizer.eos_token_id,) for text in texts]
        rows = [(ids, max_length - len(end), end) for ids, end in zip(_ids(tokenizer, check_texts(texts)), ends,
                                                                      strict=True)]
        return [[*(ids[:room] if keep == "start" else ids[max(len(ids) - room, 0):]), *end] for ids, room, end in rows]
    side, tokenizer.truncation_side = tokenizer.truncation_side, "right" if keep == "start" else "left"
    try:
        cut = {} if max_length == sys.maxsize else {"truncation": True, "max_length": max_length}
        rows = _ids(tokenizer, check_texts(texts), verbose=False, **cut)
    finally:
        tokenizer.truncation_side = side
    return [ids or [pad_id(tokenizer)] for ids in rows]


def cut_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> int:
    """How many of these texts have more tokens than `max_length`, what the tokenizer puts around them included."""
    return sum(len(ids) > max_length for ids in encode_texts(tokenizer, texts, sys.maxsize)) if texts else 0


def encode_documents(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str],
                     max_length: int | None) -> list[list[int]]:
    """Token ids of whole texts for language modelling, each closed by the end token if it fits in `max_length`.

    A conversation that ends with the end of a turn is closed already.
    """
    end, turn = end_id(tokenizer), ending(tokenizer)
    rows = []
    for text, ids in zip(texts, _ids(tokenizer, check_texts(texts)), strict=True):
        if turn is not None and turn.token is not None and text.endswith(turn.text):
            rows.append(ids[:max_length])
            continue
        while ids and ids[-1] == end:
            ids = ids[:-1]
        rows.append([*ids, *([] if end is None else [end])][:max_length])
    return rows


def _ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], **options: Any) -> list[list[int]]:
    """Token ids of texts, those that are complete as they stand without anything around them."""
    begins = openings(tokenizer)
    complete = [bool(begins) and text.startswith(begins) for text in texts]
    if not any(complete):
        return tokenizer(list(texts), **options).input_ids
    rows: list[list[int]] = [[]] * len(texts)
    for one in {*complete}:
        places = [i for i, written in enumerate(complete) if written == one]
        found = tokenizer([texts[i] for i in places], add_special_tokens=not one, **options).input_ids
        for i, ids in zip(places, found, strict=True):
            rows[i] = ids
    return rows


def unknown_share(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], shown: int = 6) -> tuple[float, list[str]]:
    """The share of tokens that the tokenizer has no piece for, and what they stand for, the commonest first.

    Several of them read alike, and none can be written. 0 for tokenizers with bytes to fall back on (GPT-2, Llama).
    """
    unknown = tokenizer.unk_token_id
    if unknown is None or not tokenizer.is_fast or not texts:
        return 0.0, []
    encoded = tokenizer(check_texts(texts), add_special_tokens=False, return_offsets_mapping=True)
    total, lost = 0, Counter()
    for text, ids, places in zip(texts, encoded.input_ids, encoded.offset_mapping, strict=True):
        total += len(ids)
        lost.update(text[start:stop].strip() or repr(text[start:stop]) for token, (start, stop) in
                    zip(ids, places, strict=True) if token == unknown)
    return sum(lost.values()) / max(total, 1), [piece for piece, _ in lost.most_common(shown)]


def pad_right(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Rows of ids as one batch, padded on the right: [B, L] long, [B, L] bool (True on tokens)."""
    return _pad(rows, padding, left=False)


def pad_left(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """The same of prompts, padded on the left."""
    return _pad(rows, padding, left=True)


def spelled_out(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[int]]) -> list[str]:
    """Texts of rows of ids with every special token in its place, one row as it reads behind another."""
    word = tokenizer("a", add_special_tokens=False).input_ids       # some decoders drop the space before the first word
    texts = tokenizer.batch_decode([word, *([*word, *row] for row in rows)], skip_special_tokens=False,
                                   clean_up_tokenization_spaces=False)
    texts = [text[len(texts[0]):] for text in texts[1:]]
    return [_join_chinese(text) for text in texts] if _splits_chinese(tokenizer) else texts


def decode(tokenizer: PreTrainedTokenizerBase, ids: Tensor, mask: Tensor, ends: Collection[int] = ()) -> list[str]:
    """Texts of the marked tokens of each row, as a person reads them: without `ends`, BOS, EOS, padding and the like.

    Other added tokens stay, such as the mark of a turn that the model was not asked for: a reward has to see it.
    """
    named = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id,
             tokenizer.sep_token_id, tokenizer.cls_token_id, tokenizer.mask_token_id)
    hidden = {*named, *end_ids(tokenizer), *ends}
    return spelled_out(tokenizer, [[i for i in row[keep].tolist() if i not in hidden]
                                   for row, keep in zip(ids, mask, strict=True)])


def _pad(rows: Sequence[Sequence[int]], padding: int, left: bool) -> tuple[Tensor, Tensor]:
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), padding, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for number, row in enumerate(rows):
        span = slice(width - len(row), width) if left else slice(0, len(row))
        ids[number, span] = torch.tensor(row, dtype=torch.long)
        mask[number, span] = True
    return ids, mask


def _splits_chinese(tokenizer: PreTrainedTokenizerBase) -> bool:
    return tokenizer.sep_token_id is not None and tokenizer.cls_token_id is not None     # a BERT vocabulary


def _join_chinese(text: str) -> str:
    """BERT vocabularies decode one character a word; the spaces beside Chinese characters are not the text's.

    Nor are those just inside quotation marks, and between two such marks, dashes or dots (——, ……).
    """
    wide, marks = "\u3000-\u9fff\uff00-\uffef", "“”…—"
    return re.sub(rf"(?<=[{wide}“]) | (?=[{wide}”])|(?<=[{marks}]) (?=[{marks}])", "", text)
