"""Does `diagnose` name what is wrong with a run? Games that are made to fail in each way, and healthy ones, on points and on pictures.

Its thresholds were chosen on the runs of `chosen_on` (the ring of eight, the digits, healthy CIFAR-10); the others (other seeds, a grid, a
line with two bumps, MNIST, Fashion-MNIST) are those by which it is judged. The histories are kept, so that the verdicts can be made again.

usage: python benchmarks/diagnose.py [--keep FILE] [--processes 2] [--only chosen]
"""
import argparse

import torch
from common import run_all, save
from gan_course.all import *

# What makes a game fail, and how long it takes to show. `meant`: the verdicts that are right.
points = {
    'healthy': [dict(lr=2e-3, penalty='r1', gamma=.1),
                dict(lr=2e-3, loss='relativistic', penalty='r1r2', gamma=.1), dict(lr=1e-3, loss='hinge')],
    'd_wins': [dict(lr=1e-5, d_lr=1e-2, loss='minimax', d_steps=5)],
    'collapsed': [dict(lr=1e-2, d_lr=1e-4)],
    'oscillating': [dict(lr=5e-3, loss='wasserstein', penalty='none', betas=[.5, .99])],
    'diverging': [dict(lr=2e-2, loss='wasserstein', penalty='none', d_steps=3)],
    'memorising': [dict(lr=1e-3, limit=12, steps=2000)],
    'too_short': [dict(lr=2e-3, penalty='r1', gamma=.1, steps=150)]}
pictures = {
    'healthy': [dict(lr=2e-3, penalty='r1', gamma=1.), dict(lr=2e-3, loss='relativistic', penalty='r1', gamma=1.)],
    'd_wins': [dict(lr=1e-5, d_lr=4e-3, loss='minimax', d_steps=2)],
    'collapsed': [dict(lr=1e-2, d_lr=1e-5)],
    'oscillating': [dict(lr=1e-2, loss='least_squares', penalty='r1', gamma=.01, betas=[.9, .99])],
    'diverging': [dict(lr=1e-2, loss='wasserstein', penalty='none', d_steps=2)],
    'memorising': [dict(lr=2e-3, limit=30, steps=1200)],
    'too_short': [dict(lr=2e-3, penalty='r1', gamma=1., steps=60)]}
toys = {'ring': (ring, 2), 'grid': (mode_grid, 2), 'bumps': (two_bumps, 1)}


class Line(torch.nn.Module):
    "A G of points on a line, N×1."
    z_dim = 4
    def __init__(self): super().__init__(); self.net = ManyMLP(1, 4, 1)
    def forward(self, z): return self.net(z)[:, None]


def toy(data, seed, limit):
    "G, D, batches without end, and points that are not among them."
    draw, dim = toys[data]
    rng = torch.Generator().manual_seed(100 + seed)
    few = draw(limit, generator=rng) if limit else None
    class Endless:
        def __iter__(self):
            while True: yield draw(128, generator=rng) if few is None else few[torch.randint(limit, (128,), generator=rng)]
    G = ManyMLP(1, 4, dim) if dim > 1 else Line()
    return G, ManyMLP(1, dim, 1), Endless(), draw(128, generator=torch.Generator().manual_seed(7))


def play(data, meant, game, seed):
    "The history of one game; its own number of steps and of pictures stand among its settings."
    how = dict(game)
    steps, limit = how.pop('steps', 1500 if data in toys else 500), how.pop('limit', None)
    set_seed(seed)
    if data in toys: G, D, batches, held = toy(data, seed, limit)
    else:
        batches = image_data(data, batch_size=min(64, limit or 64), limit=limit or 4000, seed=seed)
        held = image_data(data, split='test', batch_size=128, limit=128)
        held = next(iter(held))[0]
        G, D = dcgan(batches.shape, z_dim=64, width=16, d_width=8, d_norm='none')
    trainer = GANTrainer(G, D, seed=seed, device='cpu', cbs=[Vitals(held=held)], **how)
    error = None
    try: trainer.fit(batches, steps=steps)
    except TrainingDiverged as e: error = str(e)[:200]
    return dict(error=error, history=trainer.history)


def jobs_of(data, seeds, only=None):
    games = points if data in toys else pictures
    return [dict(data=data, meant=meant, game=game, seed=seed) for meant, some in games.items() if only in (None, meant)
            for game in some for seed in seeds]


chosen_on = [*jobs_of('ring', (0, 1)), *jobs_of('digits', (0,)), *jobs_of('cifar10', (0,), 'healthy')]
judged_on = [*jobs_of('ring', (10, 11)), *jobs_of('grid', (10, 11)), *jobs_of('bumps', (10, 11)), *jobs_of('digits', (10,)),
             *jobs_of('mnist', (10,)), *jobs_of('fashion_mnist', (10,)), *jobs_of('cifar10', (10,), 'healthy')]

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--keep', help='file of finished games, which are not repeated')
    p.add_argument('--processes', type=int, default=2)
    p.add_argument('--only', choices=['chosen', 'judged'])
    a = p.parse_args()
    jobs = {'chosen': chosen_on, 'judged': judged_on}.get(a.only, chosen_on + judged_on)
    rows = []
    for job, row in zip(jobs, run_all(play, jobs, a.keep, a.processes)):
        said = diagnose(row['history'])
        signs = {k: None if v != v or abs(v) == float('inf') else round(v, 3) for k, v in said.signs.items()}      # JSON has no NaN
        rows.append({**job, 'judged': job in judged_on, 'steps': row['history'][-1]['step'],
                     'verdict': said.verdict, 'evidence': said.evidence,
                     'signs': signs})
        if said.verdict != job['meant']: print(job, '→', said)
    if a.only is None: save('diagnose', symptoms=list(symptoms), rows=rows)
