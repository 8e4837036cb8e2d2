"""One file a page, one question a page."""
