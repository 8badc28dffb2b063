"""Does it help to be told the class? The default networks for 600 steps: not told; told; told, with both rates at half; told by a class
vector that starts as large as the noise, not a tenth of it; and on the digits both with and without D at a tenth of G's rate.

Scores as in cifar.py, from 10,000 samples, as many of each class; and the share of samples that our classifier takes for the class that
was asked for.

usage: python benchmarks/conditional.py [--data cifar10 mnist digits] [--steps 600] [--seeds 0 1 2] [--processes 2] [--keep FILE]
"""
import argparse

import torch
from cifar import judge, trainer_for
from common import d_rate_for, recipe, run_all, save
from gan_course.all import *

told = {'told': dict(told=True, rate=1., d_rate=1., loud=False), 'told, half rate': dict(told=True, rate=.5, d_rate=1., loud=False),
        'told loudly': dict(told=True, rate=1., d_rate=1., loud=True)}
also = {'digits': {'not told, equal rates': dict(told=False, rate=1., d_rate=1., loud=False),
                   'told, slow D': dict(told=True, rate=1., d_rate=.1, loud=False)},
        'cifar10': {'told loudly, half rate': dict(told=True, rate=.5, d_rate=1., loud=True)}}


def variants(data):
    not_told = dict(told=False, rate=1., d_rate=d_rate_for.get(data, 1.), loud=False)
    return {'not told': not_told, **told, **also.get(data, {})}


def train(data, variant, seed, steps, told, rate, d_rate, loud):
    j = judge(data)
    images = image_data(data, recipe['batch_size'], device='cpu', seed=seed)
    lr = rate*recipe['lr']
    t = trainer_for('dcgan', images, seed, classes=10 if told else 0, lr=lr, d_lr=d_rate*lr)
    if loud:
        with torch.no_grad(): t.G.embed.weight.mul_(10)
        for cb in t.cbs: cb.setup(t)        # the average of G starts from it, too
    try: t.fit(images, steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e))
    samples = t.sample(10_000, seed=1)
    r = score(samples, images, j.test, (j.net, j.about))
    as_asked = (j.net.look(samples)[1].argmax(1) == torch.arange(len(samples)) % 10).float().mean().item() if told else None
    keys = ('frechet_distance', 'standard_error', 'percent_of_noise', 'precision', 'recall', 'coverage')
    return dict(as_asked=as_asked, **{k: r[k] for k in keys})


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', nargs='+', default=['cifar10', 'mnist', 'digits'])
    p.add_argument('--steps', type=int, default=600)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    judges = {name: dict(noise=round(j.noise, 3), floor=round(j.floor, 4), accuracy=j.about['accuracy'])
              for name in a.data for j in [judge(name)]}
    jobs = [dict(data=name, variant=v, seed=seed, steps=a.steps, **options)
            for seed in a.seeds for name in a.data for v, options in variants(name).items()]
    runs = run_all(train, jobs, a.keep, a.processes)
    save('conditional', data=a.data, steps=a.steps, seeds=a.seeds, processes=a.processes, samples=10_000, recipe=recipe,
         judges=judges, runs=runs)
