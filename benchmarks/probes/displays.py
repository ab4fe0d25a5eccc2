"""Probes of display: every standard representation, IPython.display, updates."""

from __future__ import annotations

from typing import Any

from benchmarks.contender import Contender
from benchmarks.probe import Probes, shown

PROBES = Probes("display")

REPRESENTATIONS = """
class All:
    def _repr_html_(self): return '<b>h</b>'
    def _repr_markdown_(self): return '**m**'
    def _repr_svg_(self): return '<svg/>'
    def _repr_latex_(self): return '$x$'
    def _repr_json_(self): return {'a': [1, None]}
    def _repr_javascript_(self): return '1'
    def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n'
    def _repr_jpeg_(self): return b'\\xff\\xd8\\xff'
    def _repr_pdf_(self): return b'%PDF-1.4'
    def __repr__(self): return 'All()'
All()
"""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

PROBES.cell("every _repr_*_ in a result", REPRESENTATIONS)
PROBES.cell("every _repr_*_ in display()", REPRESENTATIONS + "display(All())")
PROBES.cell(
    "_repr_mimebundle_ and its metadata",
    "class M:\n    def _repr_mimebundle_(self, **kw):\n"
    "        return {'text/plain': 'm', 'application/x.y+json': {'a': 1}}, {'text/plain': {'k': 2}}\nM()",
)
PROBES.cell(
    "_ipython_display_", "class D:\n    def _ipython_display_(self):\n        print('shown')\nD()"
)
PROBES.cell(
    "a failing _repr_html_",
    "class Bad:\n    def __repr__(self): return 'Bad'\n    def _repr_html_(self): return 1\nBad()",
)


@PROBES.probe(
    "a failing __repr__ is an error of the cell",
    better=lambda seen: seen == ["error", "ZeroDivisionError", 1],
    why="the reply names the error",
)
def _bad_repr(kernel: Contender) -> Any:
    exchange = kernel.cell("class Worse:\n    def __repr__(self): return 1 / 0\nWorse()")
    return [
        exchange.content["status"],
        exchange.content.get("ename"),
        len(exchange.contents("error")),
    ]


PROBES.cell(
    "pretty printing of nested values", "{'k' * n: list(range(n)) for n in range(1, 30, 4)}"
)
PROBES.cell(
    "Markdown, HTML, Latex, Math, Pretty, Code",
    "from IPython.display import *\nfor x in (Markdown('*m*'), HTML('<i>h</i>'), Latex('$l$'), Math('x^2'), Pretty('p'), Code('1 + 1')):\n    display(x)",
)
PROBES.cell(
    "SVG, JSON, GeoJSON, Javascript",
    "for x in (SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'), JSON({'a': 1}), GeoJSON({'type': 'Point'}), Javascript('1')):\n    display(x)",
)
PROBES.cell(
    "Image of bytes, with a size and metadata",
    f"import base64\nImage(base64.b64decode('{PIXEL}'), width=3, alt='dot', metadata={{'k': 1}})",
)
PROBES.cell(
    "Image that is read from a file",
    f"open('dot.png', 'wb').write(base64.b64decode('{PIXEL}'))\nImage('dot.png')",
)
PROBES.cell(
    "IFrame, Video, YouTubeVideo",
    "display(IFrame('https://x.org', 3, 4))\ndisplay(Video('https://x.org/a.mp4'))\nYouTubeVideo('abc')",
)
PROBES.cell("Audio of samples", "Audio([0.0, 0.5, -0.5, 0.0] * 8, rate=8000)")
PROBES.cell(
    "FileLink and FileLinks",
    "open('a.txt', 'w').write('x')\nprint(FileLink('a.txt')._repr_html_())\nProgressBar(3)",
)
PROBES.cell(
    "a raw bundle, include and exclude",
    "display({'text/plain': 'r', 'text/html': 'h'}, raw=True)\ndisplay(HTML('h'), exclude=['text/plain'])",
)
PROBES.cell(
    "metadata of a display", "display(HTML('h'), metadata={'text/html': {'isolated': True}})"
)
PROBES.cell(
    "update_display under an id",
    "h = display(1, display_id='one')\nh.update(2)\nupdate_display(3, display_id='one')\nh.display(4)",
)


@PROBES.probe("DisplayHandle gives itself an id")
def _handle(kernel: Contender) -> Any:
    exchange = kernel.cell("h = DisplayHandle()\nh.display('x')\nh.update('y')")
    ids = {
        c["transient"]["display_id"]
        for c in exchange.contents("display_data") + exchange.contents("update_display_data")
    }
    return [len(ids), len(exchange.contents("update_display_data"))]


PROBES.cell(
    "clear_output, now and later",
    "from IPython.display import clear_output\nclear_output()\nclear_output(wait=True)\nprint(1)",
)
PROBES.cell(
    "a formatter for a type that is not ours",
    "ip = get_ipython()\nip.display_formatter.formatters['text/html'].for_type(complex, lambda z: f'<i>{z}</i>')\n1j",
    "ip.display_formatter.formatters['text/html'].pop(complex);",
)
PROBES.cell(
    "publish_display_data",
    "from IPython.display import publish_display_data\npublish_display_data({'text/plain': 'p'}, {'m': 1}, transient={'t': 2})",
)


@PROBES.probe("capture_output takes all of it")
def _capture(kernel: Contender) -> Any:
    code = "from IPython.utils.capture import capture_output\nwith capture_output() as c:\n    print('o'); display(1)\n(c.stdout, len(c.outputs))"
    return shown(kernel.cell(code))


PROBES.cell(
    "redirect_stdout",
    "import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as s:\n    print('in')\ns.getvalue()",
)
