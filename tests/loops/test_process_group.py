"""Two processes end with the numbers of one: here as threads that meet, and for real under torchrun."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from rlhf_kit.formulas.advantages import whiten
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.loops import pretraining
from rlhf_kit.loops.checkpoints import FILE
from rlhf_kit.loops.process_group import ProcessGroup
from rlhf_kit.methods import ppo
from rlhf_kit.rewards import Normalised, RewardError, clipped, score, weighted
from rlhf_kit.sampling import Sampling, sample_rollout
from rlhf_kit.storage import StorageError
from tests.models.test_adapters import long_is_good, shared_base

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")       # in peft itself
CONFIG = ppo.Config(steps=3, batch_size=8, minibatch_size=None, epochs=2, learning_rate=1e-2, rescale_reward=True,
                    missing_eos_penalty=0.3, kl=KL(coefficient=0.1, target=1.0), sampling=Sampling(max_new_tokens=8))


class Meeting:
    """Where threads exchange tensors: the part of an accelerator that the kit asks for, for each of them."""

    def __init__(self, size: int) -> None:
        self.size, self.barrier, self.left = size, threading.Barrier(size, timeout=60), [None] * size

    def all(self, rank: int, tensor):
        self.left[rank] = tensor
        self.barrier.wait()
        found = list(self.left)
        self.barrier.wait()
        return found

    def seat(self, rank: int):
        meeting = self

        class Seat:
            num_processes, process_index = meeting.size, rank

            def reduce(self, tensor, reduction="sum"):
                return torch.stack(meeting.all(rank, tensor)).sum(0)

            def gather(self, tensor):
                return torch.cat(meeting.all(rank, tensor))

            def pad_across_processes(self, tensor, dim=0, pad_index=0):
                width = max(t.shape[dim] for t in meeting.all(rank, tensor))
                return torch.nn.functional.pad(tensor, (0, width - tensor.shape[dim]), value=pad_index)
        return Seat()


def together(size: int, work):
    """What `work(seat)` returns in each of `size` threads."""
    meeting = Meeting(size)
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: work(meeting.seat(rank)), range(size)))


def test_alone_everything_is_the_identity():
    one, x = ProcessGroup(), torch.tensor([3.0])
    assert one.sum(x) is x
    assert (one.size, one.is_main, one.weight(x).item(), one.shard("abc")) == (1, True, 1.0, ["a", "b", "c"])


def test_shares_and_sums_by_hand():
    """6 and 2 tokens: shares 0.75 and 0.25, and the mean of all tokens is Σ share · own mean."""
    def work(seat):
        here = ProcessGroup(seat)
        tokens, mean = torch.tensor([6, 2][here.rank]), torch.tensor([1.0, 5.0][here.rank])
        return here.weight(tokens).item(), here.sum(here.weight(tokens) * mean).item(), here.shard(range(5))
    assert together(2, work) == [(0.75, 2.0, [0, 2, 4]), (0.25, 2.0, [1, 3])]


def test_whitening_is_over_the_batch_of_all():
    """Parts of different widths; each gets its rows of what the whole batch gives."""
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0], [5.0, 7.0, 0.0], [9.0, 0.0, 0.0]])
    mask = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]], dtype=torch.bool)
    whole = whiten(x, mask)
    first, second = together(2, lambda seat: ProcessGroup(seat).gathered(
        whiten, *((x[:2], mask[:2]) if seat.process_index == 0 else (x[2:, :2], mask[2:, :2]))))
    assert torch.allclose(first, whole[:2])
    assert torch.allclose(second, whole[2:, :2])


def test_batches_are_divided_or_refused():
    two = ProcessGroup(Meeting(2).seat(0))
    assert (two.divided("batch_size", 8), two.divided("minibatch_size", None)) == (4, None)
    with pytest.raises(ValueError, match="batch_size is 7 and there are 2 processes; it counts the responses of all"):
        two.divided("batch_size", 7)


def stored(folder, prompts) -> list:
    """Rollouts for three steps, drawn once, so that one and two processes learn from the same responses."""
    policy = shared_base(folder).policy
    return [sample_rollout(policy, prompts[:8], Sampling(max_new_tokens=8), seed=n) for n in range(3)]


def end_of(shared, prompts, rollouts, config, seat=None, **options):
    """The run's metrics, and what it learnt."""
    rank, size = (0, 1) if seat is None else (seat.process_index, seat.num_processes)
    history = list(ppo.steps(shared.policy, shared.reference, prompts, long_is_good, config, accelerator=seat,
                             rollouts=lambda n: rollouts[n][list(range(rank, 8, size))], **options))
    learnt = {name: p.detach().clone() for name, p in shared.policy.named_parameters() if p.requires_grad}
    return [s.metrics for s in history], learnt


def same_numbers(folder, prompts, config, **options):
    rollouts = stored(folder, prompts)
    alone, weights = end_of(shared_base(folder), prompts, rollouts, config, **options)
    bases = [shared_base(folder, seed=seed) for seed in (0, 1)]                         # they begin differently ...
    parts = together(2, lambda seat: end_of(bases[seat.process_index], prompts, rollouts, config, seat,
                                             **options))
    for metrics, learnt in parts:
        for name in ("policy_loss", "value_loss", "score", "kl", "kl_coef", "approx_kl", "clip_fraction", "entropy"):
            assert [m[name] for m in metrics] == pytest.approx([m[name] for m in alone], abs=1e-4, nan_ok=True), name
        for name, p in weights.items():
            assert torch.allclose(learnt[name], p, atol=1e-4), name
    for name, p in parts[0][1].items():
        assert torch.equal(p, parts[1][1][name]), name                                  # ... and end as one


def test_two_learn_what_one_learns(saved_llama, prompts):
    """Responses of different lengths, so that a mean of the processes' means would be another number."""
    same_numbers(saved_llama, prompts, CONFIG)


def test_all_leave_the_passes_together(saved_llama, prompts):
    """An early stop is decided by the tokens of all; decided alone, one would wait for the other for ever."""
    same_numbers(saved_llama, prompts, replace(CONFIG, epochs=6, target_kl=1e-3))


def test_each_reads_its_shard_of_the_pretraining_texts(saved_llama, prompts, monkeypatch):
    """Two processes read four of eight texts each, of different lengths, and learn what one learns from the eight."""
    texts = ["the lamp is sturdy.", "the kettle broke", "the pen is very pretty, and it works.", "the bag is cheap"] * 2
    read, original = [], pretraining.encode_documents
    monkeypatch.setattr(pretraining, "encode_documents", lambda tokenizer, mine, longest: read.append(len(mine)) or
                        original(tokenizer, mine, longest))
    same_numbers(saved_llama, prompts, replace(CONFIG, ptx_coef=1.0, minibatch_size=None, batch_size=8),
                 pretraining=texts)
    assert set(read) == {8, 4}                              # alone; each of two


def test_processes_draw_different_responses_and_only_the_first_writes(saved_llama, prompts, tmp_path):
    bases = [shared_base(saved_llama) for _ in range(2)]

    def work(seat):
        shared = bases[seat.process_index]
        config = replace(CONFIG, steps=1, batch_size=8, minibatch_size=4)
        [step] = ppo.steps(shared.policy, shared.reference, [prompts[0]], long_is_good, config, accelerator=seat,
                           checkpoint=tmp_path / str(seat.process_index))
        return step.samples
    first, second = together(2, work)
    assert first != second
    assert [folder.name for folder in tmp_path.iterdir()] == ["0"]


# Rewards that remember

def lengths_of(prompts, responses):
    return [float(len(response)) for response in responses]


REMEMBERING = [lambda: Normalised(lengths_of), lambda: Normalised(lengths_of, clip=1.0, centre=False),
               lambda: clipped(weighted([(0.5, Normalised(lengths_of)), (2.0, lengths_of)]), -50, 50),
               lambda: Normalised(weighted([(1.0, Normalised(lengths_of)), (0.1, lengths_of)]))]


@pytest.mark.parametrize("make", REMEMBERING)
@pytest.mark.parametrize("size", [2, 4])
def test_shards_of_a_remembering_reward_score_as_the_whole_batch(saved_llama, prompts, make, size):
    """Chan, Golub and LeVeque over the sums of all processes: the statistics and every score are those of one."""
    rollouts = stored(saved_llama, prompts)
    alone = make()
    whole = [score(alone, rollout) for rollout in rollouts]

    def work(seat):
        ours, group = make(), ProcessGroup(seat)
        return [score(ours, rollout[list(range(group.rank, 8, size))], group) for rollout in rollouts], ours
    for rank, (scores, ours) in enumerate(together(size, work)):
        for shard, expected in zip(scores, whole, strict=True):
            assert torch.allclose(shard, expected[rank::size], atol=1e-6)
        assert flat(ours.state_dict()) == pytest.approx(flat(alone.state_dict()), abs=1e-9)


def flat(state, name="") -> dict[str, float]:
    """Nested statistics as numbers by name."""
    if not isinstance(state, dict):
        return {name: state}
    return {key: number for part, inner in state.items() for key, number in flat(inner, f"{name}.{part}").items()}


def test_a_reward_that_was_asked_by_all_may_be_asked_by_one_again(saved_llama, prompts):
    """An evaluation in the main process: nobody waits for the others."""
    rollout = stored(saved_llama, prompts)[0]

    def work(seat):
        reward, group = Normalised(lengths_of), ProcessGroup(seat)
        score(reward, rollout, group)
        return score(reward, rollout) if group.is_main else None
    assert together(2, work)[0].shape == (8,)


def test_a_memory_that_is_not_shared_is_refused_where_there_are_several(saved_llama, prompts):
    class Counting:
        n = 0

        def __call__(self, prompts, responses):
            self.n += len(responses)
            return [float(self.n)] * len(responses)

        def state_dict(self):
            return {"n": self.n}

        def load_state_dict(self, state):
            self.n = state["n"]
    rollout = stored(saved_llama, prompts)[0]
    score(Counting(), rollout, ProcessGroup())
    for reward in (Counting(), weighted([(1.0, Counting())])):
        with pytest.raises(RewardError, match=r"remembers \(it has state_dict\).*each of 2 processes. Give it share"):
            score(reward, rollout, ProcessGroup(Meeting(2).seat(0)))


def test_statistics_of_all_survive_a_resume(saved_llama, prompts, tmp_path):
    """Two processes stop after two steps and go on from the main one's checkpoint; so does one process alone."""
    rollouts, config = stored(saved_llama, prompts), replace(CONFIG, rescale_reward=False)

    def run(seat, steps, folder, bases=None):
        rank, size = (0, 1) if seat is None else (seat.process_index, seat.num_processes)
        shared, reward = (bases or [shared_base(saved_llama)])[rank], Normalised(lengths_of)
        stream = ppo.steps(shared.policy, shared.reference, prompts, reward, config, accelerator=seat,
                           rollouts=lambda n: rollouts[n][list(range(rank, 8, size))], checkpoint=folder,
                           checkpoint_every=1)
        seen = [step.metrics["score"] for step in islice(stream, steps)]
        stream.close()
        return seen, vars(reward.moments)
    whole, moments = run(None, 3, None)
    first, second = ([shared_base(saved_llama) for _ in range(2)] for _ in range(2))
    together(2, lambda seat: run(seat, 2, tmp_path, first))
    for seen, remembered in together(2, lambda seat: run(seat, 3, tmp_path, second)):
        assert seen == pytest.approx(whole, abs=1e-5)
        assert remembered == pytest.approx(moments, abs=1e-9)


# Checkpoints that are not on one disk

def test_processes_that_find_different_checkpoints_all_refuse(tmp_path):
    def work(seat):
        with pytest.raises(StorageError) as caught:
            ProcessGroup(seat).check_resumed([10, 0, 10][seat.process_index], torch.device("cpu"))
        return str(caught.value)
    said = set(together(3, work))
    assert len(said) == 1
    assert "(10 in process 0, 0 in process 1, 10 in process 2): its folder is not on a disk that all" in said.pop()
    assert together(3, lambda seat: ProcessGroup(seat).check_resumed(7, torch.device("cpu"))) == [None] * 3
    ProcessGroup().check_resumed(3, torch.device("cpu"))


def test_a_run_on_two_nodes_without_a_shared_disk_stops_before_it_trains(saved_llama, prompts, tmp_path):
    """Each has a folder of its own, and only the main process's holds the checkpoint."""
    rollouts = stored(saved_llama, prompts)
    bases = [shared_base(saved_llama) for _ in range(4)]

    def run(seat, steps):
        shared = bases[seat.process_index + 2 * (steps == 3)]
        stream = ppo.steps(shared.policy, shared.reference, prompts, long_is_good, CONFIG, accelerator=seat,
                           rollouts=lambda n: rollouts[n][list(range(seat.process_index, 8, 2))],
                           checkpoint=tmp_path / str(seat.process_index), checkpoint_every=1)
        return list(islice(stream, steps))
    together(2, lambda seat: run(seat, 2))
    written = (tmp_path / "0" / FILE).read_bytes()

    def again(seat):
        with pytest.raises(StorageError, match=r"different numbers of steps in the checkpoint \(2 in process 0, 0 in"):
            run(seat, 3)
    together(2, again)
    assert (tmp_path / "0" / FILE).read_bytes() == written
    assert not (tmp_path / "1").exists()


REAL = """
import sys, torch
from accelerate import Accelerator
sys.path[:0] = {paths!r}
from pathlib import Path
from test_process_group import ProcessGroup, REMEMBERING, StorageError, flat, score, stored
group = ProcessGroup(Accelerator(cpu=True))
prompts = ["the lamp is", "the", "the kettle is very pretty, and it", "the pen is not"] * 4
for n, make in enumerate(REMEMBERING):
    reward = make()
    for rollout in stored(Path({folder!r}), prompts):
        score(reward, rollout[list(range(group.rank, 8, 2))], group)
    print(f"rank {{group.rank}} reward {{n}}", *[f"{{x:.9f}}" for x in flat(reward.state_dict()).values()], flush=True)
try:
    group.check_resumed(10 * group.rank, torch.device("cpu"))
except StorageError as error:
    print(f"rank {{group.rank}} refuses", error, flush=True)
"""


@pytest.mark.slow
def test_two_real_processes_remember_what_one_does_and_refuse_together(saved_llama, prompts, tmp_path):
    script, tests = tmp_path / "share.py", os.path.dirname(__file__)
    places = [tests, os.path.dirname(tests), os.path.join(os.path.dirname(tests), "models")]
    script.write_text(REAL.format(paths=places, folder=str(saved_llama)))
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
                           str(script)], capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split(" ", 2)[2] for line in sorted(done.stdout.splitlines()) if line.startswith("rank ")]
    assert lines[:5] == lines[5:]
    assert "0 in process 0, 10 in process 1" in lines[0]
    for make, line in zip(REMEMBERING, lines[1:5], strict=True):
        alone = make()
        for rollout in stored(saved_llama, prompts):
            score(alone, rollout)
        assert [float(x) for x in line.split()[2:]] == pytest.approx(list(flat(alone.state_dict()).values()), abs=1e-6)


SCRIPT = """
import sys, torch
from accelerate import Accelerator
sys.path[:0] = [{root!r}, {root!r} + '/tests']
from pathlib import Path
from tests.loops.test_process_group import CONFIG, end_of, shared_base, stored
seat = Accelerator(cpu=True)
assert seat.num_processes == 2, seat.num_processes
prompts = ["the lamp is", "the", "the kettle is very pretty, and it", "the pen is not"] * 4
folder = Path({folder!r})
metrics, learnt = end_of(shared_base(folder, seed=seat.process_index), prompts, stored(folder, prompts), CONFIG, seat)
mine = torch.cat([p.flatten() for p in learnt.values()])
print(f"rank {{seat.process_index}} loss {{metrics[-1]['policy_loss']:.9f}} "
      f"weights {{mine.double().sum().item():.12f}} {{mine.double().square().sum().item():.12f}}", flush=True)
"""


@pytest.mark.slow
def test_two_real_processes_learn_what_one_learns(saved_llama, prompts, tmp_path):
    """torchrun and gloo: the same weights on both ranks, and one process's loss to 1e-4."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(root=str(Path(__file__).parents[2]), folder=str(saved_llama)))
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
                           str(script)], capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = sorted(line for line in done.stdout.splitlines() if line.startswith("rank "))
    assert lines[0].split()[2:] == lines[1].split()[2:]
    metrics, learnt = end_of(shared_base(saved_llama), prompts, stored(saved_llama, prompts), CONFIG)
    assert float(lines[0].split()[3]) == pytest.approx(metrics[-1]["policy_loss"], abs=1e-4)
    mine = torch.cat([p.flatten() for p in learnt.values()])
    assert float(lines[0].split()[6]) == pytest.approx(mine.double().square().sum().item(), rel=1e-4)


WAITING = """
import sys, time, torch
from datetime import timedelta
from accelerate import PartialState
state = PartialState(cpu=True, timeout=timedelta(seconds=4))        # as NCCL's ten minutes, but shorter
assert state.num_processes == 2
from rlhf_kit.loops.process_group import wait
wait("cpu")
if state.is_main_process:
    time.sleep({seconds})                                           # merges, evaluates
    if {dies}:
        sys.exit(3)
wait("cpu") if {ours} else state.wait_for_everyone()
print("met", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "dies", "met"), [(True, False, 2), (False, False, 0), (True, True, 0)])
def test_waiting_outlives_the_timeout_of_the_group_and_ends_with_a_dead_process(tmp_path, ours, dies, met):
    """The main process works three times as long as the group's collectives wait; they give up, and ours does not."""
    script = tmp_path / "wait.py"
    script.write_text(WAITING.format(seconds=12, ours=ours, dies=dies))
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1",
                   "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
                           str(script)], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.count("met") == met, done.stderr[-2000:]
    assert (done.returncode == 0) == (met == 2)
