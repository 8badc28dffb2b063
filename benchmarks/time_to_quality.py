"""How soon is a generator good? Our recipe against the loops of the well-known tutorials, on the same data and before the same judge.

  ours          GANTrainer with the defaults of gan_train, one run for each budget (its learning rate falls to zero at the end of the
                budget)
  plain         the same networks at the same resolution in a plain loop: Adam 2e-4 (0.5, 0.999), no average, no schedule,
                torchvision's data set with transforms in a DataLoader of two workers, binary cross-entropy, one .item() per step
  tutorial      the 32-pixel DCGAN of those tutorials (upsampling, 128 channels, dropout in D, initial weights of 0.02), in the same
                plain loop

Only training is timed: the clock stands still while samples are judged. The contestants take turns within each seed. Samples of 32
pixels are brought to the size of the data for the judge; what that alone does to real images is recorded as `resized`.

usage: python benchmarks/time_to_quality.py [--data mnist cifar10] [--seeds 0 1 2]
"""
import argparse, statistics, time

import torch
import torch.nn.functional as F
import torchvision
import torchvision.transforms as T
from common import networks_then, recipe, save
from gan_course.all import *
from gan_course.data import data_dirs
from torch import nn

OURS, PLAIN, TUTORIAL = (7.5, 30, 120), (30, 120), (30, 120, 300)      # seconds of training


class Quiet(Progress):
    def before_fit(self, t): pass
    def after_step(self, t): pass
    def after_fit(self, t): pass


class Judge:
    def __init__(self, name):
        self.train, self.test = [image_data(name, split=s, device='cpu') for s in ('train', 'test')]
        self.net, self.about = classifier_for(self.train, self.test)
        self.reference = self.net.look(self.test.images)[0]
        g = torch.Generator().manual_seed(0)
        self.noise = self.distance(torch.randint(0, 256, (10_000, *self.train.shape), dtype=torch.uint8, generator=g))
        real = self.train.images[torch.randperm(len(self.train.images), generator=g)[:10_000]]
        self.floor, self.resized = self.distance(real), self.distance(self.fit(self.fit(to_float(real), 32)))
    def fit(self, images, size=None):
        size = size or self.train.shape[-1]
        if images.shape[-1] == size: return images
        return F.interpolate(images, size=size, mode='bilinear', antialias=True, align_corners=False).clamp(-1, 1)
    def distance(self, images): return frechet_distance(self.net.look(to_uint8(images))[0], self.reference)
    def row(self, G, z_dim, seconds, steps):
        d = self.distance(self.fit(sample_from(G, z_dim, 10_000)))
        return dict(seconds=seconds, steps=steps, frechet_distance=round(d, 4), percent_of_noise=round(100*d/self.noise, 4))


def ours(judge, seed, seconds):
    set_seed(seed)
    data = image_data(judge.train.name, recipe['batch_size'], device='cpu', seed=seed)
    t = GANTrainer(*networks_then('dcgan', data.shape), lr=recipe['lr'], seed=seed, device='cpu',
                   cbs=[EMA(recipe['ema']), LinearDecay(recipe['decay_start']), Quiet()])
    t.fit(data, minutes=seconds/60)
    return judge.row(t.generator, t.z_dim, seconds, t.step)


def tutorial_networks(channels):
    "Noise of 100 → 128×8×8 → channels×32×32, and back to one logit."
    # 0.8 lands on eps there: see the page on networks
    def up(ni, nf):
        return [nn.Upsample(scale_factor=2), nn.Conv2d(ni, nf, 3, padding=1), nn.BatchNorm2d(nf, eps=.8), nn.LeakyReLU(.2)]
    def down(ni, nf, norm=True):
        return [nn.Conv2d(ni, nf, 3, stride=2, padding=1), nn.LeakyReLU(.2), nn.Dropout2d(.25),
                *([nn.BatchNorm2d(nf, eps=.8)] if norm else [])]
    G = nn.Sequential(nn.Linear(100, 128*64), nn.Unflatten(1, (128, 8, 8)), nn.BatchNorm2d(128), *up(128, 128), *up(128, 64),
                      nn.Conv2d(64, channels, 3, padding=1), nn.Tanh())
    D = nn.Sequential(*down(channels, 16, False), *down(16, 32), *down(32, 64), *down(64, 128),
                      nn.Flatten(), nn.Linear(128*4, 1), nn.Flatten(0))
    for m in [*G.modules(), *D.modules()]:
        if isinstance(m, nn.Conv2d): nn.init.normal_(m.weight, 0, .02)
        elif isinstance(m, nn.BatchNorm2d): nn.init.normal_(m.weight, 1, .02); nn.init.zeros_(m.bias)
    return G, D


def tutorial_loader(name, size, batch_size=64):
    "torchvision's data set, transformed picture by picture in two worker processes."
    channels, kind = dict(mnist=(1, torchvision.datasets.MNIST), cifar10=(3, torchvision.datasets.CIFAR10))[name]
    transform = T.Compose([T.Resize(size), T.ToTensor(), T.Normalize([.5]*channels, [.5]*channels)])
    for folder in data_dirs():
        try: return torch.utils.data.DataLoader(kind(folder, train=True, transform=transform), batch_size, shuffle=True, num_workers=2)
        except RuntimeError: pass
    raise UserError(f'no {name} here')     # not reached: the judge has found it already


def plain(judge, seed, marks, G, D, z_dim, size):
    "The loop of the tutorials; a row for each mark."
    loader = tutorial_loader(judge.train.name, size)
    bce = nn.BCEWithLogitsLoss()
    opt_g, opt_d = [torch.optim.Adam(net.parameters(), lr=2e-4, betas=(.5, .999)) for net in (G, D)]
    rows, left, steps, log, spent, start = [], list(marks), 0, [], 0., time.perf_counter()
    while True:
        for real, _ in loader:
            valid, wrong = torch.ones(len(real)), torch.zeros(len(real))
            fake = G(torch.randn(len(real), z_dim))
            opt_d.zero_grad(); d_loss = bce(D(real), valid) + bce(D(fake.detach()), wrong); d_loss.backward(); opt_d.step()
            opt_g.zero_grad(); g_loss = bce(D(fake), valid); g_loss.backward(); opt_g.step()
            log.append(d_loss.item()); steps += 1
            if spent + time.perf_counter() - start >= left[0]:
                spent += time.perf_counter() - start
                rows.append(judge.row(G, z_dim, left.pop(0), steps))
                if not left: return rows
                start = time.perf_counter()


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', nargs='+', default=['mnist', 'cifar10'])
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    a = p.parse_args()
    for name in a.data:
        judge, runs = Judge(name), dict(ours=[], plain=[], tutorial=[])
        for seed in a.seeds:
            for seconds in OURS: runs['ours'].append(dict(seed=seed, **ours(judge, seed, seconds)))
            set_seed(seed)
            networks = networks_then('dcgan', judge.train.shape)
            runs['plain'] += [dict(seed=seed, **r) for r in plain(judge, seed, PLAIN, *networks, 64, judge.train.shape[-1])]
            set_seed(seed)
            tutorial = plain(judge, seed, TUTORIAL, *tutorial_networks(judge.train.shape[0]), 100, 32)
            runs['tutorial'] += [dict(seed=seed, **r) for r in tutorial]
            for who, rows in runs.items():
                print(name, seed, who, [(r['seconds'], r['percent_of_noise']) for r in rows if r['seed'] == seed], flush=True)
        percent = lambda who, seconds: [r['percent_of_noise'] for r in runs[who] if r['seconds'] == seconds]
        def at(who, s):
            values = percent(who, s)
            return dict(median=round(statistics.median(values), 3), lowest=round(min(values), 3), highest=round(max(values), 3))

        summary = {who: {str(s): at(who, s) for s in marks}
                   for who, marks in (('ours', OURS), ('plain', PLAIN), ('tutorial', TUTORIAL))}
        result = dict(accuracy=judge.about['accuracy'], noise=round(judge.noise, 3), floor=round(judge.floor, 4),
                      resized=round(judge.resized, 4), summary=summary, runs=runs)
        save(f'time_to_quality_{name}', recipe=recipe, samples=10_000, seeds=a.seeds, sets={name: result})
