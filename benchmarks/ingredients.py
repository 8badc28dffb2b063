"""What is each ingredient of the recipe worth, and what would another bring? Every variant trains for the same seconds on the same data
and is judged as in time_to_quality.py; the variants take turns within each seed, in another order for each.

  removed      the recipe without one ingredient, with what a tutorial's loop has in its place; "all of them" is that loop
  instead      the recipe with something else: rates, batch, average, losses, penalties, networks, augmentation, precision, compilation

Only training is timed; what compiling costs is part of it.

usage: python benchmarks/ingredients.py [--data mnist cifar10] [--seeds 0 1 2] [--seeds-instead 0] [--seconds 30] [--keep FILE]
"""
import argparse, json, os, random, statistics, sys
from pathlib import Path

os.environ['TORCHINDUCTOR_FORCE_DISABLE_CACHES'] = '1'      # torch.compile starts from nothing, as on a user's first run

import torch
import torch.nn.functional as F
from common import networks_then, recipe, save
from gan_course.all import *
from time_to_quality import Judge, Quiet, tutorial_loader
from torch import nn


class ReadsNumbers(Callback):
    "What a loop does that prints its losses: wait for one number per step."
    def after_step(self, t): t.d_stats.loss.item()


class Flipped:
    "Half of the real pictures mirrored, another half each time."
    def __init__(self, data, seed): self.data, self.rng = data, torch.Generator().manual_seed(seed)
    def __iter__(self):
        for x, y in self.data: yield torch.where(torch.rand(len(x), 1, 1, 1, generator=self.rng) < .5, x.flip(3), x), y


class Shifted(nn.Module):
    "A discriminator that sees each picture, real or generated, moved by up to two pixels."
    def __init__(self, D, by=2): super().__init__(); self.D, self.by = D, by
    def forward(self, x):
        n, c, h, w = x.shape
        rows, columns = [torch.randint(0, 2*self.by + 1, (n, 1), device=x.device) + torch.arange(s, device=x.device) for s in (h, w)]
        padded = F.pad(x, [self.by]*4, mode='replicate').permute(0, 2, 3, 1)
        return self.D(padded[torch.arange(n, device=x.device)[:, None, None], rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2))


def lean(G):
    "Without the convolution before the last: less arithmetic."
    G.layers = G.layers[:-6] + G.layers[-3:]
    return G

def shuffled(G):
    "Its transposed convolutions replaced by 1×1 convolutions and a pixel shuffle: a quarter of the arithmetic."
    def swap(layer):
        if not isinstance(layer, nn.ConvTranspose2d): return layer
        return nn.Sequential(nn.Conv2d(layer.in_channels, 4*layer.out_channels, 1, bias=False), nn.PixelShuffle(2))
    G.layers = nn.Sequential(*[swap(layer) for layer in G.layers])
    return G


removed = {
    'learning rate of 2e-4': dict(lr=2e-4),
    'batch of 64': dict(batch_size=64),
    'Adam with β₁ = 0.5': dict(betas=(.5, .99)),
    'Adam with β₂ = 0.999': dict(betas=(0., .999)),
    'no average of the weights': dict(ema=None),
    'no schedule': dict(schedule=False),
    'DataLoader with transforms': dict(loader=True),
    'not channels-last, not fused, .item()': dict(thrift=False),
    'all of them': dict(lr=2e-4, batch_size=64, betas=(.5, .999), ema=None, schedule=False, loader=True, thrift=False),
}
instead = {
    'rate × ½': dict(lr=2e-3), 'rate × 2': dict(lr=8e-3), "D's rate × ½": dict(d_lr=2e-3), "D's rate × 2": dict(d_lr=8e-3),
    'rate falls from the start': dict(decay_start=0.), 'average over 500 steps': dict(ema=.998), 'batch of 256': dict(batch_size=256),
    'hinge': dict(loss='hinge'), 'least squares': dict(loss='least_squares'), 'relativistic': dict(loss='relativistic'),
    'D: spectral norm': dict(d_norm='spectral'), 'D: no norm': dict(d_norm='none', lr=2e-3),
    'D: no norm, R1 each step': dict(d_norm='none', lr=2e-3, penalty='r1'),
    'D: no norm, R1 every 16th step': dict(d_norm='none', lr=2e-3, penalty='r1', penalty_every=16),
    'D: twice as wide': dict(d_width=32), 'G: half as wide': dict(width=16), 'G: one convolution less': dict(change=lean),
    'G: 1×1 and shuffle for transposed': dict(change=shuffled),
    'new fakes for each step': dict(share=False), 'shifts by 2 pixels': dict(shifts=True), 'mirrored': dict(mirror=True),
    'bfloat16': dict(precision='bf16'), 'torch.compile': dict(compiled=True),
}


class NewFakes(GANTrainer):
    "G's step gets fakes of its own, as in many loops."
    def g_step(self, fake, real): return super().g_step(self.G(self.noise(len(fake))), real)


def run(judge, seed, seconds, lr=recipe['lr'], d_lr=None, betas=(0., .99), ema=recipe['ema'], schedule=True,
        decay_start=recipe['decay_start'], batch_size=recipe['batch_size'], loader=False, thrift=True, share=True, shifts=False,
        mirror=False, compiled=False, change=None, loss='non_saturating', penalty='none', gamma=None, penalty_every=1,
        precision='fp32', **networks):
    set_seed(seed)
    name, shape = judge.train.name, judge.train.shape
    data = tutorial_loader(name, shape[-1], batch_size) if loader else image_data(name, batch_size, device='cpu', seed=seed)
    if mirror: data = Flipped(data, seed)
    G, D = networks_then('dcgan', shape, **networks)
    if change: G = change(G)
    if shifts: D = Shifted(D)
    cbs = [Quiet(), *([] if ema is None else [EMA(ema)]), *([LinearDecay(decay_start)] if schedule else []),
           *([] if thrift else [ReadsNumbers()])]
    t = (GANTrainer if share else NewFakes)(G, D, loss=loss, penalty=penalty, gamma=gamma, penalty_every=penalty_every, lr=lr,
                                            d_lr=d_lr, betas=betas, precision=precision,
                                            channels_last=thrift, seed=seed, device='cpu', cbs=cbs)
    if not thrift:
        for opt in (t.opt_g, t.opt_d):
            for group in opt.param_groups: group.update(fused=False, foreach=False)
    if compiled:
        torch._dynamo.reset()       # what it remembers of an earlier run would be a gift
        t.G.compile(); t.D.compile()
    try: t.fit(data, minutes=seconds/60)
    except TrainingDiverged as e: return dict(seconds=seconds, steps=t.step, frechet_distance=None, percent_of_noise=None, diverged=str(e))
    return judge.row(t.generator, t.z_dim, seconds, t.step)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', nargs='+', default=['mnist', 'cifar10'])
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--seeds-instead', nargs='+', type=int, default=[0], help='for what is tried instead')
    p.add_argument('--seconds', type=float, default=30)
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it: the whole takes hours')
    a = p.parse_args()
    variants, judges = {'the recipe': {}, **removed, **instead}, {name: Judge(name) for name in a.data}
    kept = [json.loads(line) for line in Path(a.keep).read_text().splitlines()] if a.keep and Path(a.keep).exists() else []
    # A mirrored 3 is not a digit
    runs = {name: {v: [] for v in variants if not (v == 'mirrored' and name == 'mnist')} for name in a.data}
    for seed in sorted({*a.seeds, *a.seeds_instead}):
        for name in a.data:
            turn = [v for v in runs[name] if seed in (a.seeds_instead if v in instead else a.seeds)]
            for v in random.Random(seed).sample(turn, len(turn)):
                key = dict(data=name, variant=v, seed=seed, seconds=a.seconds)
                row = next((r for r in kept if key.items() <= r.items()), None)
                if row is None:
                    row = {**key, **run(judges[name], seed, a.seconds, **variants[v])}
                    if a.keep:
                        with open(a.keep, 'a') as f: f.write(json.dumps(row) + '\n')
                runs[name][v].append({k: row[k] for k in ('seed', 'steps', 'percent_of_noise')})
                print(name, seed, v, row['steps'], row['percent_of_noise'], flush=True)
    def summary(rows):
        got = [r['percent_of_noise'] for r in rows if r['percent_of_noise'] is not None]
        return dict(median=round(statistics.median(got), 3) if got else None, lowest=min(got, default=None), highest=max(got, default=None),
                    steps=round(statistics.median(r['steps'] for r in rows)), runs=len(rows), diverged=len(rows) - len(got))
    if a.keep: sys.argv[sys.argv.index('--keep') + 1] = 'FILE'
    save('ingredients', samples=10_000, seconds=a.seconds, seeds=a.seeds, seeds_instead=a.seeds_instead, recipe=recipe,
         removed=list(removed),
         sets={name: dict(noise=round(judges[name].noise, 3), floor=round(judges[name].floor, 4), accuracy=judges[name].about['accuracy'],
                          summary={v: summary(rows) for v, rows in of.items()}, runs=of) for name, of in runs.items()})
