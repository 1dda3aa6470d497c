"""`motley watch`: a trained agent at work."""

from __future__ import annotations

from motley.scripts.flags import Watch
from motley.scripts.readouts import explain_scale, remark_on_task
from motley.scripts.screen import has_display
from motley.studies.config import ConfigError
from motley.studies.record import open_lesioned
from motley.studies.video import FORMATS, End, episodes, make_env, record


def main(args: Watch) -> None:
    """Show or film, and print each episode's score.

    Raises:
        ConfigError: no display, no such area, or a number that cannot be.
    """
    if args.episodes < (1 if args.record else 0):
        raise ConfigError(f"--episodes must be at least 1, not {args.episodes}")
    if args.record is not None and args.record.suffix not in FORMATS:
        raise ConfigError(f"--record {args.record}: the ending must be {' or '.join(FORMATS)}")
    config, agent = open_lesioned(args.run, args.lesion)
    if args.record is None and not has_display():
        raise ConfigError(
            "there is no display to open a window on; film it instead: "
            f"motley watch {args.run} --record episode.mp4"
        )
    mode = "rgb_array" if args.record else "human"
    env = make_env(config, mode, args.level, args.ood, args.variant)
    remark_on_task(config.at(args.level, args.ood, args.variant), args.run)
    try:
        if args.record:
            ends = record(agent, env, args.record, args.episodes, args.seed, not args.sample)
            for end in ends:
                print(line(end))
            explain_scale(end.score01 for end in ends)
            print(f"wrote {args.record}")
            return
        explained = False
        for count, end in enumerate(episodes(agent, env, args.seed, not args.sample), 1):
            print(line(end), flush=True)
            explained = explained or explain_scale([end.score01])  # once: the window may never end
            if count == args.episodes:
                break
    finally:
        env.close()


def line(end: End) -> str:
    """An episode in words."""
    verdict = {None: "", True: "  success", False: "  failure"}[end.success]
    score = "" if end.score01 != end.score01 else f"  score01 {end.score01:z.2f}"
    return f"episode {end.seed}: {end.steps} steps  return {end.returns:z.2f}{score}{verdict}"
