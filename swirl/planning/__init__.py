"""Plans in imagination: latent actions that lead from a state to a goal, found with the two models alone."""
