"""What the pages show, worked out as plain data: no gradio, no tensors, so that tests need no browser."""
