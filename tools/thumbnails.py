"""Make the small pictures of the home page's table from figures that the pages store: nbs/images/page_*.webp.

usage: python tools/thumbnails.py          after pages were run anew
"""
import base64, io, json
from pathlib import Path

from PIL import Image

root = Path(__file__).resolve().parent.parent
# Page → which of its stored figures, and what part of it: left, top, right, bottom as shares of its width and height
figures = {'own_pictures': (0, (.52, .2, .78, 1)), '01_background': (0, (.66, 0, 1, 1)), '02_objectives': (1, (0, 0, .66, .9)),
           '03_training': (1, (.5, 0, 1, 1)), '04_data': (2, (0, .15, .4, 1)), '05_networks': (0, (0, .1, .48, 1)),
           '06_evaluation': (2, (0, .1, .5, 1)), '07_mnist': (5, (0, .1, .5, 1)), '08_cifar': (3, (0, .1, .6, .6)),
           '11_recognition': (2, (0, .1, 1, 1)), '12_text': (0, (0, 0, 1, 1)), '13_speech': (4, (0, 0, 1, 1)),
           '14_stability': (0, (0, .33, 1, .66)), '15_compute': (2, (0, .1, 1, 1))}


def stored(page):
    "The figures of a page, as pictures."
    outputs = [o for c in json.loads(page.read_text(encoding='utf-8'))['cells'] for o in c.get('outputs', [])]
    found = [''.join(o['data']['image/png']) for o in outputs if 'image/png' in o.get('data', {})]
    return [Image.open(io.BytesIO(base64.b64decode(f))).convert('RGBA') for f in found]


if __name__ == '__main__':
    for name, (i, part) in figures.items():
        figure = stored(next((root/'nbs').rglob(f'{name}.ipynb')))[i]
        figure = figure.crop([round(share*side) for share, side in zip(part, figure.size*2)])
        figure.thumbnail((140, 90), Image.LANCZOS)
        figure.save(root/'nbs'/'images'/f'page_{name}.webp', quality=85)
