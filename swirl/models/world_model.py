"""WorldModel: one base model in memory with the adapters `fwm` and `idm`; P(y | x, z) and Q(z | x, y)."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from swirl.models.checkpoints import HUB_ID, MANIFEST, base_name
from swirl.models.generation import Sampling, log_probs, sample
from swirl.models.results import Alternative, Inference, LogProb, Prediction
from swirl.prompts import TagLayout, layout_for
from swirl.states import State

Role = Literal["fwm", "idm"]
Progress = Callable[[float, str], None]
ROWS_AT_ONCE = 128


class WorldModel:
    """The forward world model and the inverse dynamics model over one language model.

    `sample` and `log_prob` speak token ids; the other methods speak states and actions.
    """

    def __init__(
        self, model: PeftModel, tokenizer: PreTrainedTokenizerBase, *, name: str, base: str, shared: bool = False
    ) -> None:
        self.model, self.tokenizer, self.name, self.base, self.shared = model, tokenizer, name, base, shared
        self.layout = layout_for(tokenizer)
        self.codec = self.layout.codec
        declared = model.generation_config.eos_token_id
        declared = declared if isinstance(declared, list) else [declared]
        self.end_ids = {self.layout.end_id, *(token for token in declared if token is not None)}
        self.max_action_tokens, self.max_state_tokens = 64, 1024
        for config in model.peft_config.values():
            # peft looks the base model's vocabulary up when it saves, on the Hub if this names no folder.
            config.base_model_name_or_path = base if Path(base).is_dir() or HUB_ID.fullmatch(base) else None
        model.eval()

    # --- ids -------------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def adapter(self, role: Role) -> str:
        """The adapter that plays a role; one plays both when weights are shared."""
        return "fwm" if self.shared else role

    @contextmanager
    def playing(self, adapter: str | None) -> Iterator[torch.nn.Module]:
        """The model with one adapter active (None: the bare base model), in eval mode; all of it is put back after."""
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        before, mode = self.model.active_adapter, self.model.training
        self.model.eval()
        try:
            if adapter is None:
                with self.model.disable_adapter():
                    yield self.model
            else:
                self.model.set_adapter(adapter)
                yield self.model
        finally:
            self.model.set_adapter(before)
            for name, parameter in self.model.named_parameters():
                parameter.requires_grad_(name in trained)
            self.model.train(mode)

    def sample(
        self,
        adapter: str | None,
        prompts: Sequence[Sequence[int]],
        n: int,
        how: Sampling,
        generator: torch.Generator | None = None,
    ) -> list[list[int]]:
        """`n` completions (token ids) for each prompt, in contiguous runs."""
        pad_id = self.tokenizer.pad_token_id
        with self.playing(adapter) as model:
            return sample(model, prompts, n, how, self.end_ids, pad_id, generator)

    def log_prob(
        self, adapter: str | None, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[LogProb]:
        """log P(completion | prompt) under one adapter, at temperature 1 over the full vocabulary."""
        with self.playing(adapter) as model:
            scores = log_probs(model, prompts, completions, self.tokenizer.pad_token_id)
        return [LogProb(float(score.sum()), len(score)) for score in scores]

    def completion(self, text: str) -> list[int]:
        """The token ids of an answer, closed with the end mark."""
        return [*self.codec.encode(text), self.layout.end_id]

    def batched(
        self, compute: Callable[[slice], list[Any]], rows: int, progress: Progress | None, what: str
    ) -> list[Any]:
        """Run `compute` on slices of the rows and gather; tells the progress."""
        gathered: list[Any] = []
        for start in range(0, rows, ROWS_AT_ONCE):
            gathered += compute(slice(start, start + ROWS_AT_ONCE))
            if progress is not None:
                progress(min(1.0, (start + ROWS_AT_ONCE) / rows), what)
        return gathered

    # --- states and actions ----------------------------------------------------------------------------------

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        """log P(y | x, z) for each row."""
        prompts = [self.layout.forward(x, z) for x, z in zip(states, actions, strict=True)]
        return self.scored(self.adapter("fwm"), prompts, [y.text for y in next_states])

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]:
        """log Q(z | x, y) for each row."""
        prompts = [self.layout.inverse(x, y) for x, y in zip(states, next_states, strict=True)]
        return self.scored(self.adapter("idm"), prompts, actions)

    def without_state_log_prob(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]:
        """log P(y | z) with the state left empty; what an action alone says of the next state."""
        prompts = [self.layout.without_state(z) for z in actions]
        return self.scored(self.adapter("fwm"), prompts, [y.text for y in next_states])

    def scored(self, adapter: str, prompts: Sequence[Sequence[int]], answers: Sequence[str]) -> list[LogProb]:
        """log P of each answer given its prompt, in slices."""
        completions = [self.completion(text) for text in answers]
        return self.batched(
            lambda part: self.log_prob(adapter, prompts[part], completions[part]), len(prompts), None, "scoring"
        )

    def room_for(self, states: Sequence[State]) -> int:
        """Tokens that a next state may take: twice the longest state here and some, so that one answer that never ends
        does not hold up the rest."""
        longest = max((len(self.codec.encode(state.text)) for state in states), default=0)
        return min(self.max_state_tokens, 2 * longest + 32)

    def imagine_batch(
        self,
        states: Sequence[State],
        actions: Sequence[str],
        temperature: float = 0.0,
        progress: Progress | None = None,
    ) -> list[State]:
        """One next state for each row; the likeliest tokens at temperature 0."""
        prompts = [self.layout.forward(x, z) for x, z in zip(states, actions, strict=True)]
        how = Sampling(self.room_for(states), temperature)

        def compute(part: slice) -> list[State]:
            drawn = self.sample(self.adapter("fwm"), prompts[part], 1, how)
            return [self.codec.state(self.codec.decode(ids)) for ids in drawn]

        return self.batched(compute, len(prompts), progress, "imagining next states")

    def infer(
        self,
        transitions: Sequence[tuple[State, State]],
        *,
        alternatives: int = 4,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[Inference]:
        """The latent action of each transition (x, y): the likeliest of the greedy answer and some samples.

        With `alternatives=1` only the greedy answer is computed.
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        prompts = [self.layout.inverse(x, y) for x, y in transitions]
        adapter, longest = self.adapter("idm"), self.max_action_tokens

        def compute(part: slice) -> list[Inference]:
            here = prompts[part]
            drawn = [[ids] for ids in self.sample(adapter, here, 1, Sampling(longest, 0.0))]
            if alternatives > 1:
                n = 2 * alternatives
                more = self.sample(adapter, here, n, Sampling(longest), generator)
                drawn = [first + more[i * n : (i + 1) * n] for i, first in enumerate(drawn)]
            found = [list(dict.fromkeys(self.codec.decode(ids) for ids in group)) for group in drawn]
            rows = [(prompt, action) for prompt, group in zip(here, found, strict=True) for action in group]
            scores = iter(self.log_prob(adapter, [p for p, _ in rows], [self.completion(a) for _, a in rows]))
            ranked = [
                sorted((Alternative(a, next(scores).total) for a in group), key=lambda a: -a.log_prob)[:alternatives]
                for group in found
            ]
            return [Inference(group[0].action, group[0].log_prob, tuple(group)) for group in ranked]

        return self.batched(compute, len(prompts), progress, "inferring actions")

    def imagine(
        self, state: State, action: str, *, n: int = 4, temperature: float = 1.0, seed: int = 0
    ) -> list[Prediction]:
        """`n` sampled next states, ranked by how well the IDM reads the action back: log Q(z | x, y')."""
        generator = torch.Generator(self.device).manual_seed(seed)
        prompt = self.layout.forward(state, action)
        drawn = self.sample(self.adapter("fwm"), [prompt], n, Sampling(self.room_for([state]), temperature), generator)
        states = [self.codec.state(self.codec.decode(ids)) for ids in drawn]
        scores = self.inverse_log_prob([state] * n, states, [action] * n)
        chances = self.log_prob(self.adapter("fwm"), [prompt] * n, drawn)
        predictions = [
            Prediction(s, score.total, chance.total) for s, score, chance in zip(states, scores, chances, strict=True)
        ]
        return sorted(predictions, key=lambda prediction: -prediction.score)

    def suggest_actions(self, state: State, n: int = 6, seed: int = 0) -> list[str]:
        """Plausible actions here: next states drawn without an action, and what the IDM reads from them.

        A tag model draws them from its base, which learned P(y | x) with the action slot left empty.
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        adapter = None if isinstance(self.layout, TagLayout) else self.adapter("fwm")
        drawn = self.sample(
            adapter, [self.layout.forward(state, "")], 4 * n, Sampling(self.room_for([state])), generator
        )
        texts = dict.fromkeys(self.codec.decode(ids) for ids in drawn)
        pairs = [(state, State(text)) for text in texts if text != state.text] or [(state, state)]
        read = self.infer(pairs, alternatives=1)
        ranked = sorted(read, key=lambda inference: -inference.log_prob)
        return list(dict.fromkeys(inference.action for inference in ranked if inference.action))[:n]

    # --- life ------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """What was loaded, for people."""
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

    def save(self, folder: Path, *, with_base: bool = False) -> None:
        """Write a checkpoint: a temporary sibling first, then a rename, so that no half of one is ever seen."""
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            self.model.save_pretrained(str(temporary), selected_adapters=sorted({"fwm", self.adapter("idm")}))
            if self.shared:
                shutil.copytree(temporary / "fwm", temporary / "idm")
            if with_base:
                base = self.model.get_base_model()
                weights = {k.replace(".base_layer.", "."): v for k, v in base.state_dict().items() if ".lora_" not in k}
                base.save_pretrained(str(temporary / "base"), state_dict=weights)
                self.tokenizer.save_pretrained(str(temporary / "base"))
            for card in temporary.rglob("README.md"):
                card.unlink()
            base_from = "base" if with_base else base_name(self.base)
            for config in temporary.glob("*/adapter_config.json"):
                # peft writes the folder that the base happened to lie in, which means nothing elsewhere.
                written = json.loads(config.read_text(encoding="utf-8"))
                config.write_text(json.dumps({**written, "base_model_name_or_path": base_from}, indent=2) + "\n")
            for weights in temporary.rglob("*.safetensors"):
                weights.chmod(0o644)
            manifest = {"format": 1, "base": base_from, "shared": self.shared}
            (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def unload(self) -> None:
        """Give the memory back; the object is of no use afterwards."""
        device = self.device
        del self.model
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
