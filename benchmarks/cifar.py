"""Three generations of networks on CIFAR-10: the same time, the same judge.

  rates   images per second of each network in GANTrainer, and in a loop written by hand for it, in alternating blocks of one run
          on all cores
  runs    each network by the recipe of gan_train, for as many steps as GANTrainer's rate makes in the budget. A run counted in steps
          can be repeated to the last bit, and several can share the machine. Judged on the way as in time_to_quality.py, and at the
          end with all numbers of gan_eval

The first 80 samples of seed 0, not selected, become nbs/images/cifar_ARCH.webp. The rates want an otherwise idle machine; the runs
do not mind.

usage: python benchmarks/cifar.py [--minutes 10] [--seeds 0 1] [--processes 2] [--keep FILE]
"""
import argparse, itertools, json, statistics, time
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from common import networks_then, recipe, recipe_of, root, run_all, save
from gan_course.all import *
from PIL import Image
from time_to_quality import Judge, Quiet


def trainer_for(arch, data, seed, cbs=(), classes=0, **changes):
    "What gan_train makes for this network."
    wants = recipe_of.get(arch, {})
    set_seed(seed)
    options = dict(loss=wants.get('loss', 'non_saturating'), penalty=wants.get('penalty', 'none'),
                   lr=wants.get('lr', recipe['lr']), d_lr=wants.get('d_lr'))
    G, D = networks_then(arch, data.shape, classes=classes)
    return GANTrainer(G, D, **{**options, **changes}, seed=seed, device='cpu',
                      cbs=[EMA(recipe['ema']), LinearDecay(recipe['decay_start']), Quiet(), *cbs])


def batch_size(arch): return recipe_of.get(arch, {}).get('batch_size', recipe['batch_size'])


class ByHand:
    "The loop for one network with nothing around it: the losses and penalties of its recipe, written out, and an average of G."
    def __init__(self, arch, data, gamma=1.):
        set_seed(0)
        wants = recipe_of.get(arch, {})
        self.G, self.D = [net.to(memory_format=torch.channels_last) for net in networks_then(arch, data.shape)]
        self.mean = networks_then(arch, data.shape)[0].to(memory_format=torch.channels_last).requires_grad_(False)
        self.mean.load_state_dict(self.G.state_dict())
        lr = wants.get('lr', recipe['lr'])
        self.opt_g, self.opt_d = [torch.optim.Adam(net.parameters(), lr, betas=(0., .99), fused=True) for net in (self.G, self.D)]
        self.arch, self.gamma, self.batches = arch, gamma, itertools.chain.from_iterable(itertools.repeat(data))
        floats = lambda net: [v for v in [*net.parameters(), *net.buffers()] if v.is_floating_point()]
        self.kept, self.now = floats(self.mean), [v.detach() for v in floats(self.G)]

    def d_loss(self, real, fake):
        if self.arch == 'r3gan':
            real, fake = real.requires_grad_(), fake.requires_grad_()
            r, f = self.D(real), self.D(fake)
            slopes = [torch.autograd.grad(out.sum(), x, create_graph=True)[0].square().sum((1, 2, 3)).mean()
                      for out, x in ((r, real), (f, fake))]
            return F.softplus(f - r).mean() + self.gamma/2*sum(slopes)
        r, f = self.D(real), self.D(fake)
        return F.relu(1 - r).mean() + F.relu(1 + f).mean() if self.arch == 'resnet' else F.softplus(-r).mean() + F.softplus(f).mean()

    def g_loss(self, fake, real):
        f = self.D(fake)
        if self.arch == 'r3gan':
            with torch.no_grad(): r = self.D(real)
            return F.softplus(r - f).mean()
        return -f.mean() if self.arch == 'resnet' else F.softplus(-f).mean()

    def run(self, steps):
        weights = list(self.D.parameters())
        for real, _ in itertools.islice(self.batches, steps):
            real = real.contiguous(memory_format=torch.channels_last)
            fake = self.G(torch.randn(len(real), 64))
            self.opt_d.zero_grad(); self.d_loss(real, fake.detach()).backward(inputs=weights); self.opt_d.step()
            for p in weights: p.requires_grad_(False)
            self.opt_g.zero_grad(); self.g_loss(fake, real.detach()).backward(); self.opt_g.step()
            for p in weights: p.requires_grad_(True)
            torch._foreach_lerp_(self.kept, self.now, 1 - recipe['ema'])


def rates(archs, rounds=15):
    "Images per second by the trainer and by hand, medians, and the median of their ratio round by round."
    pairs = {}
    for arch in archs:
        a, b = [image_data('cifar10', batch_size(arch), device='cpu', seed=s) for s in (0, 1)]
        t = trainer_for(arch, a, 0)
        pairs[arch] = (lambda n, t=t, a=a: t.fit(a, steps=n)), ByHand(arch, b).run
    def speed(f, arch, n):
        start = time.perf_counter(); f(n)
        return n*batch_size(arch)/(time.perf_counter() - start)
    n = {}
    for arch, both in pairs.items():        # a second or so for each block
        for f in both: f(2)
        n[arch] = max(2, round(speed(both[0], arch, 3)/batch_size(arch)))
    seen = {arch: [] for arch in archs}
    for i in range(rounds):
        for arch, both in pairs.items():
            row = {k: speed(both[k], arch, n[arch]) for k in ((0, 1) if i % 2 else (1, 0))}
            seen[arch].append((row[0], row[1]))
    def summary(rows):
        r = sorted(b/a for a, b in rows)        # time by trainer over time by hand
        return dict(trainer=round(statistics.median(a for a, _ in rows), 1), by_hand=round(statistics.median(b for _, b in rows), 1),
                    time_ratio=round(statistics.median(r), 3),
                    quartiles=[round(r[len(r)//4], 3), round(r[3*len(r)//4], 3)])
    return {arch: summary(rows) for arch, rows in seen.items()}


@cache
def judge(name='cifar10'): return Judge(name)


class Watch(Callback):
    "Score the averaged generator after given steps: `marks` is step → seconds, or None where only steps count."
    def __init__(self, marks, judge): self.marks, self.judge, self.rows = marks, judge, []
    def after_step(self, t):
        if t.step in self.marks: self.rows.append(self.judge.row(t.generator, t.z_dim, self.marks[t.step], t.step))


def picture(G, path, n=80, ncol=16):
    grid = Image.fromarray(image_grid(sample_from(G, 64, n), ncol=ncol))
    grid.resize((2*grid.width, 2*grid.height), Image.Resampling.NEAREST).save(path)


def train(arch, seed, minutes, steps):
    marks = {max(1, round(steps*m/minutes)): round(60*m, 1) for m in (*[m for m in (.5, 1, 2, 4, 8, 15) if m < minutes], minutes)}
    j = judge()
    watch = Watch(marks, j)
    data = image_data('cifar10', batch_size(arch), device='cpu', seed=seed)
    t = trainer_for(arch, data, seed, [watch])
    try: t.fit(data, steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e), rows=watch.rows)
    if seed == 0: picture(t.generator, root/'nbs'/'images'/f'cifar_{arch}.webp')
    final = score(sample_from(t.generator, t.z_dim, 10_000, as_uint8=True), j.train, j.test, (j.net, j.about))
    return dict(rows=watch.rows, final={k: v for k, v in final.items() if k not in ('real', 'classes')},
                real={k: v for k, v in final['real'].items() if k != 'classes'})


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--minutes', type=float, default=10, help='of training per run')
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run (and the rates) to this file, and do not repeat those that are in it')
    a = p.parse_args()
    archs = ['dcgan', 'resnet', 'r3gan']
    kept = Path(a.keep).read_text().splitlines() if a.keep and Path(a.keep).exists() else []
    measured = [json.loads(line)['rates'] for line in kept if 'rates' in line]
    if not measured:
        judge()                      # the extractor is trained once, before the processes start
        measured = [rates(archs)]
        print(json.dumps(measured[0], indent=1), flush=True)
        if a.keep:
            with open(a.keep, 'a') as f: f.write(json.dumps(dict(rates=measured[0])) + '\n')
    steps = {arch: round(60*a.minutes*measured[0][arch]['trainer']/batch_size(arch)) for arch in archs}
    jobs = [dict(arch=arch, seed=seed, minutes=a.minutes, steps=steps[arch]) for seed in a.seeds for arch in archs[::-1]]
    runs = run_all(train, jobs, a.keep, a.processes)
    save('cifar', minutes=a.minutes, seeds=a.seeds, processes=a.processes, samples=10_000, recipe=recipe, recipe_of=recipe_of,
         rates=measured[0], runs=runs)
