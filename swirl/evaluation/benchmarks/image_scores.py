"""What is told of drawn pictures without a judge: how near they are to the target, and to the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from swirl import pictures
from swirl.evaluation.benchmarks.clip import Clip, cosines
from swirl.evaluation.benchmarks.figures import MetricColumn, mean_columns
from swirl.evaluation.benchmarks.splits import BenchmarkStep
from swirl.evaluation.disc_edit import pixel_distance
from swirl.evaluation.image_metrics import psnr
from swirl.states import Picture, State


def state_pictures(states: Iterable[State]) -> list[Picture]:
    """The pictures of states that are pictures."""
    return [state.picture for state in states if state.picture is not None]


def psnr_between(first: State, second: State) -> float:
    """The PSNR (dB) of two pictures at the second one's size."""
    a, b = state_pictures([first, second])
    return psnr(pictures.pixels(a, pictures.size(b)), pictures.pixels(b))


def pixel_columns(
    steps: Sequence[BenchmarkStep], drawn: Sequence[State], of: Mapping[str, int]
) -> Iterator[MetricColumn]:
    """PSNR against the target beside that of the source, and the share of pictures nearer to the target in pixels.

    `forward/pixel_success` is ours: 1 where the drawn picture's root mean squared difference to the target is smaller
    than to the source, at the drawn picture's size. A copy of the source scores 0.
    """
    splits, groups = [step.split for step in steps], [step.group for step in steps]
    pairs = list(zip(steps, drawn, strict=True))
    yield from mean_columns("forward/psnr", splits, groups, [psnr_between(made, s.next_state) for s, made in pairs], of)
    yield from mean_columns("copy/psnr", splits, groups, [psnr_between(s.state, s.next_state) for s, _ in pairs], of)
    nearer = [pixel_distance(s.next_state, made) < pixel_distance(s.state, made) for s, made in pairs]
    yield from mean_columns("forward/pixel_success", splits, groups, list(map(float, nearer)), of, 100)


def clip_columns(
    clip: Clip, steps: Sequence[BenchmarkStep], drawn: Sequence[State], of: Mapping[str, int]
) -> Iterator[MetricColumn]:
    """CLIP similarity to the target beside the source's, and CLIP success.

    `forward/clip_success` is the paper's: the share of drawn pictures whose embedding is nearer (cosine) to the
    target's than to the source's. A copy of the source scores 0.
    """
    splits, groups = [step.split for step in steps], [step.group for step in steps]
    sources, targets, made = (
        clip.embed_pictures(state_pictures(states))
        for states in ([step.state for step in steps], [step.next_state for step in steps], drawn)
    )
    to_target, to_source = cosines(made, targets), cosines(made, sources)
    nearer = [float(t > s) for t, s in zip(to_target, to_source, strict=True)]
    yield from mean_columns("forward/clip_success", splits, groups, nearer, of, 100)
    yield from mean_columns("forward/clip_image", splits, groups, to_target, of)
    yield from mean_columns("copy/clip_image", splits, groups, cosines(sources, targets), of)
