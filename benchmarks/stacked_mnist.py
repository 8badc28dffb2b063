"""Which loss and which penalty find all of 1000 modes, where modes can be lost? Stacked MNIST: three random digits as the red, green and
blue of one picture, so each of the thousand numbers from 000 to 999 is a mode, and the package's ruler for MNIST reads it off, channel by
channel.

The losses and penalties of the table of Huang et al. 2024 (R3GAN): relativistic or not; nothing, R1, or R1 and R2, here with three γ. Thin
DCGAN networks without normalisation in D, each game with a D of 8 channels; with three of the seeds also with one of 2, the control; and
with the first seed and without a penalty with one of 16, to tell what is D's share and what is G's. Modes are counted among 25,600 samples
of the average of G's weights, KL is that of their shares from equal shares; real stacks, drawn and counted in the same way, give the floor.
Scores at a half, three quarters and the end of a run tell whether KL is still falling.

usage: python benchmarks/stacked_mnist.py [--steps 6000] [--seeds 0 1 2 3 4] [--processes 2] [--device cpu] [--keep FILE]
"""
import argparse
from functools import cache, partial

import torch
from common import device_name, networks_then, run_all, save
from gan_course.all import *
from search import splits
from time_to_quality import Quiet

SAMPLES, WIDTH, BATCH, RATE = 25_600, 16, 64, 2e-3
gammas = [.1, 1., 10.]


class Stacked:
    "Batches of stacks without end, drawn anew: three of 60,000 digits each."
    shape = (3, 28, 28)
    def __init__(self, images, batch_size, seed):
        self.images, self.n, self.rng = images[:, 0], batch_size, torch.Generator(images.device).manual_seed(seed)
    def __iter__(self):
        while True: yield to_float(self.images[torch.randint(len(self.images), (self.n, 3), generator=self.rng, device=self.images.device)])


@cache
def reader(device):
    net, card = ruler('mnist')
    return net.to(device), card


def modes(stacks, device='cpu'):
    "(how many of the thousand there are, KL of their shares from 1/1000 in nats) for uint8 stacks N×3×28×28."
    digits = torch.stack([reader(device)[0].look(stacks[:, i:i + 1], 1000)[1].argmax(1) for i in range(3)])
    counts = torch.bincount(100*digits[0] + 10*digits[1] + digits[2], minlength=1000)
    p = counts[counts > 0].double()/counts.sum()
    return int((counts > 0).sum()), round((p*(1000*p).log()).sum().item(), 4)


class Count(Callback):
    "Modes and KL after given steps."
    def __init__(self, at, device): self.at, self.device, self.rows = at, device, []
    def after_step(self, t):
        if t.step in self.at:
            n, kl = modes(sample_from(t.generator, t.z_dim, SAMPLES, as_uint8=True), self.device)
            self.rows.append(dict(step=t.step, modes=n, kl=kl))


def train(loss, penalty, gamma, d_width, seed, steps, device='cpu'):
    set_seed(seed)
    count = Count({round(steps*f) for f in (.5, .75, 1)}, 'cuda' if torch.cuda.is_available() else 'cpu')
    G, D = networks_then('dcgan', Stacked.shape, d_norm='none', width=WIDTH, d_width=d_width)
    t = GANTrainer(G, D, loss=loss, penalty=penalty, gamma=gamma, lr=RATE, seed=seed, device=device, precision='fp32',
                   cbs=[EMA(.99), LinearDecay(.4), count, Quiet()])
    try: t.fit(Stacked(splits('mnist', device)[0].images, BATCH, seed), steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e)[:200], rows=count.rows)
    last = t.history[-len(t.history)//4:]
    answers = {k: round(sum(h[k] for h in last)/len(last), 3) for k in ('d_real', 'd_fake')}
    return dict(trained_on=device_name(device), seconds=round(t.seconds), **answers, rows=count.rows,
                modes=count.rows[-1]['modes'], kl=count.rows[-1]['kl'])


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=6000)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2, 3, 4])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--device', default='cpu')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    cures = [('none', None), *[(p, g) for p in ('r1', 'r1r2') for g in gammas]]
    jobs = [dict(loss=loss, penalty=penalty, gamma=gamma, d_width=d, seed=seed, steps=a.steps)
            for seed in a.seeds for d in (2, 8, 16) for penalty, gamma in cures for loss in ('non_saturating', 'relativistic')
            if d == 8 or d == 2 and seed in a.seeds[:3] or seed == a.seeds[0] and penalty == 'none']
    runs = run_all(partial(train, device=a.device), jobs, a.keep, a.processes)
    draw = next(iter(Stacked(splits('mnist', 'cpu')[1].images, SAMPLES, 0)))
    real = dict(zip(('modes', 'kl'), modes(to_uint8(draw))))
    save('stacked_mnist', steps=a.steps, batch_size=BATCH, width=WIDTH, d_widths=[2, 8], seeds=a.seeds, samples=SAMPLES,
         accuracy=reader('cpu')[1]['accuracy'], real=real, runs=runs)
