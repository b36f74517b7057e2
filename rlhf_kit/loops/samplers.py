"""Other engines than the kit's own loop over tokens that may draw a rollout: a table of two, each a `sampling.Sampler`.

    continuous      transformers' continuous batching, in this process: a place that becomes free is filled at once
    vllm=ADDRESS    a vLLM server, which has the base; the policy's adapter is sent to it before each rollout

Weights that are not the policy's make every gradient a little wrong and nothing stop, so nothing is taken on trust: an
engine says the log-probability of each token it drew, the kit computes its own, and their gap is a metric with a limit.
A server is tried before training with an adapter that nobody trained: one that does not take it gives itself away.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig

from rlhf_kit.loops.batches import seed_for
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.remote import ask, check_address, tried
from rlhf_kit.models.shared import POLICY, AdaptedPolicy
from rlhf_kit.sampling import GAP, Drawn, Sampler, SamplerError, Sampling, response_logprob, sample_rollout

KEY = "VLLM_API_KEY"                # the variable in which vLLM itself looks for its key
EXAMPLE = "http://127.0.0.1:8000"
PAGE = 16                           # tokens of a page of continuous batching's cache on a CPU
ASKED, TOKENS = 4, 8                # prompts, and tokens of a response at most, with which a server is tried
TOLD_APART = 5                      # how many times the limit an adapter that nobody trained lies from the base
START = ("Start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve {base} --enable-lora --max-lora-rank RANK "
         "--logprobs-mode processed_logprobs.")


def named(text: str | None, folder: Path | None = None) -> Sampler | None:
    """The sampler that --rollouts names; None for the kit's own. A vLLM server's key is in VLLM_API_KEY, if it has one.

    Args: folder: where a vLLM server finds adapters, see `vllm`.
    Raises: ValueError.
    """
    if text in (None, "own"):
        return None
    if text == "continuous":
        return continuous_batching()
    kind, _, address = text.partition("=")
    if kind != "vllm" or not address:
        raise ValueError(f"--rollouts is {text!r}; expected own, continuous, or vllm={EXAMPLE}.")
    return vllm(address, folder=folder, key=KEY if os.environ.get(KEY) else None)


def continuous_batching(limit: float = GAP) -> Sampler:
    """Transformers' continuous batching: sequences of different lengths share each pass, and none waits for another.

    It pays where lengths differ much and the model is large; it starts anew for each rollout, since what it has cached
    of a prompt belongs to weights that have changed since, which takes about a second. A rollout is drawn from its own
    random numbers: seeded, but not those of the kit's loop.

    Raises (when drawn): SamplerError for a model whose attention it does not know.
    """
    return Sampler("continuous", _draw_continuously, limit=limit)


@torch.no_grad()
def _draw_continuously(policy: Policy, rows: list[list[int]], sampling: Sampling, seed: int) -> Drawn:
    pages = sum(-(-(len(row) + sampling.max_new_tokens) // PAGE) + 1 for row in rows)
    room = {"page_size": PAGE, "num_blocks": pages} if policy.device.type == "cpu" else {}      # else all free memory
    settings = GenerationConfig(do_sample=True, temperature=sampling.temperature, top_k=0, top_p=1.0,
                                max_new_tokens=sampling.max_new_tokens, eos_token_id=list(policy.ends) or None)
    devices = [policy.device] if policy.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), policy.in_use():         # it seeds the process's own generator
        found = policy.lm.generate_batch(
            rows, settings, ContinuousBatchingConfig(seed=seed % 2**32, return_logprobs=True, **room), warmup=False)
    said = list(found.values())
    failed = next((one.error for one in said if one.error is not None), None)
    if failed is not None or len(said) < len(rows):
        raise SamplerError(f"continuous batching answered {len(said)} of {len(rows)} prompts "
                           f"({failed or 'see above'}). Leave --rollouts out to draw with the kit's own loop.")
    return Drawn([one.generated_tokens for one in said], [one.logprobs for one in said])


def vllm(address: str, *, folder: str | Path | None = None, key: str | None = None, timeout: float = 600.0,
         retries: int = 3, at_once: int = 64, limit: float = GAP) -> Sampler:
    """A vLLM server that holds the base of an adapted policy; the adapter is sent before each rollout.

    The adapter is written into a folder that the server can read and loaded there under a name that was never used, so
    that nothing the server has cached of an earlier one can be meant; the one before is unloaded and deleted. Only
    adapters: for whole weights vLLM has NCCL, which needs vLLM here, too, and reading its files anew, which several of
    its versions answer from memory (vllm-project/vllm#32718). Whole models go to `rlhf-kit export trl` or `openrlhf`.

    Args:
        address: of the server, such as http://127.0.0.1:8000; without /v1.
        folder: where adapters lie while they are in use, on a disk that the server sees; None = a temporary one.
        key: the environment variable that holds the server's key, if it wants one.
        timeout: seconds for one response.
        at_once: responses on the way at the same time.
        limit: nats a token, see `Sampler`. A server in bfloat16, or a base in 8 bits here, differs by hundredths (0.02
            to 0.05 in the tests); a base in 4 bits is another model, which the server has to hold in 4 bits, too.

    Raises: ValueError for what is no address. When checked or drawn, one line each: OSError if the server is gone or
        refuses; ValueError for a policy that is no adapter, for other tokens; SamplerError for other weights.
    """
    server = _Server(address, None if folder is None else Path(folder), key, timeout, retries, at_once, limit)
    return Sampler("vllm", server.draw, server.check, server.close, limit, several=False)


class _Server:
    """A connection to a vLLM server: which base it has, and which adapter of ours."""

    def __init__(self, address: str, folder: Path | None, key: str | None, timeout: float, retries: int, at_once: int,
                 limit: float) -> None:
        check_address(address, EXAMPLE)
        if key is not None and not os.environ.get(key):
            raise ValueError(f"key is {key!r}, and no environment variable of that name is set. Set it, or leave key= "
                             f"out where none is needed.")
        self.address = address.rstrip("/").removesuffix("/v1")
        self.folder, self.key, self.timeout, self.retries = folder, key, timeout, retries
        self.at_once, self.limit = at_once, limit
        self.run, self.number, self.loaded = uuid.uuid4().hex[:8], 0, None      # of names; the adapter in use
        self.own_folder: Path | None = None
        self.checked: Policy | None = None

    def check(self, policy: Policy, prompts: Sequence[str], sampling: Sampling) -> None:
        """Server, base, tokens and weights, before anything is learnt; once for a policy."""
        if self.checked is policy:
            return
        _check_adapted(policy)
        short = replace(sampling, max_new_tokens=min(sampling.max_new_tokens, TOKENS))
        prompts = list(dict.fromkeys(prompts))[:ASKED]
        try:
            base = self._base(policy)
            self._check_tokens(policy, base, prompts)
            self._check_base(policy, base, prompts, short)
            self._check_adapter(policy, prompts, short)
        except Exception:
            self.close()                                # nothing will be drawn
            raise
        self.checked = policy

    def draw(self, policy: Policy, rows: list[list[int]], sampling: Sampling, seed: int) -> Drawn:
        """Send the adapter as it is now, and ask for a response to each prompt."""
        self._send(policy)
        return self._answers(self.loaded, policy, rows, sampling, seed)

    def close(self) -> None:
        """Unload the last adapter; a server that is gone has none."""
        with suppress(OSError):
            self._unload()
        if self.own_folder is not None:
            shutil.rmtree(self.own_folder, ignore_errors=True)
            self.own_folder = None

    def _base(self, policy: Policy) -> str:
        """The name of the one model that is no adapter."""
        found = self._json("/v1/models").get("data")
        names = [card["id"] for card in found or () if not card.get("parent")]
        if not names:
            raise ValueError(f"{self.address} serves no model; {START.format(base=policy.lm.name_or_path)}")
        return names[0]

    def _check_tokens(self, policy: Policy, base: str, prompts: Sequence[str]) -> None:
        """Ids of the prompts' texts there and here; a server that does not tell is judged by its numbers."""
        for text in prompts:
            try:
                there = self._json("/tokenize", {"model": base, "prompt": text, "add_special_tokens": False})["tokens"]
            except (OSError, KeyError):
                return
            here = policy.tokenizer(text, add_special_tokens=False).input_ids
            if list(there) != list(here):
                raise ValueError(f"{self.address} reads {text[:40]!r} as {len(there)} tokens, {there[:8]}, and the "
                                 f"policy as {len(here)}, {here[:8]}: its model has another tokenizer. "
                                 f"{START.format(base=policy.lm.name_or_path)}")

    def _check_base(self, policy: AdaptedPolicy, base: str, prompts: Sequence[str], sampling: Sampling) -> None:
        """It tells the base's log-probabilities where nobody asks for an adapter."""
        def plain(reference: Policy, rows: list[list[int]], sampling: Sampling, seed: int) -> Drawn:
            return self._answers(base, reference, rows, sampling, seed)
        try:
            sample_rollout(policy.reference(), prompts, sampling, 0, Sampler(f"{base} at {self.address}", plain,
                                                                             limit=self.limit))
        except SamplerError as error:
            raise SamplerError(f"{error} The policy's base is {policy.lm.name_or_path or 'unnamed'}.") from error

    def _check_adapter(self, policy: AdaptedPolicy, prompts: Sequence[str], sampling: Sampling) -> None:
        """It tells an adapter's log-probabilities that cannot be taken for the base's."""
        with _another_adapter(policy, prompts, sampling, TOLD_APART * self.limit):
            try:
                sample_rollout(policy, prompts, sampling, 0, Sampler(f"vllm at {self.address}", self.draw,
                                                                     limit=self.limit))
            except SamplerError as error:
                raise SamplerError(f"{self.address} does not answer with the adapter that it was sent: {error} "
                                   f"{START.format(base=policy.lm.name_or_path)}") from error

    def _send(self, policy: Policy) -> None:
        _check_adapted(policy)
        with suppress(OSError):                         # a server that was started anew has not got it
            self._unload()
        self.number += 1
        name = f"rlhf-kit-{self.run}-{self.number}"
        place = self._place(name)
        policy.save(place)
        self.loaded = name
        try:
            self._text("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(place)})
        except OSError as error:
            self.loaded = None
            shutil.rmtree(place, ignore_errors=True)
            raise OSError(f"{error}. The adapter was in {place}. "
                          f"{START.format(base=policy.lm.name_or_path)}") from error

    def _place(self, name: str) -> Path:
        if self.folder is None:
            self.own_folder = self.own_folder or Path(mkdtemp(prefix="rlhf-kit-adapters-"))
        return (self.folder or self.own_folder).expanduser().resolve() / name

    def _unload(self) -> None:
        if self.loaded is not None:
            name, self.loaded = self.loaded, None
            try:
                self._text("/v1/unload_lora_adapter", {"lora_name": name})
            finally:
                shutil.rmtree(self._place(name), ignore_errors=True)

    def _answers(self, model: str, policy: Policy, rows: list[list[int]], sampling: Sampling, seed: int) -> Drawn:
        """One request a prompt, since those of one request would share its seed, and equal prompts their responses."""
        same = {"model": model, "max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature,
                "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0,
                "frequency_penalty": 0.0, "stop_token_ids": list(policy.ends), "logprobs": 0, "return_token_ids": True}

        def answer(number: int) -> dict[str, Any]:
            said = self._json("/v1/completions", {**same, "prompt": rows[number],
                                                  "seed": seed_for(seed, "row", number) % 2**31})
            if said.get("model") != model:
                raise SamplerError(f"{self.address} was asked for {model} and answers with {said.get('model')}. It "
                                   f"serves something else under that name.")
            return said["choices"][0]

        try:
            with ThreadPoolExecutor(self.at_once) as pool:
                choices = list(pool.map(answer, range(len(rows))))
            return Drawn([one["token_ids"] for one in choices],
                         [[_number(x) for x in one["logprobs"]["token_logprobs"]] for one in choices])
        except (KeyError, IndexError, TypeError) as error:
            raise SamplerError(f"{self.address} gives no ids and log-probabilities of its tokens ({error}). It has to "
                               f"be a vLLM server that knows return_token_ids.") from error

    def _json(self, path: str, body: Any = None) -> dict[str, Any]:
        text = self._text(path, body)
        try:
            found = json.loads(text)
            if isinstance(found, dict):
                return found
        except ValueError:
            pass
        raise SamplerError(f"{self.address}{path} answers with {text[:60]!r}; expected JSON, as of a vLLM server.")

    def _text(self, path: str, body: Any = None) -> str:
        try:
            return tried(lambda: ask(f"{self.address}{path}", body, key=self.key, timeout=self.timeout),
                         self.retries, why=True).decode("utf-8", "replace")
        except OSError as error:
            raise OSError(f"--rollouts vllm={self.address}: {path}: {error}") from error


@contextmanager
def _another_adapter(policy: AdaptedPolicy, prompts: Sequence[str], sampling: Sampling,
                     distance: float) -> Iterator[None]:
    """Inside, the adapter is one that nobody trained, at least `distance` nats a token from the policy and the base."""
    places = [p for name, p in policy.lm.named_parameters() if f"lora_B.{POLICY}." in name]
    kept = [p.detach().clone() for p in places]
    rollout = sample_rollout(policy.reference(), prompts, sampling)

    def away(other: Policy) -> float:
        now = response_logprob(policy, rollout)
        return ((now - there[other]).abs().sum() / rollout.mask.sum()).item()

    with torch.no_grad():
        there = {other: response_logprob(other, rollout) for other in (policy, policy.reference())}
        generator, size = torch.Generator().manual_seed(0), 0.01
        noise = [torch.randn(p.shape, generator=generator) for p in places]
        try:
            while True:
                for p, was, direction in zip(places, kept, noise, strict=True):
                    p.copy_(was + size * direction.to(p))
                if min(map(away, there)) >= distance or size > 1e6:
                    break
                size *= 2
            yield
        finally:
            for p, was in zip(places, kept, strict=True):
                p.copy_(was)


def _check_adapted(policy: Policy) -> None:
    if not isinstance(policy, AdaptedPolicy):
        raise ValueError("a vLLM server takes a policy's adapter, and this policy is a whole model. Train an adapter "
                         "on it (--lora 16), or draw with continuous batching or the kit's own loop.")


def _number(x: float | None) -> float:
    return float("nan") if x is None else float(x)
