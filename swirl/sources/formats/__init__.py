"""One reader a format: texts, tables, logs, images and videos as sequences of states."""
