"""A vLLM server that samples the rollouts of text models, asked through trl's client.

Before it samples for a step, it gets all weights of the base model with the trainee's adapter merged in, over NCCL, as
trl's own trainer sends them. It returns token ids. All log-probabilities of training are still our own model's; how far
the server's are from them is measured in each step on a short probe, which also finds a server with other weights.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import torch
from trl.generation.vllm_client import VLLMClient

from swirl.errors import SwirlError, UsageError, first_line
from swirl.models.generation import SamplingConfig
from swirl.models.merged_weights import merged_weights, plain_layers
from swirl.models.packed_rows import Row
from swirl.models.token_interface import unwrap_model
from swirl.models.world_model import WorldModel
from swirl.training.diagnostics import is_out_of_memory

log = logging.getLogger("swirl")

OWN_ENGINE = "this program"
"""The rollout engine of a run without a server."""
HEALTH_TIMEOUT = 10.0  # seconds
REQUEST_TIMEOUT = (30.0, 900.0)  # seconds to connect, and to answer; trl's client would wait forever
PROBE_COMPLETIONS, PROBE_TOKENS = 8, 16
MAX_GAP = 0.1
"""Nats a token between the server's and our log-probabilities; rounding to bfloat16 made 0.04 with SmolLM2-135M."""
SMALLEST_TOP_P = 1e-6  # vLLM refuses 0, which like this leaves only the likeliest token
SHAPE = (
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
)
"""Entries of a model's configuration that must agree, or its weights do not fit into the server's model."""


class RolloutServer:
    """A connected server. `gap` is the last measured difference, in nats a token; None on other ranks than the first.

    All ranks sample from it; the first also sends the weights, for which it is a member of the server's NCCL group.
    """

    def __init__(self, url: str, world: WorldModel, *, is_main_process: bool = True) -> None:
        """Connect. Raises SwirlError if the server is not there, not fit, or serves a model of another shape."""
        self.url, self.world, self.is_main_process = url, world, is_main_process
        self.gap: float | None = None
        require_servable(world)
        device = transfer_device(world.device)
        self._check_health()
        with self._explain("being connected"):
            try:
                self.client = VLLMClient(base_url=url, group_port=free_port())
            except ImportError as error:
                raise SwirlError(
                    "rollout_server needs the package vllm in this environment, too, for trl's client; "
                    "docs/command-line.md says how to install it, or set rollout_server=none."
                ) from error
            self.client.session.request = partial(self.client.session.request, timeout=REQUEST_TIMEOUT)
            self._check_model(self.client.get_server_info()["model_config"])
            if is_main_process:
                self.client.init_communicator(device=device)
        # Known only once they have been listed: the server must hear of all weights before the first one comes.
        self._weights: list[tuple[str, str, list[int]]] | None = None

    def __str__(self) -> str:
        return f"vLLM at {self.url} ({self.client.model})"

    def sample(
        self, adapter: str, prompts: Sequence[Sequence[int]], n: int, sampling: SamplingConfig
    ) -> list[list[int]]:
        """Sample `n` completions (token ids) for each prompt with an adapter, in contiguous runs. All ranks call it.

        The distribution is that of `AdaptedModel.sample`, up to rounding: temperature, then top-k, then top-p, over the
        full vocabulary; a completion ends with an end id unless it was cut short. The server draws its own random
        numbers. Raises SwirlError if it fails, or answers with something else than was asked for.
        """
        if self.is_main_process:
            self._check_health()  # sending weights to a server that has gone would never end
            self._send_weights(adapter)
            self.gap = self._measure_gap(adapter, prompts[0])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()
        answer = self._generate(prompts, n, sampling, logprobs=None)
        return answer["completion_ids"]

    def close(self) -> None:
        """Leave the server's group; it goes on running."""
        self.client.close_communicator()

    def _send_weights(self, adapter: str) -> None:
        """Give the server the base model's weights with an adapter merged in."""
        model = self.world.model
        if self._weights is None:
            self._weights = [
                (name, str(weight.dtype).removeprefix("torch."), list(weight.shape))
                for name, weight in merged_weights(model, adapter)
            ]
        with self._explain("taking in the weights"):
            self.client.update_named_params(self._weights, merged_weights(model, adapter))
            self.client.reset_prefix_cache()

    def _measure_gap(self, adapter: str, prompt: Sequence[int]) -> float:
        """The mean absolute difference of the log-probabilities of a few tokens that the server samples, in nats.

        At temperature 1, where they do not depend on the server's `--logprobs-mode`. Raises SwirlError if it is so
        large that the server must have other weights.
        """
        sampling = SamplingConfig(PROBE_TOKENS)
        answer = self._generate([prompt], PROBE_COMPLETIONS, sampling, logprobs=0)
        completions = answer["completion_ids"]
        rows = [Row([*prompt, *ids], len(ids)) for ids in completions]
        ours = torch.cat(self.world.row_log_probs(adapter, rows, answer="state", temperature=1.0)).cpu()
        theirs = torch.tensor([values[0] for row in answer["logprobs"] for values in row], dtype=torch.float32)
        gap = float((ours - theirs).abs().mean())
        if not gap <= MAX_GAP:
            raise SwirlError(
                f"The rollout server at {self.url} samples from another model: after it was given this run's weights, "
                f"its log-probabilities differ from the run's own by {gap:.2g} nats a token; let it serve the model of "
                "this run, unquantised."
            )
        return gap

    def _generate(
        self, prompts: Sequence[Sequence[int]], n: int, sampling: SamplingConfig, logprobs: int | None
    ) -> dict[str, Any]:
        """The client's answer, checked to be one for these prompts."""
        # Our own end ids and no others: the server would add those of its tokenizer.
        ends = {"stop_token_ids": sorted(self.world.end_ids), "ignore_eos": True}
        with self._explain("sampling"):
            answer = self.client.generate(
                [list(prompt) for prompt in prompts],
                n=n,
                temperature=sampling.temperature,
                top_p=max(sampling.top_p, SMALLEST_TOP_P),
                top_k=sampling.top_k,
                max_tokens=sampling.max_tokens,
                logprobs=logprobs,
                generation_kwargs=ends,
            )
            check_completions(answer, prompts, n, sampling.max_tokens, self._vocabulary)
        return answer

    @property
    def _vocabulary(self) -> int:
        return len(unwrap_model(self.world.model).get_input_embeddings().weight)

    def _check_health(self) -> None:
        """Raise SwirlError unless the server answers; trl's own check waits forever for one that answers an error."""
        try:
            status = httpx.get(f"{self.url}/health", timeout=HEALTH_TIMEOUT).status_code
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise SwirlError(
                f"The rollout server at {self.url} does not answer; start it there (docs/command-line.md says how) and "
                "resume the run, or set rollout_server=none."
            ) from error
        if status != 200:
            raise SwirlError(
                f"The rollout server at {self.url} answers {status} when asked for its health; wait until it is up, or "
                "check that the address is that of a vLLM server."
            )

    def _check_model(self, served: dict[str, Any]) -> None:
        """Raise SwirlError if the server's model is quantised, or of another shape than the run's base model."""
        if served.get("quantization") is not None:
            raise SwirlError(
                f"The rollout server at {self.url} serves quantised weights ({served['quantization']}), into which "
                "those of this run do not fit; serve the model unquantised."
            )
        ours, theirs = unwrap_model(self.world.model).config.to_dict(), served_configuration(served)
        for name in SHAPE:
            if name in ours and theirs.get(name, ours[name]) != ours[name]:
                raise SwirlError(
                    f"The rollout server at {self.url} serves another model ({self.client.model}): its {name} is "
                    f"{theirs[name]}, that of this run's model is {ours[name]}; serve the model of this run."
                )

    @contextmanager
    def _explain(self, doing: str) -> Iterator[None]:
        """Turn what trl's client raises, bare Exceptions among others, into one sentence."""
        try:
            yield
        except SwirlError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise SwirlError(
                f"The rollout server at {self.url} failed while {doing} ({first_line(error)[:300]}); see what it "
                "printed, start it again at this address, and resume the run."
            ) from error


def require_servable(world: WorldModel) -> None:
    """Raise SwirlError for a model whose rollouts a server cannot sample: pictures, or adapters that do not merge."""
    if world.kind != "text":
        raise UsageError(
            "rollout_server samples texts only: a picture is drawn from the model's image codes alone; set "
            "rollout_server=none."
        )
    plain_layers(world.model, world.adapter("fwm"))


def transfer_device(device: torch.device) -> torch.device:
    """The device that weights are sent from. Raises UsageError unless it is a GPU, for they travel over NCCL."""
    if device.type != "cuda":
        raise UsageError(
            f"rollout_server needs a GPU that NCCL can send weights from, and this run trains on {device.type}; set "
            "rollout_server=none."
        )
    return device


def free_port() -> int:
    """A port for the server's group that no other run of this machine uses; trl's default is the same for all runs."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def served_configuration(model_config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the served model as far as the server tells it.

    vLLM prints it as text, `Qwen2Config {…}`, without the entries that have their class's default.
    """
    told = model_config.get("hf_config")
    if isinstance(told, dict):
        return told
    _, opening, rest = str(told).partition("{")
    try:
        return json.loads(opening + rest)
    except ValueError:
        return {}


def check_completions(
    answer: dict[str, Any], prompts: Sequence[Sequence[int]], n: int, max_tokens: int, vocabulary: int
) -> None:
    """Raise ValueError if an answer is not `n` completions for each of these prompts."""
    completions = answer["completion_ids"]
    if len(completions) != n * len(prompts):
        raise ValueError(f"it gave {len(completions)} completions for {len(prompts)} prompts of {n} each")
    if answer["prompt_ids"] != [list(prompt) for prompt in prompts]:
        raise ValueError("it read other prompts than it was sent")
    for ids in completions:
        if not 0 < len(ids) <= max_tokens:
            raise ValueError(f"it gave a completion of {len(ids)} tokens where 1 to {max_tokens} were asked for")
        if not all(0 <= token < vocabulary for token in ids):
            raise ValueError(f"it gave a token outside the vocabulary of {vocabulary}")
