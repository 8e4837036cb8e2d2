"""Makes whole pictures of interlaced frames, whose odd and even lines were recorded at different times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame

FILTER, SETTINGS = "yadif", "mode=send_frame:deint=interlaced"
"""FFmpeg's filter, one picture for each frame: the lines recorded first stay, the others are computed from them and
the neighbouring frames. Frames that are not marked as interlaced pass as they are."""
MIN_SIDE = 3
"""The smallest side of a picture that the filter takes, in pixels."""


def deinterlace(frames: Iterable[VideoFrame], found: Callable[[], None]) -> Iterator[VideoFrame]:
    """Yield the frames in the same number and order, with their times; calls `found` for each interlaced one.

    A film without interlaced frames is not touched.
    """
    graph: Graph | None = None
    shape: tuple[int, int, str] | None = None
    for frame in frames:
        if graph is not None and shape != picture_shape(frame):
            yield from finish(graph)
            graph = None
        is_interlaced = frame.interlaced_frame and min(frame.width, frame.height) >= MIN_SIDE
        if is_interlaced:
            found()
        if graph is None and not is_interlaced:
            yield frame
            continue
        if graph is None:
            graph, shape = new_graph(frame), picture_shape(frame)
        graph.vpush(frame)
        yield from pull(graph)
    if graph is not None:
        yield from finish(graph)


def picture_shape(frame: VideoFrame) -> tuple[int, int, str]:
    """What one graph needs all frames to share: width and height in pixels, and the pixel format."""
    return frame.width, frame.height, frame.format.name


def new_graph(frame: VideoFrame) -> Graph:
    """A filter graph for frames like this one."""
    from av.filter import Graph

    graph = Graph()
    start = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(start, graph.add(FILTER, SETTINGS), graph.add("buffersink")).configure()
    return graph


def pull(graph: Graph) -> Iterator[VideoFrame]:
    """The frames that are ready."""
    import av

    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def finish(graph: Graph) -> Iterator[VideoFrame]:
    """The frames that waited for a next one."""
    graph.vpush(None)
    yield from pull(graph)
