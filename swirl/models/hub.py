"""Downloads checkpoints from the Hugging Face Hub and uploads folders to it, only when the user names a Hub id.

A token is used only for the call that it was given to; it is never stored.
"""

from __future__ import annotations

import re
from pathlib import Path

from swirl.errors import SwirlError, UsageError
from swirl.models.checkpoint_files import ADAPTERS, MANIFEST, read_manifest

HUB_PREFIX = "hub:"
"""Marks a name as a Hub id, so that it is not taken for a local folder."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
ALLOWED_FILES = (MANIFEST, *(f"{adapter}/{file}" for adapter in ADAPTERS for file in ADAPTER_FILES), "base/*")
EXCLUDED_FILES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.py", "*.msgpack", "*.h5")
"""Only safetensors and GGUF weights are downloaded, and nothing that could be executed."""
CACHE_FOLDER = re.compile(r"models--(?P<owner>[\w.-]+?)--(?P<name>[\w.-]+)")


def download_checkpoint(model_id: str) -> Path | None:
    """The local folder of a checkpoint on the Hub, downloaded if needed; None if there is no such checkpoint.

    Raises SwirlError if the download fails, or if the checkpoint names a base model that only its author has.
    """
    if hub_file(model_id, MANIFEST) is None:
        return None
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(model_id, allow_patterns=list(ALLOWED_FILES), ignore_patterns=list(EXCLUDED_FILES))
        )
    except Exception as error:  # network libraries raise many types; the message names the unexpected ones
        raise SwirlError(
            f"The checkpoint {model_id} cannot be downloaded: {explain_hub_error(error, model_id)}"
        ) from error
    base = read_manifest(folder)["base"]
    if base != "base" and not base.startswith("asset:") and not HUB_ID.fullmatch(base):
        raise SwirlError(
            f"The checkpoint {model_id} needs a base model on its author's machine ({base}); choose another one."
        )
    return folder


def list_cached_checkpoints() -> list[str]:
    """The downloaded checkpoints, as names that can be loaded: `hub:owner/name`."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folders = {manifest.parents[2].name for manifest in Path(HF_HUB_CACHE).glob(f"models--*/snapshots/*/{MANIFEST}")}
    matches = (CACHE_FOLDER.fullmatch(folder) for folder in sorted(folders))
    names = [f"{HUB_PREFIX}{match['owner']}/{match['name']}" for match in matches if match]
    return [name for name in names if cached_folder(name)]


def cached_folder(name: str) -> Path | None:
    """The local folder of a downloaded checkpoint, without a request to the Hub; None if there is none."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(name.removeprefix(HUB_PREFIX), MANIFEST)
    return Path(cached).parent if isinstance(cached, str) else None


def require_write_token(repository: str, token: str | None) -> str:
    """The token for writing to the Hub: the given one, else this machine's login.

    Raises UsageError if `repository` is not of the form `owner/name`, or if there is no token.
    """
    from huggingface_hub import get_token

    if not HUB_ID.fullmatch(repository):
        raise UsageError(f"{repository!r} is not a valid name on the Hub; write it as owner/name.")
    write_token = (token or "").strip() or get_token()
    if not write_token:
        raise UsageError("There is no token for writing to the Hub; set HF_TOKEN, or log in with: hf auth login")
    return write_token


def upload(folder: Path, repository: str, *, kind: str, token: str | None, private: bool) -> str:
    """Upload a folder to a Hub repository (`kind` is "model" or "space"), created if missing; returns its address.

    Raises UsageError or SwirlError, whose message never contains the token.
    """
    token = require_write_token(repository, token)
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    try:
        sdk = {"space_sdk": "gradio"} if kind == "space" else {}
        created = api.create_repo(repository, repo_type=kind, private=private, exist_ok=True, **sdk)
        message = "Upload from SWIRL Studio"
        api.upload_folder(repo_id=created.repo_id, folder_path=folder, repo_type=kind, commit_message=message)
    except Exception as error:
        # Not chained: the original error might contain the token.
        raise SwirlError(f"Nothing was uploaded to {repository}: {explain_hub_error(error, repository)}") from None
    return str(created)


def explain_hub_error(error: Exception, repository: str) -> str:
    """Why a request to the Hub failed, and how to fix it."""
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "this machine is set to offline mode; unset HF_HUB_OFFLINE."
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return "the Hub does not accept this token; create one with write access in the settings of your Hub account."
    if status == 403:
        return f"the token has no write access to {repository}; use a token that has, or a name of your own."
    if status == 404:
        return f"this account has no {repository}; check the name."
    if status is not None:
        return f"the Hub answered {status}; try again later."
    if isinstance(error, LocalEntryNotFoundError | OSError) or "httpx" in type(error).__module__:
        return "the Hub cannot be reached; check the connection and try again."
    return f"an unexpected error occurred ({type(error).__name__}); try again."


def hub_file(model_id: str, name: str) -> Path | None:
    """One small file of a model on the Hub, downloaded; None if there is no such file or the Hub is out of reach."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled

    try:
        return Path(hf_hub_download(model_id, name))
    except (EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled, OSError):
        return None
