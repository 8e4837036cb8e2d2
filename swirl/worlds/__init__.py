"""Worlds: small simulators of our own and adapters to other simulators and logs, which record sequences."""
