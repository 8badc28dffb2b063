"""Which loss with which penalty keeps the modes of two toys, and when not? Five seeds of each cell, trained as one batch of networks.

{non-saturating, hinge, Wasserstein, relativistic} × {none, R1, R1 + R2, gradient penalty, spectral norm} on the ring of eight Gaussians and
on a grid of 25, in three ways: calm (a small rate, no momentum), fast (twenty times that rate) and with momentum (Adam's β₁ = 0.5). The
rates do not fall, so that what is unsteady shows; both G as it is at the end and the average of its weights are scored. All cells have the
same networks and number of steps; the weight of R1 is one number for all, the gradient penalty has two, and for the Wasserstein loss its
authors' five steps of D. Nothing else is tuned.

usage: python benchmarks/stability.py [--keep FILE] [--steps 3000] [--processes 2]
"""
import argparse, math, time

import torch
from common import run_all, save
from gan_course.all import *
from scipy.optimize import linear_sum_assignment

seeds, width, z_dim, batch, samples = 5, 64, 4, 128, 500
losses_of = ['non_saturating', 'hinge', 'wasserstein', 'relativistic']
penalties_of = {'none': ('none', None), 'R1': ('r1', .1), 'R1 + R2': ('r1r2', .1), 'gradient penalty, 0.1': ('gp', .1),
                'gradient penalty, 1': ('gp', 1.), 'spectral norm': ('none', None), 'gradient penalty, 1, five D steps': ('gp', 1.)}
ways = {'calm': dict(lr=1e-3, betas=(0., .99)), 'fast': dict(lr=2e-2, betas=(0., .99)), 'momentum': dict(lr=5e-3, betas=(.5, .99))}
toys = {'ring': (ring, .05), 'grid': (mode_grid, .03)}


def centres_of(data):
    angle = 2*math.pi/8*torch.arange(8.)
    return torch.stack([angle.cos(), angle.sin()], 1) if data == 'ring' else torch.cartesian_prod(*[torch.linspace(-1, 1, 5)]*2)


def distance(a, b):
    "Wasserstein distance of two equally large sets of points."
    far = torch.cdist(a, b).double().numpy()
    return float(far[linear_sum_assignment(far)].mean())


def scored(x, data, real):
    if not x.isfinite().all(): return None
    return dict(mode_scores(x, centres_of(data), toys[data][1]), distance=distance(x, real))


def play_all(data, steps, n=batch, scale=1., spectral=False, **how):
    "The game of all seeds, and what it came to: the scores of G as it is at the end, and of its average."
    draw, _ = toys[data]
    set_seed(0)
    G, D = ManyMLP(seeds, z_dim, 2, width), ManyMLP(seeds, 2, 1, width, spectral=spectral)
    rng = torch.Generator().manual_seed(0)
    class Endless:
        def __iter__(self):
            while True: yield scale*draw(seeds*n, generator=rng)
    average, start = EMA(.99), time.time()
    try: GANTrainer(G, D, seed=0, device='cpu', cbs=[average], **how).fit(Endless(), steps=steps)
    except TrainingDiverged: pass
    row = dict(seconds=round(time.time() - start, 1))
    z = torch.randn(seeds*samples, z_dim, generator=torch.Generator().manual_seed(1))
    real = draw(samples, generator=torch.Generator().manual_seed(2))
    for name, net in (('last', G), ('average', average.G)):
        with torch.no_grad(): row[name] = [scored(x, data, real) for x in net(z).view(seeds, samples, 2)/scale]
    return row


def cell(data, loss, penalty, way, steps):
    kind, gamma = penalties_of[penalty]
    return play_all(data, steps, spectral=penalty == 'spectral norm', loss=loss, penalty=kind, gamma=gamma,
                    d_steps=5 if 'five' in penalty else 1, **ways[way])


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--keep', help='file of finished cells, which are not repeated')
    p.add_argument('--steps', type=int, default=3000)
    p.add_argument('--processes', type=int, default=2)
    a = p.parse_args()
    start = time.time()
    jobs = [dict(data=d, loss=l, penalty=k, way=w, steps=a.steps) for w in ways for d in toys for l in losses_of for k in penalties_of
            if l == 'wasserstein' or 'five' not in k]
    rows = run_all(cell, jobs, a.keep, a.processes)
    floor, uniform = {}, {}
    for name, (draw, _) in toys.items():
        real, again = (draw(samples, generator=torch.Generator().manual_seed(k)) for k in (2, 3))
        floor[name] = scored(again, name, real)
        square = 2.3*torch.rand(samples, 2, generator=torch.Generator().manual_seed(4)) - 1.15
        uniform[name] = scored(square, name, real)
    save('stability', seeds=seeds, steps=a.steps, ways=ways, batch=batch, width=width, z_dim=z_dim, samples=samples, average=.99,
         std={k: v[1] for k, v in toys.items()}, real=floor, uniform=uniform, minutes=round((time.time() - start)/60, 1), rows=rows)
