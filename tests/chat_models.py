"""Models with a chat template for tests: byte-level tokenizers that know the marks of all templates, random weights."""

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers import models as kinds
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rlhf_kit.models import chats
from rlhf_kit.models.heads import Policy

MARKS = ("<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<start_of_turn>",
         "<end_of_turn>")
WORDS = ["How do I fix it? First unplug it, then replace the part.\n", "user assistant system model [INST] [/INST] ",
         "你好，先拔掉插头。"] * 3


def tokenizer_for(name=None, bos=True):
    """A byte-level tokenizer that puts BOS in front, with the marks of all templates."""
    tokens = Tokenizer(kinds.BPE())
    tokens.pre_tokenizer, tokens.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokens.train_from_iterator(WORDS, trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<s>", "</s>", *MARKS], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if bos:
        tokens.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=tokens, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    chats.use_template(made, name)
    return made


def config(tokenizer, **more):
    return LlamaConfig(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                       num_attention_heads=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2,
                       pad_token_id=0, **more)


def policy_for(tokenizer):
    torch.manual_seed(0)
    return Policy(LlamaForCausalLM(config(tokenizer)), tokenizer, value_head=False).eval()
