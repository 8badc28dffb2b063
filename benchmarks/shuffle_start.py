"""Should the four kernels of G's pixel shuffle start equal, so that an untrained G draws no pattern of 2×2 pixels? (Aitken et al. 2017
propose it for upscaling.) The default networks for 600 steps with either start, scored as in cifar.py; and the pattern, before and
after: how far the mean pictures at the four places of a 2×2 block are apart, beside the spread of all pixels.

usage: python benchmarks/shuffle_start.py [--data cifar10 mnist] [--steps 600] [--seeds 0 1 2] [--processes 2] [--keep FILE]
"""
import argparse

import torch
from cifar import judge, trainer_for
from common import recipe, run_all, save
from gan_course.all import *
from torch import nn


def block_pattern(images):
    means = torch.stack([images[:, :, i::2, j::2].mean((0, 2, 3)) for i in (0, 1) for j in (0, 1)])
    return round((means.std(0).mean()/images.std()).item(), 4)


def equal_start(G):
    "Channel k of the picture comes from outputs 4k to 4k + 3 of the convolution before the shuffle."
    conv = next(before for before, layer in zip(G.layers, G.layers[1:]) if isinstance(layer, nn.PixelShuffle))
    with torch.no_grad():
        for values in (conv.weight, conv.bias): values.copy_(values[::4].repeat_interleave(4, 0))


def train(data, start, seed, steps):
    j = judge(data)
    images = image_data(data, recipe['batch_size'], device='cpu', seed=seed)
    t = trainer_for('dcgan', images, seed)
    if start == 'equal':
        equal_start(t.G)
        for cb in t.cbs: cb.setup(t)        # the average of G starts from it, too
    before = block_pattern(t.sample(2000))
    try: t.fit(images, steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e))
    samples = t.sample(10_000, seed=1)
    r = score(samples, images, j.test, (j.net, j.about))
    return dict(pattern_before=before, pattern_after=block_pattern(samples),
                **{k: r[k] for k in ('frechet_distance', 'standard_error', 'percent_of_noise', 'precision', 'recall')})


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', nargs='+', default=['cifar10', 'mnist'])
    p.add_argument('--steps', type=int, default=600)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    real = {name: block_pattern(to_float(judge(name).test.images)) for name in a.data}
    jobs = [dict(data=name, start=start, seed=seed, steps=a.steps)
            for seed in a.seeds for name in a.data for start in ('random', 'equal')]
    runs = run_all(train, jobs, a.keep, a.processes)
    save('shuffle_start', data=a.data, steps=a.steps, seeds=a.seeds, processes=a.processes, samples=10_000, recipe=recipe,
         real=real, runs=runs)
