"""Markdown by somebody who means harm: were any of it let through, `window.stolen` would be set, or /stolen fetched."""

SCRIPTS = (
    "<script>window.stolen = 1</script>",
    "<img src=/stolen1 onerror='window.stolen = 2'>",
    "<svg onload='window.stolen = 3'><script>window.stolen = 3</script></svg>",
    "<math><mtext></mtext><img src=/stolen2 onerror='window.stolen = 4'></math>",
    "<math href='javascript:window.stolen = 4'><mi>press</mi></math>",
    "<iframe srcdoc='<script>parent.stolen = 5</script>'></iframe>",
    "<details open ontoggle='window.stolen = 6'><summary>x</summary></details>",
    "<style>@import url(/stolen3.css); body { background: url(/stolen4.png) }</style>",
    "<link rel=stylesheet href=/stolen5.css><meta http-equiv=refresh content='0;url=/stolen'>",
    "<form action='javascript:window.stolen = 7'><button>press</button></form>",
    "<template><img src=/stolen6 onerror='window.stolen = 8'></template>",
    "</div></pre></style></textarea><img src=/stolen7 onerror='window.stolen = 9'>",
    "&lt;img src=/stolen8 onerror='window.stolen = 10'&gt;",
)
LINKS = (
    "[press](javascript:window.stolen=11) [press](JaVa&#83;cript:window.stolen=12) <javascript:window.stolen=13>",
    "[press](data:text/html,<script>opener.stolen=14</script>) [press](vbscript:x) [press](/stolen-link)",
    "[press][one]\n\n[one]: javascript:window.stolen=15 'title'",
    "[press](<javascript:window.stolen=16>) [press](\x01javascript:window.stolen=17)",
    '[press](https://example.org/" onclick="window.stolen=18)',
)
PICTURES = (
    "![](/stolen9.png) ![x](http://127.0.0.1:9/stolen.png) ![x][two]\n\n[two]: //127.0.0.1:9/stolen.png",
    "<picture><source srcset=/stolen10.png><img></picture> <video src=/stolen11></video> <embed src=/stolen12>",
    "![x](data:image/svg+xml,<svg/onload=window.stolen=19>) <object data=/stolen13></object>",
)
FORMULAS = (
    r"$\href{javascript:window.stolen=20}{press}$ $$\href{javascript:window.stolen=21}{\text{press}}$$",
    r"\(\require{html}\style{background:url(/stolen14.png)}{x}\)",
    r"\[\cssId{x}{\class{y}{\href{javascript:window.stolen=22}{z}}}\]",
    r"$\text{<img src=/stolen15 onerror='window.stolen=23'>}$ $\mbox{</math><script>window.stolen=24</script>}$",
    r"$\unicode[x;background:url(/stolen16.png)]{x41}$ $\color{red;background:url(/stolen17.png)}{x}$",
    r"$\require{action}\toggle{a}{b}\endtoggle$ $\def\x{\x\x}\x$ $\includegraphics{/stolen18.png}$",
    r"$\mmlToken{mi}[href=javascript:window.stolen=25]{x}$",
    "\\begin{align}\\href{javascript:window.stolen=26}{press}\\end{align}",
    "`$\\href{javascript:window.stolen=27}{press}$`",
    "\\$\\href{javascript:window.stolen=28}{press}\\$ $a$<b>$\\href{javascript:window.stolen=29}{press}$</b>",
)
CODE = (
    "```\"><img src=/stolen19 onerror='window.stolen=30'>\n<script>window.stolen=31</script>\n```",
    "```html\n<img src=/stolen20 onerror='window.stolen=32'>\n```\n\n`<img src=/stolen21 onerror=window.stolen=33>`",
    '```mermaid\nclick A href "javascript:window.stolen=34"\n```',
    "```math\n\\href{javascript:window.stolen=35}{x}\n```",
    "| <img src=/stolen22 onerror=window.stolen=36> | $\\href{javascript:window.stolen=38}{x}$ |\n|:-:|--:|\n| a | b |",
)
MARKDOWN = "\n\n".join(("The kestrel says:", *SCRIPTS, *LINKS, *PICTURES, *FORMULAS, *CODE, "and that was all."))
NAME = "<img src=/stolen23 onerror='window.stolen=39'> $\\href{javascript:window.stolen=40}{kestrel}$"
"""The same for a name, a title or a question: one line."""
