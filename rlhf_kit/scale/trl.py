"""The way to TRL's command line: a config for `trl sft`, `dpo` or `grpo`, data as TRL reads it, and what starts them.

TRL's commands pass over a name in a config that they do not know, in silence. So the names written here are those of
one release, and a test lets that release parse every config and refuse what it has not.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rlhf_kit.formulas.records import Turn
from rlhf_kit.storage import json_lines, write_files

RELEASE = "1.16.0"                  # whose names the configs use
DATA, HELD_OUT, REWARD, OWN_REWARD, SCRIPT = "train.jsonl", "heldout.jsonl", "reward.py", "my_reward.py", "train.sh"
PORT = 8000

Method = Literal["sft", "dpo", "grpo"]
METHODS: tuple[Method, ...] = ("sft", "dpo", "grpo")
Engine = Literal["colocate", "server", "none"]      # vLLM on the GPUs that train, on others, or not at all


@dataclass(frozen=True, kw_only=True)
class Export:
    """What TRL is to do."""

    method: Method
    model: str                                      # a hub id, or a folder
    config: Mapping[str, Any]                       # names of TRL's own
    rows: Sequence[Mapping[str, Any]]
    held_out: Sequence[Mapping[str, Any]] = ()      # not trained on
    files: Mapping[str, str] = field(default_factory=dict)      # of the reward
    left_out: Sequence[str] = ()                    # what TRL has no name for, a sentence each


@dataclass(frozen=True)
class Written:
    """What an export left."""

    folder: Path
    files: tuple[str, ...]
    rows: int


def words(part: str | tuple[Turn, ...]) -> str | list[dict[str, str]]:
    """A text as it is, a conversation as TRL's messages."""
    return part if isinstance(part, str) else [{"role": turn.role, "content": turn.text} for turn in part]


def adapter(rank: int, quantize: str | None) -> dict[str, Any]:
    """TRL's names for an adapter of that rank, 0 for all weights, and for its base in 8 or 4 bits. Raises: ValueError.
    """
    if rank < 0:
        raise ValueError(f"--lora is {rank}; it is the rank of an adapter, such as 16, or 0 to train all weights.")
    if quantize is not None and rank == 0:
        raise ValueError("--lora 0 trains all weights, and those in 8 or 4 bits cannot learn. Leave one of --lora and "
                         "--quantize out.")
    bits = {None: {}, "int8": {"load_in_8bit": True},
            "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}}[quantize]
    return {**({"use_peft": True, "lora_r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.0,
                "lora_target_modules": "all-linear"} if rank else {}),
            **bits, **({} if quantize is None else {"dtype": "bfloat16"})}


def vllm(engine: Engine) -> dict[str, Any]:
    """TRL's names for where GRPO's responses are drawn."""
    if engine == "none":
        return {"use_vllm": False}
    if engine == "colocate":
        return {"use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": 0.3,
                "vllm_enable_sleep_mode": True}
    return {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": f"http://127.0.0.1:{PORT}"}


def write(export: Export, folder: Path | str) -> Written:
    """Write config, data, script and README into a folder; what is there under other names stays.

    Raises: StorageError, also for somebody's own files of these names.
    """
    folder = Path(folder).expanduser()
    config = {"model_name_or_path": export.model, "datasets": [{"path": "json", "data_files": DATA}],
              "output_dir": "model", **export.config}
    files = {f"{export.method}.yaml": _yaml(export.method, config), DATA: json_lines(export.rows),
             **({HELD_OUT: json_lines(export.held_out)} if export.held_out else {}), **export.files,
             SCRIPT: _script(export), "README.md": _readme(export)}
    write_files(folder, files)
    return Written(folder, tuple(files), len(export.rows))


def _yaml(method: Method, config: Mapping[str, Any]) -> str:
    """Each value as JSON, which YAML reads; but of 1e-05 it wants the point, or takes it for a word."""
    lines = [f"# trl {method} --config {method}.yaml, TRL {RELEASE}; paths are read from the folder of this file."]
    for name, value in config.items():
        said = json.dumps(value, ensure_ascii=False)
        if isinstance(value, float) and "e" in said and "." not in said:
            said = said.replace("e", ".0e")
        lines.append(f"{name}: {said}")
    return "\n".join(lines) + "\n"


def _serves(export: Export) -> bool:
    return export.config.get("vllm_mode") == "server"


def _script(export: Export) -> str:
    server = "" if not _serves(export) else f"""
if [ "${{1:-}}" = serve ]; then                  # first, on GPUs of its own: CUDA_VISIBLE_DEVICES=0 bash {SCRIPT} serve
  shift
  VLLM_SERVER_DEV_MODE=1 exec vllm serve {shlex.quote(export.model)} --port {PORT} \\
    --weight-transfer-config '{{"backend": "nccl"}}' --logprobs-mode processed_logprobs --max-logprobs -1 "$@"
fi
"""
    return f"""#!/usr/bin/env bash
# TRL {RELEASE} on the texts beside this file. Whatever is added is handed on: bash {SCRIPT} --max_steps 1
set -euo pipefail
cd "$(dirname "${{BASH_SOURCE[0]}}")"
export HF_HUB_DISABLE_TELEMETRY=${{HF_HUB_DISABLE_TELEMETRY-1}}
{server}
exec trl {export.method} --config {export.method}.yaml "$@"
"""


def _readme(export: Export) -> str:
    extras = "vllm,peft" if export.config.get("use_vllm") else "peft"
    reward = "" if not export.files else (f"\n`{REWARD}` is the reward, as TRL calls it; it needs `rlhf-kit` beside "
                                          f"TRL, and what it imports has to lie here.\n")
    server = "" if not _serves(export) else f"\n    CUDA_VISIBLE_DEVICES=0 bash {SCRIPT} serve        # stays there"
    run = {"grpo": "Such a config was run for a step on a CPU without vLLM; **with vLLM it was not run**."}
    left = "".join(f"- {sentence}\n" for sentence in export.left_out)
    return f"""# {export.method.upper()} with TRL

    pip install 'trl[{extras}]=={RELEASE}'{server}
    bash {SCRIPT}                                  # one process
    bash {SCRIPT} --accelerate_config multi_gpu    # all GPUs of a machine; batches are then those of each of them

`{export.method}.yaml` holds the settings, `{DATA}` {len(export.rows)} rows; the result lies in `model/`.
{reward}
Every name in the config is one that TRL {RELEASE} has; other releases pass over what they do not know.
{run.get(export.method, "Such a config was run for a step on a CPU.")}
{f'''
What the kit's settings say and TRL's cannot:

{left}''' if left else ""}"""
