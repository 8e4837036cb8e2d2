"""Score drawn pictures without a judge: how near they are to the target and to the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from swirl import pictures
from swirl.evaluation.benchmarks.figures import MetricColumn, mean_columns
from swirl.evaluation.benchmarks.splits import BenchmarkStep, splits_and_groups
from swirl.evaluation.clip import Clip, cosines
from swirl.evaluation.disc_edit import pixel_distance
from swirl.evaluation.image_metrics import psnr
from swirl.states import Picture, State


def state_pictures(states: Iterable[State]) -> list[Picture]:
    """The pictures of the states that have one."""
    return [state.picture for state in states if state.picture is not None]


def psnr_between(first: State, second: State) -> float:
    """The PSNR (dB) of two pictures at the size of the second."""
    a, b = state_pictures([first, second])
    return psnr(pictures.pixels(a, pictures.size(b)), pictures.pixels(b))


def pixel_columns(
    steps: Sequence[BenchmarkStep], drawn: Sequence[State], split_sizes: Mapping[str, int]
) -> Iterator[MetricColumn]:
    """PSNR against the target, of the drawn picture and of the source, and the share of pictures nearer to the target.

    `forward/pixel_success` is ours: 100 where the root mean squared difference of the drawn picture to the target is
    smaller than to the source, at the drawn picture's size, else 0. A copy of the source scores 0.
    """
    splits, groups = splits_and_groups(steps)
    pairs = list(zip(steps, drawn, strict=True))
    ours = [psnr_between(picture, step.next_state) for step, picture in pairs]
    yield from mean_columns("forward/psnr", splits, groups, ours, split_sizes)
    copied = [psnr_between(step.state, step.next_state) for step in steps]
    yield from mean_columns("copy/psnr", splits, groups, copied, split_sizes)
    nearer = [
        float(pixel_distance(step.next_state, picture) < pixel_distance(step.state, picture)) for step, picture in pairs
    ]
    yield from mean_columns("forward/pixel_success", splits, groups, nearer, split_sizes, 100)


def clip_columns(
    clip: Clip, steps: Sequence[BenchmarkStep], drawn: Sequence[State], split_sizes: Mapping[str, int]
) -> Iterator[MetricColumn]:
    """CLIP similarity to the target, of the drawn picture and of the source, and CLIP success.

    `forward/clip_success` is the paper's: the share of drawn pictures whose embedding is nearer (by cosine) to the
    target's than to the source's, in %. A copy of the source scores 0.
    """
    splits, groups = splits_and_groups(steps)
    sources, targets, predictions = (
        clip.embed_pictures(state_pictures(states))
        for states in ([step.state for step in steps], [step.next_state for step in steps], drawn)
    )
    to_target, to_source = cosines(predictions, targets), cosines(predictions, sources)
    nearer = [float(t > s) for t, s in zip(to_target, to_source, strict=True)]
    yield from mean_columns("forward/clip_success", splits, groups, nearer, split_sizes, 100)
    yield from mean_columns("forward/clip_image", splits, groups, to_target, split_sizes)
    yield from mean_columns("copy/clip_image", splits, groups, cosines(sources, targets), split_sizes)
