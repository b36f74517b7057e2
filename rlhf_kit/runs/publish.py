"""A run's model on the Hugging Face hub: only what a model needs, and its card."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
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

from rlhf_kit.runs.lineage import model_in
from rlhf_kit.storage import MANIFEST, StorageError, new_folder

NEEDED = ("config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json",
          "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "spiece.model", "special_tokens_map.json",
          "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja")
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

    @property
    def size(self) -> int:
        """Bytes of what goes."""
        return sum((self.model / name).stat().st_size for name in self.goes)


def parcel(run: str | Path) -> Parcel:
    """The files of a finished run's model. Raises: StorageError, one line, if there is nothing to publish."""
    place = Path(run).expanduser()
    if not (place / "settings.json").is_file():
        inside = sorted(str(file.parent) for file in place.glob("*/settings.json")) if place.is_dir() else []
        hint = f" Runs lie in {', '.join(inside[:6])}." if inside else ""
        raise StorageError(f"{run} is no run: it has no settings.json. Name the folder that rlhf-kit trained "
                           f"into.{hint}")
    if not (place / "result.json").is_file():
        raise StorageError(f"{run} is not finished: it has no result.json, and so no numbers for the card. Run the "
                           f"same command again; it goes on from there.")
    model = model_in(place)
    there = [] if model is None else sorted(file.name for file in model.iterdir() if file.name != MANIFEST)
    goes = tuple(name for name in there if any(fnmatch(name, pattern) for pattern in NEEDED))
    if "config.json" not in goes or not any(name.endswith(".safetensors") for name in goes):
        raise StorageError(f"{run} holds nothing to publish: a whole model in policy/ or model/ is expected there. Run "
                           f"the same command again with --fresh.")
    return Parcel(model, goes, tuple(name for name in there if name not in goes))


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
