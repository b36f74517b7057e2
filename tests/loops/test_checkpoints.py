"""A killed run ends with the same numbers as one that was left alone, and never goes on from another's."""

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from torch.optim import SGD, Adam, AdamW

from rlhf_kit.formulas.records import Step
from rlhf_kit.loops.checkpoints import FILE, Checkpoint
from rlhf_kit.models import tiny
from rlhf_kit.storage import StorageError

RUN = {"method": "test", "steps": 6, "clip": float("inf"), "nested": {"size": (1, 2)}}


def new_model(tokenizer, seed: int = 0, width: int = 16):
    """Input and output embeddings of a GPT-2 are one tensor."""
    return tiny.language_model(tokenizer, layers=1, width=width, heads=2, context=16, seed=seed).train()


def learn(model, optimizer, number: int) -> Step:
    """One update on ids drawn from the step's number."""
    ids = torch.randint(model.config.vocab_size, (4, 8), generator=torch.Generator().manual_seed(number))
    loss = model(input_ids=ids, labels=ids).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return Step(number, {"loss": loss.item()}, samples=(f"step {number}", "很好"))


def run(folder, model, optimizer, last: int, every: int = 2, until: int | None = None, settings=RUN, extra=None):
    """Train to step `last`, or be killed before step `until`; returns every step, the resumed ones too."""
    saved = Checkpoint(folder, settings, every)
    history, _ = saved.resume(model, optimizer, extra)
    for number in range(len(history), last + 1 if until is None else until):
        history.append(learn(model, optimizer, number))
        saved.record(history[-1], last, model, optimizer, {"price": number / 10}, extra)
    return history


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_a_killed_run_ends_with_the_same_bits(tmp_path, tokenizer, kind):
    whole, other = new_model(tokenizer), new_model(tokenizer, seed=5)
    one = kind(whole.parameters(), lr=1e-2)
    history = run(None, whole, one, last=5)
    run(tmp_path, *(lambda m: (m, kind(m.parameters(), lr=1e-2)))(new_model(tokenizer)), last=5, until=5)
    two = kind(other.parameters(), lr=1e-2)
    assert run(tmp_path, other, two, last=5) == history
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), other.parameters(), strict=True))
    states = [optimizer.state_dict()["state"] for optimizer in (one, two)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][i][key], states[1][i][key]) for i in states[0] for key in states[0][i])


def test_tied_weights_are_stored_once_and_stay_tied(tmp_path, tokenizer):
    model = new_model(tokenizer)
    run(tmp_path, model, Adam(model.parameters()), last=1)
    with safe_open(tmp_path / FILE, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("model.")]     # noqa: SIM118
    assert sum("wte" in name or "lm_head" in name for name in names) == 1
    back = new_model(tokenizer, seed=5)
    Checkpoint(tmp_path, RUN, 1).resume(back, Adam(back.parameters()))
    assert back.lm_head.weight is back.transformer.wte.weight
    assert torch.equal(back.lm_head.weight, model.lm_head.weight)


def test_the_learning_rate_is_the_new_runs_own(tmp_path, tokenizer):
    """Schedules set it before each update; the file holds moments, no settings."""
    model = new_model(tokenizer)
    run(tmp_path, model, Adam(model.parameters(), lr=1e-2), last=1)
    optimizer = Adam(model.parameters(), lr=5e-4)
    Checkpoint(tmp_path, RUN, 1).resume(model, optimizer)
    assert optimizer.param_groups[0]["lr"] == 5e-4


def test_the_history_and_the_state_come_back(tmp_path, tokenizer):
    model = new_model(tokenizer)
    history = run(tmp_path, model, SGD(model.parameters(), lr=0.1), last=3)
    past, state = Checkpoint(tmp_path, RUN, 2).resume(new_model(tokenizer), SGD(model.parameters(), lr=0.1))
    assert past == history
    assert past[0].samples == ("step 0", "很好")
    assert state == {"price": 0.3}


def test_what_a_reward_remembers_comes_back(tmp_path, tokenizer):
    class Counter:
        def __init__(self, n=0.1):
            self.n = n

        def state_dict(self):
            return {"n": self.n}

        def load_state_dict(self, state):
            self.n = state["n"]

    model, fresh = new_model(tokenizer), Counter()
    run(tmp_path, model, SGD(model.parameters(), lr=0.1), last=1, extra=Counter(1 / 3))
    run(tmp_path, model, SGD(model.parameters(), lr=0.1), last=1, extra=fresh)
    assert fresh.n == 1 / 3


def test_it_saves_every_few_steps_and_at_the_end(tmp_path, tokenizer):
    model = new_model(tokenizer)
    optimizer = SGD(model.parameters(), lr=0.1)
    saved, lengths = Checkpoint(tmp_path, RUN, 3), []
    for number in range(8):
        saved.record(learn(model, optimizer, number), 7, model, optimizer)
        lengths.append(len(Checkpoint(tmp_path, RUN, 3).resume(new_model(tokenizer), optimizer)[0]))
    assert lengths == [0, 0, 3, 3, 3, 6, 6, 8]


def test_without_a_folder_nothing_is_saved_and_nothing_comes_back(tmp_path, tokenizer, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = new_model(tokenizer)
    run(None, model, SGD(model.parameters(), lr=0.1), last=2, every=1)
    assert list(tmp_path.iterdir()) == []
    assert Checkpoint(None, RUN, 1).resume(model, SGD(model.parameters(), lr=0.1)) == ([], {})


@pytest.mark.parametrize(("changed", "named"), [
    ({"steps": 7}, "steps: 6 then, 7 now"),
    ({"method": "other"}, "method: 'test' then, 'other' now"),
    ({"clip": 0.2}, "clip: inf then, 0.2 now"),
    ({"nested": {"size": (1, 3)}}, r"nested: \{'size': \[1, 2\]\} then"),
    ({"new": 1}, "new: None then, 1 now"),
])
def test_a_run_with_other_settings_is_refused_and_the_setting_named(tmp_path, tokenizer, changed, named):
    model = new_model(tokenizer)
    run(tmp_path, model, SGD(model.parameters(), lr=0.1), last=1)
    with pytest.raises(StorageError, match=named) as caught:
        Checkpoint(tmp_path, {**RUN, **changed}, 2).resume(model, SGD(model.parameters(), lr=0.1))
    assert [key for key in RUN if f"{key}: " in str(caught.value)] == [key for key in changed if key in RUN]
    assert "\n" not in str(caught.value)


def test_the_same_settings_are_recognised_after_their_way_through_json(tmp_path, tokenizer):
    model = new_model(tokenizer)
    run(tmp_path, model, SGD(model.parameters(), lr=0.1), last=1)
    again = {**RUN, "nested": {"size": [1, 2]}}
    assert len(Checkpoint(tmp_path, again, 2).resume(model, SGD(model.parameters(), lr=0.1))[0]) == 2


def test_a_model_of_another_shape_is_refused(tmp_path, tokenizer):
    model, other = new_model(tokenizer), new_model(tokenizer, width=32)
    run(tmp_path, model, Adam(model.parameters()), last=1)
    with pytest.raises(StorageError, match="another shape") as caught:
        Checkpoint(tmp_path, RUN, 2).resume(other, Adam(other.parameters()))
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused(tmp_path, tokenizer):
    model = new_model(tokenizer)
    run(tmp_path, model, Adam(model.parameters()), last=1)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-100])
    with pytest.raises(StorageError, match="Delete it"):
        Checkpoint(tmp_path, RUN, 2).resume(model, Adam(model.parameters()))


def test_a_save_that_fails_leaves_the_last_one(tmp_path, tokenizer, monkeypatch):
    model = new_model(tokenizer)
    optimizer = Adam(model.parameters())
    history = run(tmp_path, model, optimizer, last=1)

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rlhf_kit.storage.os.replace", full_disk)
        saved = Checkpoint(tmp_path, RUN, 1)
        saved.resume(model, optimizer)
        with pytest.raises(StorageError, match="No space left"):
            saved.record(replace(history[1], number=2), 5, model, optimizer)
    assert Checkpoint(tmp_path, RUN, 1).resume(model, optimizer)[0] == history


def test_saving_never_is_refused():
    with pytest.raises(ValueError, match="checkpoint_every is 0"):
        Checkpoint(None, RUN, 0)
