"""Build the Gradio app: one route for each page under a common header, and the endpoints for programs."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Gradio reads these when it is imported. The studio contacts no other host by itself.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# After every event it would make a table of the last 10 000 for its page of statistics, which the studio does not have.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)

import gradio as gr

from studio.components.explore import analysis
from studio.components.shared import accessibility, guided_tour, header, share_window
from studio.components.shared.logo import favicon
from studio.pages import compare, experiments, explore, label, play, runs, train
from studio.server import api, demo, finished_calls, guard, preload, pwa
from studio.server.guard import Admission
from studio.server.theme import head, stylesheet_route, theme
from studio.services import browser_scripts, downloads, frames
from studio.services.sharing import Sharing
from studio.services.upload_folder import KEPT_SECONDS

MAX_SESSIONS = 32
"""Sessions that Gradio remembers. Each page that is opened is one and takes 0.13 MB; the pages keep nothing in them."""

PAGES = (explore, play, train, compare, experiments, runs)
UPLOAD_CHECK_SECONDS = 3600  # between two looks for old uploads
UNLISTED_PAGES = (label,)  # reached through links on other pages, not through the navigation


def build(home: Path, *, read_only: bool = False) -> gr.Blocks:
    """Build the app for one home folder, ready to launch; every page module has `PAGE` and `render(home)`.

    With `read_only` the app is a demonstration: the server refuses every request that would write.
    """
    sharing = Sharing(home)
    names = [module.PAGE for module in PAGES]
    app = gr.Blocks(
        title="SWIRL Studio",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(UPLOAD_CHECK_SECONDS, KEPT_SECONDS),
    )
    with app:
        api.render(home)  # before the pages, because an endpoint defined after a page belongs to that page
    for module in (*PAGES, *UNLISTED_PAGES):
        page = module.PAGE
        with app if page.path == "/" else app.route(page.title, page.path):
            gr.Navbar(visible=False)
            header.render(home, page, names)
            if read_only:
                demo.banner(home)
            guided_tour.render(home, page, read_only=read_only)
            share_window.render(home, sharing)
            module.render(home)
            if module is explore:
                analysis.render(home)
            guided_tour.render_footer()
            accessibility.render()
    if read_only:
        demo.make_read_only(app, home)
    return app


def launch(
    app: gr.Blocks,
    *,
    host: str,
    port: int,
    login: tuple[str, str] | None,
    admission: Admission | None = None,
    read_only: bool = False,
) -> None:
    """Serve `app` in the background, without a share link, Gradio's run history or its footer.

    `admission` says who is let in, by default only the user of this machine.
    """
    folder = Path(tempfile.mkdtemp(prefix="swirl-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    icon = folder / "favicon.svg"
    icon.write_text(favicon(), encoding="utf-8")
    app.launch(
        server_name=host,
        server_port=port,
        auth=login,
        auth_message="SWIRL Studio",
        inbrowser=False,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        show_error=True,
        footer_links=["api"],  # hidden by a style sheet; `?api` lists the endpoints
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        state_session_capacity=MAX_SESSIONS,
        mcp_server=False,
        pwa=False,
        favicon_path=icon,
        theme=theme(),
        head=head(),
        app_kwargs={
            "routes": [
                browser_scripts.route(),
                frames.route(),
                downloads.route(),
                stylesheet_route(app),
                *pwa.routes(),
            ],
            "middleware": [
                *guard.middleware(admission or Admission()),
                *preload.middleware(app),
                *finished_calls.middleware(app),
                *(demo.middleware() if read_only else []),
            ],
        },
    )
