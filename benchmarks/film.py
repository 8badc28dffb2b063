"""The film of the home page: the same forty noise vectors, a column for each digit, while `gan_train mnist` learns for two minutes.

The recipe as it is, on all cores; a frame at the start and then at steps that grow by a fifth each. Written as an animated WebP.

usage: python benchmarks/film.py [--minutes 2] [--data mnist] [--rows 4]
"""
import argparse

import torch
from common import root
from gan_course.all import *
from gan_course.recipes import recipes
from PIL import Image
from time_to_quality import Quiet


class Frames(Callback):
    "A grid of the averaged generator, more and more rarely."
    def __init__(self, n): self.n, self.next, self.frames = n, 1, []
    def before_fit(self, t): self.take(t)
    def after_step(self, t):
        if t.step < self.next: return
        self.take(t)
        self.next = max(t.step + 1, round(1.2*t.step))
    def after_fit(self, t): self.take(t)
    def take(self, t):
        grid = Image.fromarray(image_grid(to_uint8(t.sample(self.n, seed=0)), ncol=10))
        self.frames.append(grid.resize((2*grid.width, 2*grid.height), Image.Resampling.BICUBIC).convert('RGB'))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', default='mnist')
    p.add_argument('--minutes', type=float, default=2.)
    p.add_argument('--rows', type=int, default=4)
    a = p.parse_args()
    torch.manual_seed(0)
    data = image_data(a.data, batch_size=1, device='cpu')
    recipe = recipes['dcgan']
    settled = recipe.settle(dict(minutes=a.minutes, seed=0), data)
    data.batch_size = settled['batch_size']
    recipe.prepare(data, settled)
    film = Frames(10*a.rows)
    t = recipe.make(data, settled, 'cpu', [film, Quiet()]).fit(data, minutes=a.minutes)
    first, *rest = film.frames
    out = root/'nbs'/'images'/'film.webp'
    # The last picture stays for three seconds
    first.save(out, save_all=True, append_images=rest, duration=[150]*len(rest) + [3000], loop=0, quality=60, method=6)
    print(f'{t.step} steps, {len(film.frames)} frames, {out.stat().st_size//1024} KB: {out}')
