"""Small folders that look, file by file, like the article's five models as they stand on the Hugging Face hub.

Same classes, tokenizer files, config fields, dropout, label names and names of weights; only layers, width and
vocabulary are small, and the weights are random. What is known of the real files and what is guessed: see each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
)

CHINESE = ["这个台灯很好，孩子很喜欢。", "水壶用了两天就坏了，不推荐！", "物流快，包装也好。", "音质不好，声音太小了。",
           "手机屏幕清楚，价格也便宜。", "客服太差，买了后悔。", "一般般吧，没有想象中好。", "很好用，下次还买！"]
ENGLISH = ["This film was a joy from the first scene to the last.", "I have never been so bored by a movie.",
           "The acting is poor and the plot is worse.", "A wonderful story, and the music is great!",
           "It's a waste of time.", "I loved every minute of this movie."]
STARS = ("negative (stars 1, 2 and 3)", "positive (stars 4 and 5)")
SIGNS = ("NEGATIVE", "POSITIVE")
END = "<|endoftext|>"

BERT_WORDS = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WRITER = {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 1024}
OF_GPT2 = {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
           "embd_pdrop": 0.1, "resid_pdrop": 0.1, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
           "model_type": "gpt2", "n_ctx": 1024, "summary_activation": None, "summary_first_dropout": 0.1,
           "summary_proj_to_labels": True, "summary_type": "cls_index", "summary_use_proj": True, **WRITER}


def chinese_gpt2(folder: Path, texts: list[str] = CHINESE) -> Path:
    """uer/gpt2-chinese-cluecorpussmall: a GPT-2 with BERT's vocabulary; its config names no end, so 50256 it is."""
    words = _bert_vocabulary(folder, texts)
    _json(folder / "config.json", {
        **OF_GPT2, "gradient_checkpointing": False, "n_inner": None, "output_past": True,
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 320}},
        "tokenizer_class": "BertTokenizer", "vocab_size": words})
    return _weights(folder, _gpt2(words), lambda name: name)


def chinese_judge(folder: Path, labels: tuple[str, str] = STARS) -> Path:
    """uer/roberta-base-finetuned-jd-binary-chinese: RoBERTa by name, BERT by class; labels tell of stars."""
    words = _bert_vocabulary(folder, CHINESE)
    config = BertConfig(vocab_size=words, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=64, **_labels(labels))
    _json(folder / "config.json", {
        "architectures": ["BertForSequenceClassification"], "attention_probs_dropout_prob": 0.1, "directionality":
        "bidi", "gradient_checkpointing": False, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 32,
        **_labels(labels), "initializer_range": 0.02, "intermediate_size": 64, "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512, "model_type": "bert", "num_attention_heads": 2, "num_hidden_layers": 2,
        "pad_token_id": 0, "position_embedding_type": "absolute", "tokenizer_class": "BertTokenizer",
        "type_vocab_size": 2, "vocab_size": words})
    return _weights(folder, _judge(BertForSequenceClassification, config, labels), lambda name: name,
                    {"bert.embeddings.position_ids": torch.arange(512)[None]})


def gpt2(folder: Path) -> Path:
    """gpt2: weights without the prefix of the class, old buffers among them; tokenizer.json beside the old files."""
    words = _byte_vocabulary(folder, ENGLISH, tokenizer_json=True)
    _json(folder / "config.json", {
        **OF_GPT2, "bos_token_id": words - 1, "eos_token_id": words - 1, "vocab_size": words,
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}})
    _json(folder / "generation_config.json", {"bos_token_id": words - 1, "eos_token_id": words - 1,
                                              "_from_model_config": True, "transformers_version": "4.26.0"})
    _json(folder / "tokenizer_config.json", {"model_max_length": 1024})
    return _weights(folder, _gpt2(words), lambda name: name.removeprefix("transformer."), _old_buffers("h"))


def gpt2_imdb(folder: Path, pickled: bool = False) -> Path:
    """lvwerra/gpt2-imdb: no tokenizer.json, only vocab.json and merges.txt; `pickled` for a hub without safetensors."""
    words = _byte_vocabulary(folder, ENGLISH, tokenizer_json=False)
    _json(folder / "config.json", {
        **OF_GPT2, "_num_labels": 1, "bos_token_id": words - 1, "eos_token_id": words - 1, "vocab_size": words,
        "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}})
    _json(folder / "special_tokens_map.json", dict.fromkeys(("bos_token", "eos_token", "unk_token"), END))
    _json(folder / "tokenizer_config.json", {"model_max_length": 1024})
    old = _old_buffers("transformer.h", masked=True)
    return _weights(folder, _gpt2(words), lambda name: name, old, pickled=pickled)


def film_judge(folder: Path, labels: tuple[str, str] = SIGNS) -> Path:
    """lvwerra/distilbert-imdb: a DistilBERT that lower-cases; the labels are in capitals."""
    words = _bert_vocabulary(folder, [text.lower() for text in ENGLISH], do_lower_case=True)
    config = DistilBertConfig(vocab_size=words, dim=32, n_layers=2, n_heads=2, hidden_dim=64, **_labels(labels))
    _json(folder / "config.json", {
        "activation": "gelu", "architectures": ["DistilBertForSequenceClassification"], "attention_dropout": 0.1,
        "dim": 32, "dropout": 0.1, "hidden_dim": 64, **_labels(labels), "initializer_range": 0.02,
        "max_position_embeddings": 512, "model_type": "distilbert", "n_heads": 2, "n_layers": 2, "pad_token_id": 0,
        "problem_type": "single_label_classification", "qa_dropout": 0.1, "seq_classif_dropout": 0.2,
        "sinusoidal_pos_embds": False, "tie_weights_": True, "vocab_size": words})
    return _weights(folder, _judge(DistilBertForSequenceClassification, config, labels), lambda name: name)


def in_hub_cache(cache: Path, name: str, build: Callable[[Path], Path]) -> Path:
    """The folder that `build` makes, laid down as huggingface_hub keeps what it has fetched."""
    commit, place = "0123456789abcdef0123456789abcdef01234567", cache / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    return build(place / "snapshots" / commit)


# --- the parts --------------------------------------------------------------------------------------------------------

def _bert_vocabulary(folder: Path, texts: list[str], **settings) -> int:
    """vocab.txt and tokenizer_config.json; every character is a word, and a piece inside one. Returns the size."""
    folder.mkdir(parents=True, exist_ok=True)
    characters = sorted(set("".join(texts)) - {" "} | set("0123456789abcdefghijklmnopqrstuvwxyz.,!'"))
    plain = [c for c in characters if c.isascii() and c.isalnum()]
    words = [*BERT_WORDS, *characters, *(f"##{c}" for c in plain)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    _json(folder / "tokenizer_config.json", {
        "do_lower_case": False, "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
        "mask_token": "[MASK]", "tokenize_chinese_chars": True, "strip_accents": None, "model_max_length": 512,
        **settings})
    _json(folder / "special_tokens_map.json", {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]",
                                               "cls_token": "[CLS]", "mask_token": "[MASK]"})
    return len(words)


def _byte_vocabulary(folder: Path, texts: list[str], tokenizer_json: bool) -> int:
    """vocab.json and merges.txt with <|endoftext|> as the last word, as in GPT-2. Returns the size."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=330, show_progress=False)
    tokenizer.add_special_tokens([END])
    tokenizer.save_model(str(folder))
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    _json(folder / "vocab.json", {**vocabulary, END: len(vocabulary)})
    if tokenizer_json:
        tokenizer.save(str(folder / "tokenizer.json"))
    return len(vocabulary) + 1


def _gpt2(words: int) -> GPT2LMHeadModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GPT2LMHeadModel(GPT2Config(vocab_size=words, bos_token_id=None, eos_token_id=None, **WRITER))


def _judge(kind: type, config: BertConfig | DistilBertConfig, labels: tuple[str, str]) -> PreTrainedModel:
    """The same judge whatever the order of its labels: with the second one first, its two outputs change places."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = kind(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)               # as opinionated as after training
    if sorted(labels) != list(labels):
        with torch.no_grad():
            for parameter in model.classifier.parameters():
                parameter.copy_(parameter.flip(0))
    return model


def _weights(folder: Path, model: PreTrainedModel, name_of: Callable[[str], str],
             more: dict[str, torch.Tensor] | None = None, pickled: bool = False) -> Path:
    weights = {name_of(name): p.detach().contiguous() for name, p in model.named_parameters()} | (more or {})
    if pickled:
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _old_buffers(layers: str, masked: bool = False) -> dict[str, torch.Tensor]:
    """What GPT-2's attention used to store: the causal mask, and the number that masks."""
    triangle = torch.ones(1024, 1024).tril()[None, None]
    found = {f"{layers}.{i}.attn.bias": triangle.clone() for i in range(WRITER["n_layer"])}
    return found | ({f"{layers}.{i}.attn.masked_bias": torch.tensor(-1e4) for i in range(WRITER["n_layer"])}
                    if masked else {})


def _labels(labels: tuple[str, str]) -> dict:
    return {"id2label": {str(i): name for i, name in enumerate(labels)},
            "label2id": {name: i for i, name in enumerate(labels)}}


def _json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
