"""A small server with the endpoints of `vllm serve` that trl's client asks, and what stands in for NCCL beside it.

The server loads a folder with transformers and samples with its `generate`. trl's client talks to it unchanged; only
what the client takes from the package vllm is replaced: the group that weights travel in is one TCP connection, over
which their bytes go in the announced order.
"""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from swirl.training import rollout_server


class VllmStandIn:
    """The server, in a thread of this process. What tests make it do wrong is set on it as attributes."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.name = folder.name
        self.asked: list[str] = []
        self.samplings: list[dict[str, Any]] = []
        """The bodies of all requests for completions."""
        self.sampling_now: list[int] = []
        """For each request that is being sampled, the number of updates when it came."""
        self.updates = 0
        self.hf_config: Any = str(self.model.config)
        self.quantization: str | None = None
        self.weight_transfer: dict[str, str] | None = {"backend": "nccl"}
        self.missing: set[str] = set()
        """Paths that it answers with 404."""
        self.ignores_weights = False
        self.alter: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda choices: choices
        self.dies_after_updates: int | None = None
        self.connection: socket.socket | None = None
        self.http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering; its port can be used again."""
        self.http.shutdown()
        self.http.server_close()
        if self.connection is not None:
            self.connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.answer(json.loads(body or b"{}"))

            def answer(self, body: dict[str, Any]) -> None:
                path = self.path.partition("?")[0]
                server.asked.append(path)
                status, document = server.respond(path, body)
                content = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def respond(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the document that answer a request."""
        known: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "/health": lambda _: {},
            "/v1/models": lambda _: {"data": [{"id": self.name}]},
            "/server_info": lambda _: {"vllm_config": self.configuration()},
            "/get_world_size": lambda _: {"world_size": 1},
            "/init_weight_transfer_engine": self.join_group,
            "/start_weight_update": lambda _: {},
            "/update_weights": self.update_weights,
            "/finish_weight_update": lambda _: {},
            "/reset_prefix_cache": lambda _: {"success": True},
            "/v1/completions": self.complete,
        }
        if path in self.missing or path not in known:
            return 404, {"detail": "Not Found"}
        if self.dies_after_updates is not None and self.updates >= self.dies_after_updates and path == "/health":
            threading.Thread(target=self.close).start()
        return 200, known[path](body)

    def configuration(self) -> dict[str, Any]:
        """What trl's client and the run read of vLLM's VllmConfig."""
        model = {"model": self.name, "hf_config": self.hf_config, "quantization": self.quantization}
        return {"model_config": model, "weight_transfer_config": self.weight_transfer}

    def join_group(self, body: dict[str, Any]) -> dict[str, Any]:
        """Connect to the trainer, which may begin to listen a little later."""
        info = body["init_info"]
        assert (info["rank_offset"], info["world_size"]) == (1, 2)
        for _ in range(100):
            try:
                self.connection = socket.create_connection((info["master_address"], info["master_port"]), timeout=20)
                return {}
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise AssertionError("the trainer does not listen")

    def update_weights(self, body: dict[str, Any]) -> dict[str, Any]:
        """Read the announced weights from the connection into the model; all of them, and no byte more or less."""
        assert self.connection is not None
        info = body["update_info"]
        left = {name for name, _ in self.model.named_parameters()}
        for name, dtype_name, shape in zip(info["names"], info["dtype_names"], info["shapes"], strict=True):
            dtype = getattr(torch, dtype_name)
            content = bytearray()
            while missing := math.prod(shape) * dtype.itemsize - len(content):
                received = self.connection.recv(missing)
                assert received, "the trainer sent fewer weights than it announced"
                content += received
            left.remove(name)
            if not self.ignores_weights:
                with torch.no_grad():
                    self.model.get_parameter(name).copy_(torch.frombuffer(content, dtype=dtype).view(shape))
        assert not left, f"the trainer did not send {left}"
        self.updates += 1
        return {}

    @torch.no_grad()
    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Completions of token ids, prompt by prompt, with the log-probability of each token if asked for."""
        self.samplings.append(body)
        self.sampling_now.append(self.updates)
        try:
            return {"choices": self.alter(self.sample(body))}
        finally:
            assert self.sampling_now.pop() == self.updates, "the weights changed while they were sampled from"

    def sample(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The choices of a request for completions."""
        choices: list[dict[str, Any]] = []
        for prompt in body["prompt"]:
            config = GenerationConfig(
                do_sample=True,
                temperature=body["temperature"],
                top_p=body["top_p"],
                top_k=body["top_k"],
                max_new_tokens=body["max_tokens"],
                num_return_sequences=body["n"],
                eos_token_id=body["stop_token_ids"],
                pad_token_id=0,
                output_scores=True,
                return_dict_in_generate=True,
            )
            ids = torch.tensor([prompt])
            done = self.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
            scores = torch.stack(done.scores, dim=1).log_softmax(-1)
            for row, row_scores in zip(done.sequences[:, len(prompt) :], scores, strict=True):
                ends = [i for i, token in enumerate(row.tolist()) if token in body["stop_token_ids"]]
                tokens = row[: ends[0] + 1 if ends else len(row)]
                values = row_scores[range(len(tokens)), tokens].tolist()
                choices.append({"prompt_token_ids": prompt, "token_ids": tokens.tolist(), "logprobs": None})
                if body["logprobs"] is not None:
                    names = [f"token_id:{token}" for token in tokens.tolist()]
                    choices[-1]["logprobs"] = {"tokens": names, "token_logprobs": values}
                    choices[-1]["logprobs"]["top_logprobs"] = [
                        {name: value} for name, value in zip(names, values, strict=True)
                    ]
        return choices


def open_trainer_endpoint(init_info: dict[str, Any]) -> SimpleNamespace:
    """Wait for the server; the attributes of the communicator are those that trl's client clears at the end."""
    with socket.create_server((init_info["master_address"], init_info["master_port"])) as listener:
        listener.settimeout(20)
        connection, _ = listener.accept()
    return SimpleNamespace(group=SimpleNamespace(store=None, socket=connection))


def send_tensors(
    iterator: Iterator[tuple[str, torch.Tensor]],
    group: SimpleNamespace,
    src: int,
    post_iter_func: Callable[[tuple[str, torch.Tensor]], torch.Tensor],
) -> None:
    """Send the bytes of all tensors, as `packed_nccl_broadcast_producer` broadcasts them."""
    for item in iterator:
        group.group.socket.sendall(post_iter_func(item).contiguous().view(-1).view(torch.uint8).numpy().tobytes())


def stand_in_for_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace what trl's client takes from the package vllm, and the GPU that weights would be sent from."""
    client = "trl.generation.vllm_client"
    replacements: dict[str, Any] = {
        "is_vllm_available": lambda min_version=None: True,
        "get_ip": lambda: "127.0.0.1",
        "open_trainer_endpoint": open_trainer_endpoint,
        "packed_nccl_broadcast_producer": send_tensors,
        "_HAS_STATEFUL_TRAINER_ENGINE": True,
        "_HAS_RESET_PREFIX_CACHE_SUCCESS": True,
    }
    for name, value in replacements.items():
        monkeypatch.setattr(f"{client}.{name}", value, raising=False)
    # Without a number, trl's client does not select the device.
    monkeypatch.setattr(rollout_server, "transfer_device", lambda device: torch.device("cuda"))
    # trl's client asks a server that is gone five times, over a minute.
    monkeypatch.setattr(f"{client}.Retry", lambda **options: 0)
