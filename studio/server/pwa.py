"""The studio as an installed app: the manifest that browsers ask for, and its icons."""

from __future__ import annotations

from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.routing import APIRoute

from swirl.paths import assets

ICONS = {"192": ("192x192", "any"), "512": ("512x512", "any"), "maskable": ("512x512", "maskable")}
"""The files of `assets/icons`, each with its size and what it is for."""


def manifest() -> JSONResponse:
    """What the browser shows and does when the studio is installed; addresses are relative, for apps below a path."""
    icons = [
        {"src": f"./icons/{name}.png", "sizes": size, "type": "image/png", "purpose": purpose}
        for name, (size, purpose) in ICONS.items()
    ]
    about = {
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
    return JSONResponse(about, media_type="application/manifest+json")


def icon(name: str) -> Response:
    """One of the icons, as PNG."""
    if name not in ICONS:
        return Response("There is no such icon.", status_code=404)
    return FileResponse(assets() / "icons" / f"{name}.png", media_type="image/png")


def routes() -> list[APIRoute]:
    """The routes to add to the app, ahead of Gradio's own manifest."""
    answers = {"/manifest.json": manifest, "/icons/{name}.png": icon}
    return [
        APIRoute(path, answer, methods=["GET"], response_model=None, include_in_schema=False)
        for path, answer in answers.items()
    ]
