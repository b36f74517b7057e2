"""A run's model on the Hugging Face hub: only what a model needs, and its card."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from rlhf_kit.models.adapters import base_of
from rlhf_kit.models.places import ADAPTER, ADAPTER_WEIGHTS, is_adapter
from rlhf_kit.runs.lineage import is_hub_model, model_in
from rlhf_kit.storage import MANIFEST, StorageError, new_folder
from rlhf_kit.zoo import merge_adapter

NEEDED = ("config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json", ADAPTER,
          ADAPTER_WEIGHTS,
          "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "spiece.model", "special_tokens_map.json",
          "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja")
EXACT = 400_000_000                 # bytes of a base; below, an adapter is added into it in 32 bits
CARD = "README.md"
MARK = "rlhf-kit"                   # the tag of a card that the kit wrote


class HubRefused(OSError):
    """The hub did not take it, or could not be asked; one line."""


@dataclass(frozen=True)
class Parcel:
    """What goes, and what stays here."""

    model: Path                     # the folder that it lies in
    goes: tuple[str, ...]           # names there
    stays: tuple[str, ...]
    merged_into: str | None = None  # the base that an adapter was added into, since nobody else has that base
    dtype: str = ""                 # of the weights then

    @property
    def adapter(self) -> bool:
        """True of an adapter, whose base is on the hub."""
        return ADAPTER in self.goes

    @property
    def size(self) -> int:
        """Bytes of what goes."""
        return sum((self.model / name).stat().st_size for name in self.goes)


@contextmanager
def packed(run: str | Path) -> Iterator[Parcel]:
    """The files of a finished run's model, as long as this lasts.

    An adapter goes as it is if its base is on the hub. One whose base is a folder here would be of use to nobody: it
    is added into that base, and a whole model goes.

    Raises: StorageError, one line, if there is nothing to publish; AdapterError, ModelUnavailable if its base is gone.
    """
    model = _model_of(run)
    if not is_adapter(model) or is_hub_model(base := str(base_of(model))):
        yield _parcel(model, run)
        return
    stays = _parcel(model, run).stays
    with tempfile.TemporaryDirectory(prefix="rlhf-kit-") as place:
        small = sum(file.stat().st_size for file in Path(base).glob("*.safetensors")) <= EXACT
        dtype = "float32" if small else "bfloat16"
        merge_adapter(model, Path(place) / "model", dtype=dtype)
        yield replace(_parcel(Path(place) / "model", run), stays=stays, merged_into=base, dtype=dtype)


def _model_of(run: str | Path) -> Path:
    place = Path(run).expanduser()
    if not (place / "settings.json").is_file():
        inside = sorted(str(file.parent) for file in place.glob("*/settings.json")) if place.is_dir() else []
        hint = f" Runs lie in {', '.join(inside[:6])}." if inside else ""
        raise StorageError(f"{run} is no run: it has no settings.json. Name the folder that rlhf-kit trained "
                           f"into.{hint}")
    if not (place / "result.json").is_file():
        raise StorageError(f"{run} is not finished: it has no result.json, and so no numbers for the card. Run the "
                           f"same command again; it goes on from there.")
    if (model := model_in(place)) is None:
        raise _nothing(run)
    return model


def _parcel(model: Path, run: str | Path) -> Parcel:
    there = sorted(file.name for file in model.iterdir() if file.name != MANIFEST)
    goes = tuple(name for name in there if any(fnmatch(name, pattern) for pattern in NEEDED))
    if not {"config.json", ADAPTER} & {*goes} or not any(name.endswith(".safetensors") for name in goes):
        raise _nothing(run)
    return Parcel(model, goes, tuple(name for name in there if name not in goes))


def _nothing(run: str | Path) -> StorageError:
    return StorageError(f"{run} holds nothing to publish: a whole model in policy/ or model/ is expected there. Run "
                        f"the same command again with --fresh.")


def check_name(repo: str) -> None:
    """Raises: ValueError, one line, for what cannot be a repository's name."""
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ValueError(f"REPO is {repo!r}; expected NAME or OWNER/NAME of letters, digits, -, _ and ., such as "
                         f"me/my-policy.") from error


def write(what: Parcel, card: str, folder: str | Path) -> Path:
    """Everything that would go, in a folder that the kit may replace whole. Raises: StorageError."""
    with new_folder(folder) as place:
        for name in what.goes:
            shutil.copyfile(what.model / name, place / name)
        (place / CARD).write_text(card, encoding="utf-8")
    return Path(folder)


def upload(what: Parcel, card: str, repo: str, *, private: bool, message: str) -> str:
    """Put it on the hub in one commit; returns the address.

    A repository that is there already must be one that the kit put there, or hold nothing.
    Raises: HubRefused, one line.
    """
    if get_token() is None:
        raise HubRefused("there is no token for the hub. Make one that may write at "
                         "https://huggingface.co/settings/tokens, and give it once with: hf auth login.")
    api = HfApi()
    try:
        name = repo if "/" in repo else f"{api.whoami()['name']}/{repo}"
        _check_ours(api, name)
        url = api.create_repo(name, private=private, exist_ok=True)
        operations = [CommitOperationAdd(path, str(what.model / path)) for path in what.goes]
        operations.append(CommitOperationAdd(CARD, card.encode()))
        api.create_commit(url.repo_id, operations, commit_message=message)
        return str(url)
    except HfHubHTTPError as error:
        raise HubRefused(_why(repo, error)) from error
    except HubRefused:
        raise
    except (HTTPError, OfflineModeIsEnabled, OSError, RuntimeError) as error:      # the last of a large file's upload
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        what_it_was = " ".join(str(cause).split()).rstrip(".")[:160] or type(cause).__name__
        raise HubRefused(f"the hub cannot be reached ({what_it_was}). Look at the network, HF_ENDPOINT and "
                         f"HF_HUB_OFFLINE; --dry-run writes the folder without it.") from error


def _check_ours(api: HfApi, repo: str) -> None:
    try:
        about = api.model_info(repo)
    except RepositoryNotFoundError:
        return
    names: Sequence[str] = [file.rfilename for file in about.siblings or () if not file.rfilename.startswith(".")]
    if names and MARK not in (about.tags or ()) and MARK not in ((about.card_data or {}).get("tags") or ()):
        raise HubRefused(f"{repo} holds something that rlhf-kit did not put there ({names[0]}). Name another "
                         f"repository.")


def _why(repo: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code if error.response is not None else 0
    if status in (401, 403):
        return (f"the hub does not let this token write to {repo} ({status}). Make one that may write at "
                f"https://huggingface.co/settings/tokens, and give it with: hf auth login.")
    said = " ".join((error.server_message or str(error)).split()).rstrip(".")[:160]
    return f"the hub refused {repo} ({said}). Try again later, or write the folder with --dry-run."
