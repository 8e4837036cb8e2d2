"""Model families that need code of their own: Emu3 and Janus, which read and draw images, and diffusion editors."""
