"""A classifier from few labels: a semi-supervised GAN against its rivals, on the same network, the same labels, the same number of updates.

  alone       the labelled pictures as they are
  changed     the labelled pictures, turned, scaled, slanted, moved, with a square cut out, anew each time
  fixmatch    and unlabelled pictures with the network's own sure answers (Sohn et al. 2020)
  sgan        and unlabelled pictures against a generator's, by feature matching (Salimans et al. 2016)
  complement  the same, with fakes that keep apart and a D that is sure of real ones (Dai et al. 2017, without its density model)

First each method gets the same number of settings on a draw of labels that is not reported, with the errors counted on the last 10,000
*training* pictures of MNIST. The best is then used everywhere. Errors of the results are those on the test split. The network is the plain
one of `sgan`; `conv` names a convolutional one that was tried for the rivals. On a GPU a step is recorded once and replayed.

usage: python benchmarks/recognition.py [--device cpu] [--processes 2] [--keep FILE] [--costs]
"""
import argparse, functools, json, statistics, time

import torch
import torch.nn.functional as F
from common import results, run_all, save
from gan_course.all import *
from torch import nn

batch, betas, label_batch = 100, (.5, .99), 100
tune_steps, main_steps, carry_steps = 4000, 60_000, 20_000

# The settings that each method may choose from; the first is the starting point
settings = {
    'alone': [dict(lr=lr, noise=noise) for lr in (1e-3, 3e-4, 3e-3) for noise in ([.3, .5], [.3, .3], [.15, .15], [0, 0])],
    'changed': [dict(lr=lr, noise=noise, strength=s) for lr in (1e-3, 3e-3)
                for noise in ([.3, .5], [.3, .3], [0, 0]) for s in (.6, 1.)],
    'fixmatch': [dict(lr=lr, noise=noise, strength=s, threshold=c) for lr, noise, s, c in (
        (1e-3, [.3, .3], .6, .95), (1e-3, [.3, .3], 1., .95), (1e-3, [.3, .3], .6, .8), (1e-3, [.15, .15], .6, .95),
        (1e-3, [0, 0], .6, .95), (1e-3, [.3, .5], .6, .95), (3e-3, [.3, .3], .6, .95), (3e-3, [.15, .15], .6, .95),
        (3e-3, [0, 0], .6, .95), (3e-4, [.15, .15], .6, .95), (1e-3, [.15, .15], .4, .95), (1e-3, [.15, .15], .6, .9))],
    'sgan': [dict(lr=lr, noise=noise, move=move, real_batch=n) for lr, noise, move, n in (
        (3e-3, [.3, .5], 'shifted', 1), (3e-3, [.3, .5], 'none', 1), (1e-3, [.3, .5], 'shifted', 1), (5e-3, [.3, .5], 'shifted', 1),
        (3e-3, [.3, .3], 'shifted', 1), (3e-3, [.3, .7], 'shifted', 1), (3e-3, [.15, .5], 'shifted', 1), (3e-3, [.3, .5], 'shifted', 2),
        (3e-3, [.3, .5], 'warped', 1), (5e-3, [.3, .5], 'shifted', 2), (3e-3, [.5, .5], 'shifted', 1), (3e-3, [.3, .3], 'none', 1))],
    'complement': [dict(lr=3e-3, noise=[.3, .5], move='shifted', real_batch=1, entropy=e, pull_away=p)
                   for e in (.03, .1, .3) for p in (0., .1, 1., 10.)],
}


@functools.cache
def pictures(name, device):
    "Training and test split."
    return [image_data(name, split=s, device=device) for s in ('train', 'test')]


class Convolutional(nn.Module):
    "A body with three convolutions, for the rivals."
    def __init__(self, shape, width=32, noise=.3):
        super().__init__()
        layers, ni = [Noise(noise)], shape[0]
        for nf in (width, 2*width, 4*width):
            layers += [nn.Conv2d(ni, nf, 3, 2, 1), nn.LeakyReLU(.2), Noise(noise)]
            ni = nf
        side = -(-shape[1]//8)
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4*width*side**2, 128), nn.LeakyReLU(.2))
    def forward(self, x): return self.net(x)


def stepper(method, options, data, x, y, device, steps, seed):
    "(D, a function that makes one step and changes the rates as a schedule tells)"
    set_seed(seed)
    graph = device != 'cpu'
    noise, lr = options.get('noise', (.3, .5)), options['lr']
    G, D = sgan(data.shape, noise=noise)
    if options.get('conv'): D = ClassifyingD(Convolutional(data.shape), 128, len(data.classes))
    G, D = G.to(device), D.to(device)
    step, rate = torch.zeros((), device=device), torch.tensor(lr, device=device)

    def adam(net): return torch.optim.Adam(net.parameters(), rate if graph else lr, betas, fused=True, capturable=graph)
    def some(n): return to_float(data.images[torch.randint(len(data.images), (n,), device=device)])
    def labelled():
        pick = torch.randint(len(y), (min(label_batch, len(y)),), device=device)
        return x[pick], y[pick]

    if method in ('sgan', 'complement'):
        change = dict(none=None, shifted=shifted, warped=warped)[options['move']]
        t = SGANTrainer(G, D, (x, y), label_batch=label_batch, change=change, lr=lr, betas=betas, device=device, precision='fp32',
                        channels_last=False, seed=seed, **{k: options[k] for k in ('entropy', 'pull_away') if k in options})
        def some_labelled():        # by torch's own dice: a generator of one's own is not recorded
            a, b = labelled()
            return a if change is None else change(a), b
        t.some_labelled = some_labelled
        t.opt_g, t.opt_d = adam(G), adam(D)
        optimisers = [t.opt_g, t.opt_d]
        def update():
            fake, real = G(torch.randn(batch, G.z_dim, device=device)), some(batch*options['real_batch'])
            t.d_step(real, fake)
            t.g_step(fake, real)
    else:
        opt = adam(D)
        optimisers = [opt]
        see = lambda images: D.see(images)[0]
        strong = lambda images: warped(images, options['strength'])
        def loss():
            a, b = labelled()
            if method == 'alone': return F.cross_entropy(see(a), b)
            if method == 'changed': return F.cross_entropy(see(strong(a)), b)
            return fixmatch_loss(see, a, b, some(batch), options['threshold'], strong=strong)
        def update():
            opt.zero_grad(set_to_none=True); loss().backward(); opt.step()

    def scheduled():
        rate.copy_(lr*(2*(1 - step/steps)).clamp(max=1))
        if not graph:
            for o in optimisers:
                for group in o.param_groups: group['lr'] = rate.item()
        update(); step.add_(1)
    return D, scheduled


def recorded(step):
    "The same step, recorded as a graph of kernels after a few runs."
    side = torch.cuda.Stream(); side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3): step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode='thread_local'): step()
    return graph.replay


def run(stage, method, data, labels, draw, steps, options, device):
    "One run: errors at each quarter."
    torch.set_float32_matmul_precision('high')      # on a GPU, TensorFloat-32
    train, test = pictures(data, device)
    told = label_draw(train.labels, labels, draw).to(device)
    x, y = to_float(train.images[told]), train.labels[told]
    judge = test
    if stage == 'tune': judge = ImageBatches(train.images[-10_000:], train.labels[-10_000:], train.classes, device=device)
    start, rows = time.perf_counter(), []
    D, step = stepper(method, options, train, x, y, device, steps, draw)
    go, done = (recorded(step), 3) if device != 'cpu' else (step, 0)
    for i in range(done + 1, steps + 1):
        go()
        if i % (steps//4) == 0: rows.append([i, errors_of(D, judge)])
    return dict(errors=rows[-1][1], of=len(judge.images), rows=rows, seconds=round(time.perf_counter() - start, 1))


def costs(device, updates=60, rounds=5):
    "Milliseconds of an update for each method, medians of alternating blocks on all cores."
    train, _ = pictures('mnist', device)
    told = label_draw(train.labels, 100, 0).to(device)
    x, y = to_float(train.images[told]), train.labels[told]
    best = json.loads((results/'recognition.json').read_text())['chosen']
    steps = {m: stepper(m, o, train, x, y, device, 10**6, 0)[1] for m, o in best.items()}
    seen = {m: [] for m in steps}
    for i in range(rounds + 1):              # the first round warms up
        for m, step in steps.items():
            start = time.perf_counter()
            for _ in range(updates): step()
            if i: seen[m].append(1000*(time.perf_counter() - start)/updates)
    return {m: dict(median=round(statistics.median(v), 1), lowest=round(min(v), 1), highest=round(max(v), 1)) for m, v in seen.items()}


def tuning(): return [dict(stage='tune', method=m, data='mnist', labels=100, draw=100, steps=tune_steps, options=o)
                      for m, many in settings.items() for o in many]


def best_of(rows):
    "The settings of each method with the fewest errors in the tuning."
    return {m: min((r for r in rows if r['method'] == m), key=lambda r: r['errors'])['options'] for m in settings}


def experiments(best):
    "The runs to be reported, the long ones first."
    order = ('sgan', 'complement', 'fixmatch', 'changed', 'alone')
    main = [dict(stage='main', method=m, data='mnist', labels=100, draw=d, steps=main_steps, options=best[m])
            for m in order for d in range(3)]
    carry = [dict(stage='carry', method=m, data=name, labels=n, draw=d, steps=carry_steps, options=best[m])
             for name, n in (('mnist', 20), ('mnist', 1000), ('fashion_mnist', 100), ('digits', 50))
             for m in order if m != 'complement' for d in range(3)]
    conv = [dict(stage='carry', method=m, data='mnist', labels=100, draw=d, steps=carry_steps,
                 options=dict(lr=1e-3, strength=.6, threshold=.95, conv=True)) for m in ('fixmatch', 'changed') for d in range(3)]
    return main + conv + carry


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--device', default='cpu')
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    p.add_argument('--costs', action='store_true', help='only measure the time of an update, on an idle machine')
    a = p.parse_args()
    if a.costs: save('recognition_costs', device=a.device, milliseconds=costs(a.device))
    else:
        work = functools.partial(run, device=a.device)
        tuned = run_all(work, tuning(), a.keep, a.processes)
        best = best_of(tuned)
        rows = tuned + run_all(work, experiments(best), a.keep, a.processes)
        save('recognition', device=a.device, batch=batch, label_batch=label_batch, betas=betas, chosen=best, rows=rows)
