"""One knob at a time, on the ring of eight Gaussians: five seeds of each setting, trained as one batch of networks.

- rates: G's and D's learning rate, every pair of five, without a penalty and with R1 (is it the ratio that counts?)
- balance: a G that is much faster than D, and what is said to help: more D steps, R1, a faster D, a slower G
- momentum: β₁ of Adam
- gamma: six strengths of R1 over five decades, at two rates, and with the ring four times as large (γ of what?)
- batch: 8 to 512 samples, with the same number of steps, and with the same number of samples
- spectral: spectral normalisation of D, at three rates and three β₁, beside the same games without it
- smoothing: one-sided and two-sided label smoothing, where D is far ahead and where it is not

usage: python benchmarks/knobs.py [--keep FILE] [--steps 2000] [--processes 2]
"""
import argparse

import torch
import torch.nn.functional as F
from common import run_all, save
from gan_course.all import *
from stability import batch, play_all, samples, seeds, width, z_dim

calm = dict(lr=1e-3, d_lr=1e-3, penalty='none')
rates = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]
gammas = [1e-3, 1e-2, .1, 1., 10., 100.]
slow_d = dict(lr=3e-3, d_lr=1e-4, penalty='none')
far_ahead = dict(lr=1e-4, d_lr=1e-2, d_steps=5, penalty='none')
settings = [
    *[('rates', dict(lr=g, d_lr=d, penalty=p, gamma=v)) for p, v in (('none', None), ('r1', .1)) for g in rates for d in rates],
    *[('balance', {**slow_d, **how}) for how in ({}, dict(d_steps=5), dict(penalty='r1', gamma=.1), dict(penalty='r1', gamma=1.),
                                                 dict(d_lr=1e-3), dict(d_lr=3e-3), dict(lr=3e-4), dict(lr=1e-4))],
    *[('momentum', {**calm, 'betas': [b, .99], **how}) for b in (0., .5, .9) for how in ({}, dict(penalty='r1', gamma=.1))],
    *[('gamma', dict(lr=lr, d_lr=lr, penalty='r1', gamma=g, scale=s)) for s in (1., 4.) for lr in (1e-3, 5e-3) for g in gammas],
    *[('batch', {**calm, 'batch': b, 'share': share}) for b in (8, 32, 128, 512) for share in ('steps', 'samples')],
    *[('spectral', {**calm, 'lr': lr, 'd_lr': lr, 'betas': [b, .99], 'spectral': s}) for lr in (1e-3, 5e-3, 2e-2) for b in (0., .5, .9)
      for s in (False, True)],
    *[('smoothing', {**how, 'smooth': s}) for how in (calm, far_ahead) for s in (None, 'one-sided', 'two-sided')]]


class Smoothed:
    "The usual loss, with 0.9 as the answer that D is to give to real samples, and 0 or 0.1 to generated ones. Salimans et al. 2016."
    paired = False
    def __init__(self, fake): self.fake, self.name = fake, f'smoothed, 0.9 and {fake}'
    def d(self, real_logits, fake_logits):
        to = lambda logits, answer: F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, answer))
        return to(real_logits, .9) + to(fake_logits, self.fake)
    def g(self, fake_logits, real_logits=None): return F.softplus(-fake_logits).mean()


def play(knob, how, steps):
    how = dict(how)
    n, scale, smooth = how.pop('batch', batch), how.pop('scale', 1.), how.pop('smooth', None)
    if how.pop('share', 'steps') == 'samples': steps = steps*batch//n
    if smooth: how['loss'] = Smoothed(.1 if smooth == 'two-sided' else 0.)
    return play_all('ring', steps, n, scale, **how)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--keep', help='file of finished settings, which are not repeated')
    p.add_argument('--steps', type=int, default=2000)
    p.add_argument('--processes', type=int, default=2)
    a = p.parse_args()
    rows = run_all(play, [dict(knob=k, how=how, steps=a.steps) for k, how in settings], a.keep, a.processes)
    save('knobs', seeds=seeds, steps=a.steps, batch=batch, width=width, z_dim=z_dim, samples=samples, average=.99, rows=rows)
