"""Why did a slow D help on the digits, when a slow D makes a game collapse? D's rate a tenth of G's, or the same, on the 1,437 digits and
on MNIST's 60,000; with batch normalisation in D and no penalty (as `gan_train` once did), and without it and with R1 (as it does now).

Expected if a small set is the reason, since D learns it by heart: on the digits without a penalty the quick D tells its training pictures
from held-out ones and the samples are worse; R1 takes the difference away; on MNIST the slow D does not help. Nobody is told a class.

usage: python benchmarks/slow_d.py [--steps 600] [--seeds 0 1 2] [--processes 2] [--keep FILE]
"""
import argparse

import torch
from common import run_all, save
from gamma import seen
from gan_course.all import *
from search import splits
from time_to_quality import Quiet

ways = {'as it was': dict(d_norm='batch', penalty='none', every=1, lr=4e-3), 'R1': dict(d_norm='none', penalty='r1', every=4, lr=2e-3)}


def play(set, way, ratio, seed, steps):
    o = ways[way]
    train, test = splits(set, 'cpu')
    data = ImageBatches(train.images, train.labels, train.classes, train.name, 128, 'cpu', seed)
    set_seed(seed)
    G, D = dcgan(data.shape, d_norm=o['d_norm'])
    t = GANTrainer(G, D, penalty=o['penalty'], penalty_every=o['every'], lr=o['lr'], d_lr=ratio*o['lr'], seed=seed, device='cpu',
                   precision='fp32', cbs=[EMA(.99), LinearDecay(.4), Vitals(held=to_float(test.images[:128])), Quiet()])
    t.fit(data, steps=steps)
    signs = {k: round(v, 3) for k, v in diagnose(t.history).signs.items()}
    return dict(seconds=round(t.seconds), signs=signs, **seen(set, to_uint8(t.sample(5000, seed=0))))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=600)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--processes', type=int, default=2)
    p.add_argument('--keep', help='file of finished runs, which are not repeated')
    a = p.parse_args()
    jobs = [dict(set=s, way=w, ratio=r, seed=seed, steps=a.steps) for seed in a.seeds
            for s, w in (('digits', 'as it was'), ('digits', 'R1'), ('mnist', 'as it was')) for r in (.1, 1.)]
    rows = run_all(play, jobs, a.keep, a.processes)
    floor = {s: seen(s, splits(s, 'cpu')[0].images[:5000]) for s in ('digits', 'mnist')}
    save('slow_d', steps=a.steps, ways=ways, samples=5000, real=floor, rows=rows)
