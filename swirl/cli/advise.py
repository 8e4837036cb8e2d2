"""`swirl advise`: probe a model on its data, and say which method suits it, with the experiment that says so."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_checkpoint, add_json, positive_integer
from swirl.cli.output import Output, format_table

FIGURES = {
    "critic": "of a right and a wrong prediction, the inverse model prefers the right one",
    "right": "sampled predictions that equal the observed next state",
    "spread": "distinct predictions in a group of 8",
    "agreement": "sampled actions that equal the likeliest one",
    "kept": "of what a step left as it was, kept by a prediction on average",
    "kept_preferred": "the same of the prediction that the inverse model prefers",
    "changed": "of what a step changed, right in a prediction on average",
    "changed_preferred": "the same of the prediction that the inverse model prefers",
}
"""The figures of a probe that are printed, in words."""


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    advising = commands.add_parser(
        "advise",
        help="probe a model on its data for a minute, and say which method to train it with",
        description="Samples predictions and actions on held-out transitions and looks whether the rewards of mutual "
        "training would point to the truth; no action labels are needed. The advice is the method that did best in the "
        "shipped experiment where the probe looked most alike.",
    )
    add_checkpoint(advising)
    advising.add_argument("--data", metavar="NAME", required=True, help="collection of sequences")
    advising.add_argument("--labels", action="store_true", help="also consider methods that train on labels")
    advising.add_argument(
        "--limit", metavar="N", type=positive_integer, default=48, help="probe at most N transitions (default: 48)"
    )
    add_json(advising)
    advising.set_defaults(handler=advise_on_training)


def advise_on_training(args: argparse.Namespace, out: Output) -> int:
    """Probe, print the figures and the advice."""
    from swirl.experiments.advice import advise, evidence_temperature
    from swirl.experiments.evidence import shipped_evidence
    from swirl.experiments.known_private_codes import private_code_of
    from swirl.experiments.probing import probe_figures
    from swirl.sources.collections.catalog import get_collection

    get_collection(args.home, args.data)  # an unknown name fails before a model is loaded
    evidence = shipped_evidence()
    temperature = evidence_temperature()
    figures = probe_figures(args.home, args.checkpoint, args.data, temperature, args.limit, out.show_progress)
    private_code = private_code_of(args.home, args.checkpoint)
    advice = advise(figures, evidence, has_labels=args.labels, private_code=private_code)
    nearest = advice.problem.probe
    out.print_document(
        {
            "checkpoint": args.checkpoint,
            "data": args.data,
            "probe": figures,
            "method": advice.method,
            "nearest": advice.problem.problem,
            "distance": advice.distance,
            "rivals": advice.rivals,
            "sentence": advice.sentence,
        }
    )
    rows = [[name, format_share(figures[name]), format_share(nearest.get(name)), FIGURES[name]] for name in FIGURES]
    out.print_line(format_table(["FIGURE", "YOURS", "NEAREST", "WHAT IT IS"], rows))
    out.print_line(advice.sentence)
    return 0


def format_share(value: float | None) -> str:
    """A share with two decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"
