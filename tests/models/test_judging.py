"""How classifiers are asked: whatever the batch, a text gets the logits it gets alone."""

import pytest
import torch

from rlhf_kit.models import tiny
from rlhf_kit.models.judging import class_logits


@pytest.fixture(scope="module")
def judge(tokenizer):
    model = tiny.classifier(tokenizer, layers=2, width=16, heads=2, context=24).requires_grad_(False)
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.normal_(0, 0.5, generator=generator)        # opinions that differ from text to text
    return model


def by_hand(model, tokenizer, written: str) -> torch.Tensor:
    """One text alone, closed by its end token, which is there even when the text is cut."""
    ids = [*tokenizer(written, add_special_tokens=False).input_ids[:23], tokenizer.eos_token_id]
    return model(input_ids=torch.tensor([ids])).logits[0]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_each_text_gets_its_own_logits_in_the_order_given(judge, tokenizer, sentences, batch_size):
    texts = ["the lamp is very sturdy, and it works.", "the", *sentences[:6], "loud", ""]
    logits = class_logits(judge, tokenizer, texts, max_length=24, batch_size=batch_size)
    for row, written in enumerate(texts):
        torch.testing.assert_close(logits[row], by_hand(judge, tokenizer, written), atol=1e-5, rtol=1e-5)
    assert logits.std(0).min() > 0.02


def test_long_texts_are_read_from_their_beginning(judge, tokenizer):
    long = "the lamp is very sturdy, and it works. " * 9
    logits = class_logits(judge, tokenizer, [long], max_length=24)
    torch.testing.assert_close(logits[0], by_hand(judge, tokenizer, long), atol=1e-5, rtol=1e-5)


def test_logits_are_float32_without_gradient(judge, tokenizer):
    coarse = tiny.classifier(tokenizer, layers=1, width=16, heads=2).to(torch.bfloat16)
    logits = class_logits(coarse, tokenizer, ["the lamp"], max_length=24)
    assert logits.dtype == torch.float32
    assert not logits.requires_grad


def test_texts_of_like_length_are_read_together(judge, tokenizer, sentences):
    """Of 8 short and 8 long texts taken alternately, the 2 batches have no padding to speak of."""
    widths = []
    hook = judge.register_forward_pre_hook(lambda module, args, kwargs: widths.append(kwargs["input_ids"].shape[1]),
                                           with_kwargs=True)
    class_logits(judge, tokenizer, ["the lamp", sentences[0]] * 8, max_length=24, batch_size=8)
    hook.remove()
    assert widths == [len(tokenizer(text).input_ids) for text in ("the lamp", sentences[0])]
