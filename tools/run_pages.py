"""Run pages from top to bottom in a fresh kernel and store their outputs; progress bars are left out.

usage: python tools/run_pages.py [nbs/…/page.ipynb …]        no argument: every page
"""
import base64, io, re, sys, time
from pathlib import Path

import nbformat
import numpy as np
from nbconvert.preprocessors import ExecutePreprocessor
from PIL import Image

root = Path(__file__).resolve().parent.parent


def keep(output):
    "Progress bars, as widgets or as text, the warnings that belong to them, and a profiler's log say nothing to a reader."
    if 'application/vnd.jupyter.widget-view+json' in output.get('data', {}): return False
    # What torch's profiler says on its own behalf
    if output.output_type == 'stream' and re.match(r'(USDT|ERROR|INFO|WARNING):\d{4}-', output.text): return False
    if output.output_type == 'stream' and output.name == 'stderr':
        return not re.search(r'\d+%\||it/s|s/it|IProgress|\|\s*\d+/\d+', output.text)
    return True


def packed(image):
    "A picture as PNG, the smaller of two: in as few channels as hold it, or from a palette that shows no difference."
    pixels = np.array(image.convert('RGBA'))
    edge = pixels[..., 3] < 255                # letters and lines have soft edges: sixteen steps of softness are enough
    pixels[edge] = np.minimum((pixels[edge] + np.array([4, 4, 4, 8]))//[8, 8, 8, 17]*[8, 8, 8, 17], 255)
    pixels[pixels[..., 3] == 0] = 0            # what nobody sees takes no room
    colours, which = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    grey, solid = (colours[:, :3] == colours[:, :1]).all(), (colours[:, 3] == 255).all()
    ways = [Image.fromarray(pixels).convert('L' if grey and solid else 'LA' if grey else 'RGB' if solid else 'RGBA')]
    if len(colours) <= 256:
        ways.append(Image.fromarray(which.reshape(pixels.shape[:2]).astype(np.uint8), 'P'))
        ways[1].putpalette(colours.astype(np.uint8).tobytes(), 'RGBA')
    else:        # soft edges on coloured grounds: 256 colours may still be all that an eye tells apart
        few = Image.fromarray(pixels).quantize(256, method=Image.Quantize.FASTOCTREE)
        error = np.abs(np.array(few.convert('RGBA')).astype(int) - pixels)
        if error.max() <= 32 and error.mean() <= 1: ways.append(few)
    files = [io.BytesIO() for _ in ways]
    for way, file in zip(ways, files): way.save(file, 'PNG', optimize=True)
    return min((file.getvalue() for file in files), key=len)


def smaller(output):
    "The same output, its figure packed tightly. A transparent ground stays: the page behind it may be light or dark."
    png = output.get('data', {}).get('image/png')
    if png:
        output.data['image/png'] = base64.b64encode(packed(Image.open(io.BytesIO(base64.b64decode(png))))).decode()
        # What a notebook would put a light sheet under; the house style's figures need none
        output.get('metadata', {}).pop('needs_background', None)
    return output


def run(path):
    nb = nbformat.read(path, as_version=4)
    start = time.time()
    ExecutePreprocessor(timeout=1800, kernel_name='python3').preprocess(nb, {'metadata': {'path': str(path.parent)}})
    for cell in nb.cells:
        if cell.cell_type == 'code': cell.outputs = [smaller(o) for o in cell.outputs if keep(o)]
    nb.metadata.pop('widgets', None)   # the state of the bars that were left out
    nbformat.write(nb, path)
    print(f'{path.relative_to(root)}: {time.time() - start:.0f} s, {path.stat().st_size//1024} KB', flush=True)


if __name__ == '__main__':
    every = sorted(p for p in (root/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
    pages = [Path(p).resolve() for p in sys.argv[1:]] or every
    for page in pages: run(page)
