"""A classifier from few labels: a semi-supervised GAN against its rivals, on the same network, the same labels, the same number of updates.

  alone       the labelled pictures as they are
  changed     the labelled pictures, turned, scaled, slanted, moved, with a square cut out, anew each time
  fixmatch    and unlabelled pictures with the network's own sure answers (Sohn et al. 2020)
  sgan        and unlabelled pictures against a generator's, by feature matching (Salimans et al. 2016)
  complement  the same, with fakes that keep apart and a D that is sure of real ones (Dai et al. 2017, without its density model)

First each method gets the same number of settings on a draw of labels that is not reported, with the errors counted on the last 10,000
*training* pictures of MNIST. The best is then used everywhere. Errors of the results are those on the test split. The network is the plain
one of `sgan`; `conv` names a convolutional one that was tried for the rivals. On a GPU a step is recorded once and replayed.

usage: python benchmarks/recognition.py [--device cpu] [--processes 2] [--keep FILE] [--only tune main carry]
"""
import argparse, json, time
from functools import cache
from pathlib import Path

import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from common import save
from gan_course.all import *
from gan_course.recognition import *
from torch import nn

batch, betas, label_batch = 100, (.5, .99), 100
tune_steps, main_steps, carry_steps = 4000, 60_000, 20_000

# The settings that each method may choose from; the first is the starting point
settings = {
    'alone': [dict(lr=lr, noise=noise) for lr in (1e-3, 3e-4, 3e-3) for noise in ((.3, .5), (.3, .3), (.15, .15), (0, 0))],
    'changed': [dict(lr=lr, noise=noise, strength=s) for lr in (1e-3, 3e-3)
                for noise in ((.3, .5), (.3, .3), (0, 0)) for s in (.6, 1.)],
    'fixmatch': [dict(lr=lr, noise=noise, strength=s, threshold=c) for lr, noise, s, c in (
        (1e-3, (.3, .3), .6, .95), (1e-3, (.3, .3), 1., .95), (1e-3, (.3, .3), .6, .8), (1e-3, (.15, .15), .6, .95),
        (1e-3, (0, 0), .6, .95), (1e-3, (.3, .5), .6, .95), (3e-3, (.3, .3), .6, .95), (3e-3, (.15, .15), .6, .95),
        (3e-3, (0, 0), .6, .95), (3e-4, (.15, .15), .6, .95), (1e-3, (.15, .15), .4, .95), (1e-3, (.15, .15), .6, .9))],
    'sgan': [dict(lr=lr, noise=noise, move=move, real_batch=n) for lr, noise, move, n in (
        (3e-3, (.3, .5), 'shifted', 1), (3e-3, (.3, .5), 'none', 1), (1e-3, (.3, .5), 'shifted', 1), (5e-3, (.3, .5), 'shifted', 1),
        (3e-3, (.3, .3), 'shifted', 1), (3e-3, (.3, .7), 'shifted', 1), (3e-3, (.15, .5), 'shifted', 1), (3e-3, (.3, .5), 'shifted', 2),
        (3e-3, (.3, .5), 'warped', 1), (5e-3, (.3, .5), 'shifted', 2), (3e-3, (.5, .5), 'shifted', 1), (3e-3, (.3, .3), 'none', 1))],
    'complement': [dict(lr=3e-3, noise=(.3, .5), move='shifted', real_batch=1, entropy=e, pull_away=p)
                   for e in (.03, .1, .3) for p in (0., .1, 1., 10.)],
}


@cache
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
        t.some_labelled = lambda: (lambda a, b: (a if change is None else change(a), b))(*labelled())    # torch's own dice can be recorded
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


def run(job, device):
    "One run: errors at each quarter."
    train, test = pictures(job['data'], device)
    told = label_draw(train.labels, job['labels'], job['draw']).to(device)
    x, y = to_float(train.images[told]), train.labels[told]
    judge = test
    if job['stage'] == 'tune': judge = ImageBatches(train.images[-10_000:], train.labels[-10_000:], train.classes, device=device)
    steps, start, rows = job['steps'], time.perf_counter(), []
    D, step = stepper(job['method'], job['options'], train, x, y, device, steps, job['draw'])
    go, done = (recorded(step), 3) if device != 'cpu' else (step, 0)
    for i in range(done + 1, steps + 1):
        go()
        if i % (steps//4) == 0: rows.append([i, errors_of(D, judge)])
    return {**job, 'errors': rows[-1][1], 'of': len(judge.images), 'rows': rows, 'seconds': round(time.perf_counter() - start, 1)}


def worker(device, jobs, results):
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision('high')      # on a GPU, TensorFloat-32
    while (job := jobs.get()) is not None:
        try: results.put(run(job, device))
        except Exception as e: results.put({**job, 'failed': f'{type(e).__name__}: {e}'[:300]})


def key(row): return json.dumps({k: row[k] for k in ('stage', 'method', 'data', 'labels', 'draw', 'steps', 'options')}, sort_keys=True)


def run_all(jobs, rows, keep, device, processes):
    "Adds what is not there yet to `rows`, and to the file as it comes."
    done = {key(json.loads(json.dumps(r))) for r in rows if 'failed' not in r}
    todo = [j for j in jobs if key(json.loads(json.dumps(j))) not in done]
    context = mp.get_context('spawn')
    queue, results = context.Queue(), context.Queue()
    for job in [*todo, *[None]*processes]: queue.put(job)
    workers = [context.Process(target=worker, args=(device, queue, results), daemon=True) for _ in range(processes if todo else 0)]
    for w in workers: w.start()
    for i in range(len(todo)):
        row = json.loads(json.dumps(results.get()))
        rows.append(row)
        if keep:
            with open(keep, 'a') as f: f.write(json.dumps(row) + '\n')
        shown = ('stage', 'method', 'data', 'labels', 'draw', 'errors', 'seconds', 'failed')
        print(f"{i + 1}/{len(todo)}", {k: row.get(k) for k in shown}, flush=True)
    for w in workers: w.join()


def tuning(): return [dict(stage='tune', method=m, data='mnist', labels=100, draw=100, steps=tune_steps, options=o)
                      for m, many in settings.items() for o in many]


def best_of(rows):
    "The settings of each method with the fewest errors in the tuning."
    tuned = [r for r in rows if r['stage'] == 'tune' and 'errors' in r]
    return {m: min((r for r in tuned if r['method'] == m), key=lambda r: r['errors'])['options'] for m in settings}


def experiments(best, only):
    "The runs to be reported, the long ones first."
    order = ('sgan', 'complement', 'fixmatch', 'changed', 'alone')
    main = [dict(stage='main', method=m, data='mnist', labels=100, draw=d, steps=main_steps, options=best[m])
            for m in order for d in range(3)]
    carry = [dict(stage='carry', method=m, data=name, labels=n, draw=d, steps=carry_steps, options=best[m])
             for name, n in (('mnist', 20), ('mnist', 1000), ('fashion_mnist', 100), ('digits', 50))
             for m in order if m != 'complement' for d in range(3)]
    conv = [dict(stage='carry', method=m, data='mnist', labels=100, draw=d, steps=carry_steps,
                 options=dict(lr=1e-3, strength=.6, threshold=.95, conv=True)) for m in ('fixmatch', 'changed') for d in range(3)]
    return [j for j in main + conv + carry if j['stage'] in only]


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--device', default='cpu')
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    p.add_argument('--only', nargs='+', default=['tune', 'main', 'carry'])
    a = p.parse_args()
    rows = [json.loads(line) for line in Path(a.keep).read_text().splitlines()] if a.keep and Path(a.keep).exists() else []
    if 'tune' in a.only: run_all(tuning(), rows, a.keep, a.device, a.processes)
    best = best_of(rows)
    run_all(experiments(best, a.only), rows, a.keep, a.device, a.processes)
    save('recognition', device=a.device, batch=batch, label_batch=label_batch, betas=betas, chosen=best,
         rows=[r for r in rows if 'errors' in r])
