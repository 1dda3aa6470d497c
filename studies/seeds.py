"""Seeds that commands name, apart from what uses them, so that ``--help`` answers at once."""

SEED = 900_000_000
"""Of the first episode of a video or a recording: the same for every arm, far from training's."""
