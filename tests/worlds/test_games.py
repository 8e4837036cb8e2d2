"""Games can be played on from the start of an episode, and by its true actions come to its states."""

from __future__ import annotations

import pytest

import swirl
from swirl.cli import main
from swirl.planning.real_games import looks_same, open_real_games
from swirl.worlds.base import UnknownActionError
from swirl.worlds.registry import WORLDS, open_world, world_infos, write_metadata
from swirl.worlds.trial_data import write_trial

READY = {info.name for info in world_infos() if info.ready}
WORDS = {
    "household": "fly to the moon",
    "blocks": "eat the red circle",
    "minigrid": "fly",
    "bfcl": "nothing()",
    "textworld-express": "dance",
}


@pytest.mark.parametrize("name", WORDS)
def test_a_shipped_sequence_can_be_played_on_from_any_state(name, tmp_path):
    if name not in READY:
        pytest.skip(f"the world {name} is not ready here")
    sequences = swirl.load_collection(name).sequences[:6]
    with open_real_games(tmp_path, name) as games:
        for sequence in sequences:
            last = len(sequence.states) - 1
            game = games.game_at(sequence, last - 1)
            game.act(games.true_actions[sequence.id][last - 1])
            assert looks_same(game.state, sequence.states[last]), sequence.id
        before = game.state
        with pytest.raises(UnknownActionError):
            game.act(WORDS[name])
        assert game.state == before
        assert game.actions()


@pytest.mark.parametrize("name", ["minigrid", "bfcl"])
def test_a_sequence_of_a_trial_can_be_played_on(name, tmp_path):
    if name not in READY:
        pytest.skip(f"the world {name} is not ready here")
    folder = tmp_path / "trial"
    folder.mkdir()
    with open_world(name) as world:
        write_trial(world, WORLDS[name].kind, folder, 60, seed=0)
    write_metadata(name, WORLDS[name], folder, f"swirl trial {name}", title="A trial")
    assert main(["--home", str(tmp_path), "import", str(folder), "--name", "trial"]) == 0
    sequences = swirl.load_collection("trial", home=tmp_path).sequences
    with open_real_games(tmp_path, "trial") as games:
        for sequence in sequences:
            games.game_at(sequence, len(sequence.states) - 1)
