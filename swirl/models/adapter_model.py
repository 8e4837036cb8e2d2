"""AdaptedModel: one base model in memory with the adapters `fwm` and `idm`, sampled and scored in token ids."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from swirl.codecs.state_codecs import Codec, ImageCodec, TextCodec
from swirl.models.checkpoints import base_name
from swirl.models.generation import (
    InterruptCheck,
    SamplingConfig,
    completion_log_probs,
    never_interrupt,
    sample_completions,
)
from swirl.models.hub import HUB_ID
from swirl.models.lora_layers import folded_sets_that_fit, install_fast_lora
from swirl.models.packed_rows import Row, enable_packing
from swirl.models.precision import SMALL_MODEL_PARAMETERS
from swirl.models.prompts import build_layout
from swirl.models.results import LogProb
from swirl.models.scoring import row_log_probs
from swirl.models.speculative_greedy import speculative_greedy_decode
from swirl.models.speculative_sampling import TokenWatcher
from swirl.models.token_interface import FULL_VOCABULARY, TokenSupport
from swirl.progress import ProgressCallback
from swirl.states import State

Role = Literal["fwm", "idm"]
Answer = Literal["state", "action"]
TextWatcher = Callable[[list[str]], None]
"""Called with the texts so far of the answers that are being sampled, after each pass."""

ROWS_AT_ONCE, LARGE_ROWS_AT_ONCE_ON_CPU = 128, 64


class AdaptedModel:
    """A language model with one adapter per role, or one for both, that samples and scores token ids.

    `codec` and `layout` turn states and actions into token ids.
    """

    is_trainable = True

    def __init__(
        self,
        model: PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        base: str,
        shared: bool = False,
        codec: Codec | None = None,
    ) -> None:
        self.model, self.tokenizer, self.name, self.base, self.shared = model, tokenizer, name, base, shared
        self.codec = codec or TextCodec(tokenizer)
        self.layout = build_layout(self.codec)
        declared = model.generation_config.eos_token_id
        declared = declared if isinstance(declared, list) else [declared]
        self.end_ids = {self.layout.end_id, *(token for token in declared if token is not None)}
        self.codec.end_ids |= self.end_ids
        self.max_action_tokens, self.max_state_tokens = 64, 1024
        self.check_interrupt: InterruptCheck = never_interrupt  # an exception that it raises ends the current answer
        self.on_texts: TextWatcher | None = None
        self._is_small = sum(parameter.numel() for parameter in model.parameters()) < SMALL_MODEL_PARAMETERS
        self.are_adapters_disabled = False  # whether the adapters are currently switched off
        for config in model.peft_config.values():
            # When saving, peft looks up the vocabulary of the base model, on the Hub if no configuration is here.
            is_known = (Path(base) / "config.json").is_file() or HUB_ID.fullmatch(base)
            config.base_model_name_or_path = base if is_known else ""  # for None peft would insert the path
        model.eval()
        enable_packing(model)
        self.folded_sets = install_fast_lora(model, folded_sets_that_fit(model))

    @property
    def kind(self) -> str:
        """The kind of its states: "text" or "image"."""
        return self.codec.kind

    @property
    def rows_at_once(self) -> int:
        """How many questions to ask at once: enough to keep the machine busy, and few enough to see progress."""
        return ROWS_AT_ONCE if self.device.type != "cpu" or self._is_small else LARGE_ROWS_AT_ONCE_ON_CPU

    def token_support(self, answer: Answer) -> TokenSupport:
        """The ids that an answer may contain: in an image model codes only for a state, words only for an action."""
        if not isinstance(self.codec, ImageCodec):
            return FULL_VOCABULARY
        first_code, codec = self.codec.offset, self.codec
        if answer == "action":
            return TokenSupport(0, first_code)
        return TokenSupport(first_code, first_code + codec.codebook_size, codec.grid[1], codec.row_end)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.model.parameters()).device

    @property
    def is_small(self) -> bool:
        """Whether one CPU thread computes as fast as several."""
        return self._is_small and self.device.type == "cpu"

    def adapter(self, role: Role) -> str:
        """The name of the adapter for a role; with shared weights it is the same for both."""
        return "fwm" if self.shared else role

    @contextmanager
    def activate_adapter(self, adapter: str | None) -> Iterator[torch.nn.Module]:
        """The model in eval mode with one adapter active (None: the bare base model); restored afterwards."""
        if not (self.are_adapters_disabled or self.model.training) and adapter == self.model.active_adapter:
            yield self.model  # already so; visiting all parameters would take as long as a pass of a small model
            return
        trainable = {name for name, p in self.model.named_parameters() if p.requires_grad}
        previous_adapter, was_training = self.model.active_adapter, self.model.training
        self.model.eval()
        try:
            if adapter is None:
                self.are_adapters_disabled = True
                with self.model.disable_adapter():
                    yield self.model
            else:
                self.model.set_adapter(adapter)
                yield self.model
        finally:
            self.are_adapters_disabled = self.are_adapters_disabled and adapter is not None
            self.model.set_adapter(previous_adapter)
            for name, parameter in self.model.named_parameters():
                parameter.requires_grad_(name in trainable)
            self.model.train(was_training)

    def sample(
        self,
        adapter: str | None,
        prompts: Sequence[Sequence[int]],
        n: int,
        sampling: SamplingConfig,
        generator: torch.Generator | None = None,
        *,
        answer: Answer,
        draft_states: Sequence[State] | None = None,
        drafts: Sequence[Sequence[Sequence[int]]] | None = None,
    ) -> list[list[int]]:
        """Sample `n` completions (token ids) for each prompt, in contiguous runs; a frame has a fixed number of ids.

        `draft_states`, one per prompt, are states that the completions mostly copy; they make sampling faster. `drafts`
        are such guesses as token ids, some for each prompt, the best first.
        """
        sampling, end_ids = self._completion_limits(sampling, answer)
        if draft_states is not None:
            drafts = [[self.state_completion(state)] for state in draft_states]
        with self.activate_adapter(adapter) as model:
            return sample_completions(
                model,
                prompts,
                n,
                sampling,
                end_ids,
                self.tokenizer.pad_token_id,
                generator,
                self.token_support(answer),
                drafts,
                self.check_interrupt,
                self._token_watcher(answer),
            )

    def _token_watcher(self, answer: Answer) -> TokenWatcher | None:
        """What passes on the texts that are being sampled to `on_texts`; None for frames, or if nobody listens."""
        listener = self.on_texts
        if listener is None or (answer == "state" and isinstance(self.codec, ImageCodec)):
            return None
        return lambda completions: listener([self.codec.decode(ids) for ids in completions])

    def _completion_limits(self, sampling: SamplingConfig, answer: Answer) -> tuple[SamplingConfig, set[int]]:
        """The sampling config and end ids for an answer; a frame has a fixed number of ids and no end id."""
        if answer == "state" and isinstance(self.codec, ImageCodec):
            return replace(sampling, max_tokens=self.codec.completion_length), set()
        return sampling, self.end_ids

    def log_prob(
        self,
        adapter: str | None,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        *,
        answer: Answer,
    ) -> list[LogProb]:
        """log P(completion | prompt) under one adapter, at temperature 1, over the ids that the answer may contain."""
        self.check_interrupt()
        with self.activate_adapter(adapter) as model:
            scores = completion_log_probs(
                model, prompts, completions, self.tokenizer.pad_token_id, self.token_support(answer)
            )
        return [LogProb(float(score.sum()), len(score)) for score in scores]

    def row_log_probs(
        self, adapter: str | None, rows: Sequence[Row], *, answer: Answer, temperature: float
    ) -> list[torch.Tensor]:
        """log P of each scored token of each row, (scored,) in nats, 0 where an id was forced."""
        with self.activate_adapter(adapter) as model:
            return row_log_probs(model, rows, self.tokenizer.pad_token_id, self.token_support(answer), temperature)

    def completion(self, text: str) -> list[int]:
        """The token ids of a text answer, with the end token."""
        return [*self.codec.encode(text), self.layout.end_id]

    def state_completion(self, state: State) -> list[int]:
        """The token ids of a state as an answer; a frame has a fixed number of ids and no end token."""
        ids = self.codec.encode_state(state)
        return self.codec.to_completion_ids(ids) if isinstance(self.codec, ImageCodec) else [*ids, self.layout.end_id]

    def run_in_batches(
        self, compute: Callable[[slice], list[Any]], rows: int, progress: ProgressCallback | None, description: str
    ) -> list[Any]:
        """Run `compute` on slices of the rows, report the progress and return all results."""
        gathered: list[Any] = []
        for start in range(0, rows, ROWS_AT_ONCE):
            gathered += compute(slice(start, start + ROWS_AT_ONCE))
            if progress is not None:
                progress(min(1.0, (start + ROWS_AT_ONCE) / rows), description)
        return gathered

    def score_completions(
        self, role: Role, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], answer: Answer
    ) -> list[LogProb]:
        """log P of each completion given its prompt, in batches."""
        adapter = self.adapter(role)
        return self.run_in_batches(
            lambda part: self.log_prob(adapter, prompts[part], completions[part], answer=answer),
            len(prompts),
            None,
            "scoring",
        )

    def greedy_with_guesses(
        self,
        role: Role,
        prompts: Sequence[Sequence[int]],
        guesses: Sequence[Sequence[int]],
        sampling: SamplingConfig,
        answer: Answer,
    ) -> list[tuple[list[int], LogProb]]:
        """The greedy completion (token ids) of each prompt, and log P of its guess."""
        adapter = self.adapter(role)
        sampling, end_ids = self._completion_limits(sampling, answer)

        def compute(part: slice) -> list[tuple[list[int], LogProb]]:
            options = (sampling, end_ids, self.tokenizer.pad_token_id, self.token_support(answer), self.check_interrupt)
            with self.activate_adapter(adapter) as model:
                completions, scores = speculative_greedy_decode(model, prompts[part], guesses[part], *options)
            return [(ids, LogProb(float(s.sum()), len(s))) for ids, s in zip(completions, scores, strict=True)]

        return self.run_in_batches(compute, len(prompts), None, "checking guesses")

    def describe(self) -> dict[str, Any]:
        """What was loaded, as a JSON-serialisable dictionary."""
        adapter = sum(p.numel() for name, p in self.model.named_parameters() if f".{self.adapter('fwm')}." in name)
        total = sum(p.numel() for name, p in self.model.named_parameters() if "lora_" not in name)
        return {
            "name": self.name,
            "base": base_name(self.base),
            "parameters": total,
            "adapter_parameters": adapter,
            "adapters": ["fwm"] if self.shared else ["fwm", "idm"],
            "device": str(self.device),
            "precision": str(next(self.model.parameters()).dtype).removeprefix("torch."),
        }

    def unload(self) -> None:
        """Free the memory; the object cannot be used afterwards."""
        device = self.device
        del self.model
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
