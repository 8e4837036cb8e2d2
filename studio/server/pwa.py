"""The manifest and icons that let browsers install the studio as an app."""

from __future__ import annotations

from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.routing import APIRoute

from swirl.paths import assets

ICONS = {"192": ("192x192", "any"), "512": ("512x512", "any"), "maskable": ("512x512", "maskable")}
"""The files of `assets/icons`, each with its size and purpose."""


def manifest() -> JSONResponse:
    """The web app manifest; its addresses are relative, so that the app may be served below a path."""
    icons = [
        {"src": f"./icons/{name}.png", "sizes": size, "type": "image/png", "purpose": purpose}
        for name, (size, purpose) in ICONS.items()
    ]
    content = {
        "id": "./",
        "name": "SWIRL Studio",
        "short_name": "SWIRL",
        "description": "See latent actions, imagine next states, and train world models from state-only sequences.",
        "start_url": "./",
        "display": "standalone",
        "background_color": "#faf9f7",
        "theme_color": "#faf9f7",
        "icons": icons,
    }
    return JSONResponse(content, media_type="application/manifest+json")


def icon(name: str) -> Response:
    """The response with one icon as PNG."""
    if name not in ICONS:
        return Response("There is no such icon.", status_code=404)
    return FileResponse(assets() / "icons" / f"{name}.png", media_type="image/png")


def routes() -> list[APIRoute]:
    """The routes to add to the app, ahead of Gradio's own manifest."""
    handlers = {"/manifest.json": manifest, "/icons/{name}.png": icon}
    return [
        APIRoute(path, handler, methods=["GET"], response_model=None, include_in_schema=False)
        for path, handler in handlers.items()
    ]
