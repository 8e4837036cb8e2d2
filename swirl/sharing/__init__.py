"""A checkpoint for others: a Hugging Face Space, a repository on the Hub, its model card, a recorded run."""
