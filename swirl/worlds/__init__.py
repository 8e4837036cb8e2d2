"""Small simulators and adapters to real ones."""
