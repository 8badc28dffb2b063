"""Which statistics should batch normalisation have in the averaged generator? Weights are averaged; its running means and variances can be
averaged with them, copied from the live network, or estimated anew by running the averaged network in training mode (20 batches of 128).

By the recipe of gan_train, MNIST and the digits, several seeds; scored before the rates fall (40 % of the run) and at its end.
An answer would be: one way is better in every run at one of the two moments. Otherwise it does not matter, and the cheapest is taken.

usage: python benchmarks/averages.py [--steps 600] [--seeds 0 1 2] [--data mnist digits]
"""
import argparse, copy

import torch
from common import recipe, save
from gan_course.all import *
from gan_course.callbacks import _statistics
from time_to_quality import Quiet


class Three(Callback):
    "Score the three ways at given fractions of the run."
    def __init__(self, judge, at): self.judge, self.at, self.rows = judge, list(at), []
    def before_fit(self, t): self.left = list(self.at)
    def after_step(self, t):
        if self.left and t.fraction >= self.left[0]:
            scores = {name: self.judge(net, t.z_dim) for name, net in ways(t).items()}
            self.rows.append(dict(fraction=self.left.pop(0), step=t.step, **scores))


def ways(t):
    averaged = t.generator
    copied, again = copy.deepcopy(averaged), copy.deepcopy(averaged)
    with torch.no_grad():
        for mine, live in zip(_statistics(copied), _statistics(t.G)): mine.copy_(live)
        for m in again.modules():
            if not isinstance(m, torch.nn.modules.batchnorm._BatchNorm): continue
            m.reset_running_stats(); m.momentum = None       # None: the plain mean over batches
        again.train()
        for z in seeded_noise(20*128, t.z_dim, seed=1).split(128): again(z)
        again.eval()
    return dict(averaged=averaged, copied=copied, estimated=again, live=t.G)


def run(name, seed, steps):
    train, test = [image_data(name, recipe['batch_size'], split=s, device='cpu', seed=seed) for s in ('train', 'test')]
    net, about = classifier_for(train, test)
    reference = net.look(test.images)[0]
    def judge(G, z_dim): return round(frechet_distance(net.look(sample_from(G, z_dim, 5000, as_uint8=True))[0], reference), 4)
    three = Three(judge, (.4, 1.))
    settled = recipes['dcgan'].settle(dict(steps=steps, seed=seed, conditional=False, penalty='none', precision='fp32'), train)
    settled['ema'] = recipe['ema']
    t = recipes['dcgan'].make(train, settled, 'cpu', [Quiet(), three])
    t.fit(train, steps=steps)
    floor = frechet_distance(net.look(train.images[torch.randperm(len(train.images))[:5000]])[0], reference)
    return dict(data=name, seed=seed, floor=round(floor, 4), rows=three.rows)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=600); p.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    p.add_argument('--data', nargs='+', default=['mnist', 'digits'])
    a = p.parse_args()
    runs = [run(name, seed, a.steps) for name in a.data for seed in a.seeds]
    save('averages', steps=a.steps, seeds=a.seeds, samples=5000, batch_size=recipe['batch_size'], runs=runs)
