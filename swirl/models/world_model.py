"""WorldModel: the forward world model P(y | x, z) and the inverse dynamics model Q(z | x, y), on states and actions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from swirl.models.adapter_model import AdaptedModel
from swirl.models.checkpoint_writer import save_checkpoint
from swirl.models.generation import SamplingConfig
from swirl.models.results import Alternative, Inference, LogProb, Prediction
from swirl.pictures import state_key
from swirl.progress import ProgressCallback
from swirl.states import State

MIN_SURE_LOG_PROB = math.log(0.5)


class WorldModel(AdaptedModel):
    """The forward world model and the inverse dynamics model over one language model."""

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        """log P(y | x, z) for each row."""
        self.codec.prepare([*states, *next_states])
        prompts = [self.layout.forward_prompt(x, z) for x, z in zip(states, actions, strict=True)]
        return self.score_completions("fwm", prompts, [self.state_completion(y) for y in next_states], "state")

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]:
        """log Q(z | x, y) for each row."""
        self.codec.prepare([*states, *next_states])
        prompts = [self.layout.inverse_prompt(x, y) for x, y in zip(states, next_states, strict=True)]
        return self.score_completions("idm", prompts, [self.completion(z) for z in actions], "action")

    def log_prob_without_state(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]:
        """log P(y | z) with the state left empty; what an action alone says of the next state."""
        self.codec.prepare(next_states)
        prompts = [self.layout.prompt_without_state(z) for z in actions]
        return self.score_completions("fwm", prompts, [self.state_completion(y) for y in next_states], "state")

    def next_state_token_limit(self, states: Sequence[State]) -> int:
        """Tokens that a next state may take: twice the longest state here and some, so that one answer that never ends
        does not hold up the rest."""
        longest = max((len(self.codec.encode_state(state)) for state in states), default=0)
        return min(self.max_state_tokens, 2 * longest + 32)

    def imagine_batch(
        self,
        states: Sequence[State],
        actions: Sequence[str],
        temperature: float = 0.0,
        progress: ProgressCallback | None = None,
    ) -> list[State]:
        """One next state for each row; the likeliest tokens at temperature 0."""
        self.codec.prepare(states)
        prompts = [self.layout.forward_prompt(x, z) for x, z in zip(states, actions, strict=True)]
        how = SamplingConfig(self.next_state_token_limit(states), temperature)

        def compute(part: slice) -> list[State]:
            drawn = self.sample(self.adapter("fwm"), prompts[part], 1, how, answer="state", along=states[part])
            return [self.codec.decode_state(ids) for ids in drawn]

        return self.run_in_batches(compute, len(prompts), progress, "imagining next states")

    def sample_next_states(
        self, states: Sequence[State], actions: Sequence[str], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[State]]:
        """`n` sampled next states for each row, in the order drawn; the same for the same rows and seed."""
        generator = torch.Generator(self.device).manual_seed(seed)
        self.codec.prepare(states)
        prompts = [self.layout.forward_prompt(x, z) for x, z in zip(states, actions, strict=True)]
        how, adapter = SamplingConfig(self.next_state_token_limit(states), temperature), self.adapter("fwm")

        def compute(part: slice) -> list[list[State]]:
            drawn = self.sample(adapter, prompts[part], n, how, generator, answer="state", along=states[part])
            shown = self.decode_states(dict.fromkeys(map(tuple, drawn)))
            found = [shown[tuple(ids)] for ids in drawn]
            return [found[at : at + n] for at in range(0, len(found), n)]

        return self.run_in_batches(compute, len(prompts), None, "drawing next states")

    def sample_actions(
        self, transitions: Sequence[tuple[State, State]], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[str]]:
        """`n` sampled actions for each transition (x, y), in the order drawn; the same for the same rows and seed."""
        generator = torch.Generator(self.device).manual_seed(seed)
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse_prompt(x, y) for x, y in transitions]
        how, adapter = SamplingConfig(self.max_action_tokens, temperature), self.adapter("idm")

        def compute(part: slice) -> list[list[str]]:
            drawn = self.sample(adapter, prompts[part], n, how, generator, answer="action")
            found = [self.codec.decode(ids) for ids in drawn]
            return [found[at : at + n] for at in range(0, len(found), n)]

        return self.run_in_batches(compute, len(prompts), None, "drawing actions")

    def base_model_log_prob(self, texts: Sequence[str]) -> list[LogProb]:
        """log P of texts and their ends under the bare base model, its adapters off, after an end of text."""
        answers = [self.completion(text) for text in texts]
        return self.run_in_batches(
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
        progress: ProgressCallback | None = None,
    ) -> list[Inference]:
        """The latent action of each transition (x, y): the likeliest of the greedy answer and some samples.

        With `alternatives=1` only the greedy answer is computed.
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse_prompt(x, y) for x, y in transitions]
        adapter, longest = self.adapter("idm"), self.max_action_tokens

        def compute(part: slice) -> list[Inference]:
            here = prompts[part]
            drawn = [[ids] for ids in self.sample(adapter, here, 1, SamplingConfig(longest, 0.0), answer="action")]
            if alternatives > 1:
                n = 2 * alternatives
                more = self.sample(adapter, here, n, SamplingConfig(longest), generator, answer="action")
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

        return self.run_in_batches(compute, len(prompts), progress, "inferring actions")

    def imagine_with_guesses(
        self, states: Sequence[State], actions: Sequence[str], guesses: Sequence[State]
    ) -> list[tuple[State, LogProb]]:
        """What `imagine_batch` says at temperature 0, and log P(guess | x, z): fast where the guesses are right."""
        self.codec.prepare([*states, *guesses])
        prompts = [self.layout.forward_prompt(x, z) for x, z in zip(states, actions, strict=True)]
        how, guessed = (
            SamplingConfig(self.next_state_token_limit(states), 0.0),
            [self.state_completion(state) for state in guesses],
        )
        found = self.greedy_with_guesses("fwm", prompts, guessed, how, "state")
        return [(self.codec.decode_state(ids), score) for ids, score in found]

    def infer_with_guesses(
        self, transitions: Sequence[tuple[State, State]], guesses: Sequence[str]
    ) -> list[tuple[str, LogProb]]:
        """The greedy action of each transition (x, y), and log Q(guess | x, y): fast where the guesses are right."""
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse_prompt(x, y) for x, y in transitions]
        how, guessed = SamplingConfig(self.max_action_tokens, 0.0), [self.completion(action) for action in guesses]
        return [
            (self.codec.decode(ids), score)
            for ids, score in self.greedy_with_guesses("idm", prompts, guessed, how, "action")
        ]

    def imagine(
        self, state: State, action: str, *, n: int = 4, temperature: float = 1.0, seed: int = 0
    ) -> list[Prediction]:
        """`n` sampled next states, ranked by how well the IDM reads the action back: log Q(z | x, y')."""
        generator = torch.Generator(self.device).manual_seed(seed)
        prompt = self.layout.forward_prompt(state, action)
        how, adapter = SamplingConfig(self.next_state_token_limit([state]), temperature), self.adapter("fwm")
        drawn = self.sample(adapter, [prompt], n, how, generator, answer="state", along=[state])
        shown = self.decode_states(dict.fromkeys(map(tuple, drawn)))
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
        prompt, how = self.layout.forward_prompt(state, ""), SamplingConfig(self.next_state_token_limit([state]))
        drawn = self.sample(self.adapter("fwm"), [prompt], 4 * n, how, generator, answer="state", along=[state])
        times = Counter(map(tuple, drawn))
        found = {state_key(shown): (shown, times[ids]) for ids, shown in self.decode_states(times).items()}
        found.pop(state_key(state), None)
        states, counts = [shown for shown, _ in found.values()], [count for _, count in found.values()]
        read = self.infer([(state, shown) for shown in states], alternatives=1)
        if self.kind == "image":
            actions = list(dict.fromkeys(inference.action for inference in read))
            again = self.imagine_batch([state] * len(actions), actions)
            pairs = [(state, shown) for shown in again if state_key(shown) != state_key(state)]
            read, counts = self.infer(pairs, alternatives=1), [1] * len(pairs)
        weights: Counter[str] = Counter()
        sure = set()
        for inference, count in zip(read, counts, strict=True):
            weights[inference.action] += count * math.exp(inference.log_prob)
            if self.kind == "image" or inference.log_prob >= MIN_SURE_LOG_PROB:
                sure.add(inference.action)
        ranked = [action for action, _ in weights.most_common() if action]
        return ([action for action in ranked if action in sure] or ranked)[:n]

    def decode_states(self, drawn: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], State]:
        """The states of drawn ids, each decoded once."""
        return {ids: self.codec.decode_state(ids) for ids in drawn}

    def save(self, folder: Path, *, with_base: bool = False) -> None:
        """Write a checkpoint, with the base model in it if asked; see `swirl.models.checkpoint_writer`."""
        save_checkpoint(self, folder, with_base=with_base)
