"""Object tracking: a slot that keeps a thing's place and motion, and moves it on out of sight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State, blank, check_prior, wrong_factors
from motley.costs import sighting

REACH, TIME = 4.0, 20.0
"""Metres and steps that give an output of 1."""
VIEWS = 4
"""How many views the line is laid through."""
JUMP = 1.1
"""Metres: nothing moves as far in a step."""
LINE = ("points", "views", "place", "walls", "screen", "lost", "pose")
"""What is kept of place and motion."""


class ObjectTracker(Area):
    """One object file (Kahneman, Treisman & Gibbs 1992): what moved, where it is, how it goes on.

    The file is opened by motion seen while the body is at rest, under the colour of what moved.
    While that colour is in view, place and velocity are the least-squares fit of a disc that moves
    on steadily to the edge that was met in the last views, shifted and turned by the body's own
    motion. Out of sight the thing is moved on by that velocity and by the body's motion, and
    bounces off the surfaces that were seen ahead, to the left, behind and to the right while it was
    in view. From the surface that hid it the tracker reckons when and where it will come back past
    it.

    Its rungs of prior strength:

    - ``exact``: the thing's radius and the way it moves are given; nothing is learnt.
    - ``noisy``: how far from a surface it turns, its velocity and the distance of surfaces start
      wrong by random factors (deviation 0.2) and are learnt. Where it is while in view is
      reckoned with its true radius.
    - ``learnt``: the bounces are not given either, but for when it comes back, which starts from
      one bounce off the far wall: a layer of ``hidden`` units corrects that, and where a thing
      out of sight is and will come back, from its last place, its velocity, the surfaces and the
      time; what it adds starts near zero, which for places is straight on.

    The output is [in view, known and out of sight, place (ahead, left) / 4 m, place of coming back
    / 4 m, steps until then / 20], all in the body's frame; zero where nothing is known.

    Args:
        sizes: features of ``vision`` and of ``egomotion``.
        prior: the rung.
        radius: of the thing, metres.
        hidden: units of the learnt rung.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        prior: str = "noisy",
        radius: float = 0.4,
        hidden: int = 32,
    ):
        check_prior("ObjectTracker", prior)
        if len(sizes) != 2 or sizes[0] % sighting.CHANNELS or sizes[1] != 3:
            raise ValueError(
                f"ObjectTracker wants vision of rays x {sighting.CHANNELS} channels and egomotion "
                f"of 3 numbers, not sizes {sizes}"
            )
        super().__init__(sizes, 7)
        self.prior, self.radius = prior, radius
        # Factors of the gap at which it turns, of its velocity and of the distance of surfaces.
        self.factors = wrong_factors(3) if prior != "exact" else None
        if prior == "learnt":
            self.encode = nn.Linear(10, hidden)
            self.correct = nn.Linear(hidden, 5)
            with torch.no_grad():
                self.correct.weight *= 0.1
                self.correct.bias.zero_()

    def initial_state(self, n: int) -> State:
        """Return an empty file.

        ``color``, whether it is ``open``; ``view``: the last; ``points``: the outermost two that
        were met in each of the last views of the thing, newest first, and how many such ``views``
        there are; ``place``: in the last; ``walls``: how far off surfaces were seen ahead, left,
        behind, right; ``screen``: what hid it; ``lost``: steps since; ``pose``: the body's place
        and heading (cosine, sine) since, in its frame then.
        """
        device = None if self.factors is None else self.factors.device
        widths = {"color": 3, "open": 1, "views": 1, "place": 2, "walls": 4, "screen": 1, "lost": 1}
        state = {name: torch.zeros(n, width, device=device) for name, width in widths.items()}
        state["points"] = torch.zeros(n, VIEWS, 2, 2, device=device)
        state["view"] = torch.zeros(n, self.sizes[0], device=device)
        state["pose"] = torch.zeros(n, 4, device=device)
        return state

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        # What is kept depends on the senses alone; only what is made of it is learnt.
        vision, egomotion = inputs
        wanted = torch.is_grad_enabled() and (vision.requires_grad or egomotion.requires_grad)
        with torch.set_grad_enabled(wanted):
            kept, state = self._keep(vision, egomotion, state, episode_start)
        return self._read(kept), state

    def _factor(self, which: int) -> Tensor | float:
        return 1.0 if self.factors is None else self.factors[which]

    def _keep(
        self, vision: Tensor, felt: Tensor, state: State, start: Tensor
    ) -> tuple[State, State]:
        """Return the state after each step, (time, worlds, ...), and after the last."""
        view = sighting.rays(vision)
        before = torch.cat((sighting.rays(state["view"]).unsqueeze(0), view[:-1]))
        mover, moved = sighting.mover_color(view, before)
        still = sighting.at_rest(felt).unsqueeze(-1)
        opens = moved.unsqueeze(-1) & still & ~start.unsqueeze(-1)
        color, known, files = state["color"], state["open"], []
        for t in range(len(view)):
            known = known * ~start[t].unsqueeze(-1)
            fresh = opens[t] & (known == 0)
            color = torch.where(fresh, mover[t], color)
            known = torch.where(fresh, torch.ones_like(known), known)
            files.append((color, known))
        colors, open_ = (torch.stack(x) for x in zip(*files, strict=True))
        match = sighting.matching(view, colors) & (open_ > 0)
        place, count = sighting.locate(view, match, self.radius)
        points = sighting.outermost(view, match)
        # Surfaces in the four directions, where the thing is not before them.
        quarter = view.shape[2] // 4
        far = sighting.RANGE * (1 - view[:, :, ::quarter, 0]) * (~match[:, :, ::quarter])
        seen = (count > 0).unsqueeze(-1)
        line = {name: state[name] for name in LINE}
        lines = []
        for t in range(len(view)):
            line = blank(line, start[t])
            line = self._step(
                line, felt[t], place[t], points[t], seen[t], open_[t], far[t], still[t]
            )
            lines.append(line)
        kept = {name: torch.stack([line[name] for line in lines]) for name in LINE}
        kept["line"] = fit_line(kept["points"], kept["views"], kept["place"], self.radius)
        return kept | {"open": open_}, line | {"color": color, "open": known, "view": vision[-1]}

    @staticmethod
    def _step(
        old: State,
        felt: Tensor,
        place: Tensor,
        points: Tensor,
        seen: Tensor,
        known: Tensor,
        far: Tensor,
        still: Tensor,
    ) -> State:
        """Return what is kept of place and motion after a step; the worlds are the first axis.

        Args:
            old: before it.
            felt: (worlds, 3) egomotion.
            place: (worlds, 2) where the thing is, if it is in view.
            points: (worlds, 2, 2) the outermost that were met.
            seen: (worlds, 1) bool, it is in view.
            known: (worlds, 1) 1 where the file is open.
            far: (worlds, 4) metres to the surfaces in the four directions.
            still: (worlds, 1) bool, the body is at rest.
        """
        # What was met so far, in the body's frame now.
        forward = torch.cat((felt[:, :1], torch.zeros_like(felt[:, :1])), -1) * sighting.FORWARD
        was = sighting.turned(old["place"], felt) - forward
        before = sighting.turned(old["points"], felt[:, None, None]) - forward[:, None, None]
        # A thing that jumps, or that was away, begins a new line.
        far_off = (place - was).square().sum(-1, keepdim=True) > JUMP**2
        fresh = far_off | (old["views"] == 0) | (old["lost"] > 0)
        views = torch.where(fresh, 1.0, (old["views"] + 1).clamp(max=VIEWS))
        met = torch.cat((points.unsqueeze(1), before[:, :-1]), 1)

        walls = torch.where(still & ~fresh, torch.maximum(old["walls"], far), far)
        hidden = ~seen & (known > 0)
        lost = torch.where(hidden, old["lost"] + 1, torch.zeros_like(old["lost"]))
        rest = torch.zeros_like(old["pose"])
        rest[:, 2] = 1.0
        return {
            "points": torch.where(seen[..., None, None], met, old["points"]),
            "views": torch.where(seen, views, old["views"]),
            "place": torch.where(seen, place, old["place"]),
            "walls": torch.where(seen, walls, old["walls"]),
            "screen": torch.where(lost == 1, far[:, :1], old["screen"]),
            "lost": lost,
            "pose": torch.where(seen, rest, ObjectTracker._walk(old["pose"], felt)),
        }

    @staticmethod
    def _walk(pose: Tensor, felt: Tensor) -> Tensor:
        """Return the pose (x, y, cosine, sine) after a turn and a step forward."""
        x, y, cosine, sine = pose.unbind(-1)
        c, s = felt[:, 2], felt[:, 1]
        cosine, sine = cosine * c - sine * s, sine * c + cosine * s
        ahead = sighting.FORWARD * felt[:, 0]
        return torch.stack((x + ahead * cosine, y + ahead * sine, cosine, sine), -1)

    def _read(self, state: State) -> Tensor:
        """Return the output, (time, worlds, 7)."""
        lost, line, open_ = state["lost"], state["line"], state["open"]
        hidden = (lost > 0).to(line.dtype)
        place, speed = line[..., :2], line[..., 2:] * self._factor(1)
        margin = self.radius * self._factor(0)
        walls = state["walls"] * self._factor(2)
        ahead, left, behind, right = (walls - margin).clamp(min=0.05).unbind(-1)
        # Past the surface that hides it, on the way back from the one behind that.
        door = state["screen"][..., 0] + margin
        away = (2 * ahead - place[..., 0] - door) / speed[..., 0].clamp(min=0.05)
        coming = hidden[..., 0] * (speed[..., 0] > 0.05) * (state["screen"][..., 0] > 0)
        steps = away.clamp(0.0, 60.0)
        if self.prior == "learnt":
            facts = torch.cat((line, walls, state["screen"], lost / TIME), -1)
            change = self.correct(torch.tanh(self.encode(facts)))
            now, back = place + speed * lost, place + speed * steps.unsqueeze(-1)
            now, back = now + REACH * change[..., :2] * hidden, back + REACH * change[..., 2:4]
            steps = steps + TIME * change[..., 4]
        else:
            low, high = torch.stack((-behind, -right), -1), torch.stack((ahead, left), -1)
            now = torch.where(hidden > 0, fold(place + speed * lost, low, high), place)
            back = fold(place + speed * steps.unsqueeze(-1), low, high)
        pose = state["pose"]
        back = self._seen_from(pose, back) * coming.unsqueeze(-1)
        now = self._seen_from(pose, now) * open_
        left_over = coming * (steps - lost[..., 0])
        return torch.cat(
            (
                open_ * (1 - hidden),
                open_ * hidden,
                now / REACH,
                back / REACH,
                (left_over / TIME).unsqueeze(-1),
            ),
            -1,
        )

    @staticmethod
    def _seen_from(pose: Tensor, place: Tensor) -> Tensor:
        """Return places (..., 2) of the frame in which a pose is given in the body's frame."""
        x, y = (place - pose[..., :2]).unbind(-1)
        cosine, sine = pose[..., 2], pose[..., 3]
        return torch.stack((cosine * x + sine * y, cosine * y - sine * x), -1)


def fit_line(points: Tensor, views: Tensor, place: Tensor, radius: float) -> Tensor:
    """Return where a disc is and how it moves, from points of its edge in several views.

    Gauss and Newton's least squares of the distances of the points from the circle that moves on
    at constant velocity, from straight behind what was met.

    Args:
        points: (..., VIEWS, 2, 2) two points of each view, a step apart, newest first.
        views: (..., 1) how many of them there are.
        place: (..., 2) where it is by the newest view alone.
        radius: metres.

    Returns:
        Place in the newest view and velocity in metres a step, (..., 4); at rest from one view.
    """
    age = torch.arange(VIEWS, device=points.device, dtype=points.dtype)
    there = (age < views).to(points.dtype)
    basis = torch.stack((torch.ones_like(age), -age), -1)
    # To begin with, a line through the middles as far behind as most of the disc is.
    middle = points.mean(-2)
    size = middle.square().sum(-1, keepdim=True).clamp(min=1e-6).sqrt()
    middle = middle + 0.8 * radius * middle / size
    small = 1e-4 * torch.eye(2, device=points.device, dtype=points.dtype)
    normal = torch.einsum("...v,vi,vj->...ij", there, basis, basis) + small
    line = torch.linalg.solve(normal, torch.einsum("...v,vi,...vc->...ic", there, basis, middle))
    small = 1e-4 * torch.eye(4, device=points.device, dtype=points.dtype)
    for _ in range(8):
        gap = points - (basis @ line).unsqueeze(-2)
        far = gap.square().sum(-1).clamp(min=1e-6).sqrt()
        error = (far - radius) * there.unsqueeze(-1)
        toward = gap / far.unsqueeze(-1) * there[..., None, None]
        slope = torch.einsum("...vpc,vi->...vpic", toward, basis).flatten(-2).flatten(-3, -2)
        square = slope.transpose(-1, -2) @ slope + small
        pull = slope.transpose(-1, -2) @ error.flatten(-2).unsqueeze(-1)
        line = line + torch.linalg.solve(square, pull).unflatten(-2, (2, 2)).squeeze(-1)
    line = torch.where(views > 1, line.flatten(-2), torch.cat((place, 0 * place), -1))
    return torch.where(views > 0, line, torch.zeros_like(line))


def fold(way: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return where a straight way is that bounces between two surfaces: a triangle wave."""
    width = (high - low).clamp(min=1e-3)
    return low + width - (torch.remainder(way - low, 2 * width) - width).abs()
