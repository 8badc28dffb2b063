"""What does differentiable augmentation do for few pictures? The default networks on 10 % and on 1 % of CIFAR-10 (always the same images), with and without it, with
D as fast as G; on 10 % also with D at a tenth of G's rate (what gan_train does below 10,000 images); and on all of it.

Beside the score: D's mean logit, without augmentation, for (up to) 2,000 training images, held-out images and fakes. A D that learns its training
set by heart tells training images from held-out ones.

The first 80 samples of seed 0, not selected, become nbs/images/little_NAME.png, for the run without augmentation and the one with it at equal rates.

usage: python benchmarks/little_data.py [--steps 1500] [--seeds 0 1] [--processes 2] [--keep FILE]
"""
import argparse

import torch
from cifar import judge, picture, trainer_for
from common import root, run_all, save
from gan_course.all import *
from gan_course.train import recipe

policy = 'colour,translation,cutout'
variants = {'all images': dict(limit=None, augment='', d_rate=1.), '10 %': dict(limit=5000, augment='', d_rate=1.), '10 %, slow D': dict(limit=5000, augment='', d_rate=.1),
            '10 %, augmented': dict(limit=5000, augment=policy, d_rate=1.), '1 %': dict(limit=500, augment='', d_rate=1.), '1 %, augmented': dict(limit=500, augment=policy, d_rate=1.)}


@torch.no_grad()
def opinion(D, images, n=2000):
    "D's mean logit, in batches as large as in training and in training mode: batch normalisation sees what it is used to."
    return torch.cat([D(b) for b in images[:n].split(recipe['batch_size'])]).mean().item()


def train(variant, seed, steps, limit, augment, d_rate):
    j = judge()
    data = image_data('cifar10', recipe['batch_size'], limit=limit, device='cpu', seed=seed)
    t = trainer_for('dcgan', data, seed, d_lr=d_rate*recipe['lr'], augment=DiffAugment(*augment.split(',')) if augment else None)
    try: t.fit(data, steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e))
    fakes = t.sample(10_000)
    logits = dict(train=opinion(t.D, to_float(data.images[:2000])), held_out=opinion(t.D, to_float(j.test.images[:2000])), fake=opinion(t.D, fakes))
    names = {'1 %': 'plain', '1 %, augmented': 'augmented'}
    if seed == 0 and variant in names: picture(t.generator, root/'nbs'/'images'/f'little_{names[variant]}.png')
    r = score(fakes, data, j.test, (j.net, j.about))
    return dict(logits={k: round(v, 4) for k, v in logits.items()}, **{k: r[k] for k in ('frechet_distance', 'standard_error', 'percent_of_noise', 'precision', 'recall', 'coverage', 'memorisation')})


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=1500)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    j = judge()
    runs = run_all(train, [dict(variant=v, seed=seed, steps=a.steps, **options) for seed in a.seeds for v, options in variants.items()], a.keep, a.processes)
    save('little_data', steps=a.steps, seeds=a.seeds, samples=10_000, recipe=recipe, noise=round(j.noise, 3), floor=round(j.floor, 4), accuracy=j.about['accuracy'], variants=list(variants), runs=runs)
