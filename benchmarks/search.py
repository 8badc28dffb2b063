"""What makes better pictures in the same two minutes: candidates for the default of gan_train, one change at a time.

Protocol. A candidate gets as many steps as two CPU cores make of it in the minutes of its set (digits 1.5, MNIST and Fashion-MNIST 2,
CIFAR-10 5); `costs` measures the time of a step of each over that of `told`, in alternating
blocks. A run counted in steps can be made anywhere,
also on a GPU, and repeated. What has to be made before the first step (groups, features) is timed and paid for in steps. 10,000 samples
of the averaged generator are compared with the test split, labels drawn as in the data, by a judge that no candidate has seen: a plain
network, and so of another kind than the package's rulers and than the networks of D. One seed in the first sieve.

Candidates are joined by ' + '.

usage: python benchmarks/search.py costs                        seconds per step → results/search_costs.json
       python benchmarks/search.py runs [--sets …] [--only …] [--seeds 0] [--device cuda] [--processes 8] [--keep FILE]
                                                                → results/search.json
"""
import argparse, json, statistics, time, warnings
from functools import cache
from pathlib import Path

import numpy as np
import torch
from common import networks_then, results, run_all, save
from gan_course.all import *
from gan_course.evaluation import _fit_classifier, _neighbour_scores, _radii
from rulers import shifted
from time_to_quality import Quiet
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

minutes = dict(digits=1.5, mnist=2., fashion_mnist=2., cifar10=5.)

# told: None, 'label', 'groups K' (look-alikes, by pixels), 'self K' (groups of D's own features, sorted again on the way)
base = dict(told='label', arch='dcgan', networks=dict(d_norm='none'), loss='non_saturating', penalty='r1', every=4, gamma=None,
            lr=2e-3, d_lr=None, betas=(0., .99), ema=.99, decay=.4, batch=128, d_steps=1, precision='fp32', tricks=())
today = dict(networks={}, penalty='none', every=1, lr=4e-3)
candidates = {
    # name: changes of the base
    'today, not told': dict(told=None, **today),
    'today, told': today,
    'today, 20 groups': dict(told='groups 20', **today),
    'not told': dict(told=None),
    'told': {},
    '10 groups': dict(told='groups 10'), '20 groups': dict(told='groups 20'), '50 groups': dict(told='groups 50'),
    'self-conditioned 20': dict(told='self 20'),
    'R1 at every step': dict(every=1), 'R1 every 16th': dict(every=16), 'γ 0.3': dict(gamma=.3), 'γ 3': dict(gamma=3.),
    'label 3 times louder': dict(tricks=('loud',)), 'label 3 times softer': dict(tricks=('soft',)),
    'minibatch spread': dict(tricks=('spread',)), 'top-k': dict(tricks=('topk',)),
    'consistency for R1': dict(penalty=None, every=1, tricks=('consistent',)),
    'projected': dict(penalty='none', every=1, loss='hinge', tricks=('projected',)),
    'projected, R1': dict(tricks=('projected',)),
    'two D steps': dict(d_steps=2),
    'average 0.98': dict(ema=.98), 'average 0.995': dict(ema=.995), 'average 0.998': dict(ema=.998), 'growing average': dict(ema=.9999),
    'falls from the start': dict(decay=0.), 'falls late': dict(decay=.7), 'cosine': dict(decay=None, tricks=('cosine',)),
    'schedules of R3GAN': dict(decay=None, tricks=('r3gan',)),
    'half the rate': dict(lr=1e-3), 'twice the rate': dict(lr=4e-3), 'slow D': dict(d_lr=2e-4), 'quick D': dict(d_lr=4e-3),
    'β₁ = 0.5': dict(betas=(.5, .99)), 'β₂ = 0.999': dict(betas=(0., .999)),
    'batch 64': dict(batch=64), 'batch 256': dict(batch=256), 'batch 32 to 256': dict(tricks=('growing',)),
    'hinge': dict(loss='hinge'), 'relativistic': dict(loss='relativistic'),
    'relativistic, R1 and R2': dict(loss='relativistic', penalty='r1r2'),
    'noise of 16': dict(networks=dict(d_norm='none', z_dim=16)), 'noise of 128': dict(networks=dict(d_norm='none', z_dim=128)),
    'wider': dict(networks=dict(d_norm='none', width=48, d_width=24)), 'wider G': dict(networks=dict(d_norm='none', width=48)),
    'wider D': dict(networks=dict(d_norm='none', d_width=32)),
    'narrower': dict(networks=dict(d_norm='none', width=24, d_width=12)),
    'spectral D': dict(networks=dict(d_norm='spectral')), 'layer norm in D': dict(networks=dict(d_norm='layer')),
    'bfloat16': dict(precision='bf16'),
}


def settings(name):
    "All settings of a candidate; several are joined by ' + '."
    o = dict(base)
    for part in name.split(' + '):
        change = candidates[part]
        o = {**o, **change, 'tricks': (*o['tricks'], *change.get('tricks', ()))}
        if 'networks' in change and not part.startswith('today'): o['networks'] = {**o['networks'], **change['networks']}
    return o


class Spread(nn.Module):
    "One more channel: the standard deviation over the batch, averaged. Karras et al. 2018, § 3."
    def forward(self, x):
        s = x.std(0, unbiased=False).mean()
        return torch.cat([x, s.expand(len(x), 1, *x.shape[2:])], 1)


def with_spread(D):
    *body, flat, last = D.layers
    side = 16
    D.layers = nn.Sequential(*body, Spread(), flat, nn.Linear(last.in_features + side, last.out_features))
    return D


class Projected(nn.Module):
    "Small heads on the fixed features of a network that was trained on the set for ten seconds. Sauer et al. 2021."
    def __init__(self, body, channels, classes, sides):
        super().__init__()
        self.stages = nn.ModuleList(body)
        for p in self.stages.parameters(): p.requires_grad_(False)
        self.heads = nn.ModuleList()
        for nf, side in zip(channels, sides):
            layers, ni = [], nf
            while side > 4:
                layers += [spectral_norm(nn.Conv2d(ni, 64, 4 if side % 2 == 0 else 3, 2, 1)), nn.LeakyReLU(.2, inplace=True)]
                ni, side = 64, -(-side//2)
            layers += [spectral_norm(nn.Conv2d(ni, 64, 3, 1, 1)), nn.LeakyReLU(.2, inplace=True), nn.Flatten(),
                       spectral_norm(nn.Linear(64*side*side, 1 + classes))]
            self.heads.append(nn.Sequential(*layers))
    def train(self, mode=True):
        super().train(mode); self.stages.eval()
        return self
    def forward(self, x, y=None):
        out = 0
        for stage, head in zip(self.stages, self.heads):
            x = stage(x); out = out + head(x)
        return chosen(out, y)


def ten_seconds(train, told, seed):
    "The three stages of a classifier after 400 steps, some ten seconds of two CPU cores."
    torch.manual_seed(100 + seed)
    images, labels = train.images, train.labels
    if not told:
        labels = torch.arange(4, device=images.device).repeat_interleave(len(images))
        images = torch.cat([images.rot90(k, (2, 3)) for k in range(4)])
    net = Classifier(train.shape[0], int(labels.max()) + 1).to(images.device)
    body = _fit_classifier(net, images, labels, 400, train.name).body
    return [body[0:3], body[3:6], body[6:9]], (20, 40, 80)


def moved(x): return shifted(x, 2, None, 'replicate')


# D should not care that a picture is moved, real or fake. Zhao et al. 2020, "Improved Consistency Regularization"
consistency = Penalty('consistency', lambda D, real, fake, w, real_logits=None, fake_logits=None:
                      w*((real_logits - D(moved(real))).square().mean() + (fake_logits - D(moved(fake))).square().mean()), 10.)


class TopK(Callback):
    "G learns from the share of its samples that D finds best: all at first, half of them from the middle of the run. Sinha et al. 2020."
    share = 1.
    def after_step(self, t): self.share = max(.5, 1 - t.fraction)
    def loss(self):
        best = lambda logits: logits.topk(max(1, round(self.share*len(logits))))[0]
        return Loss('top-k', logistic_d, lambda fake, real=None: non_saturating_g(best(fake)))


class SelfConditioned(Callback):
    "At some moments of the run, sort the pictures again by what D makes of them. Liu et al. 2020."
    def __init__(self, data, k, marks=(.1, .25, .5)): self.data, self.k, self.marks = data, k, list(marks)
    @torch.no_grad()
    def after_step(self, t):
        if not self.marks or t.fraction < self.marks[0]: return
        self.marks.pop(0)
        from scipy.optimize import linear_sum_assignment
        from sklearn.cluster import KMeans
        from sklearn.decomposition import PCA
        seen = torch.cat([t.D.layers[:-1](to_float(b)) for b in self.data.images.split(1000)]).cpu().numpy()
        points = PCA(50, svd_solver='randomized', random_state=0).fit(seen[:5000]).transform(seen)
        new = KMeans(self.k, n_init=2, random_state=0).fit(points[:10000]).predict(points)
        old, together = self.data.labels.cpu().numpy(), np.zeros((self.k, self.k))
        np.add.at(together, (new, old), 1)
        was = linear_sum_assignment(-together)[1]          # each new group takes the number of the old one that it is most like
        self.data.labels.copy_(torch.as_tensor(was[new]))


class Growing:
    "Batches of 32 at first, 256 at last, equal parts of the run each."
    def __init__(self, data): self.data, self.trainer = data, None
    def __iter__(self):
        rng = torch.Generator().manual_seed(self.data.seed)
        while True:
            n = 32 << min(3, int(4*self.trainer.fraction)) if self.trainer else 32
            now = torch.randint(len(self.data.images), (n,), generator=rng).to(self.data.device)
            yield to_float(self.data.images[now]), self.data.labels[now]


def wanted_callbacks(o, tricks, data, told, k):
    cbs = [EMA(o['ema']), Quiet()]
    if o['decay'] is not None: cbs.append(LinearDecay(o['decay']))
    if 'cosine' in tricks: cbs.append(Schedule('lr', 1., 0.))
    if 'r3gan' in tricks: cbs += r3gan_schedules(decay=o['ema'])
    if told == 'self': cbs.append(SelfConditioned(data, k))
    return cbs


def trainer_for(o, data, seed, device):
    "The trainer of a candidate, and seconds that the preparation took."
    tricks, start = o['tricks'], time.perf_counter()
    told, _, k = (o['told'] or '').partition(' ')
    k = int(k or 0) or (len(data.classes) if told == 'label' else 0)
    if told in ('groups', 'self'): data.labels = find_groups(data.images, k).to(data.device)
    set_seed(seed)
    G, D = networks_then(o['arch'], data.shape, **({**o['networks'], 'classes': k}))
    if k and {'loud', 'soft'} & {*tricks}:
        with torch.no_grad(): G.embed.weight.mul_(3. if 'loud' in tricks else 1/3)
    if 'spread' in tricks: D = with_spread(D)
    if 'projected' in tricks:
        body, channels = ten_seconds(data, bool(k), seed)
        sides = [-(-data.shape[-1]//2**i) for i in (1, 2, 3)]
        D = Projected(body, channels, k, sides)
    cbs = wanted_callbacks(o, tricks, data, told, k)
    if 'topk' in tricks: cbs.append(TopK())
    loss = cbs[-1].loss() if 'topk' in tricks else o['loss']
    penalty = consistency if 'consistent' in tricks else o['penalty']
    prepared = time.perf_counter() - start
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        t = GANTrainer(G, D, loss=loss, penalty=penalty, gamma=o['gamma'], penalty_every=o['every'], d_steps=o['d_steps'], lr=o['lr'],
                       d_lr=o['d_lr'] or o['lr'], betas=o['betas'], precision=o['precision'], device=device, seed=seed, cbs=cbs)
    return t, prepared


@cache
def splits(name, device):
    return [image_data(name, batch_size=1, size=32 if name == 'cifar10' else 28, split=s, device=device) for s in ('train', 'test')]


def judge_for(name, device, keep):
    "A plain classifier, wider than the package's and with another seed."
    path = Path(keep)/f'judge_{name}.safetensors'
    train, _ = splits(name, device)
    torch.manual_seed(77)
    net = Classifier(train.shape[0], len(train.classes), width=32).to(device)
    if path.exists(): net.load_state_dict(load_tensors(path)[0])
    else:
        net = _fit_classifier(net, train.images, train.labels, 3000, name)
        save_tensors(path, {k: v.cpu() for k, v in net.state_dict().items()}, config=net.config)
    return net.eval()


def seen_by(net, device, samples, train, test):
    "Distance (of real training images too), precision and coverage in the features of a network."
    a, r, f = [net.look(x.to(device))[0] for x in (samples, test.images, train.images[:10000])]
    n = min(5000, len(r))
    pick = torch.randperm(len(a), generator=torch.Generator().manual_seed(0))[:n]
    real = r[:n].float().to(device)
    radii = _radii(real, 3), _radii(real, 5)
    s = _neighbour_scores(real, a[pick].float().to(device), *radii)
    return dict(distance=round(frechet_distance(a, r), 3), real=round(frechet_distance(f, r), 3), precision=round(s['precision'], 3),
                coverage=round(s['coverage'], 3))


def steps_for(set_, name, prepared=0.):
    "As many as two CPU cores make of it in the minutes of the set."
    costs = json.loads((results/'search_costs.json').read_text())
    ratio = 1.
    for part in name.split(' + '): ratio *= costs['ratios'].get('today, told' if part == 'today, 20 groups' else part, 1.)
    per_step = costs['seconds']*ratio*(costs['cifar10'] if set_ == 'cifar10' else 1.)
    return round((60*minutes[set_] - prepared)/per_step)


protocol = dict(samples=10000, judge='Classifier, width 32, seed 77, 3000 steps; no candidate saw it', neighbours=5000, minutes=minutes,
                steps='as many as two cores of an Intel Xeon with AMX make in the minutes of the set, by search_costs.json',
                precision='TF32 convolutions on a GPU; where the name says bfloat16, that')
paid = {'groups': 5., 'self': 8., 'projected': 10.}      # seconds of two CPU cores before the first step, and on the way


def one(set, name, seed, device='cpu', keep='runs/search', steps=None):
    o = settings(name)
    train, test = splits(set, device)
    data = ImageBatches(train.images, train.labels.clone(), train.classes, train.name, o['batch'], device, seed)
    start = time.perf_counter()
    if name == 'today, not told' and set == 'digits': o['d_lr'] = o['lr']/10            # as gan_train has it today
    t, prepared = trainer_for(o, data, seed, device)
    owed = sum(v for k, v in paid.items() if k in (o['told'] or '') or k in o['tricks'])
    n = steps or steps_for(set, name, owed)
    source = data
    if 'growing' in o['tricks']: source = Growing(data); source.trainer = t
    t.fit(source, steps=n)
    samples = to_uint8(t.sample(10000, seed=0, labels=labels_as_in(data, t.G, 10000)))
    seconds = round(time.perf_counter() - start, 1)
    return dict(steps=n, seconds=seconds, judge=seen_by(judge_for(set, device, keep), device, samples, train, test))


def costs(names, set_='mnist', block=8, pairs=7):
    "Time per step of each candidate over that of `told`, medians of alternating blocks; and the seconds of `told`."
    train, _ = splits(set_, 'cpu')

    def made(n):
        o = settings(n)
        data = ImageBatches(train.images, train.labels, train.classes, train.name, o['batch'], 'cpu', 0)
        o['told'] = o['told'] and 'label'            # a group costs what a label does
        t, _ = trainer_for(o, data, 0, 'cpu')
        if 'growing' in o['tricks']: data = Growing(data); data.trainer = t
        t.fit(data, steps=4)
        return t, data

    def took(t, data, steps):
        start = time.perf_counter()
        t.fit(data, steps=steps)
        return (time.perf_counter() - start)/steps

    ratios, told, seconds = {}, made('told'), []
    for n in names:
        it, seen, steps = made(n), [], block*(4 if n == 'batch 32 to 256' else 1)
        for _ in range(pairs):
            t = took(*told, block)
            seen.append(took(*it, steps)/t); seconds.append(t)
        ratios[n] = round(statistics.median(seen), 3)
        print(n, ratios[n], [round(x, 2) for x in seen], flush=True)
    return ratios, round(statistics.median(seconds), 5)


def cifar_ratio(pairs=5):
    "Time of a step of `told` on CIFAR-10 over that on MNIST."
    runs = []
    for set_ in ('mnist', 'cifar10'):
        train, _ = splits(set_, 'cpu')
        data = ImageBatches(train.images, train.labels, train.classes, train.name, base['batch'], 'cpu', 0)
        runs.append((trainer_for(settings('told'), data, 0, 'cpu')[0], data))
    seen = []
    for _ in range(pairs + 1):
        spent = []
        for t, data in runs:
            start = time.perf_counter(); t.fit(data, steps=8); spent.append(time.perf_counter() - start)
        seen.append(spent[1]/spent[0])
    return round(statistics.median(seen[1:]), 3)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('what', choices=['costs', 'runs'])
    p.add_argument('--sets', nargs='+', default=['mnist', 'fashion_mnist', 'digits'])
    p.add_argument('--only', nargs='+', help='names of candidates')
    p.add_argument('--seeds', nargs='+', type=int, default=[0])
    p.add_argument('--device', default='cpu')
    p.add_argument('--processes', type=int, default=1)
    p.add_argument('--keep', default='runs/search/rows.jsonl', help='file of finished runs, which are not repeated')
    a = p.parse_args()
    if a.what == 'costs':
        # The step of all others is that of `told`, but for numbers
        other = ['today, not told', 'today, told', 'not told', 'R1 at every step', 'R1 every 16th', 'minibatch spread', 'top-k',
                 'consistency for R1', 'projected', 'projected, R1', 'two D steps', 'batch 64', 'batch 256', 'batch 32 to 256',
                 'relativistic', 'relativistic, R1 and R2', 'noise of 128', 'wider', 'wider G', 'wider D', 'narrower', 'spectral D',
                 'layer norm in D', 'bfloat16']
        ratios, seconds = costs(other)
        save('search_costs', seconds=seconds, ratios=ratios, cifar10=cifar_ratio())
    else:
        Path(a.keep).parent.mkdir(parents=True, exist_ok=True)
        folder = str(Path(a.keep).parent)
        for s in a.sets: judge_for(s, a.device, folder)
        jobs = [dict(set=s, name=n, seed=seed, device=a.device, keep=folder)
                for seed in a.seeds for n in a.only or candidates for s in a.sets]
        rows = run_all(one, jobs, a.keep, a.processes)
        # Also what earlier calls left in the same file: a sieve, then what it suggested
        rows = [json.loads(line) for line in Path(a.keep).read_text().splitlines()]
        for row in rows: row.pop('keep'); row.pop('device')
        save('search', protocol=protocol, rows=rows)
