"""What has a discriminator learned that a classifier can use? A linear probe (logistic regression) on four kinds of features of MNIST.

  pixels        784 of them
  random        the last hidden layer, 1,024 features, of D as it is initialised
  GAN           the same layer after training as `gan_train mnist --unconditional --groups 0` trains, without a label
  autoencoder   the same layers trained to give back their picture through a code of 64 numbers and G's layers, by squared error,
                for as many steps of as many pictures at the same rate

The probe sees 100 or 1,000 labels; its regularisation is the best of five on 5,000 other *training* pictures, for each kind by itself.
Errors are those on the test split.

usage: python benchmarks/features.py [--steps 1500] [--seeds 0 1 2] [--processes 2] [--keep FILE]
"""
import argparse, itertools

import numpy as np
import torch
import torch.nn.functional as F
from common import run_all, save
from gan_course.all import *
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from time_to_quality import Quiet
from torch import nn

strengths = (1e-4, 1e-3, 1e-2, 1e-1, 1)


def game(data, steps, seed):
    "(averaged G, D) of a game without labels."
    set_seed(seed)
    G, D = dcgan(data.shape, d_norm='none')
    t = GANTrainer(G, D, penalty='r1', penalty_every=4, lr=2e-3, seed=seed, device='cpu', cbs=[EMA(.999), LinearDecay(.4), Quiet()])
    t.fit(data, steps=steps)
    return t.generator.eval(), D.eval()


def autoencoder(data, steps, seed, code=64, lr=2e-3):
    "(D's hidden layers, what makes a code of their features, G) after training to give back what they were shown."
    set_seed(seed)
    G, D = dcgan(data.shape, z_dim=code, d_norm='none')
    body, to_code = D.layers[:-1], nn.Linear(D.layers[-1].in_features, code)
    parts = [net.to(memory_format=torch.channels_last).train() for net in (body, to_code, G)]
    opt = torch.optim.Adam([p for net in parts for p in net.parameters()], lr, (.9, .99), fused=True)
    for step, (real, _) in enumerate(itertools.islice(itertools.chain.from_iterable(itertools.repeat(data)), steps)):
        for group in opt.param_groups: group['lr'] = lr*min(1, (1 - step/steps)/.6)
        loss = F.mse_loss(G(to_code(body(real))), real)
        opt.zero_grad(); loss.backward(); opt.step()
    return [net.eval() for net in parts]


@torch.no_grad()
def seen(body, images):
    if body is None: return to_float(images).flatten(1).numpy()
    return torch.cat([body(to_float(b)) for b in images.split(1000)]).numpy()


def probed(body, train, test, told, others):
    "Errors of the best probe on the test split."
    x, y = seen(body, train.images[told]), train.labels[told].numpy()
    held, held_y = seen(body, train.images[others]), train.labels[others].numpy()
    probes = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=300)).fit(x, y) for c in strengths]
    best = int(np.argmax([p.score(held, held_y) for p in probes]))
    return int((probes[best].predict(seen(body, test.images)) != test.labels.numpy()).sum()), strengths[best]


def work(features, seed, steps):
    train, test = [image_data('mnist', batch_size=128, split=s, device='cpu', seed=seed) for s in ('train', 'test')]
    set_seed(seed)
    body = dict(pixels=lambda: None, random=lambda: dcgan(train.shape, d_norm='none')[1].layers[:-1].eval(),
                GAN=lambda: game(train, steps, seed)[1].layers[:-1], autoencoder=lambda: autoencoder(train, steps, seed)[0])[features]()
    row = {}
    for n in (100, 1000):
        told = label_draw(train.labels, n, seed)
        free = torch.ones(len(train.labels), dtype=torch.bool); free[told] = False
        others = free.nonzero()[:, 0][torch.randperm(int(free.sum()), generator=torch.Generator().manual_seed(seed))[:5000]]
        row[f'errors_{n}'], row[f'strength_{n}'] = probed(body, train, test, told, others)
    return row


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=1500)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    jobs = [dict(features=k, seed=s, steps=a.steps) for k in ('GAN', 'autoencoder', 'random', 'pixels') for s in a.seeds]
    save('features', data='mnist', steps=a.steps, seeds=a.seeds, of=10_000, rows=run_all(work, jobs, a.keep, a.processes))
