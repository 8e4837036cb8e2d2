"""Tests of the theme's stylesheet: browsers fetch it once, not with every page."""

from types import SimpleNamespace

from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.server.theme import stylesheet_route


def test_browsers_cache_a_stylesheet_with_a_version() -> None:
    client = TestClient(FastAPI(routes=[stylesheet_route(SimpleNamespace(theme_css=":root { --paper: white }"))]))
    cached, fresh = client.get("/theme.css?v=1"), client.get("/theme.css")
    assert cached.text == fresh.text == ":root { --paper: white }"
    assert cached.headers["content-type"].startswith("text/css")
    assert "immutable" in cached.headers["cache-control"]
    assert "cache-control" not in fresh.headers
