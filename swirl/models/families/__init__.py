"""Models with a form of their own: Emu3 and Janus, which read and draw pictures, and diffusion editors."""
