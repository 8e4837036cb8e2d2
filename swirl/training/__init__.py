"""The two models teach each other: the loop, its phases, rollouts and rewards, and the supervised stages."""
