"""The theme's stylesheet is fetched once, not with every page."""

from types import SimpleNamespace

from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.server import styles


def test_browsers_keep_a_stylesheet_with_a_version() -> None:
    client = TestClient(FastAPI(routes=[styles.route(SimpleNamespace(theme_css=":root { --paper: white }"))]))
    kept, fresh = client.get("/theme.css?v=1"), client.get("/theme.css")
    assert kept.text == fresh.text == ":root { --paper: white }"
    assert kept.headers["content-type"].startswith("text/css")
    assert "immutable" in kept.headers["cache-control"]
    assert "cache-control" not in fresh.headers
