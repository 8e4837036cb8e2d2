"""Gradio's theme as a file that browsers keep: Gradio itself sends all of it again with every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

if TYPE_CHECKING:
    import gradio as gr

FOREVER = "public, max-age=31536000, immutable"


def route(app: gr.Blocks) -> APIRoute:
    """The route of `theme.css`, to be added ahead of Gradio's; its address carries a hash of what it holds."""

    def theme_css(request: Request) -> Response:
        kept = {"Cache-Control": FOREVER} if "v" in request.query_params else {}
        return Response(app.theme_css, media_type="text/css", headers=kept)

    return APIRoute("/theme.css", theme_css, methods=["GET"], response_model=None, include_in_schema=False)
