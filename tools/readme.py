"""Make README.md from nbs/index.ipynb, without Quarto.

usage: python tools/readme.py           write README.md
       python tools/readme.py --check   exit with 1 if README.md is out of date
"""
import re, sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

root = Path(__file__).resolve().parent.parent


def readme():
    "The text of README.md: the prose, code and text outputs of the home page, links pointing into nbs/."
    nb = nbformat.read(root/'nbs'/'index.ipynb', as_version=4)
    nb.cells = [c for c in nb.cells if not re.match(r'#\|\s*hide', c.source)]
    for c in nb.cells:
        if '#| echo: false' in c.source:      # only what it printed, as on the site
            c.cell_type, c.source = 'markdown', '```\n' + ''.join(o.get('text', '') for o in c.outputs).strip() + '\n```'
        c.source = re.sub(r'^#\|.*\n', '', c.source, flags=re.M)
        # A figure that a cell drew lives inside the notebook; the README shows the pictures that the prose names
        if c.cell_type == 'code': c.outputs = [o for o in c.outputs if 'image/png' not in o.get('data', {})]
    text, _ = MarkdownExporter().from_notebook_node(nb)
    text = re.sub(r'(\]\(|src=")(?!https?:|#)([^)"]+)', r'\1nbs/\2', text)
    text = re.sub(r'(?m)[ \t]+$', '', text)
    text = re.sub(r'(!\[[^\]]*\]\([^)]*\))\{fig-alt="[^"]*"\}', r'\1', text)       # Quarto's; here the caption is the alternative text
    text = re.sub(r'\n```\n+```\n(?=\S)', '\n\n', text)         # imports stand in cells of their own: here they join what needs them
    return '<!-- Made from nbs/index.ipynb by tools/readme.py: edit there. -->\n\n' + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n'


if __name__ == '__main__':
    path = root/'README.md'
    if '--check' in sys.argv:
        sys.exit(0 if path.read_text(encoding='utf-8') == readme() else 'README.md is out of date: run python tools/readme.py')
    path.write_text(readme(), encoding='utf-8')
