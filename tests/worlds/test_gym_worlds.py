"""Gymnasium environments by id: real ones, and small ones that do what environments may do."""

import json
import sys
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
import pytest

from swirl.cli import main
from swirl.errors import SwirlError, UsageError
from swirl.pictures import pixels
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.collections.frame_archive import stored_state
from swirl.sources.environment_names import DOCUMENTED
from swirl.worlds import gymnasium_environments, registry
from swirl.worlds.gymnasium_world import PlayOptions, open_gymnasium

gymnasium = pytest.importorskip("gymnasium")
spaces = pytest.importorskip("gymnasium.spaces")
needs_pygame = pytest.mark.skipif(not find_spec("pygame"), reason="pygame is not installed")
needs_minigrid = pytest.mark.skipif(not find_spec("minigrid"), reason="minigrid is not installed")

FRAME = np.zeros((20, 30, 3), np.uint8)


class Small(gymnasium.Env):
    """An environment that is what its arguments say: its spaces, what it observes and draws, when it ends."""

    metadata: ClassVar = {"render_modes": ["rgb_array"]}

    def __init__(
        self,
        action_space=None,
        observation_space=None,
        observe=None,
        draw=None,
        step=None,
        ends_after=None,
        render_mode=None,
    ):
        self.render_mode = render_mode if draw else None
        self.action_space = action_space or spaces.Discrete(2)
        self.observation_space = observation_space or spaces.Discrete(1000)
        self.observe, self.draw, self.on_step, self.ends_after = observe, draw, step, ends_after
        self.played = []

    def state(self):
        return self.observe(self) if self.observe else len(self.played)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.played = []
        return self.state(), {}

    def step(self, action):
        if self.on_step:
            self.on_step(self)
        self.played.append(action)
        return self.state(), 0.0, len(self.played) == self.ends_after, False, {}

    def render(self):
        return self.draw(self)


@pytest.fixture
def small():
    """Registers a small environment and returns its world's name; `limit` is its time limit."""
    registered = []

    def register(limit=None, entry_point=Small, **arguments):
        name = f"Small{len(registered)}-v0"
        gymnasium.register(name, entry_point, max_episode_steps=limit, kwargs=arguments)
        registered.append(name)
        return f"gym:{name}"

    yield register
    for name in registered:
        del gymnasium.registry[name]


def record(world, out, sequences=2, length=5, seed=0, **options):
    """Record a world; returns the lines of sequences.jsonl and of actions.jsonl."""
    registry.record(world, out, sequences=sequences, length=length, seed=seed, options=PlayOptions(**options))
    return lines(out / "sequences.jsonl"), lines(out / "actions.jsonl")


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def frames(out, sequence):
    return [pixels(stored_state(out, member).picture) for member in sequence["frames"]]


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@needs_pygame
def test_cart_pole_is_recorded_and_imported_as_pictures(tmp_path):
    out = tmp_path / "out"
    sequences, actions = record("gym:CartPole-v1", out, sequences=3, length=50, seed=5)
    card = json.loads((out / "collection.json").read_text())
    assert (card["kind"], card["world"], card["license"]) == ("image", "gym:CartPole-v1", "MIT")
    assert card["recorded_with"].endswith("swirl record gym:CartPole-v1 --sequences 3 --length 50 --seed 5")
    assert {word for line in actions for word in line["actions"]} == {"push left", "push right"}
    # Under random actions the pole falls long before the 50th action; the fallen pole is the last state.
    lengths = [len(line["actions"]) for line in actions]
    assert max(lengths) < 50 and [len(sequence["frames"]) for sequence in sequences] == [n + 1 for n in lengths]
    shown = frames(out, sequences[0])
    assert {frame.shape for frame in shown} == {(341, 512, 3)}
    assert not np.array_equal(shown[0], shown[-1])
    record("gym:CartPole-v1", tmp_path / "again", sequences=3, length=50, seed=5)
    for file in ("frames.zip", "sequences.jsonl", "actions.jsonl"):
        assert (tmp_path / "again" / file).read_bytes() == (out / file).read_bytes()
    other = record("gym:CartPole-v1", tmp_path / "other", sequences=3, length=50, seed=6)
    assert [line["actions"] for line in other[1]] != [line["actions"] for line in actions]
    report = import_collection(tmp_path / "home", out, "mine")
    assert report.transitions == sum(len(line["actions"]) for line in actions)
    loaded = load_sequences(tmp_path / "home", "mine")
    assert [len(sequence.states) for sequence in loaded] == [len(sequence["frames"]) for sequence in sequences]


@needs_pygame
def test_arguments_of_the_environment_and_positions_in_words(tmp_path):
    given = write(tmp_path / "given.jsonl", ["right", 2, "move down"])
    options = {"observation": "text", "actions": given, "arguments": {"is_slippery": False}}
    sequences, actions = record("gym:FrozenLake-v1", tmp_path / "out", sequences=1, **options)
    assert sequences[0]["states"] == ["row 0, column 0", "row 0, column 1", "row 0, column 2", "row 1, column 2"]
    assert actions[0]["actions"] == ["move right", "move right", "move down"]
    command = json.loads((tmp_path / "out" / "collection.json").read_text())["recorded_with"]
    assert command.endswith("--observation text --actions given.jsonl --set is_slippery=false")


@needs_pygame
@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("CartPole-v1", "position 0.027, velocity -0.006, angle 0.036, angular velocity 0.02"),
        ("Blackjack-v1", "player's sum 21, dealer's card 2, usable aces 1"),
        ("Taxi-v4", "taxi at row 1, column 4; passenger in the taxi; destination blue"),
        ("CliffWalking-v1", "row 3, column 1"),
    ],
)
def test_observations_of_gymnasium_are_written_with_their_names(name, state):
    observed = {
        "CartPole-v1": np.array([0.0273956, -0.00611216, 0.03585979, 0.0197368], np.float32),
        "Blackjack-v1": (21, 2, 1),
        "Taxi-v4": ((1 * 5 + 4) * 5 + 4) * 4 + 3,
        "CliffWalking-v1": 37,
    }[name]
    from swirl.worlds.gymnasium_observations import describe_observation

    with open_gymnasium(name, PlayOptions("text")) as world:
        assert describe_observation(world.env, observed).text == state


def test_documented_names_fit_the_spaces_of_the_environments():
    compared = 0
    for name, spec in list(gymnasium.registry.items()):
        if not str(spec.entry_point).startswith("gymnasium.envs.") or spec.name not in DOCUMENTED or "/" in name:
            continue
        try:
            with gymnasium_environments.quiet_gymnasium():
                env = gymnasium.make(name)
        except gymnasium.error.Error:  # it needs Box2D
            continue
        names, space, seen = DOCUMENTED[spec.name], env.action_space, env.observation_space
        wanted = names.actions if isinstance(space, spaces.Discrete) else names.controls
        assert len(wanted) == (space.n if isinstance(space, spaces.Discrete) else space.shape[0]), name
        if names.observations:
            assert len(names.observations) == (len(seen) if isinstance(seen, spaces.Tuple) else seen.shape[0]), name
        compared += 1
    assert compared >= 10


@needs_minigrid
def test_minigrid_is_found_without_its_module_and_keeps_its_names_of_actions(tmp_path):
    sequences, actions = record("gym:MiniGrid-Empty-5x5-v0", tmp_path / "out", sequences=3, length=8)
    names = {"left", "right", "forward", "pickup", "drop", "toggle", "done"}
    assert {word for line in actions for word in line["actions"]} <= names
    assert frames(tmp_path / "out", sequences[0])[0].shape == (160, 160, 3)
    assert "license" not in json.loads((tmp_path / "out" / "collection.json").read_text())
    with pytest.raises(UsageError, match="149 numbers, more than the 128"):  # 7 × 7 × 3, the direction, the mission
        record("gym:MiniGrid-Empty-5x5-v0", tmp_path / "text", observation="text")


@pytest.mark.parametrize(("limit", "ends_after"), [(None, 3), (3, None)], ids=["terminated", "truncated"])
def test_a_sequence_ends_with_its_episode(small, tmp_path, limit, ends_after):
    sequences, actions = record(small(limit=limit, ends_after=ends_after), tmp_path / "out", length=10)
    assert [line["states"] for line in sequences] == [["state 0", "state 1", "state 2", "state 3"]] * 2
    assert [len(line["actions"]) for line in actions] == [3, 3]
    assert {word for line in actions for word in line["actions"]} <= {"action 0", "action 1"}


def test_an_action_is_repeated_and_the_end_is_kept(small, tmp_path):
    sequences, actions = record(small(ends_after=7), tmp_path / "out", sequences=1, length=10, every=3)
    assert sequences[0]["states"] == ["state 0", "state 3", "state 6", "state 7"]
    assert len(actions[0]["actions"]) == 3


@pytest.mark.parametrize(
    ("space", "observed", "text"),
    [
        (spaces.Text(20), "You see a door.", "You see a door."),
        (spaces.Text(20), " ", "nothing"),
        (spaces.Box(-9, 9, (3,), np.float32), np.array([0.12345, -0.0001, 2], np.float32), "0.123, 0, 2"),
        (spaces.Box(0, 9, (2, 2), np.int64), np.array([[1, 2], [3, 4]]), "(1, 2), (3, 4)"),
        (
            spaces.Dict({"goal": spaces.Text(9), "at": spaces.Box(0, 1, (2,))}),
            {"goal": "door", "at": np.array([0.5, 0.25])},
            "goal door, at (0.5, 0.25)",
        ),
        (spaces.Tuple([spaces.Discrete(3), spaces.MultiBinary(2)]), (2, np.array([0, 1])), "2, (0, 1)"),
    ],
)
def test_what_is_no_picture_is_observed_in_words(small, tmp_path, space, observed, text):
    world = small(observation_space=space, observe=lambda env: observed)
    sequences, _ = record(world, tmp_path / "out", sequences=1, length=1)
    assert sequences[0]["states"] == [text, text]
    assert json.loads((tmp_path / "out" / "collection.json").read_text())["kind"] == "text"


def test_a_picture_that_is_observed_is_taken_before_one_that_is_drawn(small, tmp_path):
    bright = np.full((20, 30, 3), 200, np.uint8)
    world = small(
        observation_space=spaces.Box(0, 255, (20, 30, 3), np.uint8), observe=lambda env: bright, draw=lambda env: FRAME
    )
    sequences, _ = record(world, tmp_path / "out")
    assert np.array_equal(frames(tmp_path / "out", sequences[0])[0], bright)
    with pytest.raises(UsageError, match="observes is a picture; omit --observation text"):
        record(world, tmp_path / "text", observation="text")


@pytest.mark.parametrize(
    ("drawn", "shape"),
    [
        (np.full((20, 30), 77, np.uint8), (20, 30, 3)),
        (np.full((20, 30, 1), 77, np.uint8), (20, 30, 3)),
        (np.full((20, 30, 4), 77, np.uint8), (20, 30, 3)),
        ([FRAME, np.full((20, 30, 3), 77, np.uint8)], (20, 30, 3)),
        (np.full((1200, 600, 3), 77, np.uint8), (512, 256, 3)),
    ],
    ids=["grey", "one channel", "opacity", "list", "huge"],
)
def test_unusual_pictures_become_rgb_of_limited_size(small, tmp_path, drawn, shape):
    sequences, _ = record(small(draw=lambda env: drawn), tmp_path / "out", sequences=1)
    shown = frames(tmp_path / "out", sequences[0])[0]
    assert shown.shape == shape and (shown == 77).all()


def other_size(env):
    return FRAME if not env.played else FRAME[:, :20]


def lacks_pygame(env):
    raise gymnasium.error.DependencyNotInstalled('pygame is not installed, run `pip install "gymnasium[toy-text]"`')


def says_nothing(env):
    raise AssertionError


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"draw": lambda env: None}, "draws no picture of bytes in RGB or grey but nothing; use --observation text"),
        ({"draw": lambda env: []}, "but list; use"),
        ({"draw": lambda env: FRAME.astype(float)}, r"but float64 in the shape \(20, 30, 3\)"),
        ({"draw": other_size}, "changes the size of its picture within an episode, from 30 × 20 to 20 × 20"),
        ({"draw": lambda env: 1 / 0}, r"cannot draw its state \(ZeroDivisionError: division by zero\); use"),
        ({"draw": lacks_pygame}, r"cannot draw its state: pygame is not installed, run `pip install \"gymnasium\[toy"),
        ({"draw": says_nothing}, r"cannot draw its state \(AssertionError\); use"),
        ({"step": lambda env: 1 / 0}, "fails at the action 'action [01]' "),
        ({"observe": lambda env: {}["key"]}, "fails when it is reset"),
    ],
)
def test_what_goes_wrong_inside_is_one_sentence_and_leaves_nothing(small, tmp_path, arguments, reason):
    with pytest.raises(SwirlError, match=reason) as error:
        record(small(**arguments), tmp_path / "out")
    assert "\n" not in str(error.value) and list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing(small, tmp_path):
    def press(env):
        if len(env.played) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(small(step=press), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def needs_a_package(**_):
    import a_package_that_is_missing  # noqa: F401


def refuses_drawing(render_mode=None, **arguments):
    if render_mode is not None:
        raise ValueError("no such render mode")
    return Small(**arguments)


def test_an_environment_made_by_a_function_is_tried_without_drawing(small, tmp_path):
    sequences, _ = record(small(entry_point=refuses_drawing), tmp_path / "out", sequences=1, length=1)
    assert sequences[0]["states"] == ["state 0", "state 1"]


def test_what_is_missing_is_named_with_its_command(small, tmp_path, monkeypatch):
    with pytest.raises(
        SwirlError, match="does not start, as the package a_package_that_is_missing is missing; run pip"
    ):
        record(small(entry_point=needs_a_package), tmp_path / "out")
    with pytest.raises(SwirlError, match=r"does not start \(TypeError: .*colour"):
        record(small(), tmp_path / "out", arguments={"colour": "red"})
    monkeypatch.setattr(gymnasium_environments, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="not installed; run pip install ale-py"):
        record("gym:ALE/NoSuchGame-v5", tmp_path / "out")
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    with pytest.raises(SwirlError, match=r"Gymnasium is not ready\. It needs pip install"):
        record("gym:CartPole-v1", tmp_path / "out")


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        ("gym:cartpole-v1", "There is no Gymnasium environment 'cartpole-v1'; close to it: CartPole-v0, CartPole-v1"),
        ("gym:Frozenlake", "close to it: FrozenLake-v1"),
        ("gym:CartPole-v9", "gym:CartPole-v9 is not there in that version; there is CartPole-v0, CartPole-v1"),
        ("gym:Xqzw-v0", "if a package of yours registers it, write gym:MODULE:ID"),
        ("gym:", "There is no Gymnasium environment ''"),
        ("gym:no_such_module:X-v0", "The module no_such_module .* is neither in the current folder"),
    ],
)
def test_unknown_environments_are_one_sentence_with_what_is_close(tmp_path, world, reason):
    with pytest.raises(UsageError, match=reason):
        record(world, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_module_of_the_current_folder_registers_its_environments(tmp_path, monkeypatch):
    (tmp_path / "my_swirl_test_rooms.py").write_text(
        "import gymnasium\nfrom gymnasium import spaces\n"
        "class Room(gymnasium.Env):\n"
        "    action_space, observation_space = spaces.Discrete(2), spaces.Text(9)\n"
        "    action_names = ['GO_IN', 'go out']\n"
        "    def reset(self, seed=None, options=None): return 'out', {}\n"
        "    def step(self, action): return ('in', 'out')[action], 0, False, False, {}\n"
        "gymnasium.register('Room-v0', Room)\n"
    )
    (tmp_path / "my_swirl_test_ruins.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    sequences, actions = record("gym:my_swirl_test_rooms:Room-v0", tmp_path / "out", sequences=1, length=9)
    assert sequences[0]["states"] == [
        "out",
        *({"go in": "in", "go out": "out"}[word] for word in actions[0]["actions"]),
    ]
    assert sequences[0]["id"] == "Room-v0-0-00000" and sys.path == path
    with pytest.raises(UsageError, match=r"my_swirl_test_ruins fails when it is imported \(ZeroDivisionError"):
        record("gym:my_swirl_test_ruins:Room-v0", tmp_path / "other")


SPACES = {
    "numbers": spaces.Discrete(3, start=1),
    "vector": spaces.Box(np.array([-1, 0], np.float32), np.array([1, 2.5], np.float32)),
    "whole numbers": spaces.Box(0, 9, (2,), np.int64),
    "choices": spaces.MultiDiscrete([2, 3]),
    "switches": spaces.MultiBinary(3),
    "text": spaces.Text(5),
    "object": spaces.Dict({"press": spaces.Discrete(2), "at": spaces.Box(0, 1, (2,))}),
    "pair": spaces.Tuple([spaces.Discrete(2), spaces.Text(3)]),
}


@pytest.mark.parametrize("space", [name for name in SPACES if name not in ("text", "object", "pair")])
def test_the_words_of_random_actions_say_exactly_what_was_played(small, tmp_path, space):
    def observe(env):
        return json.dumps([np.asarray(action, float).round(9).tolist() for action in env.played])

    world = small(action_space=SPACES[space], observation_space=spaces.Text(999), observe=observe)
    sequences, actions = record(world, tmp_path / "out", seed=3)
    options = {"actions": tmp_path / "out" / "actions.jsonl"}
    registry.record(world, tmp_path / "again", seed=3, options=PlayOptions(**options))
    assert lines(tmp_path / "again" / "sequences.jsonl") == sequences
    assert lines(tmp_path / "again" / "actions.jsonl") == actions
    assert len({word for line in actions for word in line["actions"]}) > 2


def test_random_actions_do_not_repeat_the_chance_of_the_first_state(small, tmp_path):
    def observe(env):
        return env.np_random.uniform(-1, 1, 3).astype(np.float32) if not env.played else np.zeros(3, np.float32)

    box = spaces.Box(-1, 1, (3,))
    sequences, actions = record(small(action_space=box, observation_space=box, observe=observe), tmp_path / "out")
    for line, played in zip(sequences, actions, strict=True):
        first = np.array([float(number) for number in line["states"][0].split(", ")])
        action = np.array([float(number) for number in played["actions"][0].strip("()").split(", ")])
        assert np.abs(first - action).max() > 0.01


@pytest.mark.parametrize(
    ("space", "given", "words"),
    [
        ("numbers", [1, "action 3", "2", 2.0], ["action 1", "action 3", "action 2", "action 2"]),
        ("vector", [[0.5, 1], "(-0.25, 2.5)", "-1, 0"], ["(0.5, 1)", "(-0.25, 2.5)", "(-1, 0)"]),
        ("whole numbers", [[1, 9], [0.0, 2.0]], ["(1, 9)", "(0, 2)"]),
        ("choices", [[1, 2], "(0, 0)"], ["(1, 2)", "(0, 0)"]),
        ("text", ["abc"], ["abc"]),
        ("object", [{"press": 1, "at": [0.5, 1]}], ["at (0.5, 1), press 1"]),
        ("pair", [[1, "ab"]], ["(1, ab)"]),
    ],
)
def test_given_actions_are_numbers_words_or_vectors(small, tmp_path, space, given, words):
    world = small(action_space=SPACES[space])
    (tmp_path / "given.json").write_text(json.dumps([given, {"actions": given[:1]}]))
    report = registry.record(world, tmp_path / "out", seed=0, options=PlayOptions(actions=tmp_path / "given.json"))
    assert report["sequences"] == 2 and report["unplayed_actions"] == 0
    assert [line["actions"] for line in lines(tmp_path / "out" / "actions.jsonl")] == [words, words[:1]]


@pytest.mark.parametrize(
    ("space", "action", "reason"),
    [
        ("numbers", 4, "is 4; the environment takes whole numbers from 1 to 3"),
        ("numbers", 10**40, "is 10{40}; "),
        ("numbers", "jump", 'is "jump"; '),
        ("numbers", True, "is true; "),
        ("numbers", 1.5, "is 1.5; "),
        ("numbers", float("inf"), "is Infinity; "),
        ("numbers", [1], r"is \[1\]; "),
        ("vector", [0, 3], r"is \[0, 3\]; the environment takes 2 numbers from \(-1, 0\) to \(1, 2.5\)"),
        ("vector", [0, float("nan")], r"is \[0, NaN\]; "),
        ("vector", [0, None], r"is \[0, null\]; "),
        ("vector", [True, True], r"is \[true, true\]; "),
        ("vector", [[0], [0, 1]], r"is \[\[0\], \[0, 1\]\]; "),
        ("vector", "left", 'is "left"; '),
        ("whole numbers", [0, 0.5], r"is \[0, 0.5\]; "),
        ("object", {"press": 1}, 'is {"press": 1}; the environment takes Dict'),
        ("pair", [1], r"is \[1\]; the environment takes Tuple"),
    ],
)
def test_an_action_that_does_not_fit_is_named_with_its_line(small, tmp_path, space, action, reason):
    file = write(tmp_path / "given.jsonl", [], [action])
    file.write_text("\n" + file.read_text().partition("\n")[2])
    with pytest.raises(UsageError, match=f"given.jsonl, line 2, action 1 {reason}"):
        record(small(action_space=SPACES[space]), tmp_path / "out", actions=file)
    assert not (tmp_path / "out").exists()


def test_names_of_actions_are_offered_where_they_do_not_fit(tmp_path):
    file = write(tmp_path / "given.jsonl", ["push left", "push up"])
    with pytest.raises(
        UsageError, match=r'action 2 is "push up"; .* a number from 0 to 1 or a name: push left, push right'
    ):
        record("gym:CartPole-v1", tmp_path / "out", actions=file, observation="text")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.jsonl", "[0, 1]\n[0,\n", "a.jsonl, line 2 is not valid JSON"),
        ("a.jsonl", "0\n", "a.jsonl, line 1 is not a list with an action; write"),
        ("a.jsonl", "[]\n", "a.jsonl, line 1 is not a list with an action"),
        ("a.jsonl", "\n", "a.jsonl has no actions"),
        ("a.json", "[[0], 1]", "a.json, sequence 2 is not a list"),
        ("a.json", '{"actions": [0]}', "a.json is not a list with a list of actions for each sequence"),
        ("a.json", "[[0]", "a.json is not valid JSON"),
        ("a.jsonl", None, "a.jsonl cannot be read .No such file"),
    ],
)
def test_a_file_of_actions_that_cannot_be_read_says_where(small, tmp_path, name, text, reason):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=reason):
        record(small(), tmp_path / "out", actions=tmp_path / name)


def test_only_so_many_sequences_as_are_given(small, tmp_path):
    file = write(tmp_path / "given.jsonl", [0, 1, 0], [1, 1])
    sequences, actions = record(small(), tmp_path / "out", sequences=1, length=2, actions=file)
    assert [line["actions"] for line in actions] == [["action 0", "action 1"]] and len(sequences) == 1
    with pytest.raises(UsageError, match=r"given\.jsonl has actions for 2 sequences; ask for at most as many"):
        record(small(), tmp_path / "more", sequences=3, actions=file)


def test_the_command_notes_actions_after_the_end_and_prints_only_json(small, tmp_path, capsys):
    world, file = small(ends_after=2), write(tmp_path / "given.jsonl", [0, 1, 0, 0])
    arguments = ["record", world, "--out", str(tmp_path / "out"), "--actions", str(file)]
    assert main(["--home", str(tmp_path), *arguments]) == 0
    notes = capsys.readouterr().err
    assert "2 given actions were not played" in notes and "nothing to learn" not in notes
    arguments[3] = str(tmp_path / "again")
    assert main(["--home", str(tmp_path), *arguments, "--json", "--set", "ends_after=3"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["transitions"], report["unplayed_actions"]) == (3, 1)


def test_the_command_says_where_no_action_changes_anything(small, tmp_path, capsys):
    world = small(observe=lambda env: 7)
    assert main(["--home", str(tmp_path), "record", world, "--out", str(tmp_path / "out"), "--sequences", "1"]) == 0
    assert "No action changed anything visible" in capsys.readouterr().err


def test_options_of_gymnasium_are_refused_elsewhere(tmp_path, capsys):
    with pytest.raises(UsageError, match="--observation, --actions, --every and --set are for gym:ID, not blocks"):
        record("blocks", tmp_path / "out", every=2)
    with pytest.raises(UsageError, match="gym:CartPole-v1 is played, not read from a file; omit --from"):
        registry.record("gym:CartPole-v1", tmp_path / "out", seed=0, source=tmp_path)
    assert main(["--home", str(tmp_path), "trial", "gym:CartPole-v1"]) == 2
    assert "`swirl trial` does not play gym:CartPole-v1" in capsys.readouterr().err


def test_a_space_without_pictures_says_so(small, tmp_path):
    with pytest.raises(UsageError, match="neither observes nor draws pictures; use --observation text"):
        record(small(), tmp_path / "out", observation="picture")


def test_the_list_of_worlds_names_gymnasium():
    assert {world.name: world.ready for world in registry.world_infos()}["gym:ID"]
