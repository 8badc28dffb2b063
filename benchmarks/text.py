"""Names and captions: two writers by likelihood, an LSTM and a transformer, at several temperatures, and two text GANs that begin
with the LSTM.

For each seed both writers learn from likelihood, with a rate that falls to zero. From the LSTM, and a reader that has learned to tell its
lines, begin three more for as many updates: likelihood, longer; the policy gradient; straight-through. Each is judged by `text_score` on
1,000 lines of its averaged weights, and by the likelihood of 2,000 held-out lines.

usage: python benchmarks/text.py --keep FOLDER [--sets names captions] [--seeds 0 1 2] [--caption_seeds 0] [--processes 2]
"""
import argparse, os, time
from pathlib import Path

import torch
from common import endless, run_all, save
from gan_course.all import *

steps_of = {'names': 3000, 'captions': 700}
rates = {'likelihood': 1e-3, 'policy': 1e-3, 'gumbel': 3e-4}
heats = (.5, .6, .7, .8, .9, 1.)


def made(net, data, heat=1.):
    return builders[net](data.shape, units=len(data.vocabulary), heat=heat)


@torch.no_grad()
def nats(G, test):
    "Of 2,000 held-out lines, a token."
    total = count = 0.
    for part in test.samples[:2000].split(250):
        counts = until_end(part, G.ends)
        total += (surprise(G, part)*counts).sum().item(); count += counts.sum().item()
    return total/count


def judged(G, train, test, n=1000):
    G = G.eval()
    made = sample_from(G, G.z_dim, n, 12345)
    score = text_score(train.lines(made), train, test)
    if G.heat == 1.: score['held_out_nats'] = nats(G, test)
    known = {*train.lines(train.samples)}
    return dict(score, first=[l + '*'*(l in known) for l in train.lines(made[:20])])        # a star: a line of the training set


def taught(data, net, seed, keep):
    "A writer by likelihood; judged at each temperature."
    train = text_data(data, 64, device='cpu', seed=seed)
    test = text_data(data, split='test', device='cpu', vocabulary=train.vocabulary, unit=train.unit, length=train.shape[0])
    set_seed(seed)
    (G, D), start, curve = made(net, train), time.time(), []
    class Measure(Callback):
        def after_step(self, t):
            if t.step % (steps_of[data]//5) == 0:
                curve.append((t.step, nats(t.generator, test)))
    cbs = [EMA(.99), LinearDecay(.5), Measure()]
    lr = 3e-3 if net == 'writer' else 1e-3
    t = TextTrainer(G, D, 'likelihood', lr=lr, betas=(.5, .99), cbs=cbs, seed=seed, device='cpu').fit(train, steps=steps_of[data])
    path = Path(keep)/f'{data}_{net}_{seed}.pt'
    torch.save(t.generator.state_dict(), path.with_suffix('.tmp')); os.replace(path.with_suffix('.tmp'), path)
    seconds, rows = time.time() - start, []
    for heat in heats:
        other = made(net, train, heat)[0]
        other.load_state_dict(t.generator.state_dict())
        rows.append(dict(heat=heat, **judged(other, train, test)))
    return dict(seconds=seconds, curve=curve, heats=rows, parameters=sum(p.numel() for p in G.parameters()))


def played(data, way, seed, updates, d_steps, rollouts, read, keep):
    "From the LSTM on, in one of the ways."
    train = text_data(data, 64, device='cpu', seed=seed)
    test = text_data(data, split='test', device='cpu', vocabulary=train.vocabulary, unit=train.unit, length=train.shape[0])
    set_seed(seed)
    (G, D), start = made('writer', train), time.time()
    G.load_state_dict(torch.load(Path(keep)/f'{data}_writer_{seed}.pt', weights_only=True))
    opt, rng, batches = torch.optim.Adam(D.parameters(), 1e-3), torch.Generator().manual_seed(seed), endless(train)
    for _ in range(read if way != 'likelihood' else 0):
        with torch.no_grad(): fake = G(torch.randn(64, G.z_dim, generator=rng))
        d_step(D, opt, next(batches), fake, get_loss('non_saturating'))
    t = TextTrainer(G, D, way, alone=0., warm=0., rollouts=rollouts, lr=rates[way], d_lr=1e-3, d_steps=d_steps, betas=(.5, .99),
                    cbs=[EMA(.95)], seed=seed, device='cpu').fit(train, steps=updates)
    return dict(seconds=time.time() - start, **judged(t.generator, train, test))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--keep', required=True, help='folder of what is finished, which a stopped run does not repeat')
    p.add_argument('--sets', nargs='+', default=['names', 'captions'])
    p.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    p.add_argument('--caption_seeds', type=int, nargs='+', default=[0])
    p.add_argument('--updates', type=int, default=60, help='of G in the game')
    p.add_argument('--d_steps', type=int, default=5)
    p.add_argument('--rollouts', type=int, default=2)
    p.add_argument('--read', type=int, default=300, help='steps of the reader before the game')
    p.add_argument('--processes', type=int, default=2)
    a = p.parse_args()
    keep = Path(a.keep); keep.mkdir(parents=True, exist_ok=True)
    seeds = {'names': a.seeds, 'captions': a.caption_seeds}
    game = dict(updates=a.updates, d_steps=a.d_steps, rollouts=a.rollouts, read=a.read, keep=str(keep))
    by_likelihood, games = [], []
    for seed in a.seeds:                      # one seed after the other: what is finished is a smaller experiment
        sets = [d for d in a.sets if seed in seeds[d]]
        teach = [dict(data=d, net=net, seed=seed, keep=str(keep)) for d in sets[::-1] for net in ('text_transformer', 'writer')]
        by_likelihood += run_all(taught, teach, keep/'taught.jsonl', a.processes)
        jobs = [dict(data=d, way=way, seed=seed, **game) for d in sets[::-1] for way in ('policy', 'gumbel', 'likelihood')]
        games += run_all(played, jobs, keep/'games.jsonl', a.processes)
    for r in [*by_likelihood, *games]: del r['keep']
    save('text', steps=steps_of, rates=rates, batch_size=64, **{k: v for k, v in game.items() if k != 'keep'},
         taught=by_likelihood, games=games)
