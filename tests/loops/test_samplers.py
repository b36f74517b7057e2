"""Other engines draw, the kit computes: continuous batching, and a stand-in for a vLLM server that has weights."""

import copy
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from rlhf_kit.loops import samplers
from rlhf_kit.methods import ppo
from rlhf_kit.models import remote
from rlhf_kit.models.adapters import LoRA
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.sampling import (
    GAP,
    Drawn,
    Sampler,
    SamplerError,
    Sampling,
    response_logprob,
    response_logprob_and_value,
    sample_rollout,
    sampler_gap,
)

SHORT = Sampling(max_new_tokens=12, temperature=0.7)
close = torch.testing.assert_close


def handing(ids, logprob=None, **options) -> Sampler:
    return Sampler("stand-in", lambda policy, rows, sampling, seed: Drawn(ids, logprob), **options)


# --- whatever draws, the kit computes ---------------------------------------------------------------------------------

def test_the_same_tokens_from_elsewhere_are_the_same_rollout(policy, prompts):
    """The kit's own draw, handed in as ids with rubbish behind the end: every number comes out as it was."""
    own = sample_rollout(policy, prompts, SHORT, seed=1)
    ids = [[*row[mask].tolist(), 5, 6, 7][:SHORT.max_new_tokens + 3 * bool(ended)]
           for row, mask, ended in zip(own.response_ids, own.mask, own.ended, strict=True)]
    said = [[-1.0] * len(row) for row in ids]
    drawn = sample_rollout(policy, prompts, SHORT, sampler=handing(ids, said, limit=9.0))
    for name in ("prompt_ids", "prompt_mask", "response_ids", "mask", "ended"):
        assert torch.equal(getattr(drawn, name), getattr(own, name)), name
    assert drawn.responses == own.responses
    for name in ("logprob", "value", "entropy"):
        close(getattr(drawn, name), getattr(own, name), atol=5e-5, rtol=0)
    by_hand = (own.logprob[own.mask] + 1).abs().mean()
    close(sampler_gap(drawn), by_hand, atol=1e-5, rtol=0)
    assert not drawn.sampler_logprob[~drawn.mask].any()


@pytest.mark.parametrize(("ids", "said"), [
    ([[3, 1]], "1 responses to 2 prompts"),
    ([[3, 1], []], "gives 0 tokens to prompt 2"),
    ([[3, 1], [4, 4]], "gives 2 tokens to prompt 2"),                      # neither ended nor full
    ([[3, 1], [4] * 13], "gives 13 tokens"),
    ([[3, 1], [4] * 11 + [10_000]], "token 10000"),
])
def test_what_the_policy_cannot_have_said_is_refused(policy, ids, said):
    assert policy.ends == (1,)
    with pytest.raises(SamplerError, match=said):
        sample_rollout(policy, ["the", "the lamp"], SHORT, sampler=handing(ids))


def test_log_probabilities_of_other_weights_are_refused_and_a_missing_temperature_is_named(policy, prompts):
    own = sample_rollout(policy, prompts, SHORT, seed=1)
    ids = [row[mask].tolist() for row, mask in zip(own.response_ids, own.mask, strict=True)]
    raw = response_logprob(policy, replace(own, temperature=1.0))
    for shown, cause in ((own.logprob - 0.2, "with other weights"), (raw, "before the temperature is applied")):
        rows = [row[mask].tolist() for row, mask in zip(shown, own.mask, strict=True)]
        with pytest.raises(SamplerError, match=cause):
            sample_rollout(policy, prompts, SHORT, sampler=handing(ids, rows))


# --- continuous batching ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("which", ["policy", "llama"])
def test_continuous_batching_draws_from_the_policy(which, request, prompts):
    """What transformers says of its own tokens is what the kit reads, for both kinds of positions; seeded; no trace."""
    policy, before = request.getfixturevalue(which), torch.get_rng_state()
    ours = samplers.continuous_batching(limit=1e-4)
    first = sample_rollout(policy, prompts, SHORT, seed=3, sampler=ours)
    if which == "policy":
        assert sample_rollout(policy, prompts, SHORT, seed=3, sampler=ours).responses == first.responses
    assert 0 < first.ended.sum() < len(first)
    assert sampler_gap(first) < 1e-5
    assert torch.equal(before, torch.get_rng_state())


def test_ppo_learns_from_continuous_batching_and_reports_the_gap(base):
    shared = SharedBase(*base(), lora=LoRA(rank=4, alpha=8))
    [step] = steps_of(shared, samplers.continuous_batching(), replace(QUICK, steps=1))
    assert step.metrics["sampler_gap"] < 1e-5
    assert set(step.metrics) == {*ppo.METRICS, *ppo.WITH_A_SAMPLER}


# --- a vLLM server ----------------------------------------------------------------------------------------------------

QUICK = ppo.Config(steps=3, batch_size=8, minibatch_size=4, epochs=2, learning_rate=1e-2,
                   sampling=Sampling(max_new_tokens=6))
PROMPTS = ["the lamp is", "the kettle is very pretty, and it", "the pen", "the"]


def wordy(prompts, responses):
    return [float(len(r.split())) for r in responses]


class Standing(ThreadingHTTPServer):
    """Answers as `vllm serve` does, with a model of its own: W + (α/r) B A of the files that it is sent.

    `takes` says after how many adapters it goes on with what it had, in silence.
    """

    def __init__(self, folder: Path, takes: int = 10**9, raw: bool = False, loads: bool = True,
                 tokenizer=None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.takes, self.raw, self.loads, self.key = folder, takes, raw, loads, None
        self.base = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.tokenizer = tokenizer or AutoTokenizer.from_pretrained(folder)
        self.models, self.names, self.paths, self.bodies, self.latest = {"base": self.base}, [], [], [], self.base
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def load(self, name: str, path: str) -> None:
        if len(self.names) < self.takes:
            shape = json.loads(Path(path, "adapter_config.json").read_text())
            adapter = load_file(Path(path, "adapter_model.safetensors"))
            self.latest = copy.deepcopy(self.base)
            for place in (name.removesuffix(".lora_A.weight") for name in adapter if ".lora_A." in name):
                layer = self.latest.get_submodule(place.removeprefix("base_model.model."))
                update = adapter[f"{place}.lora_B.weight"] @ adapter[f"{place}.lora_A.weight"]
                layer.weight.data += shape["lora_alpha"] / shape["r"] * update
        self.names.append(name)
        self.paths.append(Path(path))
        self.models[name] = self.latest

    @torch.no_grad()
    def complete(self, body: dict) -> dict:
        model, ids, said = self.models[body["model"]], list(body["prompt"]), []
        generator = torch.Generator().manual_seed(body["seed"])
        while len(said) < body["max_tokens"] and not (said and ids[-1] in body["stop_token_ids"]):
            z = model(torch.tensor([ids])).logits[0, -1]
            tempered = (z / body["temperature"]).log_softmax(-1)
            ids.append(int(torch.multinomial(tempered.exp(), 1, generator=generator)))
            said.append((z.log_softmax(-1) if self.raw else tempered)[ids[-1]].item())
        return {"model": body["model"], "choices": [{"token_ids": ids[len(body["prompt"]):],
                                                     "logprobs": {"token_logprobs": said}}]}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        cards = [{"id": name, "parent": None if name == "base" else "base"} for name in self.server.models]
        self.say(200, {"data": cards})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.bodies.append((self.path, body))
        if server.key is not None and self.headers.get("Authorization") != f"Bearer {server.key}":
            self.say(401, {"error": "Unauthorized"})
        elif self.path == "/tokenize":
            self.say(200, {"tokens": server.tokenizer(body["prompt"], add_special_tokens=False).input_ids})
        elif self.path == "/v1/load_lora_adapter" and server.loads:
            server.load(body["lora_name"], body["lora_path"])
            self.say(200, None)
        elif self.path == "/v1/unload_lora_adapter":
            self.say(200 if server.models.pop(body["lora_name"], None) else 404, None)
        elif self.path == "/v1/completions" and body["model"] in server.models:
            self.say(200, server.complete(body))
        else:
            self.say(404, {"error": {"message": "no such thing"}})

    def say(self, code, value):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"Success" if value is None else json.dumps(value).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def standing(saved_llama, monkeypatch):
    monkeypatch.setattr(remote, "WAIT", 0.001)
    started = []

    def start(**options):
        started.append(Standing(saved_llama, **options))
        return started[-1]
    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def base(saved_llama):
    return lambda: (AutoModelForCausalLM.from_pretrained(saved_llama), AutoTokenizer.from_pretrained(saved_llama))


@pytest.fixture
def shared(base):
    return SharedBase(*base(), lora=LoRA(rank=4, alpha=8))


def steps_of(shared, sampler, config=QUICK, **options):
    return list(ppo.steps(shared.policy, shared.reference, PROMPTS, wordy, config, sampler=sampler, **options))


def test_after_every_update_the_server_answers_with_the_new_weights(standing, shared):
    """Three updates that move the policy far; each time the server's own numbers are the policy's of that moment."""
    server = standing()
    sampler = samplers.vllm(server.address)
    far = response_logprob(shared.policy, probe := sample_rollout(shared.policy, PROMPTS, QUICK.sampling))
    steps = steps_of(shared, sampler)
    assert all(step.metrics["sampler_gap"] < 1e-4 for step in steps)
    assert (response_logprob(shared.policy, probe) - far)[probe.mask].abs().mean() > 0.05      # it did move
    assert len(server.names) == len(set(server.names)) == 1 + QUICK.steps                 # a trial, then each step's
    assert not any(path.exists() for path in server.paths[:-1])
    sampler.close()
    assert set(server.models) == {"base"}
    assert not server.paths[-1].parent.exists()


def test_masks_and_values_are_the_kits_and_equal_prompts_get_different_responses(standing, shared):
    rollout = sample_rollout(shared.policy, ["the lamp"] * 8, SHORT, seed=2, sampler=samplers.vllm(standing().address))
    assert len({tuple(row) for row in rollout.response_ids.tolist()}) > 4
    end = shared.policy.tokenizer.eos_token_id
    assert all((end in row[mask]) == ended and end not in row[mask][:-1]
               for row, mask, ended in zip(rollout.response_ids, rollout.mask, rollout.ended, strict=True))
    logprob, value = response_logprob_and_value(shared.policy, rollout)
    assert torch.equal(logprob, rollout.logprob)
    assert torch.equal(value, rollout.value)


def test_a_key_is_sent_and_written_nowhere(standing, shared, monkeypatch):
    server, sent = standing(), []
    complete = server.complete
    server.complete = lambda body: sent.append(json.dumps(body)) or complete(body)
    server.key = "sesame"
    monkeypatch.setenv("VLLM_API_KEY", "sesame")
    sample_rollout(shared.policy, PROMPTS, SHORT, sampler=samplers.named(f"vllm={server.address}"))
    assert sent
    assert not any("sesame" in body for body in sent)
    monkeypatch.setenv("VLLM_API_KEY", "wrong")
    with pytest.raises(OSError, match="401"):
        sample_rollout(shared.policy, PROMPTS, SHORT, sampler=samplers.named(f"vllm={server.address}"))


def test_a_request_says_all_that_a_servers_defaults_might_change(standing, shared):
    server = standing()
    sample_rollout(shared.policy, PROMPTS, SHORT, seed=2, sampler=samplers.vllm(server.address))
    asked = [body for path, body in server.bodies if path == "/v1/completions"]
    assert len({body["seed"] for body in asked}) == len(PROMPTS)
    for body in asked:
        assert body["model"] == server.names[-1]
        assert (body["temperature"], body["top_p"], body["top_k"], body["min_p"]) == (0.7, 1.0, 0, 0.0)
        assert body["stop_token_ids"] == list(shared.policy.ends)


@pytest.mark.parametrize(("options", "said"), [
    ({"takes": 0}, "does not answer with the adapter that it was sent"),
    ({"raw": True}, "processed_logprobs"),
    ({"loads": False}, "no such thing.*VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
])
def test_a_server_that_does_not_take_weights_is_refused_before_training(standing, shared, options, said, tmp_path,
                                                                        monkeypatch):
    server, place = standing(**options), tmp_path / "adapters"
    monkeypatch.setattr(samplers, "mkdtemp", lambda prefix: str(place))
    config = replace(QUICK, sampling=replace(QUICK.sampling, temperature=0.5))
    before = [p.detach().clone() for p in shared.policy.parameters()]
    with pytest.raises((ValueError, OSError), match=said) as error:
        steps_of(shared, samplers.vllm(server.address), config)
    assert "\n" not in str(error.value)
    assert set(server.models) == {"base"}                           # nothing is left there, nor here
    assert not place.exists()
    assert all(torch.equal(p, was) for p, was in zip(shared.policy.parameters(), before, strict=True))


def test_weights_of_an_earlier_step_are_noticed(standing, shared):
    """It takes the trial and the first step's adapter, then stays there: the policy moves on, and the gap grows."""
    with pytest.raises(SamplerError, match=r"weights \(another model, or those of an earlier step\)"):
        steps_of(shared, samplers.vllm(standing(takes=2).address), replace(QUICK, steps=12))
    with pytest.raises(SamplerError, match="average"):                      # of the trial: at once
        steps_of(shared, samplers.vllm(standing(takes=1).address))


def test_other_precision_shows_in_the_gap_and_is_told_from_other_weights(standing, shared, saved_llama):
    """A server in bfloat16 beside float32, and a base in 8 bits here: hundredths. In 4 bits it is another model."""
    server = standing()
    server.base.to(torch.bfloat16)
    [coarse] = steps_of(shared, samplers.vllm(server.address), replace(QUICK, steps=1))
    assert 1e-3 < coarse.metrics["sampler_gap"] < GAP
    for bits, limit in (("int8", GAP), ("nf4", 2.0)):
        held = SharedBase(*load_language_model(saved_llama, quantize=bits), lora=LoRA(rank=4, alpha=8))
        [step] = steps_of(held, samplers.vllm(standing().address, limit=limit), replace(QUICK, steps=1))
        assert step.metrics["sampler_gap"] > (1e-3 if bits == "int8" else GAP)


def test_another_model_and_another_tokenizer_are_refused(standing, shared, tokenizer):
    other = standing()
    for parameter in other.base.parameters():
        parameter.data.mul_(1.5)
    with pytest.raises(SamplerError, match=r"base at .*The policy's base is"):
        steps_of(shared, samplers.vllm(other.address))

    class Letters:
        def __call__(self, text, **_):
            return type("Ids", (), {"input_ids": [ord(c) for c in text]})
    with pytest.raises(ValueError, match="another tokenizer"):
        steps_of(shared, samplers.vllm(standing(tokenizer=Letters()).address))


def test_a_server_that_is_gone_is_one_line_and_the_run_goes_on_when_it_is_back(standing, shared, base, tmp_path):
    gone = standing()
    gone.shutdown()
    gone.server_close()
    with pytest.raises(OSError, match="no answer"):
        steps_of(shared, samplers.vllm(gone.address, retries=0))

    straight = [step.metrics["score"] for step in steps_of(SharedBase(*base(), lora=LoRA(rank=4, alpha=8)),
                                                           samplers.vllm(standing().address))]
    dying, calls = standing(), []
    complete = dying.complete
    dying.complete = lambda body: complete(body) if calls.append(body) or len(calls) < 8 + 12 else 1 / 0
    dying.handle_error = lambda *_: None
    kept = {"checkpoint": tmp_path / "kept", "checkpoint_every": 1}
    with pytest.raises(OSError, match="/v1/completions"):
        steps_of(SharedBase(*base(), lora=LoRA(rank=4, alpha=8)), samplers.vllm(dying.address, retries=0), **kept)
    again = steps_of(SharedBase(*base(), lora=LoRA(rank=4, alpha=8)), samplers.vllm(standing().address), **kept)
    close([step.metrics["score"] for step in again], straight, atol=1e-4, rtol=0)


def test_a_whole_model_two_sources_and_an_unknown_name_are_refused(standing, policy, shared):
    whole = copy.deepcopy(policy).requires_grad_(True)
    with pytest.raises(ValueError, match="a whole model"):
        list(ppo.steps(whole, whole.reference(), PROMPTS, wordy, QUICK, sampler=samplers.vllm(standing().address)))
    with pytest.raises(ValueError, match="both given"):
        steps_of(shared, samplers.continuous_batching(), rollouts=lambda n: None)
    for text in ("vLLM", "vllm", "vllm=", "vllm=localhost:8000"):
        with pytest.raises(ValueError, match="expected"):
            samplers.named(text)
    with pytest.raises(ValueError, match="no environment variable"):
        samplers.vllm("http://127.0.0.1:1", key="A_KEY_THAT_NOBODY_SET")
    assert samplers.named(None) is samplers.named("own") is None
    assert samplers.named("continuous").name == "continuous"


def test_a_run_is_not_continued_with_another_engine(shared, base, tmp_path):
    from rlhf_kit.storage import StorageError
    kept = {"checkpoint": tmp_path / "kept", "checkpoint_every": 1}
    steps_of(shared, None, replace(QUICK, steps=1), **kept)
    with pytest.raises(StorageError):
        steps_of(SharedBase(*base(), lora=LoRA(rank=4, alpha=8)), samplers.continuous_batching(),
                 replace(QUICK, steps=1), **kept)


def test_train_ppo_draws_from_a_server_and_leaves_nothing_there(standing, saved_llama, tmp_path):
    """The command's job with an adapter: checked before anything is written, every step's gap in its metrics, and the
    server without an adapter of ours in the end."""
    from rlhf_kit.jobs import Ppo
    (tmp_path / "mine.py").write_text("def reward(prompts, responses):\n    return [len(r) for r in responses]\n")
    (tmp_path / "prompts.txt").write_text("\n".join(PROMPTS))
    server = standing()
    job = Ppo(model=str(saved_llama), lora=4, reward=f"{tmp_path}/mine.py:reward", rollouts=f"vllm={server.address}",
              prompts=str(tmp_path / "prompts.txt"),
              changes={"steps": 2, "batch_size": 4, "minibatch_size": 4, "epochs": 1, "max_new_tokens": 6})
    notes = [event.note[0] for event in job.run(tmp_path / "out") if event.note]
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [row["sampler_gap"] < 1e-4 for row in rows] == [True, True]
    assert "ppo_vllm" in notes
    assert set(server.models) == {"base"}
    gone = replace(job, rollouts="vllm=http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"vllm=http://127.0.0.1:9: /v1/models: no answer"):
        list(gone.run(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
