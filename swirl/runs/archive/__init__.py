"""Managing stored runs: their lineage, disk usage, deletion, export and import."""
