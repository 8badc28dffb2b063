"""Which loss with which penalty finds the modes of two toys? Five seeds of each cell, trained as one batch of networks.

{non-saturating, hinge, Wasserstein, relativistic} × {none, R1, R1 + R2, gradient penalty, spectral norm} on the ring of eight Gaussians and
on a grid of 25, and once more on the grid with a learning rate at which training without a penalty loses modes. All cells have the same
networks and number of steps; the weight of a penalty is one number for all losses, two for the gradient penalty. Nothing is tuned.

usage: python benchmarks/stability.py [--keep FILE] [--steps 2500] [--processes 2]
"""
import argparse, math, time

import torch
from common import run_all, save
from gan_course.all import *
from scipy.optimize import linear_sum_assignment

std, seeds = .05, 5
losses_of = ['non_saturating', 'hinge', 'wasserstein', 'relativistic']
penalties_of = {'none': ('none', None), 'R1': ('r1', .1), 'R1 + R2': ('r1r2', .1), 'gradient penalty, weak': ('gp', .1),
                'gradient penalty': ('gp', 1.), 'spectral norm': ('none', None)}


def toy(name):
    angle = 2*math.pi/8*torch.arange(8.)
    if name == 'ring': return ring, torch.stack([angle.cos(), angle.sin()], 1)
    return mode_grid, torch.cartesian_prod(*[torch.linspace(-1, 1, 5)]*2)


def distance(a, b):
    "Wasserstein distance of two equally large sets of points."
    ways = torch.cdist(a, b).double().numpy()
    return float(ways[linear_sum_assignment(ways)].mean())


def cell(data, loss, penalty, steps, lr, batch):
    draw, centres = toy(data)
    set_seed(0)
    G, D = ManyMLP(seeds, 4, 2), ManyMLP(seeds, 2, 1, spectral=penalty == 'spectral norm')
    kind, gamma = penalties_of[penalty]
    rng = torch.Generator().manual_seed(0)
    class Endless:
        def __iter__(self):
            while True: yield draw(seeds*batch, generator=rng)
    start = time.time()
    try: GANTrainer(G, D, loss=loss, penalty=kind, gamma=gamma, lr=lr, seed=0, device='cpu', cbs=[LinearDecay(.5)]).fit(Endless(), steps=steps)
    except TrainingDiverged: pass
    with torch.no_grad(): x = G(torch.randn(seeds*1000, 4, generator=torch.Generator().manual_seed(1))).view(seeds, 1000, 2)
    real = draw(1000, generator=torch.Generator().manual_seed(2))
    each = [dict(mode_scores(one, centres, std), distance=distance(one, real)) if one.isfinite().all() else None for one in x]
    return dict(seconds=time.time() - start, each=each)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--keep', help='file of finished cells, which are not repeated')
    p.add_argument('--steps', type=int, default=2500)
    p.add_argument('--lr', type=float, default=1e-3)
    p.add_argument('--hard', type=float, default=2e-2, help='the second learning rate')
    p.add_argument('--batch', type=int, default=128, help='for each seed')
    p.add_argument('--processes', type=int, default=2)
    a = p.parse_args()
    jobs = [dict(data=d, loss=l, penalty=k, steps=a.steps, lr=lr, batch=a.batch) for d, lr in (('ring', a.lr), ('grid', a.lr), ('grid', a.hard))
            for l in losses_of for k in penalties_of]
    rows = run_all(cell, jobs, a.keep, a.processes)
    floor = {}
    for name in ('ring', 'grid'):
        draw, centres = toy(name)
        one, two = (draw(1000, generator=torch.Generator().manual_seed(k)) for k in (2, 3))
        floor[name] = dict(mode_scores(two, centres, std), distance=distance(one, two))
    save('stability', seeds=seeds, steps=a.steps, lr=a.lr, hard=a.hard, batch=a.batch, width=64, z_dim=4, std=std, samples=1000, real=floor,
         weights={k: v[1] for k, v in penalties_of.items()}, rows=rows)
