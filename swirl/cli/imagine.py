"""`swirl imagine`: sample next states, each with the IDM's score of the action."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from swirl.cli.arguments import add_checkpoint, add_json, add_seed, positive_integer
from swirl.cli.imagined_states import save_imagined_state
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output
from swirl.errors import SwirlError, UsageError
from swirl.states import Picture, State


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    imagining = commands.add_parser(
        "imagine",
        help="sample next states, each scored by the IDM",
        description="Samples next states from the FWM, and prints each with the IDM's log-probability of the action, "
        "best first. Pictures are written to imagined/ in the home.",
    )
    add_checkpoint(imagining)
    imagining.add_argument(
        "--state",
        metavar="S",
        required=True,
        help="text, @FILE for the text of a file to the byte, or path of a picture",
    )
    imagining.add_argument("--action", metavar="A", required=True, help="action in words")
    imagining.add_argument(
        "-n", metavar="N", type=positive_integer, default=4, help="number of next states (default: 4)"
    )
    imagining.add_argument(
        "--temperature",
        metavar="T",
        type=float,
        default=1.0,
        help="sampling temperature; 0 decodes greedily (default: 1.0)",
    )
    add_seed(imagining, "the same seed gives the same states")
    add_json(imagining)
    imagining.set_defaults(handler=imagine_states)


def imagine_states(args: argparse.Namespace, out: Output) -> int:
    """Print N next states after an action, best first by the IDM's log-probability of the action."""
    if args.temperature < 0:
        raise UsageError(f"--temperature must be 0 or more, not {args.temperature}.")
    state = read_state(args.state)
    with loaded_model(args) as model:
        predictions = model.imagine(state, args.action, n=args.n, temperature=args.temperature, seed=args.seed)
    states = [save_imagined_state(args.home, prediction.state) for prediction in predictions]
    out.print_document(
        {
            "predictions": [
                {"state": text, "score": prediction.score, "log_prob": prediction.log_prob}
                for text, prediction in zip(states, predictions, strict=True)
            ]
        }
    )
    for text, prediction in zip(states, predictions, strict=True):
        score = "–" if prediction.score is None else f"{prediction.score:.3f}"
        out.print_line(f"{score}\t{text}")
    return 0


def read_state(text: str, option: str = "--state") -> State:
    """Read a state: a text, the text of the file after an @, or the picture that a path names.

    `option` is what gave it. Raises UsageError for an empty text, SwirlError for a file that cannot be read.
    """
    if not text.startswith("@"):
        return read_picture(text) or read_text(text, option)
    path = Path(text[1:])
    try:
        # With its line ends, which reading as text would change.
        return read_text(path.read_bytes().decode(), option)
    except OSError as error:
        raise SwirlError(f"The state file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SwirlError(f"The state file {path} is not UTF-8 text (byte {error.start}).") from error


def read_text(text: str, option: str) -> State:
    """A text as a state. Raises UsageError if it is empty."""
    if not text.strip():
        raise UsageError(f"{option} is empty; give the state as text, as @FILE, or as the path of a picture.")
    return State(text)


def read_picture(path: str) -> State | None:
    """The picture at a path; None for what is no such path, as a text may end with the name of a picture, too.

    Raises SwirlError if there is no such file, or if it is not a picture.
    """
    from swirl.pictures import pixels
    from swirl.sources.formats.still_images import PICTURE_SUFFIXES

    file = os.path.expanduser(path)  # pathlib raises an error for texts that are too long for a path
    if os.path.splitext(file)[1].lower() not in PICTURE_SUFFIXES:
        return None
    if not os.path.isfile(file):
        if path.split()[1:]:
            return None
        raise SwirlError(f"There is no picture {file}; check the path.")
    picture = Picture(file=Path(file))
    pixels(picture)  # reports an unreadable picture before a model is loaded
    return State(picture=picture)
