"""Text GANs on an oracle: a language whose probabilities are known, so that a line can be asked how likely it is.

The oracle is an LSTM (5,000 tokens, lines of 20), as in Yu et al. 2017: with `--oracle target_params.npz` of the SeqGAN repository its very
weights, otherwise fresh random ones. 10,000 lines of it are the training set, others are held out. For each seed one writer learns from
likelihood; with its weights, and with one reader that has learned to tell its lines, begin all others: likelihood, longer; the policy
gradient; the same with a KL term to the start; straight-through. Every ten updates of G: how likely its lines are to the oracle, how
likely held-out lines of the oracle are to it, and how varied its lines are. The likelihood writers also at other temperatures.

usage: python benchmarks/oracle.py --keep FOLDER [--oracle target_params.npz] [--seeds 0 1 2] [--processes 2]
"""
import argparse, json, os, time
from pathlib import Path

import numpy as np
import torch
from common import endless, run_all, save
from gan_course.all import *

units, length, width = 5000, 20, 32
rates = {'likelihood': 1e-2, 'policy': 1e-2, 'gumbel': 1e-3}     # gumbel's by a run with a seed that is not reported
heats = (.5, .6, .7, .8, .9, 1., 1.1)


def writer_of(heat=1.): return Writer(units, length, width, ends=False, heat=heat, embed=width)


def oracle_of(path=None):
    "The published oracle, or a fresh one whose weights are normal numbers, as its were."
    G, rng = writer_of(), torch.Generator().manual_seed(88)
    if path is None:
        for w in G.parameters(): w.data.normal_(generator=rng)
        G.lstm.bias_hh_l0.data.zero_()
        return G.requires_grad_(False).eval()
    arrays = np.load(path)
    a = [torch.from_numpy(arrays[f'arr_{i}']) for i in range(15)]
    gates = [1, 4, 10, 7]           # its gates: input, forget, output, cell; ours: input, forget, cell, output
    weights = {'embed.weight': a[0], 'lstm.weight_ih_l0': torch.cat([a[i].T for i in gates]),
               'lstm.weight_hh_l0': torch.cat([a[i + 1].T for i in gates]), 'lstm.bias_ih_l0': torch.cat([a[i + 2] for i in gates]),
               'lstm.bias_hh_l0': torch.zeros(4*width), 'out.weight': a[13].T, 'out.bias': a[14]}
    G.load_state_dict(weights)
    return G.requires_grad_(False).eval()


@torch.no_grad()
def nats(G, lines): return sum(surprise(G, part).sum().item() for part in lines.split(500))/lines.numel()


@torch.no_grad()
def nats_at(G, lines, heat):
    "As `nats`, at another temperature."
    rest = 0.
    for part in lines.split(500):
        logits = (G.logits(part)/heat).log_softmax(2)
        rest -= logits.gather(2, part[..., None]).sum().item()
    return rest/lines.numel()


def spread(lines):
    "Share of different ones among pairs of neighbouring tokens, and of different tokens among all."
    pairs = lines[:, :-1]*units + lines[:, 1:]
    return dict(pairs=pairs.unique().numel()/pairs.numel(), tokens=lines.unique().numel()/units)


@torch.no_grad()
def drawn_from(G, n, seed):
    z = torch.randn(n, length, generator=torch.Generator().manual_seed(seed))
    return torch.cat([G(part) for part in z.split(500)])


def measured(G, oracle, held, n=1000):
    lines = drawn_from(G.eval(), n, 12345)
    G.train()
    return dict(oracle_nats=nats(oracle, lines), held_out_nats=nats(G, held), **spread(lines))


def data_of(oracle): return drawn_from(oracle, 10_000, 1), drawn_from(oracle, 2000, 2)


def begun(seed, steps, read, path, keep):
    "The common start: a writer by likelihood and a reader of its lines; its curve."
    oracle = oracle_of(path)
    lines, held = data_of(oracle)
    set_seed(seed)
    G, D, start, curve = writer_of(), Reader(units), time.time(), []
    class Measure(Callback):
        def after_step(self, t):
            if t.step % 314 == 0 or t.step == 157: curve.append(dict(step=t.step, **measured(G, oracle, held)))
    data = Batches(lines, batch_size=64, seed=seed, device='cpu')
    t = TextTrainer(G, D, 'likelihood', lr=rates['likelihood'], betas=(.9, .999), cbs=[Measure()], seed=seed, device='cpu')
    t.fit(data, steps=steps)
    opt, rng = torch.optim.Adam(D.parameters(), 1e-3), torch.Generator().manual_seed(seed)
    for real, _ in zip(endless(data), range(read)):
        with torch.no_grad(): fake = G(torch.randn(64, length, generator=rng))
        d_step(D, opt, real, fake, get_loss('non_saturating'))
    torch.save(dict(G=G.state_dict(), D=D.state_dict()), Path(keep)/f'start_{seed}.tmp')
    os.replace(Path(keep)/f'start_{seed}.tmp', Path(keep)/f'start_{seed}.pt')
    by_heat = []
    for heat in heats:
        other = writer_of(heat)
        other.load_state_dict(G.state_dict())
        fake = drawn_from(other.eval(), 1000, 12345)
        by_heat.append(dict(heat=heat, oracle_nats=nats(oracle, fake), held_out_nats=nats_at(G, held, heat), **spread(fake)))
    return dict(curve=curve, heats=by_heat, seconds=time.time() - start)


class Deaf(torch.nn.Module):
    "A reader that says the same of every line: a control."
    def __init__(self):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(()))
    def forward(self, x): return self.nothing.expand(len(x))*0


def played(seed, way, kl, baseline, deaf, updates, d_steps, rollouts, path, keep):
    "From the common start on, in one of the ways."
    oracle = oracle_of(path)
    lines, held = data_of(oracle)
    kept = torch.load(Path(keep)/f'start_{seed}.pt', weights_only=True)
    set_seed(seed)
    G, D, start, curve = writer_of(), Reader(units), time.time(), []
    G.load_state_dict(kept['G']); D.load_state_dict(kept['D'])
    curve.append(dict(step=0, **measured(G, oracle, held)))
    class Measure(Callback):
        def after_step(self, t):
            if t.step % 10 == 0: curve.append(dict(step=t.step, **measured(G, oracle, held)))
    if deaf: D, rollouts, d_steps = Deaf(), 1, 1
    data = Batches(lines, batch_size=64, seed=seed, device='cpu')
    t = TextTrainer(G, D, way, alone=0., warm=0., rollouts=rollouts, kl=kl, baseline=baseline, lr=rates[way], d_lr=1e-3, d_steps=d_steps,
                    betas=(.9, .999), cbs=[Measure()], seed=seed, device='cpu')
    t.fit(data, steps=updates)
    return dict(curve=curve, seconds=time.time() - start)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--keep', required=True, help='folder of what is finished, which a stopped run does not repeat')
    p.add_argument('--oracle', help="the SeqGAN repository's weights as plain arrays (default: a fresh random oracle)")
    p.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    p.add_argument('--epochs', type=int, default=30, help='of 157 steps of 64 lines, by likelihood')
    p.add_argument('--read', type=int, default=500, help='steps of the reader before the game')
    p.add_argument('--updates', type=int, default=150, help='of G in the game')
    p.add_argument('--d_steps', type=int, default=5)
    p.add_argument('--rollouts', type=int, default=4)
    p.add_argument('--processes', type=int, default=2)
    a = p.parse_args()
    keep = Path(a.keep); keep.mkdir(parents=True, exist_ok=True)
    common = dict(path=a.oracle and str(Path(a.oracle).resolve()), keep=str(keep))
    starts = [dict(seed=s, steps=157*a.epochs, read=a.read, **common) for s in a.seeds]
    begun_all = run_all(begun, starts, keep/'starts.jsonl', a.processes)
    one = dict(kl=0., baseline=True, deaf=False)
    ways = {'likelihood, longer': dict(one, way='likelihood'), 'policy gradient': dict(one, way='policy'),
            'policy gradient, no baseline': dict(one, way='policy', baseline=False),
            'the same, D says nothing': dict(one, way='policy', baseline=False, deaf=True),
            'no baseline, KL': dict(one, way='policy', baseline=False, kl=.3),
            'straight-through': dict(one, way='gumbel')}
    game = dict(updates=a.updates, d_steps=a.d_steps, rollouts=a.rollouts, **common)
    jobs = [dict(seed=s, **game, **how) for s in a.seeds for how in ways.values()]
    games = run_all(played, jobs, keep/'games.jsonl', a.processes)
    name_of = {tuple(v[k] for k in one) + (v['way'],): k for k, v in ways.items()}
    oracle = oracle_of(a.oracle)
    own = drawn_from(oracle, 2000, 3)
    save('oracle', oracle='published' if a.oracle else 'random', units=units, length=length, width=width, lines=10_000, held_out=2000,
         measured_on=1000, epochs=a.epochs, read=a.read, updates=a.updates, d_steps=a.d_steps, rollouts=a.rollouts, batch_size=64,
         rates=rates, of_the_oracle=dict(oracle_nats=nats(oracle, own), **spread(own[:1000])), uniform=float(np.log(units)),
         starts=[{k: r[k] for k in ('seed', 'curve', 'heats', 'seconds')} for r in begun_all],
         games=[dict(seed=r['seed'], name=name_of[tuple(r[k] for k in one) + (r['way'],)],
                    **{k: r[k] for k in (*one, 'way')}, curve=r['curve'], seconds=r['seconds']) for r in games])
