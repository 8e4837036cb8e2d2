"""Rollouts from a vLLM server: the same distribution as our own, the trainee's weights, and refusals in a sentence."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import SMALL_RUN
from transformers import AutoConfig
from two_processes import run_in_two_processes
from vllm_stand_in import VllmStandIn, stand_in_for_vllm

from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.models import load_world_model
from swirl.models.generation import SamplingConfig
from swirl.models.merged_weights import merged_weights
from swirl.models.world_model import WorldModel
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.training.requirements import missing_requirements
from swirl.training.rollout_server import RolloutServer, served_configuration
from swirl.worlds.household import Household

BASES = {"tags": "tiny_base", "chat": "tiny_qwen"}


@pytest.fixture
def stand_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., VllmStandIn]]:
    """Starts a server for a folder."""
    stand_in_for_vllm(monkeypatch)
    started: list[VllmStandIn] = []

    def start(folder: Path, port: int = 0) -> VllmStandIn:
        started.append(VllmStandIn(folder, port))
        return started[-1]

    yield start
    for server in started:
        server.close()


def load(base: Path, home: Path) -> WorldModel:
    """A model whose two adapters differ from the base and from each other."""
    world = load_world_model(home, str(base), "cpu", "float32")
    generator = torch.Generator().manual_seed(0)
    for name, parameter in world.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=2.0, generator=generator)
    return world


def prompts_of(world: WorldModel, count: int = 3) -> list[list[int]]:
    states = Household().episode(5, count).states
    return [world.layout.inverse_prompt(x, y) for x, y in pairwise(states)]


@pytest.mark.parametrize("kind", BASES)
def test_the_likeliest_tokens_are_the_same_under_each_adapter(kind, stand_in, request, tmp_path) -> None:
    base = request.getfixturevalue(BASES[kind])
    world, server = load(base, tmp_path), stand_in(base)
    before = {name: value.detach().clone() for name, value in world.model.named_parameters()}
    connected, greedy = RolloutServer(server.url, world), SamplingConfig(12, top_k=1)
    answers = {}
    for adapter in ("fwm", "idm"):
        prompts = prompts_of(world)
        answers[adapter] = connected.sample(adapter, prompts, 2, greedy)
        assert answers[adapter] == world.sample(adapter, prompts, 2, greedy, answer="state")
        assert connected.gap < 1e-4
        for name, weight in merged_weights(world.model, adapter):
            assert torch.equal(server.model.get_parameter(name), weight), name
    assert answers["fwm"] != answers["idm"]
    assert all(torch.equal(value, before[name]) for name, value in world.model.named_parameters())
    connected.close()


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingConfig(1),
        SamplingConfig(1, 0.7, top_p=0.8),
        SamplingConfig(1, 1.3, top_k=5),
        SamplingConfig(1, 0.9, 0.6, 9),
        SamplingConfig(1, 1.0, top_p=0.0),
    ],
)
def test_a_token_is_as_likely_as_in_our_own_sampling(sampling, stand_in, tiny_base, tmp_path) -> None:
    world, server = load(tiny_base, tmp_path), stand_in(tiny_base)
    connected, prompt, draws = RolloutServer(server.url, world), prompts_of(world)[:1], 3000
    torch.manual_seed(1)
    counts = [
        collections.Counter(ids[0] for ids in completions)
        for completions in (
            connected.sample("idm", prompt, draws, sampling),
            world.sample("idm", prompt, draws, sampling, answer="action"),
        )
    ]
    difference = sum(abs(counts[0][token] - counts[1][token]) for token in counts[0] | counts[1]) / (2 * draws)
    # The expected distance of two samples of one distribution over k tokens is at most sqrt(k / (pi * draws)).
    assert difference < 1.6 * (len(counts[0] | counts[1]) / (3.14 * draws)) ** 0.5
    if sampling.top_k:
        assert len(counts[0]) <= sampling.top_k
    connected.close()


def test_our_own_end_ids_end_a_completion_and_no_others(stand_in, tiny_base, tmp_path) -> None:
    world, server = load(tiny_base, tmp_path), stand_in(tiny_base)
    connected = RolloutServer(server.url, world)
    completions = connected.sample("idm", prompts_of(world), 50, SamplingConfig(30))
    assert all(body["ignore_eos"] and body["stop_token_ids"] == sorted(world.end_ids) for body in server.samplings)
    ended = [ids for ids in completions if ids[-1] in world.end_ids]
    assert 0 < len(ended) < len(completions)
    assert not any(token in world.end_ids for ids in completions for token in ids[:-1])
    assert all(len(ids) == 30 for ids in completions if ids[-1] not in world.end_ids)
    connected.close()


def settings_of(base: Path, server: VllmStandIn, **changes: Any) -> Settings:
    return Settings().replace({**SMALL_RUN, "model": str(base), "rollout_server": server.url, **changes})


def train(home: Path, settings: Settings) -> str:
    run_id = jobs.create_foreground_run(home, preset=None, settings=settings)
    jobs.train_in_foreground(home, run_id)
    return run_id


@pytest.mark.slow
def test_a_run_of_both_phases_follows_the_trainee(stand_in, tiny_base, tmp_path) -> None:
    server = stand_in(tiny_base)
    run_id = train(tmp_path, settings_of(tiny_base, server))
    run = History(tmp_path).run(run_id)
    assert (run.status, run.error) == ("finished", None)
    assert run.rollout_engine == f"vLLM at {server.url} ({server.name})"
    assert f"rollouts by {run.rollout_engine}" in (tmp_path / "runs" / run_id / "log.txt").read_text()
    gaps = {(m.phase, m.step): m.value for m in History(tmp_path).metrics(run_id, ["server_gap"])}
    assert gaps.keys() == {(phase, step) for phase in (1, 2) for step in (1, 2, 3, 4)}
    assert max(gaps.values()) < 1e-4
    assert server.updates == 8
    rollouts = [body for body in server.samplings if body["logprobs"] is None]
    assert [(len(body["prompt"]), body["n"]) for body in rollouts] == [(4, 2)] * 8
    assert [body["max_tokens"] for body in rollouts] == [48] * 4 + [4] * 4
    assert server.connection.recv(1) == b"", "the run left the group open"


@pytest.mark.slow
def test_a_stopped_run_resumes_with_the_server(stand_in, tiny_base, tmp_path) -> None:
    server = stand_in(tiny_base)
    run_id = jobs.create_foreground_run(tmp_path, preset=None, settings=settings_of(tiny_base, server))

    def stop_at_the_third_step(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if server.updates == 3 and History(tmp_path).run(run_id).status == "running":
            jobs.request_stop(History(tmp_path), run_id)
        return choices

    server.alter = stop_at_the_third_step
    jobs.train_in_foreground(tmp_path, run_id)
    assert History(tmp_path).run(run_id).status == "stopped"
    jobs.resume(tmp_path, run_id, detach=False)
    jobs.train_in_foreground(tmp_path, run_id)
    assert History(tmp_path).run(run_id).status == "finished"
    assert server.updates == 8


@pytest.mark.slow
def test_a_server_that_dies_ends_the_run_and_a_new_one_continues_it(stand_in, tiny_base, tmp_path) -> None:
    server = stand_in(tiny_base)
    server.dies_after_updates = 3
    run_id = train(tmp_path, settings_of(tiny_base, server))
    run = History(tmp_path).run(run_id)
    assert run.status == "failed"
    assert run.error.startswith(f"The rollout server at {server.url} ") and "resume the run" in run.error
    assert "\n" not in run.error and "Traceback" not in (tmp_path / "runs" / run_id / "log.txt").read_text()
    again = stand_in(tiny_base, server.port)
    jobs.resume(tmp_path, run_id, detach=False)
    jobs.train_in_foreground(tmp_path, run_id)
    assert History(tmp_path).run(run_id).status == "finished"
    assert again.updates == 6, "two of the three steps had been saved"


RANKS = """
import os, sys
from pathlib import Path
import pytest
sys.path.insert(0, sys.argv[1])
from vllm_stand_in import stand_in_for_vllm
from swirl.models import load_world_model
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.training.rollout_server import RolloutServer
from swirl.settings import Settings
from swirl.states import Transition
from swirl.worlds.household import Household

home, base, url = sys.argv[2:]
stand_in_for_vllm(pytest.MonkeyPatch())
world = load_world_model(Path(home), base, "cpu")
states = Household().episode(5, 24).states
rows = [Transition("five", i, x, y) for i, (x, y) in enumerate(zip(states, states[1:]))]
settings = Settings().replace(dict(steps_per_phase=3, batch_size=4, group_size=4, learning_rate=0.01,
    max_action_tokens=6, max_state_tokens=8))
rank = int(os.environ["RANK"])
server = RolloutServer(url, world, is_main_process=rank == 0)
build_grpo_trainer(world, "inverse", rows, settings, Path(home) / "phase", 1, server=server).train()
assert (server.gap is not None) == (rank == 0)
server.close()
"""


@pytest.mark.slow
def test_two_ranks_sample_from_the_weights_that_the_first_sends(stand_in, tiny_base, tmp_path) -> None:
    server, script = stand_in(tiny_base), tmp_path / "ranks.py"
    script.write_text(RANKS)
    run_in_two_processes(script, str(Path(__file__).parents[1]), str(tmp_path), str(tiny_base), server.url)
    assert server.updates == 3
    rollouts = [body for body in server.samplings if body["logprobs"] is None]
    assert [(len(body["prompt"]), body["n"]) for body in rollouts] == [(2, 4)] * 6
    assert len(server.samplings) - len(rollouts) == 3, "the first rank alone measures the gap"


def test_a_run_without_a_server_is_refused_before_it_trains(stand_in, tiny_base, tmp_path) -> None:
    server = stand_in(tiny_base)
    server.close()
    run_id = train(tmp_path, settings_of(tiny_base, server))
    run = History(tmp_path).run(run_id)
    assert (run.status, run.phase, run.rollout_engine) == ("failed", None, None)
    assert "does not answer; start it there" in run.error


def test_a_run_names_its_own_program_otherwise(tiny_base, tmp_path) -> None:
    base = {**SMALL_RUN, "model": str(tiny_base), "iterations": 0}
    run_id = train(tmp_path, Settings().replace(base))
    assert History(tmp_path).run(run_id).rollout_engine == "this program"
    imitating = train(tmp_path, Settings().replace({**base, "method": "sft", "rollout_server": "http://127.0.0.1:1"}))
    assert History(tmp_path).run(imitating).status == "finished"
    assert History(tmp_path).run(imitating).rollout_engine is None


def spoil(**attributes: Any) -> Callable[[VllmStandIn], None]:
    return lambda server: [setattr(server, name, value) for name, value in attributes.items()] and None


@pytest.mark.parametrize(
    ("make_wrong", "sentence"),
    [
        (spoil(missing={"/health"}), "answers 404 when asked for its health"),
        (spoil(missing={"/server_info"}), "does not expose its development endpoints"),
        (spoil(missing={"/v1/models"}), "failed while being connected"),
        (spoil(weight_transfer=None), "no weight-transfer engine"),
        (spoil(quantization="fp8"), "quantised weights (fp8)"),
        (spoil(hf_config='LlamaConfig {\n  "hidden_size": 4096\n}\n'), "its hidden_size is 4096"),
        (spoil(hf_config={"vocab_size": 7}), "its vocab_size is 7"),
        (spoil(ignores_weights=True), "samples from another model"),
        (spoil(alter=lambda choices: choices[1:]), "7 completions for 1 prompts of 8 each"),
        (spoil(alter=lambda choices: [{**c, "prompt_token_ids": [1]} for c in choices]), "other prompts"),
        (spoil(alter=lambda choices: [{**c, "token_ids": []} for c in choices]), "a completion of 0 tokens"),
        (spoil(alter=lambda choices: [{**c, "token_ids": [10**6]} for c in choices]), "outside the vocabulary"),
    ],
)
def test_a_server_that_will_not_do_is_refused_in_a_sentence(
    make_wrong, sentence, stand_in, tiny_base, tmp_path
) -> None:
    world, server = load(tiny_base, tmp_path), stand_in(tiny_base)
    make_wrong(server)
    with pytest.raises(SwirlError) as refused:
        RolloutServer(server.url, world).sample("fwm", prompts_of(world), 2, SamplingConfig(5))
    assert sentence in str(refused.value)
    assert server.url in str(refused.value) and "\n" not in str(refused.value)


def test_what_the_server_tells_of_its_model_is_read_as_vllm_prints_it(tiny_base) -> None:
    config = AutoConfig.from_pretrained(tiny_base)
    assert served_configuration({"hf_config": str(config)})["hidden_size"] == config.hidden_size
    assert served_configuration({"hf_config": "no configuration"}) == {}


def test_without_a_gpu_a_run_says_so(tiny_base, tmp_path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    with pytest.raises(UsageError, match=r"needs a GPU .* trains on cpu; set rollout_server=none"):
        RolloutServer("http://127.0.0.1:1", world)


def test_a_model_of_pictures_is_refused(tiny_pictures, tmp_path) -> None:
    pictures = load_world_model(tmp_path, str(tiny_pictures), "cpu")
    with pytest.raises(UsageError, match="samples texts only"):
        RolloutServer("http://127.0.0.1:1", pictures)


def test_without_the_package_vllm_a_run_says_so(stand_in, tiny_base, tmp_path, monkeypatch) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    monkeypatch.setattr("trl.generation.vllm_client.is_vllm_available", lambda: False)
    with pytest.raises(SwirlError, match="needs the package vllm"):
        RolloutServer(stand_in(tiny_base).url, world)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rollout_server": "localhost:8000"}, "no address of a server"),
        ({"rollout_server": "http://"}, "no address of a server"),
        ({"rollout_server": "http://me:secret@gpu2:8000"}, "must not contain a password"),
        ({"precision": "4bit"}, "unquantised"),
        ({"model": "pictures"}, "draws pictures"),
    ],
)
def test_settings_that_cannot_go_together_are_refused_before_a_run(
    changes, sentence, tiny_base, tiny_pictures, tmp_path
) -> None:
    if "model" in changes:
        changes = {"model": str(tiny_pictures)}
    settings = Settings().replace({"model": str(tiny_base), "rollout_server": "http://gpu2:8000", **changes})
    assert sentence in missing_requirements(tmp_path, settings)["rollout_server"]
    assert "secret" not in missing_requirements(tmp_path, settings)["rollout_server"]


def test_a_server_address_alone_needs_nothing_more(tiny_base, tmp_path) -> None:
    settings = Settings().replace({"model": str(tiny_base), "rollout_server": "https://gpu2:8000"})
    assert missing_requirements(tmp_path, settings) == {}
    assert missing_requirements(tmp_path, settings.replace({"rollout_server": "none"})) == {}
