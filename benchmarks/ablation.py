"""What is each ingredient of the modern baseline worth? The variants of the page on networks, defined there
(nbs/2_practice/05_networks.ipynb), ten times as long as the page can afford, with several seeds: the same thin networks, batches of 32,
rates.

usage: python benchmarks/ablation.py [--data mnist] [--steps 2000] [--seeds 0 1 2] [--processes 2] [--keep FILE]
"""
import argparse, json

from cifar import Watch, judge
from common import root, run_all, save
from gan_course import networks
from gan_course.all import *
from time_to_quality import Quiet


def of_the_page():
    "The settings of the baseline, and name → what is changed, from the page's own cells."
    page = json.loads((root/'nbs'/'2_practice'/'05_networks.ipynb').read_text(encoding='utf-8'))
    cells = [(cell['cell_type'], ''.join(cell['source'])) for cell in page['cells']]
    begin = next(i for i, (_, text) in enumerate(cells) if text.startswith('### Each ingredient switched off'))
    names = dict(vars(networks))
    for kind, text in cells[begin:]:
        if 'switched' in names: break
        if kind == 'code': exec(text, names)
    return names['baseline'], {name: what for name, what in names['switched'].items() if 'seed' not in what}


def train(data, variant, seed, steps):
    baseline, switched = of_the_page()
    options = dict(switched[variant])
    change, group = options.pop('change', None), options.pop('group', 16)
    j = judge(data)
    set_seed(seed)
    images = image_data(data, batch_size=32, device='cpu', seed=seed)
    G, D = r3gan(images.shape, width=16, group=group)
    if change: change(G, D)
    watch = Watch({steps//k: None for k in (10, 4, 2, 1)}, j)
    t = GANTrainer(G, D, **{**baseline, **options}, lr=2e-3, seed=seed, device='cpu', cbs=[EMA(.98), LinearDecay(.4), Quiet(), watch])
    try: t.fit(images, steps=steps)
    except TrainingDiverged as e: return dict(diverged=str(e), rows=watch.rows)
    r = score(t.sample(10_000), images, j.test, (j.net, j.about))
    return dict(rows=watch.rows, **{k: r[k] for k in ('frechet_distance', 'standard_error', 'percent_of_noise', 'precision', 'recall')})


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', default='mnist')
    p.add_argument('--steps', type=int, default=2000)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    j = judge(a.data)
    jobs = [dict(data=a.data, variant=v, seed=seed, steps=a.steps) for seed in a.seeds for v in of_the_page()[1]]
    runs = run_all(train, jobs, a.keep, a.processes)
    save('ablation', data=a.data, steps=a.steps, seeds=a.seeds, processes=a.processes, samples=10_000, noise=round(j.noise, 3),
         floor=round(j.floor, 4), accuracy=j.about['accuracy'], runs=runs)
