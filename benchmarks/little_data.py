"""What does differentiable augmentation do for few pictures? The default networks on 10 % and on 1 % of CIFAR-10 (always the same images),
with and without it, with D as fast as G; and on all of it. At the rate of gan_train; without augmentation also with D at a tenth of G's
rate. Runs of more than 2,000 steps take a quarter of the rate, the first seed on 10 % also all of it; they are looked at on the way.

Beside the score: D's mean logit, without augmentation, for (up to) 2,000 training images, held-out images and fakes. A D that learns its
training set by heart tells training images from held-out ones.

The first 80 samples of seed 0, not selected, become nbs/images/little_NAME.webp, for the longest run without augmentation and the one
with it at equal rates.

usage: python benchmarks/little_data.py [--steps 1500 4500] [--seeds 0 1] [--processes 2] [--keep FILE]
"""
import argparse

import torch
from cifar import judge, picture, trainer_for
from common import recipe, root, run_all, save
from gan_course.all import *

policy = 'colour,translation,cutout'
long = 2000
variants = {'all images': dict(limit=None, augment='', d_rate=1.), '10 %': dict(limit=5000, augment='', d_rate=1.),
            '10 %, slow D': dict(limit=5000, augment='', d_rate=.1), '10 %, augmented': dict(limit=5000, augment=policy, d_rate=1.),
            '1 %': dict(limit=500, augment='', d_rate=1.), '1 %, slow D': dict(limit=500, augment='', d_rate=.1),
            '1 %, augmented': dict(limit=500, augment=policy, d_rate=1.)}


@torch.no_grad()
def opinion(D, images, n=2000):
    "D's mean logit, in batches as large as in training and in training mode: batch normalisation sees what it is used to."
    return torch.cat([D(b) for b in images[:n].split(recipe['batch_size'])]).mean().item()


def logits(t, data):
    "What D thinks of pictures that it trains on, of held-out ones and of fakes."
    images = dict(train=to_float(data.images[:2000]), held_out=to_float(judge().test.images[:2000]), fake=t.sample(2000))
    return {k: round(opinion(t.D, x), 4) for k, x in images.items()}


class Watch(Callback):
    "Score the averaged generator, and ask D, after given steps."
    def __init__(self, marks, data): self.marks, self.data, self.rows = marks, data, []
    def after_step(self, t):
        if t.step in self.marks: self.rows.append({**judge().row(t.generator, t.z_dim, None, t.step), 'logits': logits(t, self.data)})


def train(variant, seed, steps, rate, limit, augment, d_rate, picture_to=None):
    j = judge()
    data = image_data('cifar10', recipe['batch_size'], limit=limit, device='cpu', seed=seed)
    watch = Watch([steps//k for k in (32, 16, 8, 4, 2, 1)] + [3*steps//4] if steps > long else [], data)
    t = trainer_for('dcgan', data, seed, [watch], lr=rate*recipe['lr'], d_lr=d_rate*rate*recipe['lr'],
                    augment=DiffAugment(*augment.split(',')) if augment else None)
    try: t.fit(data, steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e), rows=watch.rows)
    if picture_to: picture(t.generator, root/'nbs'/'images'/picture_to)
    r = score(t.sample(10_000), data, j.test, (j.net, j.about))
    keys = ('frechet_distance', 'standard_error', 'percent_of_noise', 'precision', 'recall', 'coverage', 'memorisation')
    return dict(logits=logits(t, data), rows=watch.rows, **{k: r[k] for k in keys})


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', nargs='+', type=int, default=[1500, 4500])
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    j = judge()
    pictures = {'1 %': 'little_plain.webp', '1 %, augmented': 'little_augmented.webp'}
    def to(v, seed, steps):
        return {'picture_to': pictures[v]} if v in pictures and seed == 0 and steps == max(a.steps) else {}

    jobs = [dict(variant=v, seed=seed, steps=steps, rate=rate, **options, **to(v, seed, steps))
            for steps in a.steps for rate in ((1., .25) if steps > long else (1.,)) for seed in a.seeds for v, options in variants.items()
            if steps <= long or options['d_rate'] == 1 and (rate < 1 or seed == a.seeds[0] and v == '10 %')]
    runs = run_all(train, jobs, a.keep, a.processes)
    save('little_data', steps=a.steps, seeds=a.seeds, processes=a.processes, samples=10_000, recipe=recipe, noise=round(j.noise, 3),
         floor=round(j.floor, 4), accuracy=j.about['accuracy'], variants=list(variants), runs=runs)
