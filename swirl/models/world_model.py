"""WorldModel: one base model in memory with the adapters `fwm` and `idm`; P(y | x, z) and Q(z | x, y)."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from swirl.codecs import Codec, ImageCodec, TextCodec
from swirl.models.body import WHOLE, Support
from swirl.models.checking import greedy_along
from swirl.models.checkpoints import HUB_ID, MANIFEST, base_name
from swirl.models.folding import folded
from swirl.models.generation import Sampling, Watch, log_probs, sample, unwatched
from swirl.models.results import Alternative, Inference, LogProb, Prediction
from swirl.models.threads import SMALL
from swirl.pictures import key
from swirl.prompts import layout_for
from swirl.states import State

Role = Literal["fwm", "idm"]
Answer = Literal["state", "action"]
Progress = Callable[[float, str], None]
ROWS_AT_ONCE = 128
UNSURE = math.log(0.5)


class WorldModel:
    """The forward world model and the inverse dynamics model over one language model.

    `sample` and `log_prob` speak token ids; the other methods speak states and actions.
    """

    trainable = True

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
        self.layout = layout_for(self.codec)
        declared = model.generation_config.eos_token_id
        declared = declared if isinstance(declared, list) else [declared]
        self.end_ids = {self.layout.end_id, *(token for token in declared if token is not None)}
        self.max_action_tokens, self.max_state_tokens = 64, 1024
        self.watch: Watch = unwatched  # what it raises ends the answer at work
        self._small = sum(parameter.numel() for parameter in model.parameters()) < SMALL
        self.bare = False  # whether the adapters are switched off at present
        for config in model.peft_config.values():
            # peft looks the base model's vocabulary up when it saves, on the Hub if this names no folder.
            config.base_model_name_or_path = base if Path(base).is_dir() or HUB_ID.fullmatch(base) else None
        model.eval()

    # --- ids -------------------------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """What its states are: "text" or "image"."""
        return self.codec.kind

    def support(self, answer: Answer) -> Support:
        """The ids that an answer may hold: of a picture codes alone, of an action beside pictures words alone."""
        if not isinstance(self.codec, ImageCodec):
            return WHOLE
        first, codec = self.codec.offset, self.codec
        if answer == "action":
            return Support(0, first)
        return Support(first, first + codec.codes, codec.grid[1], codec.row_end)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def small(self) -> bool:
        """Whether one thread computes as fast as several."""
        return self._small and self.device.type == "cpu"

    def adapter(self, role: Role) -> str:
        """The adapter that plays a role; one plays both when weights are shared."""
        return "fwm" if self.shared else role

    @contextmanager
    def playing(self, adapter: str | None) -> Iterator[torch.nn.Module]:
        """The model with one adapter active (None: the bare base model), in eval mode; all of it is put back after."""
        if not (self.bare or self.model.training) and adapter == self.model.active_adapter:
            yield self.model  # as it is; walking through all its parameters takes as long as a small model's pass
            return
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        before, mode = self.model.active_adapter, self.model.training
        self.model.eval()
        try:
            if adapter is None:
                self.bare = True
                with self.model.disable_adapter():
                    yield self.model
            else:
                self.model.set_adapter(adapter)
                yield self.model
        finally:
            self.bare = self.bare and adapter is not None
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
        *,
        answer: Answer,
        along: Sequence[State] | None = None,
    ) -> list[list[int]]:
        """`n` completions (token ids) for each prompt, in contiguous runs; a picture has as many ids as every frame.

        `along` are states, one for each prompt, that the completions are mostly copies of: it saves time.
        """
        pad_id, end_ids = self.tokenizer.pad_token_id, self.end_ids
        if answer == "state" and isinstance(self.codec, ImageCodec):
            how, end_ids = replace(how, max_tokens=self.codec.answer_length), set()
        drafts = None if along is None else [self.state_completion(state) for state in along]
        with self.playing(adapter) as model:
            return sample(model, prompts, n, how, end_ids, pad_id, generator, self.support(answer), drafts, self.watch)

    def log_prob(
        self,
        adapter: str | None,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        *,
        answer: Answer,
    ) -> list[LogProb]:
        """log P(completion | prompt) under one adapter, at temperature 1, over the ids that the answer may hold."""
        self.watch()
        with self.playing(adapter) as model:
            scores = log_probs(model, prompts, completions, self.tokenizer.pad_token_id, self.support(answer))
        return [LogProb(float(score.sum()), len(score)) for score in scores]

    def completion(self, text: str) -> list[int]:
        """The token ids of an answer in words, closed with the end mark."""
        return [*self.codec.encode(text), self.layout.end_id]

    def state_completion(self, state: State) -> list[int]:
        """The token ids of a state as an answer; a picture has a fixed number of them and needs no end mark."""
        ids = self.codec.encode_state(state)
        return self.codec.answer(ids) if isinstance(self.codec, ImageCodec) else [*ids, self.layout.end_id]

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

    @contextmanager
    def folded(self) -> Iterator[None]:
        """While inside, a small model answers faster, and must not be trained: see `swirl.models.folding`."""
        if not self._small:
            yield
            return
        with folded(self.model):
            yield

    # --- states and actions ----------------------------------------------------------------------------------

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        """log P(y | x, z) for each row."""
        self.codec.prepare([*states, *next_states])
        prompts = [self.layout.forward(x, z) for x, z in zip(states, actions, strict=True)]
        return self.scored("fwm", prompts, [self.state_completion(y) for y in next_states], "state")

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]:
        """log Q(z | x, y) for each row."""
        self.codec.prepare([*states, *next_states])
        prompts = [self.layout.inverse(x, y) for x, y in zip(states, next_states, strict=True)]
        return self.scored("idm", prompts, [self.completion(z) for z in actions], "action")

    def without_state_log_prob(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]:
        """log P(y | z) with the state left empty; what an action alone says of the next state."""
        self.codec.prepare(next_states)
        prompts = [self.layout.without_state(z) for z in actions]
        return self.scored("fwm", prompts, [self.state_completion(y) for y in next_states], "state")

    def scored(
        self, role: Role, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], answer: Answer
    ) -> list[LogProb]:
        """log P of each completion given its prompt, in slices."""
        adapter = self.adapter(role)
        return self.batched(
            lambda part: self.log_prob(adapter, prompts[part], completions[part], answer=answer),
            len(prompts),
            None,
            "scoring",
        )

    def room_for(self, states: Sequence[State]) -> int:
        """Tokens that a next state may take: twice the longest state here and some, so that one answer that never ends
        does not hold up the rest."""
        longest = max((len(self.codec.encode_state(state)) for state in states), default=0)
        return min(self.max_state_tokens, 2 * longest + 32)

    def imagine_batch(
        self,
        states: Sequence[State],
        actions: Sequence[str],
        temperature: float = 0.0,
        progress: Progress | None = None,
    ) -> list[State]:
        """One next state for each row; the likeliest tokens at temperature 0."""
        self.codec.prepare(states)
        prompts = [self.layout.forward(x, z) for x, z in zip(states, actions, strict=True)]
        how = Sampling(self.room_for(states), temperature)

        def compute(part: slice) -> list[State]:
            drawn = self.sample(self.adapter("fwm"), prompts[part], 1, how, answer="state", along=states[part])
            return [self.codec.decode_state(ids) for ids in drawn]

        return self.batched(compute, len(prompts), progress, "imagining next states")

    def draw_batch(
        self, states: Sequence[State], actions: Sequence[str], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[State]]:
        """`n` sampled next states for each row, in the order drawn; the same for the same rows and seed."""
        generator = torch.Generator(self.device).manual_seed(seed)
        self.codec.prepare(states)
        prompts = [self.layout.forward(x, z) for x, z in zip(states, actions, strict=True)]
        how, adapter = Sampling(self.room_for(states), temperature), self.adapter("fwm")

        def compute(part: slice) -> list[list[State]]:
            drawn = self.sample(adapter, prompts[part], n, how, generator, answer="state", along=states[part])
            shown = self.shown(dict.fromkeys(map(tuple, drawn)))
            found = [shown[tuple(ids)] for ids in drawn]
            return [found[at : at + n] for at in range(0, len(found), n)]

        return self.batched(compute, len(prompts), None, "drawing next states")

    def draw_actions(
        self, transitions: Sequence[tuple[State, State]], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[str]]:
        """`n` sampled actions for each transition (x, y), in the order drawn; the same for the same rows and seed."""
        generator = torch.Generator(self.device).manual_seed(seed)
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse(x, y) for x, y in transitions]
        how, adapter = Sampling(self.max_action_tokens, temperature), self.adapter("idm")

        def compute(part: slice) -> list[list[str]]:
            drawn = self.sample(adapter, prompts[part], n, how, generator, answer="action")
            found = [self.codec.decode(ids) for ids in drawn]
            return [found[at : at + n] for at in range(0, len(found), n)]

        return self.batched(compute, len(prompts), None, "drawing actions")

    def wording_log_prob(self, texts: Sequence[str]) -> list[LogProb]:
        """log P of texts and their ends under the bare base model, its adapters off, after an end of text."""
        answers = [self.completion(text) for text in texts]
        return self.batched(
            lambda part: self.log_prob(
                None, [[self.layout.end_id]] * len(answers[part]), answers[part], answer="action"
            ),
            len(answers),
            None,
            "reading actions",
        )

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
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse(x, y) for x, y in transitions]
        adapter, longest = self.adapter("idm"), self.max_action_tokens

        def compute(part: slice) -> list[Inference]:
            here = prompts[part]
            drawn = [[ids] for ids in self.sample(adapter, here, 1, Sampling(longest, 0.0), answer="action")]
            if alternatives > 1:
                n = 2 * alternatives
                more = self.sample(adapter, here, n, Sampling(longest), generator, answer="action")
                drawn = [first + more[i * n : (i + 1) * n] for i, first in enumerate(drawn)]
            found = [list(dict.fromkeys(self.codec.decode(ids) for ids in group)) for group in drawn]
            rows = [(prompt, action) for prompt, group in zip(here, found, strict=True) for action in group]
            asked, answers = [p for p, _ in rows], [self.completion(a) for _, a in rows]
            scores = iter(self.log_prob(adapter, asked, answers, answer="action"))
            ranked = [
                sorted((Alternative(a, next(scores).total) for a in group), key=lambda a: -a.log_prob)[:alternatives]
                for group in found
            ]
            return [Inference(group[0].action, group[0].log_prob, tuple(group)) for group in ranked]

        return self.batched(compute, len(prompts), progress, "inferring actions")

    def imagine_along(
        self, states: Sequence[State], actions: Sequence[str], guesses: Sequence[State]
    ) -> list[tuple[State, LogProb]]:
        """What `imagine_batch` says at temperature 0, and log P(guess | x, z): fast where the guesses are right."""
        self.codec.prepare([*states, *guesses])
        prompts = [self.layout.forward(x, z) for x, z in zip(states, actions, strict=True)]
        how, guessed = Sampling(self.room_for(states), 0.0), [self.state_completion(state) for state in guesses]
        found = self.along("fwm", prompts, guessed, how, "state")
        return [(self.codec.decode_state(ids), score) for ids, score in found]

    def infer_along(
        self, transitions: Sequence[tuple[State, State]], guesses: Sequence[str]
    ) -> list[tuple[str, LogProb]]:
        """The greedy action of each transition (x, y), and log Q(guess | x, y): fast where the guesses are right."""
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse(x, y) for x, y in transitions]
        how, guessed = Sampling(self.max_action_tokens, 0.0), [self.completion(action) for action in guesses]
        return [(self.codec.decode(ids), score) for ids, score in self.along("idm", prompts, guessed, how, "action")]

    def along(
        self,
        role: Role,
        prompts: Sequence[Sequence[int]],
        guesses: Sequence[Sequence[int]],
        how: Sampling,
        answer: Answer,
    ) -> list[tuple[list[int], LogProb]]:
        """The greedy completion (token ids) of each prompt, and log P of its guess."""
        end_ids, adapter = self.end_ids, self.adapter(role)
        if answer == "state" and isinstance(self.codec, ImageCodec):
            how, end_ids = replace(how, max_tokens=self.codec.answer_length), set()

        def compute(part: slice) -> list[tuple[list[int], LogProb]]:
            about = (how, end_ids, self.tokenizer.pad_token_id, self.support(answer), self.watch)
            with self.playing(adapter) as model:
                drawn, scores = greedy_along(model, prompts[part], guesses[part], *about)
            return [(ids, LogProb(float(s.sum()), len(s))) for ids, s in zip(drawn, scores, strict=True)]

        return self.batched(compute, len(prompts), None, "checking guesses")

    def imagine(
        self, state: State, action: str, *, n: int = 4, temperature: float = 1.0, seed: int = 0
    ) -> list[Prediction]:
        """`n` sampled next states, ranked by how well the IDM reads the action back: log Q(z | x, y')."""
        generator = torch.Generator(self.device).manual_seed(seed)
        prompt = self.layout.forward(state, action)
        how, adapter = Sampling(self.room_for([state]), temperature), self.adapter("fwm")
        drawn = self.sample(adapter, [prompt], n, how, generator, answer="state", along=[state])
        shown = self.shown(dict.fromkeys(map(tuple, drawn)))
        states = [shown[tuple(ids)] for ids in drawn]
        scores = self.inverse_log_prob([state] * n, states, [action] * n)
        chances = self.log_prob(adapter, [prompt] * n, drawn, answer="state")
        predictions = [
            Prediction(s, score.total, chance.total) for s, score, chance in zip(states, scores, chances, strict=True)
        ]
        return sorted(predictions, key=lambda prediction: -prediction.score)

    def suggest_actions(self, state: State, n: int = 6, seed: int = 0) -> list[str]:
        """Plausible actions here: next states drawn without an action, and what the IDM reads from them.

        The actions that explain most of what was drawn come first: each draw counts with Q(z | x, y'). Of texts,
        actions that are nowhere read with a probability of a half are left out, unless all are. The pictures that a
        model draws without an action may show what is not there: what it makes of the actions read from them, drawn
        anew, names what is.
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        prompt, how = self.layout.forward(state, ""), Sampling(self.room_for([state]))
        drawn = self.sample(self.adapter("fwm"), [prompt], 4 * n, how, generator, answer="state", along=[state])
        times = Counter(map(tuple, drawn))
        found = {key(shown): (shown, times[ids]) for ids, shown in self.shown(times).items()}
        found.pop(key(state), None)
        states, counts = [shown for shown, _ in found.values()], [count for _, count in found.values()]
        read = self.infer([(state, shown) for shown in states], alternatives=1)
        if self.kind == "image":
            actions = list(dict.fromkeys(inference.action for inference in read))
            again = self.imagine_batch([state] * len(actions), actions)
            pairs = [(state, shown) for shown in again if key(shown) != key(state)]
            read, counts = self.infer(pairs, alternatives=1), [1] * len(pairs)
        weights: Counter[str] = Counter()
        sure = set()
        for inference, count in zip(read, counts, strict=True):
            weights[inference.action] += count * math.exp(inference.log_prob)
            if self.kind == "image" or inference.log_prob >= UNSURE:
                sure.add(inference.action)
        ranked = [action for action, _ in weights.most_common() if action]
        return ([action for action in ranked if action in sure] or ranked)[:n]

    def shown(self, drawn: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], State]:
        """The states of drawn ids, each decoded once."""
        return {ids: self.codec.decode_state(ids) for ids in drawn}

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
                if isinstance(self.codec, ImageCodec):
                    self.codec.images.save_with(temporary / "base")
            for card in temporary.rglob("README.md"):
                card.unlink()
            base_from = "base" if with_base else base_name(self.base)
            for config in temporary.glob("*/adapter_config.json"):
                # peft writes the folder that the base happened to lie in, which means nothing elsewhere.
                written = json.loads(config.read_text(encoding="utf-8"))
                config.write_text(json.dumps({**written, "base_model_name_or_path": base_from}, indent=2) + "\n")
            for weights in temporary.rglob("*.safetensors"):
                weights.chmod(0o644)
            manifest = {"format": 1, "base": base_from, "shared": self.shared, "kind": self.kind}
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
