"""Which cost moved which area: the routing as it was measured, one heat map an arm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from motley.studies.folder import Columns
from motley.studies.page import COLOURS
from motley.studies.runs import Arm


def routing(arms: Sequence[Arm]) -> str:
    """A section of mean gradient norms, cost by area; empty where none were logged."""
    tables = ""
    for i, arm in enumerate(arms):
        columns = [run.progress for run in arm.runs]
        names = [n.split("/")[1:] for n in columns[0] if n.startswith("grad/")]
        if not names:
            continue
        costs = list(dict.fromkeys(cost for cost, _ in names))
        areas = list(dict.fromkeys(area for _, area in names))
        head = "".join(f"<th>{escape(area)}</th>" for area in areas)
        body = ""
        for cost in costs:
            values = [_norm(columns, f"grad/{cost}/{area}") for area in areas]
            cells = "".join(_cell(value, i % COLOURS) for value in values)
            body += f"<tr><td>{escape(cost)}</td>{cells}</tr>"
        tables += (
            f'<div class="card wide"><h4><span class="key c{i % COLOURS}"></span>'
            f'{escape(arm.label)}</h4><table class="heat"><tr><th>cost</th>{head}</tr>{body}'
            f"</table></div>"
        )
    if not tables:
        return ""
    return (
        f'<h3>Which cost trains which area</h3><p class="soft">Mean norm of each cost\'s gradient '
        f"in each area, as measured while training. · is exactly zero: the routing keeps the cost "
        f"out (agent.describe() shows which areas it may train), or the cost does not depend on "
        f"the area, or there is nothing in it to learn.</p>{tables}"
    )


def _norm(columns: Sequence[Columns], name: str) -> float:
    values = np.concatenate([c[name] for c in columns if name in c])
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else 0.0


def _cell(value: float, colour: int) -> str:
    if value == 0:
        return '<td class="soft">·</td>'
    # Norms span decades: full colour at 1, none at 1e-4.
    share = min(max((math.log10(value) + 4) / 4, 0.05), 1.0)
    tint = f"background:color-mix(in srgb,var(--c) {55 * share:.0f}%,transparent)"
    return f'<td class="cell c{colour}" style="{tint}">{value:.2g}</td>'
