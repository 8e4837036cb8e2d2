"""`swirl infer`, `imagine`, `export` and `push`: what can be done with a trained model."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from swirl.cli.arguments import add_checkpoint, add_json, positive_integer
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output
from swirl.errors import SwirlError, UsageError
from swirl.states import Picture, State

NAMES = "a path, a shipped name, RUN[@iteration], or hub:OWNER/NAME"


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add this room's commands to the parser."""
    inferring = commands.add_parser("infer", help="the latent action of each transition")
    add_checkpoint(inferring)
    inferring.add_argument("--data", metavar="NAME", required=True, help="a collection")
    inferring.add_argument("--limit", metavar="N", type=positive_integer, help="only the first N transitions")
    inferring.add_argument(
        "--alternatives", metavar="K", type=positive_integer, default=4, help="actions shown for each"
    )
    inferring.add_argument("--seed", metavar="S", type=int, default=0)
    add_json(inferring)
    inferring.set_defaults(handler=infer_actions)

    imagining = commands.add_parser("imagine", help="next states, each with the IDM's score of the action")
    add_checkpoint(imagining)
    imagining.add_argument("--state", metavar="S", required=True, help="a text, @FILE to read one, or a picture's path")
    imagining.add_argument("--action", metavar="A", required=True, help="what is done, in words")
    imagining.add_argument("-n", metavar="N", type=positive_integer, default=4, help="how many (default 4)")
    imagining.add_argument("--temperature", metavar="T", type=float, default=1.0, help="0 takes the likeliest")
    imagining.add_argument("--seed", metavar="S", type=int, default=0)
    add_json(imagining)
    imagining.set_defaults(handler=imagine_states)

    exporting = commands.add_parser("export", help="a folder that runs as a Hugging Face Space")
    exporting.add_argument("checkpoint", metavar="CHECKPOINT", help=NAMES)
    exporting.add_argument("--space", metavar="DIR", type=Path, required=True, help="a new or empty folder")
    exporting.add_argument(
        "--upload",
        metavar="OWNER/NAME",
        help="also put it on the Hub as this Space, with the token of HF_TOKEN or of `hf auth login`",
    )
    exporting.add_argument("--private", action="store_true", help="with --upload: seen by you alone")
    add_json(exporting)
    exporting.set_defaults(handler=export_checkpoint)

    pushing = commands.add_parser(
        "push",
        help="put a checkpoint on the Hugging Face Hub",
        description="Uploads the two adapters as peft has them, their base model unless it is on the Hub, and a model "
        "card with the scores, with the token of HF_TOKEN or of `hf auth login`. Anywhere else the checkpoint is then "
        "called hub:OWNER/NAME.",
    )
    pushing.add_argument("checkpoint", metavar="CHECKPOINT", help=NAMES)
    pushing.add_argument("--to", metavar="OWNER/NAME", required=True, help="the repository, made if need be")
    pushing.add_argument("--private", action="store_true", help="a new repository is seen by you alone")
    add_json(pushing)
    pushing.set_defaults(handler=push_checkpoint)


def infer_actions(given: argparse.Namespace, out: Output) -> int:
    """The IDM's action for each transition of a collection, in the order of the data."""
    from swirl.sources.collections.catalog import load_sequences

    transitions = [item for sequence in load_sequences(given.home, given.data) for item in sequence.transitions()]
    transitions = transitions[: given.limit]
    pairs = [(item.state, item.next_state) for item in transitions]
    with loaded_model(given) as model:
        inferences = model.infer(pairs, alternatives=given.alternatives, seed=given.seed, progress=out.show_progress)
    rows = [
        {
            "sequence": transition.sequence_id,
            "step": transition.step,
            "action": inference.action,
            "log_prob": inference.log_prob,
            "alternatives": [{"action": a.action, "log_prob": a.log_prob} for a in inference.alternatives],
        }
        for transition, inference in zip(transitions, inferences, strict=True)
    ]
    out.print_document({"checkpoint": given.checkpoint, "data": given.data, "transitions": rows})
    for row in rows:
        out.print_line(f"{row['sequence']}\t{row['step']}\t{row['action']}\t{row['log_prob']:.3f}")
    return 0


def imagine_states(given: argparse.Namespace, out: Output) -> int:
    """N next states after an action, best first by the IDM's log-probability of that action."""
    if given.temperature < 0:
        raise UsageError(f"--temperature takes a number from 0, not {given.temperature}.")
    state = read_state(given.state)
    with loaded_model(given) as model:
        predictions = model.imagine(state, given.action, n=given.n, temperature=given.temperature, seed=given.seed)
    states = [save_imagined_state(given.home, prediction.state) for prediction in predictions]
    out.print_document(
        {
            "predictions": [
                {"state": said, "score": prediction.score, "log_prob": prediction.log_prob}
                for said, prediction in zip(states, predictions, strict=True)
            ]
        }
    )
    for said, prediction in zip(states, predictions, strict=True):
        score = "–" if prediction.score is None else f"{prediction.score:.3f}"
        out.print_line(f"{score}\t{said}")
    return 0


def read_state(text: str) -> State:
    """A text, the text of the file after an @, or the picture that a path names.

    Raises SwirlError for a file that cannot be read.
    """
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SwirlError(f"The state file {path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise SwirlError(f"The state file {path} is not UTF-8 text (byte {error.start}).") from error
    if not text.strip():
        raise UsageError("--state is empty; give the state as text, @FILE, or a picture's path.")
    from swirl.pictures import pixels
    from swirl.sources.formats.still_images import PICTURE_SUFFIXES

    if Path(text).suffix.lower() in PICTURE_SUFFIXES:
        file = Path(text).expanduser()
        if not file.is_file():
            raise SwirlError(f"There is no picture {file}; check the path.")
        pixels(Picture(file=file))  # what is no picture is said before a model is loaded
        return State(picture=Picture(file=file))
    return State(text)


def save_imagined_state(home: Path, state: State) -> str:
    """An imagined text, or the path of the imagined picture's file in the home."""
    if state.picture is None:
        return state.text
    from swirl.pictures import read_picture_bytes

    data = read_picture_bytes(state.picture)
    file = home / "imagined" / f"{hashlib.sha256(data).hexdigest()[:16]}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return str(file)


def export_checkpoint(given: argparse.Namespace, out: Output) -> int:
    """Write the Space's folder, upload it if asked to, and say what to do with it."""
    from swirl.models.hub import require_write_token, upload
    from swirl.sharing.space import export_space

    if given.private and not given.upload:
        raise UsageError("--private says who sees an uploaded Space; it needs --upload OWNER/NAME.")
    if given.upload:
        require_write_token(given.upload, None)  # before anything is written
    files = export_space(given.home, given.checkpoint, given.space)
    out.print_line(f"Wrote {len(files)} files to {given.space}.")
    address = None
    if given.upload:
        out.print_note(f"Uploading to {given.upload}.")
        address = upload(given.space.expanduser(), given.upload, kind="space", token=None, private=given.private)
        out.print_line(f"The Space is at {address}; it builds for some minutes before it starts.")
    out.print_document({"space": str(given.space), "files": files, "address": address})
    out.print_note(f"To try it here: cd {given.space} && pip install -r requirements.txt && python app.py")
    return 0


def push_checkpoint(given: argparse.Namespace, out: Output) -> int:
    """Upload the checkpoint and say how it is called from now on."""
    from swirl.sharing.hub_upload import push_to_hub

    out.print_note(f"Uploading {given.checkpoint} to {given.to}.")
    address = push_to_hub(given.home, given.checkpoint, given.to, private=given.private)
    out.print_document({"checkpoint": given.checkpoint, "address": address, "name": f"hub:{given.to}"})
    out.print_line(f"{address}: anywhere else its name is hub:{given.to}")
    return 0
