"""What does the trainer cost over a hand-written loop?

GANTrainer with EMA and history against a loop with the same networks, data, updates and average, in alternating blocks of one run.
Sampling and checkpoints are timed apart.

usage: python benchmarks/overhead.py [--rounds 100] [--steps 10]
"""
import argparse, statistics, tempfile, time

import torch
import torch.nn.functional as F
from common import save
from gan_course.all import *


class Quiet(Progress):
    "No bar: the hand-written loop has none."
    def before_fit(self, t): pass
    def after_step(self, t): pass
    def after_fit(self, t): pass


class HandWritten:
    "The lean loop of the training page, written out."
    def __init__(self, shape, data, lr=2e-3, decay=.99, **kw):
        self.G, self.D = [net.to(memory_format=torch.channels_last) for net in dcgan(shape, **kw)]
        self.avg = dcgan(shape, **kw)[0].to(memory_format=torch.channels_last).requires_grad_(False)
        self.avg.load_state_dict(self.G.state_dict())
        self.opt_g, self.opt_d = [torch.optim.Adam(n.parameters(), lr, betas=(0., .99), fused=True) for n in (self.G, self.D)]
        floats = lambda net: [v for v in [*net.parameters(), *net.buffers()] if v.is_floating_point()]
        self.mine, self.theirs = floats(self.avg), [v.detach() for v in floats(self.G)]
        self.params, self.data, self.decay, self.step, self.batches = list(self.D.parameters()), data, decay, 0, None

    def run(self, steps):
        for _ in range(steps):
            try: real, _ = next(self.batches)
            except (StopIteration, TypeError):
                self.batches = iter(self.data)
                real, _ = next(self.batches)
            fake = self.G(torch.randn(len(real), 64))
            d_loss = F.softplus(-self.D(real)).mean() + F.softplus(self.D(fake.detach())).mean()
            self.opt_d.zero_grad(); d_loss.backward(); self.opt_d.step()
            for p in self.params: p.requires_grad_(False)
            g_loss = F.softplus(-self.D(fake)).mean()
            self.opt_g.zero_grad(); g_loss.backward(); self.opt_g.step()
            for p in self.params: p.requires_grad_(True)
            self.step += 1
            torch._foreach_lerp_(self.mine, self.theirs, 1 - min(self.decay, (1 + self.step)/(10 + self.step)))


def seconds(f, *args, **kw):
    t = time.perf_counter(); f(*args, **kw); return time.perf_counter() - t


def compare(kw, rounds, steps):
    shape, pair = (1, 28, 28), [image_data('digits', device='cpu', seed=s) for s in (0, 1)]
    set_seed(0)
    bare = HandWritten(shape, pair[0], **kw)
    trainer = GANTrainer(*dcgan(shape, **kw), lr=2e-3, cbs=[EMA(.99), Quiet()], device='cpu')
    block = dict(bare=lambda: bare.run(steps), trainer=lambda: trainer.fit(pair[1], steps=steps))
    for f in block.values(): f()
    ratios, times = [], dict(bare=[], trainer=[])
    for i in range(rounds):
        for name in (('bare', 'trainer') if i % 2 else ('trainer', 'bare')): times[name].append(seconds(block[name])/steps)
        ratios.append(times['trainer'][-1]/times['bare'][-1])
    ratios.sort()
    with tempfile.TemporaryDirectory() as d: checkpoint = statistics.median(seconds(trainer.save, d) for _ in range(7))
    grid = statistics.median(seconds(lambda: trainer.sample(64)) for _ in range(7))
    ms = lambda v: round(1000*v, 2)
    return dict(networks=kw, median_ratio=round(statistics.median(ratios), 4),
                quartiles=[round(ratios[len(ratios)//4], 4), round(ratios[3*len(ratios)//4], 4)],
                ms_per_step=dict((k, ms(statistics.median(v))) for k, v in times.items()),
                ms_checkpoint=ms(checkpoint), ms_64_samples=ms(grid))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=100); p.add_argument('--steps', type=int, default=10)
    a = p.parse_args()
    save('overhead', batch_size=64, rounds=a.rounds, steps_per_block=a.steps, seed=0,
         sizes=dict(default=compare({}, a.rounds, a.steps), small=compare(dict(width=8, d_width=8), a.rounds, a.steps)))
