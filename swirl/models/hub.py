"""The Hugging Face Hub: checkpoints from it, folders to it. Nothing here runs unless a Hub name was given.

A token is used for the one call that it was given for; it is neither kept nor written anywhere.
"""

from __future__ import annotations

import re
from pathlib import Path

from swirl.errors import SwirlError, UsageError
from swirl.models.checkpoint_files import ADAPTERS, MANIFEST, read_manifest

HUB_PREFIX = "hub:"
"""Before an id on the Hub it says that no folder of this machine is meant."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
WANTED = (MANIFEST, *(f"{adapter}/{file}" for adapter in ADAPTERS for file in ADAPTER_FILES), "base/*")
UNWANTED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.py", "*.msgpack", "*.h5")
"""Weights come as safetensors only; nothing that could be executed is fetched."""
SNAPSHOT = re.compile(r"models--(?P<owner>[\w.-]+?)--(?P<name>[\w.-]+)")


def download_checkpoint(model_id: str) -> Path | None:
    """The folder of a checkpoint on the Hub, fetched if it is not here yet; None when there is none of that name.

    Raises SwirlError when it cannot be fetched whole, or names a base that only its author has.
    """
    if hub_file(model_id, MANIFEST) is None:
        return None
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(model_id, allow_patterns=list(WANTED), ignore_patterns=list(UNWANTED)))
    except Exception as error:  # whatever the network is up to; a defect of ours would say its name here too
        raise SwirlError(
            f"The checkpoint {model_id} cannot be fetched: {explain_hub_error(error, model_id)}"
        ) from error
    base = read_manifest(folder)["base"]
    if base != "base" and not base.startswith("asset:") and not HUB_ID.fullmatch(base):
        raise SwirlError(f"The checkpoint {model_id} names a base on its author's machine ({base}); take another.")
    return folder


def list_cached_checkpoints() -> list[str]:
    """The checkpoints that were fetched before, as names that can be given: `hub:owner/name`."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folders = {manifest.parents[2].name for manifest in Path(HF_HUB_CACHE).glob(f"models--*/snapshots/*/{MANIFEST}")}
    found = (SNAPSHOT.fullmatch(folder) for folder in sorted(folders))
    names = [f"{HUB_PREFIX}{match['owner']}/{match['name']}" for match in found if match]
    return [name for name in names if cached_folder(name)]


def cached_folder(name: str) -> Path | None:
    """Where a fetched checkpoint lies, without asking anybody; None when it is not here."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name.removeprefix(HUB_PREFIX), MANIFEST)
    return Path(found).parent if isinstance(found, str) else None


def require_write_token(repository: str, token: str | None) -> str:
    """The token to write with: the one given, else this machine's login.

    Raises UsageError for what is no `owner/name`, and when there is no token at all.
    """
    from huggingface_hub import get_token

    if not HUB_ID.fullmatch(repository):
        raise UsageError(f"{repository!r} is not a name on the Hub; write it as owner/name.")
    known = (token or "").strip() or get_token()
    if not known:
        raise UsageError("There is no token to write to the Hub with; set HF_TOKEN, or log in with: hf auth login")
    return known


def upload(folder: Path, repository: str, *, kind: str, token: str | None, private: bool) -> str:
    """Put a folder into a repository of the Hub (`kind` is "model" or "space"), made if need be; its address.

    Raises UsageError or SwirlError in one sentence, in which the token never stands.
    """
    token = require_write_token(repository, token)
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    try:
        sdk = {"space_sdk": "gradio"} if kind == "space" else {}
        made = api.create_repo(repository, repo_type=kind, private=private, exist_ok=True, **sdk)
        said = "Upload from SWIRL Studio"
        api.upload_folder(repo_id=made.repo_id, folder_path=folder, repo_type=kind, commit_message=said)
    except Exception as error:
        # No chain: what a library puts into its errors is not ours to promise, and the token must not be in it.
        raise SwirlError(f"Nothing was uploaded to {repository}: {explain_hub_error(error, repository)}") from None
    return str(made)


def explain_hub_error(error: Exception, repository: str) -> str:
    """Why the Hub did not do what was asked, and the mend."""
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "this machine is told to stay offline; unset HF_HUB_OFFLINE."
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return "the Hub does not know this token; make one that may write, in the settings of your account there."
    if status == 403:
        return f"the token may not write to {repository}; choose a token that may, or a name of your own."
    if status == 404:
        return f"there is no {repository} for this account; check its name."
    if status is not None:
        return f"the Hub answered {status}; try again later."
    if isinstance(error, LocalEntryNotFoundError | OSError) or "httpx" in type(error).__module__:
        return "the Hub cannot be reached; check the connection and try again."
    return f"something failed on the way ({type(error).__name__}); try again."


def hub_file(model_id: str, name: str) -> Path | None:
    """One small file of a model on the Hub; None when it has none of that name or cannot be reached."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled

    try:
        return Path(hf_hub_download(model_id, name))
    except (EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled, OSError):
        return None
