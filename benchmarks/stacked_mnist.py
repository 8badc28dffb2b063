"""How many of 1000 modes does a GAN find? Stacked MNIST: three random digits as the red, green and blue of one picture, so each of the
thousand numbers from 000 to 999 is a mode, and our MNIST classifier reads it off, channel by channel.

Losses and penalties as in the table of Huang et al. 2024 (R3GAN): relativistic or not, R1 or R1 and R2; here with small DCGAN networks
without normalisation in D. Modes are counted among 25,600 samples, KL is that of their shares from equal shares; real stacks, drawn and
counted in the same way, give the floor.

usage: python benchmarks/stacked_mnist.py [--steps 2500] [--seeds 0 1] [--gamma 1] [--processes 2] [--keep FILE]
"""
import argparse
from functools import cache

import torch
from common import run_all, save
from gan_course.all import *
from time_to_quality import Quiet

SAMPLES = 25_600


class Stacked:
    "Batches of stacks without end, drawn anew: three of 60,000 digits each."
    shape = (3, 28, 28)
    def __init__(self, images, batch_size, seed):
        self.images, self.n, self.rng = images[:, 0], batch_size, torch.Generator().manual_seed(seed)
    def __iter__(self):
        while True: yield to_float(self.images[torch.randint(len(self.images), (self.n, 3), generator=self.rng)])


@cache
def reader():
    train, test = [image_data('mnist', split=s, device='cpu') for s in ('train', 'test')]
    net, about = classifier_for(train, test)
    return net, about, train, test


def modes(stacks):
    "(how many of the thousand there are, KL of their shares from 1/1000 in nats) for uint8 stacks N×3×28×28."
    digits = torch.stack([reader()[0].look(stacks[:, i:i + 1])[1].argmax(1) for i in range(3)])
    counts = torch.bincount(100*digits[0] + 10*digits[1] + digits[2], minlength=1000)
    p = counts[counts > 0].double()/counts.sum()
    return int((counts > 0).sum()), round((p*(1000*p).log()).sum().item(), 4)


class Count(Callback):
    "Modes and KL after given steps."
    def __init__(self, at): self.at, self.rows = at, []
    def after_step(self, t):
        if t.step in self.at:
            n, kl = modes(sample_from(t.generator, t.z_dim, SAMPLES, as_uint8=True))
            self.rows.append(dict(step=t.step, modes=n, kl=kl))


def train(loss, penalty, seed, steps, gamma):
    set_seed(seed)
    count = Count({round(steps*f) for f in (.1, .25, .5, .75, 1)})
    G, D = dcgan(Stacked.shape, d_norm='none')
    t = GANTrainer(G, D, loss=loss, penalty=penalty, gamma=gamma, lr=2e-3, seed=seed, device='cpu',
                   cbs=[EMA(.999), LinearDecay(.4), count, Quiet()])
    try: t.fit(Stacked(reader()[2].images, 64, seed), steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e), rows=count.rows)
    return dict(rows=count.rows, modes=count.rows[-1]['modes'], kl=count.rows[-1]['kl'])


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=2500)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    p.add_argument('--gamma', type=float, default=1.)
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    net, about, _, test = reader()
    draw = next(iter(Stacked(test.images, SAMPLES, 0)))
    real = dict(zip(('modes', 'kl'), modes(to_uint8(draw))))
    print('real stacks:', real, flush=True)
    pairs = [(loss, penalty) for loss in ('non_saturating', 'relativistic') for penalty in ('r1', 'r1r2')]
    jobs = [dict(loss=loss, penalty=penalty, seed=seed, steps=a.steps, gamma=a.gamma) for seed in a.seeds for loss, penalty in pairs]
    runs = run_all(train, jobs, a.keep, a.processes)
    save('stacked_mnist', steps=a.steps, batch_size=64, seeds=a.seeds, gamma=a.gamma, samples=SAMPLES, accuracy=about['accuracy'],
         real=real, runs=runs)
