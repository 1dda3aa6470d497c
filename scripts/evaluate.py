"""`motley evaluate`: how well a trained agent does, whole or lesioned."""

from __future__ import annotations

from functools import partial

from motley.envs.summaries import is_read
from motley.scripts.flags import Evaluate
from motley.scripts.readouts import tell
from motley.studies.config import ConfigError, build_worlds
from motley.studies.evaluate import OTHERS_WORLDS, play
from motley.studies.record import open_lesioned, record, rules


def main(args: Evaluate) -> None:
    """Play and print.

    Raises:
        ConfigError: no episodes, no such level, variant or area.
    """
    if args.episodes < 1:
        raise ConfigError(f"--episodes must be at least 1, not {args.episodes}")
    config, agent = open_lesioned(args.run, args.lesion)
    deterministic = not args.sample
    if config.ours is not None:
        task = rules(config, args.level, args.ood, args.variant)
        keep = partial(is_read, task.name)
        made = record(agent, task, args.episodes, args.seed, deterministic, keep)
        tell(made, args.lesion)
        return
    config = config.at(args.level, args.ood, args.variant)
    worlds = build_worlds(config, min(args.episodes, OTHERS_WORLDS), args.seed, config.ood)
    try:
        tell(play(agent, worlds, args.episodes, deterministic), args.lesion)
    finally:
        worlds.close()
