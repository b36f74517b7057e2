import dataclasses

import pytest
import torch

from rlhf_kit.formulas.records import Comparison, Ranking, Rollout, Step


def rollout() -> Rollout:
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 0, 0]], dtype=torch.bool)
    number = torch.arange(9.0).reshape(3, 3)
    return Rollout(prompts=["a", "b", "c"], responses=["1", "2", "3"],
                   prompt_ids=torch.tensor([[5], [6], [7]]),
                   prompt_mask=torch.ones(3, 1, dtype=torch.bool), response_ids=number.long(), mask=mask,
                   logprob=-number, value=None, ended=torch.tensor([True, False, True]), temperature=0.7)


def test_a_rollout_knows_its_size():
    assert len(rollout()) == 3
    assert rollout().length.tolist() == [2, 3, 1]
    assert rollout().texts(2) == ("a1", "b2")


@pytest.mark.parametrize("rows", [
    [2, 0], torch.tensor([2, 0]), slice(None, None, 2), torch.tensor([True, False, True])])
def test_rows_of_a_rollout_keep_texts_and_tensors_together(rows):
    some = rollout()[rows]
    assert [prompt + response for prompt, response in zip(some.prompts, some.responses, strict=True)] \
        == [{5: "a1", 7: "c3"}[i] for i in some.prompt_ids[:, 0].tolist()]
    assert some.logprob[:, 0].tolist() == [{5: 0.0, 7: -6.0}[i] for i in some.prompt_ids[:, 0].tolist()]
    assert some.value is None
    assert some.temperature == 0.7
    assert len(some) == len(some.mask) == len(some.ended) == 2


def test_one_row_is_still_a_batch():
    assert rollout()[1].mask.shape == (1, 3)
    assert rollout()[-1].prompts == ["c"]


def test_a_rollout_moves_as_a_whole():
    moved = rollout().to("meta")
    assert {moved.mask.device.type, moved.logprob.device.type, moved.prompt_ids.device.type} == {"meta"}
    assert moved.prompts == ["a", "b", "c"]


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        rollout().temperature = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        Step(1, {}).number = 2


def test_pairs_of_a_ranking_drop_ties():
    ranking = Ranking("q", ("good", "bad", "good too"), (1, 2, 1))
    assert ranking.pairs() == [Comparison("q", "good", "bad"), Comparison("q", "good too", "bad")]
    assert len(Ranking("q", tuple("abcd"), (4, 3, 2, 1)).pairs()) == 6


def test_a_ranking_from_json_can_be_a_key_and_must_be_whole():
    assert len({Ranking("q", ["a", "b"], [1, 2]), Ranking("q", ("a", "b"), (1, 2))}) == 1
    with pytest.raises(ValueError, match="2 responses but 1 ranks"):
        Ranking("q", ("a", "b"), (1,))


def test_a_step_holds_numbers_not_tensors():
    step = Step(3, {"score": torch.tensor(0.5, requires_grad=True), "kl": 2}, samples=["hello"])
    assert step.metrics == {"score": 0.5, "kl": 2.0}
    assert all(type(value) is float for value in step.metrics.values())
    assert step.samples == ("hello",)
