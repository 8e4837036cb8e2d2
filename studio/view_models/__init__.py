"""What the pages show, computed as plain data without Gradio or tensors, so it can be tested without a browser."""
