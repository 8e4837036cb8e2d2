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

MIN_CONFIDENT_LOG_PROB = math.log(0.5)


class WorldModel(AdaptedModel):
    """The forward world model and the inverse dynamics model over one language model."""

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        """log P(y | x, z) for each row, in nats."""
        self.codec.prepare([*states, *next_states])
        prompts = [self.layout.forward_prompt(x, z) for x, z in zip(states, actions, strict=True)]
        return self.score_completions("fwm", prompts, [self.state_completion(y) for y in next_states], "state")

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]:
        """log Q(z | x, y) for each row, in nats."""
        self.codec.prepare([*states, *next_states])
        prompts = [self.layout.inverse_prompt(x, y) for x, y in zip(states, next_states, strict=True)]
        return self.score_completions("idm", prompts, [self.completion(z) for z in actions], "action")

    def log_prob_without_state(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]:
        """log P(y | z) with the state left empty: how much the action alone reveals about the next state."""
        self.codec.prepare(next_states)
        prompts = [self.layout.prompt_without_state(z) for z in actions]
        return self.score_completions("fwm", prompts, [self.state_completion(y) for y in next_states], "state")

    def next_state_token_limit(self, states: Sequence[State]) -> int:
        """Token limit of a next state: twice the longest given state plus 32, at most `max_state_tokens`.

        So one answer that never ends does not delay the others.
        """
        longest = max((len(self.codec.encode_state(state)) for state in states), default=0)
        return min(self.max_state_tokens, 2 * longest + 32)

    def imagine_batch(
        self,
        states: Sequence[State],
        actions: Sequence[str],
        temperature: float = 0.0,
        progress: ProgressCallback | None = None,
    ) -> list[State]:
        """Predict one next state for each row; greedy at temperature 0."""
        self.codec.prepare(states)
        prompts = [self.layout.forward_prompt(x, z) for x, z in zip(states, actions, strict=True)]
        sampling = SamplingConfig(self.next_state_token_limit(states), temperature)

        def compute(part: slice) -> list[State]:
            sampled = self.sample(
                self.adapter("fwm"), prompts[part], 1, sampling, answer="state", draft_states=states[part]
            )
            return self.codec.decode_states(sampled)

        return self.run_in_batches(compute, len(prompts), progress, "imagining next states")

    def sample_next_states(
        self, states: Sequence[State], actions: Sequence[str], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[State]]:
        """Sample `n` next states for each row, in the order sampled; the same rows and seed give the same states."""
        generator = torch.Generator(self.device).manual_seed(seed)
        self.codec.prepare(states)
        prompts = [self.layout.forward_prompt(x, z) for x, z in zip(states, actions, strict=True)]
        sampling, adapter = SamplingConfig(self.next_state_token_limit(states), temperature), self.adapter("fwm")

        def compute(part: slice) -> list[list[State]]:
            sampled = self.sample(
                adapter, prompts[part], n, sampling, generator, answer="state", draft_states=states[part]
            )
            by_ids = self.decode_states(dict.fromkeys(map(tuple, sampled)))
            decoded = [by_ids[tuple(ids)] for ids in sampled]
            return [decoded[start : start + n] for start in range(0, len(decoded), n)]

        return self.run_in_batches(compute, len(prompts), None, "sampling next states")

    def sample_actions(
        self, transitions: Sequence[tuple[State, State]], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[str]]:
        """Sample `n` actions for each transition (x, y), in the order sampled; the same rows and seed give the same."""
        generator = torch.Generator(self.device).manual_seed(seed)
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse_prompt(x, y) for x, y in transitions]
        sampling, adapter = SamplingConfig(self.max_action_tokens, temperature), self.adapter("idm")

        def compute(part: slice) -> list[list[str]]:
            sampled = self.sample(adapter, prompts[part], n, sampling, generator, answer="action")
            decoded = [self.codec.decode_action(ids) for ids in sampled]
            return [decoded[start : start + n] for start in range(0, len(decoded), n)]

        return self.run_in_batches(compute, len(prompts), None, "sampling actions")

    def base_model_log_prob(self, texts: Sequence[str]) -> list[LogProb]:
        """log P of texts with their end tokens under the bare base model (adapters off), after an end token."""
        answers = [self.completion(text) for text in texts]
        return self.run_in_batches(
            lambda part: self.log_prob(
                None, [[self.layout.end_id]] * len(answers[part]), answers[part], answer="action"
            ),
            len(answers),
            None,
            "scoring actions",
        )

    def infer(
        self,
        transitions: Sequence[tuple[State, State]],
        *,
        alternatives: int = 4,
        by_both_models: bool = False,
        greedy: Sequence[str] | None = None,
        seed: int = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Inference]:
        """Infer the latent action of each transition (x, y): the likeliest of the greedy answer and some samples.

        With `alternatives=1` only the greedy answer is computed. Log-probabilities are in nats. `by_both_models` ranks
        the alternatives by log Q(z | x, y) + log P(y | x, z), which takes longer and is right more often. `greedy` are
        the greedy answers, if they are known, which are then not computed again.
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse_prompt(x, y) for x, y in transitions]
        adapter, max_tokens = self.adapter("idm"), self.max_action_tokens

        def compute(part: slice) -> list[Inference]:
            batch = prompts[part]
            if greedy is None:
                sampled = self.sample(adapter, batch, 1, SamplingConfig(max_tokens, 0.0), answer="action")
                first = [self.codec.decode_action(ids) for ids in sampled]
            else:
                first = list(greedy[part])
            actions = [[action] for action in first]
            if alternatives > 1:
                n = 2 * alternatives
                samples = self.sample(adapter, batch, n, SamplingConfig(max_tokens), generator, answer="action")
                decoded = [self.codec.decode_action(ids) for ids in samples]
                actions = [list(dict.fromkeys([z, *decoded[i * n : (i + 1) * n]])) for i, z in enumerate(first)]
            rows = [(prompt, action) for prompt, group in zip(batch, actions, strict=True) for action in group]
            scored_prompts, answers = [p for p, _ in rows], [self.completion(a) for _, a in rows]
            scores = iter(self.log_prob(adapter, scored_prompts, answers, answer="action"))
            ranked = [
                sorted((Alternative(a, next(scores).total) for a in group), key=lambda a: -a.log_prob)[:alternatives]
                for group in actions
            ]
            if by_both_models:
                ranked = self._rank_by_both_models(transitions[part], ranked)
            return [Inference(group[0].action, group[0].log_prob, tuple(group)) for group in ranked]

        return self.run_in_batches(compute, len(prompts), progress, "inferring actions")

    def _rank_by_both_models(
        self, transitions: Sequence[tuple[State, State]], found: Sequence[Sequence[Alternative]]
    ) -> list[list[Alternative]]:
        """The alternatives of each transition by log Q(z | x, y) + log P(y | x, z), the likeliest first."""
        sums = iter(joint_log_probs(self, [(pair, a) for pair, g in zip(transitions, found, strict=True) for a in g]))
        scored = [[(next(sums), a) for a in group] for group in found]
        return [[a for _, a in sorted(group, key=lambda pair: -pair[0])] for group in scored]

    def imagine_with_guesses(
        self, states: Sequence[State], actions: Sequence[str], guesses: Sequence[State]
    ) -> list[tuple[State, LogProb]]:
        """The result of `imagine_batch` at temperature 0, and log P(guess | x, z); fast if the guesses are right."""
        self.codec.prepare([*states, *guesses])
        prompts = [self.layout.forward_prompt(x, z) for x, z in zip(states, actions, strict=True)]
        sampling = SamplingConfig(self.next_state_token_limit(states), 0.0)
        guessed_ids = [self.state_completion(state) for state in guesses]
        completions = self.greedy_with_guesses("fwm", prompts, guessed_ids, sampling, "state")
        states = self.codec.decode_states([ids for ids, _ in completions])
        return [(state, score) for state, (_, score) in zip(states, completions, strict=True)]

    def infer_with_guesses(
        self, transitions: Sequence[tuple[State, State]], guesses: Sequence[str]
    ) -> list[tuple[str, LogProb]]:
        """The greedy action of each transition (x, y), and log Q(guess | x, y); fast if the guesses are right."""
        self.codec.prepare([state for pair in transitions for state in pair])
        prompts = [self.layout.inverse_prompt(x, y) for x, y in transitions]
        sampling = SamplingConfig(self.max_action_tokens, 0.0)
        guessed_ids = [self.completion(action) for action in guesses]
        completions = self.greedy_with_guesses("idm", prompts, guessed_ids, sampling, "action")
        return [(self.codec.decode_action(ids), score) for ids, score in completions]

    def imagine(
        self,
        state: State,
        action: str,
        *,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        with_log_probs: bool = True,
    ) -> list[Prediction]:
        """Sample `n` next states y', ranked by how well the IDM recovers the action: log Q(z | x, y').

        Answers that never end are cut short when the others have ended. `with_log_probs=False` leaves log P(y' | x, z)
        out, which takes about as long as the ranking.
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        prompt = self.layout.forward_prompt(state, action)
        limit, adapter = self.next_state_token_limit([state]), self.adapter("fwm")
        sampling = SamplingConfig(limit, temperature, cuts_stragglers=True)
        sampled = self.sample(adapter, [prompt], n, sampling, generator, answer="state", draft_states=[state])
        by_ids = self.decode_states(dict.fromkeys(map(tuple, sampled)))
        states = [by_ids[tuple(ids)] for ids in sampled]
        scores = self.inverse_log_prob([state] * n, states, [action] * n)
        log_probs: list[float | None] = [None] * n
        if with_log_probs:
            log_probs = [found.total for found in self.log_prob(adapter, [prompt] * n, sampled, answer="state")]
        predictions = [
            Prediction(s, score.total, log_prob) for s, score, log_prob in zip(states, scores, log_probs, strict=True)
        ]
        return sorted(predictions, key=lambda prediction: -prediction.score)

    def suggest_actions(self, state: State, n: int = 6, seed: int = 0) -> list[str]:
        """Suggest plausible actions: sample next states without an action, then infer actions from them.

        Actions rank by how many samples they explain, each weighted by Q(z | x, y'). For texts, actions that are never
        inferred with a probability of at least one half are left out, unless that leaves none. Images sampled without
        an action may contain things that do not exist. So for images the next states are predicted anew from the
        inferred actions, and the suggestions are inferred from those.
        """
        generator = torch.Generator(self.device).manual_seed(seed)
        prompt = self.layout.forward_prompt(state, "")
        sampling = SamplingConfig(self.next_state_token_limit([state]), cuts_stragglers=True)
        sampled = self.sample(
            self.adapter("fwm"), [prompt], 4 * n, sampling, generator, answer="state", draft_states=[state]
        )
        frequency = Counter(map(tuple, sampled))
        outcomes = {state_key(y): (y, frequency[ids]) for ids, y in self.decode_states(frequency).items()}
        outcomes.pop(state_key(state), None)
        states, counts = [y for y, _ in outcomes.values()], [count for _, count in outcomes.values()]
        inferences = self.infer([(state, y) for y in states], alternatives=1)
        if self.kind == "image":
            actions = list(dict.fromkeys(inference.action for inference in inferences))
            predicted = self.imagine_batch([state] * len(actions), actions)
            pairs = [(state, y) for y in predicted if state_key(y) != state_key(state)]
            inferences, counts = self.infer(pairs, alternatives=1), [1] * len(pairs)
        weights: Counter[str] = Counter()
        confident = set()
        for inference, count in zip(inferences, counts, strict=True):
            weights[inference.action] += count * math.exp(inference.log_prob)
            if self.kind == "image" or inference.log_prob >= MIN_CONFIDENT_LOG_PROB:
                confident.add(inference.action)
        ranked = [action for action, _ in weights.most_common() if action]
        return ([action for action in ranked if action in confident] or ranked)[:n]

    def decode_states(self, completions: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], State]:
        """The state of each distinct completion (token ids)."""
        distinct = list(completions)
        return dict(zip(distinct, self.codec.decode_states(distinct), strict=True))

    def save(self, folder: Path, *, with_base: bool = False, adapters: dict[str, torch.Tensor] | None = None) -> None:
        """Write a checkpoint, with the base model in it if asked; see `swirl.models.checkpoint_writer`."""
        save_checkpoint(self, folder, with_base=with_base, adapters=adapters)


def joint_log_probs(world: WorldModel, candidates: Sequence[tuple[tuple[State, State], Alternative]]) -> list[float]:
    """log Q(z | x, y) + log P(y | x, z), in nats, of an action z of each transition (x, y)."""
    states, next_states = [x for (x, _), _ in candidates], [y for (_, y), _ in candidates]
    forward = world.forward_log_prob(states, [z.action for _, z in candidates], next_states)
    return [z.log_prob + score.total for (_, z), score in zip(candidates, forward, strict=True)]
