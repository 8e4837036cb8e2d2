"""Share a checkpoint as a Hugging Face Space or on the Hub, and pack the recorded run of a demonstration."""
