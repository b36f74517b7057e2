"""Collected comparisons and self-instructed requests: what is shown, and what never is."""

import itertools
from dataclasses import replace

import pytest

from rlhf_kit.formulas.records import Comparison
from rlhf_kit.methods import collecting, self_instruct, sft
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling

QUICK = collecting.Config(batch_size=4, sampling=Sampling(max_new_tokens=6))
ASKED = ["the lamp is", "the bag is", "the pen is", "the chair is", "the kettle is", "the shelf"]


def longer(prompt, pair):
    """A labeler who likes length, and cannot tell equally long ones apart."""
    one, other = sorted(pair, key=len, reverse=True)
    return None if len(one) == len(other) else Comparison(prompt, one, other)


def length(prompts, responses):
    return [float(len(r)) for r in responses]


def test_each_prompt_is_shown_with_two_different_answers(policy):
    shown = []

    def compare(prompt, pair):
        shown.append((prompt, pair))
        return longer(prompt, pair)
    found = list(collecting.comparisons([policy], ASKED, compare, QUICK))
    assert [prompt for prompt, _ in shown] == ASKED
    assert all(one != other for _, (one, other) in shown)
    assert all(len(one.chosen) > len(one.rejected) for one in found)


def test_the_best_of_k_are_shown_and_better_than_plain_ones(policy):
    """Rejection sampling: both of a pair are lifted, and each is the best of its own k draws."""
    mean = {}
    for k in (1, 8):
        shown = []
        list(collecting.comparisons([policy], ASKED * 4, lambda _, pair, shown=shown: shown.append(pair), replace(
            QUICK, k=k), reward=length))
        mean[k] = [sum(map(len, side)) / len(side) for side in zip(*shown, strict=True)]
    assert min(mean[8]) > max(mean[1]) + 3


def test_it_goes_on_from_any_batch_and_several_policies_take_turns(policy, monkeypatch):
    whole = list(collecting.comparisons([policy], ASKED, longer, QUICK))
    rest = list(collecting.comparisons([policy], ASKED, longer, QUICK, begin=4))
    assert rest == whole[-len(rest):]
    asked, real = [], collecting.sample_rollout
    monkeypatch.setattr(collecting, "sample_rollout", lambda who, *rest: (asked.append(who), real(policy, *rest))[1])
    other = Policy(policy.lm, policy.tokenizer, value_head=False).eval()
    list(collecting.comparisons([policy, other], ASKED, longer, QUICK))
    assert {id(asked[0]), id(asked[-1])} == {id(policy), id(other)}


@pytest.mark.parametrize(("options", "message"), [
    ({"policies": []}, "no policies"), ({"prompts": []}, "no prompts"),
    ({"config": replace(QUICK, k=4)}, "no reward that could choose"), ({"begin": 3}, "begin is 3")])
def test_bad_arguments_are_refused(policy, options, message):
    with pytest.raises(ValueError, match=message):
        next(collecting.comparisons(**{"policies": [policy], "prompts": ASKED, "compare": longer, "config": QUICK,
                                       **options}))


# --- self-instruct ----------------------------------------------------------------------------------------------------

SEEDS = [f"fix the {noun} in the {room} ?" for noun in ("lamp", "bag", "pen", "chair") for room in
         ("hall", "shop", "barn")]
LISTS = self_instruct.Config(shots=4, batch_size=16, max_new_tokens=12, patience=3)


@pytest.fixture(scope="module")
def writer():
    """A model that has read lists of such requests, about things and rooms in all combinations."""
    everything = [f"fix the {noun} in the {room} ?" for noun in ("lamp", "bag", "pen", "chair", "kettle", "shelf")
                  for room in ("hall", "shop", "barn", "yard", "loft")]
    texts = [self_instruct.listed([everything[(7 * i + 11 * j) % 30] for j in range(5)]) + "\n" for i in range(60)]
    tokenizer = text.train_tokenizer(texts, 90)
    policy = Policy(tiny.language_model(tokenizer, layers=1, width=48, heads=2, context=96), tokenizer)
    sft.train(policy, texts, sft.Config(steps=120, batch_size=16, learning_rate=1e-2, max_length=80))
    return policy


def test_new_requests_are_no_copies_and_end(writer):
    found = list(itertools.islice(self_instruct.requests(writer, SEEDS, LISTS), 8))
    assert len(set(found)) == 8
    assert not {one.casefold() for one in found} & {one.casefold() for one in SEEDS}
    assert all(one.startswith("fix the") and "\n" not in one for one in found)
    assert found == list(itertools.islice(self_instruct.requests(writer, SEEDS, LISTS), 8))     # by seed


def test_exactly_so_many_different_shots_are_shown_each_time(policy, monkeypatch):
    shown = []
    monkeypatch.setattr(self_instruct, "check_room", lambda *_: None)
    monkeypatch.setattr(self_instruct, "generate", lambda _, lists, *rest, **more: [f" new {len(shown)} {i}\nold" for i
                                                                                    in range(len(lists))])

    def write(requests):
        shown.append(tuple(requests))
        return self_instruct.listed(requests)
    next(self_instruct.requests(policy, SEEDS, self_instruct.Config(), write=write))
    assert all(len(set(one)) == len(one) == 10 for one in shown)
    assert len(set(shown)) > 1


@pytest.mark.parametrize(("said", "why"), [
    (" Fix the  LAMP in the hall ?\n", "copies"), (" fix what never ends", "no end"), (" ?\n", "none was new")])
def test_what_is_a_copy_or_too_short_or_does_not_end_is_left_out(policy, monkeypatch, said, why):
    monkeypatch.setattr(self_instruct, "check_room", lambda *_: None)
    monkeypatch.setattr(self_instruct, "generate", lambda _, lists, *rest, **more: [said] * len(lists))
    with pytest.raises(ValueError, match=why):
        next(self_instruct.requests(policy, SEEDS, LISTS))


@pytest.mark.parametrize(("seeds", "message"), [(SEEDS[:2], "2 different seeds"), (["a\nb"] * 9, "several lines")])
def test_bad_seeds_are_refused(policy, seeds, message):
    with pytest.raises(ValueError, match=message):
        next(self_instruct.requests(policy, seeds, LISTS))
