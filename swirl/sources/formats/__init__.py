"""One reader per format: texts, tables, logs, images and videos become sequences of states."""
