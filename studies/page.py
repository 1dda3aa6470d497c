"""The report's page: its frame, its style in light and dark, and the cursor over its charts."""

from __future__ import annotations

from string import Template

# Okabe and Ito's colours, told apart by colour-blind people too; the dark theme's are lighter.
LIGHT = ["#0072b2", "#d55e00", "#009e73", "#b5559a", "#8a6d00", "#2a9bd0", "#6b4fbb", "#555555"]
DARK = ["#56b4e9", "#f2894a", "#2fc79a", "#e29ac7", "#e6c35c", "#8fd0f5", "#b3a1f0", "#b8b8b8"]
COLOURS = len(LIGHT)


def _palette(colours: list[str]) -> str:
    return "".join(f"--c{i}:{colour};" for i, colour in enumerate(colours))


STYLE = (
    ":root{color-scheme:light dark;--bg:#f7f7f4;--card:#fff;--ink:#1c2024;--soft:#5c646d;"
    "--rule:#e2e3de;--good:#0a7d4f;--bad:#a3431f;" + _palette(LIGHT) + "}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1c2026;--ink:#e9ebee;"
    "--soft:#9aa4af;--rule:#313841;--good:#4ccf97;--bad:#f2a07a;"
    + _palette(DARK)
    + "}}"
    + "".join(f".c{i}{{--c:var(--c{i})}}" for i in range(COLOURS))
    + """
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
 font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1140px;margin:0 auto;padding:36px 22px 72px}
h1{font-size:1.15rem;font-weight:600;color:var(--soft);margin:0 0 26px}
h1 b{color:var(--ink)}
h2{font-size:1.85rem;line-height:1.22;letter-spacing:-.015em;margin:0 0 8px;max-width:36ch}
h3{font-size:1.08rem;margin:38px 0 4px}
p{margin:4px 0 14px;max-width:74ch}
.soft,figcaption,small{color:var(--soft)}
small{font-size:.86rem}
section{margin-bottom:64px}
nav ul{margin:0;padding-left:1.2em}
nav a{color:var(--c0)}
.card{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:18px 20px;
 margin:16px 0}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:500;font-size:.82rem;color:var(--soft);text-align:right;vertical-align:bottom;
 padding:5px 7px;border-bottom:1px solid var(--rule)}
td{text-align:right;padding:9px 7px;border-bottom:1px solid var(--rule);white-space:nowrap}
tr:last-child td{border-bottom:0}
th:first-child,td:first-child{text-align:left;padding-left:0}
th:last-child,td:last-child{padding-right:0}
td b{font-size:1.05rem}
td small{display:block;line-height:1.3;font-size:.8rem;font-weight:400}
.solved{color:var(--good)}.unsolved{color:var(--bad)}
.key{display:inline-block;width:12px;height:12px;border-radius:3px;background:var(--c);
 margin-right:8px}
.legend{display:flex;flex-wrap:wrap;gap:4px 22px;margin:0 0 8px;font-size:.93rem}
.row{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(290px,100%),1fr));gap:16px}
.films{grid-template-columns:repeat(auto-fill,minmax(min(420px,100%),1fr))}
.row .card{margin:0}
.card h4{margin:0 0 6px;font-size:.93rem;font-weight:600}
figure{margin:0}
/* A strip below the film for the browser's controls, which would hide its status line. */
video{width:100%;aspect-ratio:1/1.15;object-fit:contain;object-position:top;border-radius:8px;background:#26292f;display:block}
figcaption{font-size:.9rem;margin-top:8px}
figcaption b{color:var(--ink)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;padding-left:3ch;text-indent:-3ch;
 font:13px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:0}
.chart{width:100%;height:auto;display:block;overflow:visible}
.plot{position:relative}
.grid{stroke:var(--rule)}
.tick,.axis,.note{fill:var(--soft);font-size:12px}
.note{paint-order:stroke;stroke:var(--card);stroke-width:4px}
.level{stroke:var(--soft);stroke-dasharray:5 5}
.line{fill:none;stroke:var(--c);stroke-width:2.6;stroke-linejoin:round;stroke-linecap:round}
.run{fill:none;stroke:var(--c);stroke-width:1;opacity:.35}
.band{fill:var(--c);opacity:.15}
.dot{fill:var(--c);stroke:var(--card);stroke-width:2}
.drop{stroke:var(--c);stroke-dasharray:2 4}
.mark{fill:var(--c);font-size:13px;font-weight:600;paint-order:stroke;stroke:var(--card);
 stroke-width:4px}
.cursor{stroke:var(--soft);visibility:hidden}
.tip{position:absolute;top:6px;pointer-events:none;background:var(--card);color:var(--ink);
 border:1px solid var(--rule);border-radius:8px;padding:6px 10px;font-size:.82rem;
 box-shadow:0 3px 14px #0003;white-space:nowrap;display:none}
.heat{border-collapse:separate;border-spacing:4px}
.heat td,.heat th{text-align:center;padding:6px 8px;border:0;font-size:.85rem}
.heat td:first-child,.heat th:first-child{text-align:left}
.heat .cell{border-radius:6px;min-width:62px}
details summary{cursor:pointer;color:var(--soft)}
"""
)

SCRIPT = """
for (const plot of document.querySelectorAll(".plot")) {
  const svg = plot.querySelector("svg"), line = svg.querySelector(".cursor");
  const data = JSON.parse(plot.querySelector("script").textContent);
  const tip = plot.appendChild(document.createElement("div"));
  tip.className = "tip";
  const hide = () => { tip.style.display = "none"; line.style.visibility = "hidden"; };
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), unit = data.width / box.width;
    const at = (event.clientX - box.left) * unit;
    const x = (at - data.left) / (data.right - data.left) * data.x1;
    if (x < 0 || x > data.x1 * 1.01) return hide();
    let snapped = x;
    const rows = data.curves.filter((c) => c.points.length).map((c) => {
      const p = c.points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);
      snapped = p[0];
      return `<div><span class="key c${c.colour}"></span>${c.label}: `
        + `<b>${p[1].toFixed(3)}</b></div>`;
    });
    const px = data.left + snapped / data.x1 * (data.right - data.left);
    line.setAttribute("x1", px); line.setAttribute("x2", px);
    tip.innerHTML = `<div class="soft">${Math.round(snapped).toLocaleString("en")} steps</div>`
      + rows.join("");
    tip.style.display = "block";
    line.style.visibility = "visible";
    const left = px / unit;
    tip.style.left = (left > box.width / 2 ? left - tip.offsetWidth - 12 : left + 12) + "px";
  });
}
"""

# No icon: browsers would ask a server for one.
PAGE = Template(
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<link rel="icon" href="data:,">
<title>$title</title><style>$style</style></head>
<body><main>
<h1><b>Motley</b> · $title</h1>
$body
</main><script>$script</script></body></html>
"""
)


def page(title: str, body: str) -> str:
    """The whole document; ``title`` and ``body`` are HTML already."""
    return PAGE.substitute(title=title, style=STYLE, body=body, script=SCRIPT)
