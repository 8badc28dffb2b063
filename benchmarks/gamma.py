"""Which γ for R1? None, and five strengths over four decades, on MNIST, the digits and CIFAR-10.

With the networks and rates of `gan_train`: told the class, dcgan without normalisation in D, R1 every fourth step, rates of 0.002 that
fall, the average of G's weights. On MNIST γ also with a quarter of the batch, and with that batch on the same pictures at 16 and 64
pixels. 5,000 samples are compared with as many of the test split in the features of the package's ruler, to whose size they are scaled,
the real ones as well.

usage: python benchmarks/gamma.py [--steps 1000] [--seeds 0 1 2] [--processes 2] [--device cpu] [--keep FILE]
                                  [--only mnist digits cifar10 batch 16 64]
"""
import argparse
from functools import cache, partial

import torch, torch.nn.functional as F
from common import device_name, networks_then, run_all, save
from gan_course.all import *
from gan_course.evaluation import _neighbour_scores, _radii
from search import splits
from time_to_quality import Quiet

gammas = [0., .01, .1, 1., 10., 100.]
kinds = {                                 # set, batch, pixels on a side, times as many steps
    'mnist': ('mnist', 128, 28, 1), 'batch': ('mnist', 32, 28, 1), '16': ('mnist', 32, 16, 1), '64': ('mnist', 32, 64, 1),
    'digits': ('digits', 64, 28, 1), 'cifar10': ('cifar10', 32, 32, 3)}


def sized(images, pixels):
    "uint8 images at pixels×pixels, smoothed where they become smaller."
    if images.shape[-1] == pixels: return images
    return F.interpolate(images.float(), (pixels, pixels), mode='bilinear', antialias=True).round().to(torch.uint8)


@cache
def judge(set_, pixels, device):
    "The package's ruler, and what it makes of 5,000 real test images that were once of this size."
    net = ruler(set_)[0].to(device)
    test = splits(set_, 'cpu')[1].images[:5000]
    real = net.look(sized(sized(test, pixels), test.shape[-1]), 1000)[0].float()
    return net, real, (_radii(real, 3), _radii(real, 5)), test.shape[-1]


def seen(kind, samples, device='cpu'):
    "Distance, precision and coverage of uint8 images of the kind's size."
    net, real, radii, size = judge(kinds[kind][0], kinds[kind][2], device)
    fake = net.look(sized(samples, size), 1000)[0].float()
    s = _neighbour_scores(real, fake, *radii)
    return dict(distance=round(frechet_distance(fake, real), 3), precision=round(s['precision'], 3), coverage=round(s['coverage'], 3))


def play(kind, gamma, seed, steps, device='cpu'):
    set_, batch, pixels, longer = kinds[kind]
    train, _ = splits(set_, device)
    data = ImageBatches(sized(train.images, pixels), train.labels, train.classes, train.name, batch, device, seed)
    set_seed(seed)
    G, D = networks_then('dcgan', data.shape, d_norm='none', classes=len(data.classes))
    penalty = dict(penalty='r1', penalty_every=4, gamma=gamma) if gamma else {}
    t = GANTrainer(G, D, **penalty, lr=2e-3, seed=seed, device=device, precision='fp32',
                   cbs=[EMA(.99), LinearDecay(.4), Quiet()])
    try: t.fit(data, steps=longer*steps)
    except TrainingDiverged as e: return dict(diverged=str(e)[:200])
    last = t.history[-len(t.history)//4:]                  # the last quarter of the run
    curves = {k: round(sum(h[k] for h in last)/len(last), 4) for k in ('d_real', 'd_fake', 'penalty') if last[0][k] is not None}
    samples = to_uint8(sample_from(t.generator, t.z_dim, 5000, labels=torch.arange(5000) % 10))
    return dict(trained_on=device_name(device), seconds=round(t.seconds), **curves, **seen(kind, samples, device))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=1000)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--processes', type=int, default=2)
    p.add_argument('--device', default='cpu')
    p.add_argument('--only', nargs='+', choices=list(kinds), default=list(kinds))
    p.add_argument('--keep', help='file of finished runs, which are not repeated')
    a = p.parse_args()
    jobs = [dict(kind=k, gamma=g, seed=s, steps=a.steps) for s in a.seeds for k in a.only for g in gammas]
    rows = run_all(partial(play, device=a.device), jobs, a.keep, a.processes)
    real = {k: seen(k, sized(splits(kinds[k][0], 'cpu')[0].images[:5000], kinds[k][2])) for k in a.only}
    about = {k: dict(zip(('set', 'batch', 'pixels', 'times_steps'), v)) for k, v in kinds.items()}
    save('gamma', kinds=about, steps=a.steps, samples=5000, real=real, rows=rows)
