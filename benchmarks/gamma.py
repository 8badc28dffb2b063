"""Which γ for R1? Five strengths over three decades on MNIST and CIFAR-10, told the class, with the networks and rates of `gan_train`.

As `gan_train` trains: dcgan without normalisation in D, R1 every fourth step, rates of 0.002 that fall, the average of G's weights. γ
also with a quarter of the batch, and with pictures whose numbers are three times as large (of which D sees a third of the slope). 5,000
samples are compared with as many of the test split in the features of the package's ruler.

usage: python benchmarks/gamma.py [--steps 1000] [--seeds 0 1 2] [--processes 2] [--keep FILE] [--only base batch scale]
"""
import argparse
from functools import cache

import torch
from common import run_all, save
from gan_course.all import *
from gan_course.evaluation import _neighbour_scores, _radii
from search import splits
from time_to_quality import Quiet

gammas = [.03, .2, 1., 6., 30.]
kinds = {'base': ('mnist', 128, 1.), 'cifar10': ('cifar10', 128, 1.), 'batch': ('mnist', 32, 1.), 'scale': ('mnist', 128, 3.)}


class Scaled:
    "The same pictures with larger numbers."
    def __init__(self, data, scale): self.data, self.scale = data, scale
    def __iter__(self): return ((self.scale*x, y) for x, y in self.data)


class Larger(torch.nn.Module):
    "A G whose pictures have larger numbers."
    def __init__(self, G, scale): super().__init__(); self.G, self.scale, self.z_dim, self.classes = G, scale, G.z_dim, G.classes
    def forward(self, z, y): return self.scale*self.G(z, y)


@cache
def judge(set_):
    "The package's ruler, and what it makes of 5,000 real test images."
    net, _ = ruler(set_)
    real = net.look(splits(set_, 'cpu')[1].images[:5000])[0].float()
    return net, real, (_radii(real, 3), _radii(real, 5))


def seen(set_, samples):
    net, real, radii = judge(set_)
    fake = net.look(samples)[0].float()
    s = _neighbour_scores(real, fake, *radii)
    return dict(distance=round(frechet_distance(fake, real), 3), precision=round(s['precision'], 3), coverage=round(s['coverage'], 3))


def play(kind, gamma, seed, steps):
    set_, batch, scale = kinds[kind]
    train, _ = splits(set_, 'cpu')
    data = ImageBatches(train.images, train.labels, train.classes, train.name, batch, 'cpu', seed)
    set_seed(seed)
    G, D = dcgan(data.shape, d_norm='none', classes=len(data.classes))
    if scale != 1: G = Larger(G, scale)
    t = GANTrainer(G, D, penalty='r1', penalty_every=4, gamma=gamma, lr=2e-3, seed=seed, device='cpu', precision='fp32',
                   cbs=[EMA(.99), LinearDecay(.4), Quiet()])
    try: t.fit(data if scale == 1 else Scaled(data, scale), steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e)[:200])
    net = t.generator
    samples = to_uint8(sample_from(net.G if scale != 1 else net, t.z_dim, 5000, labels=torch.arange(5000) % 10))
    return dict(seconds=round(t.seconds), d_real=t.history[-1]['d_real'], d_fake=t.history[-1]['d_fake'],
                **seen(set_, samples))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=1000)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--processes', type=int, default=2)
    p.add_argument('--only', nargs='+', choices=list(kinds), default=list(kinds))
    p.add_argument('--keep', help='file of finished runs, which are not repeated')
    a = p.parse_args()
    jobs = [dict(kind=k, gamma=g, seed=s, steps=a.steps) for s in a.seeds for k in a.only for g in gammas]
    rows = run_all(play, jobs, a.keep, a.processes)
    floor = {s: seen(s, splits(s, 'cpu')[0].images[:5000]) for s in {kinds[k][0] for k in a.only}}
    save('gamma',
         kinds={k: dict(set=s, batch=b, scale=c) for k, (s, b, c) in kinds.items()}, steps=a.steps, samples=5000, real=floor, rows=rows)
