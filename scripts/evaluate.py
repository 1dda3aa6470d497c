"""`motley evaluate`: how well a trained agent does, whole or lesioned."""

from __future__ import annotations

import numpy as np

from motley.scripts.flags import Evaluate
from motley.studies.config import ConfigError, build_worlds
from motley.studies.evaluate import OTHERS_WORLDS, play
from motley.studies.record import open_lesioned


def main(args: Evaluate) -> None:
    """Play and print.

    Raises:
        ConfigError: no episodes, no such level or area.
    """
    if args.episodes < 1:
        raise ConfigError(f"--episodes must be at least 1, not {args.episodes}")
    config, agent = open_lesioned(args.run, args.lesion)
    config = config.at(args.level, args.ood)
    n = min(args.episodes, 200 if config.ours else OTHERS_WORLDS)
    worlds = build_worlds(config, n, args.seed, config.ood)
    try:
        found = play(agent, worlds, args.episodes, not args.sample)
    finally:
        worlds.close()
    print(f"{args.episodes} episodes" + "".join(f", without {area}" for area in args.lesion))
    for name, values in found._asdict().items():
        if np.isfinite(values).all():
            error = values.std() / np.sqrt(len(values))
            print(f"  {name:8} {values.mean():.3f} (standard error {error:.3f})")
