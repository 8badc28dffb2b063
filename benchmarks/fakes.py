"""Does a detector that was trained on the fakes of one generator catch those of another?

For each way of making sounds a detector is trained on the 2,700 training recordings and as many fakes of the same classes; then it orders
the 300 test recordings and 300 new fakes of each way. Printed: the area under the ROC curve (½: a coin, 1: none is missed), the mean of the
seeds of the detector and their standard deviation. "Recordings" are real ones that were made a picture and a sound again.

usage: python benchmarks/fakes.py [--wavegan RUN] [--seeds 0 1]
"""
import argparse, statistics

import torch
from common import save
from gan_course.all import *
from gan_course.commands import find_run
from sklearn.metrics import roc_auc_score
from tqdm.auto import tqdm


@torch.no_grad()
def in_parts(make, pictures): return torch.cat([make(p) for p in pictures.split(300)])


def made_by(train, test, wavegan):
    "name → (2,700 sounds to learn from, 300 to be tested on)"
    G, config = load_generator(find_run('spoken_digits'), device='cpu')
    splits = [(log_mel(d.sounds), d.labels) for d in (train, test)]
    def drawn(G, z_dim):
        return [sample_from(G, z_dim, len(y), 10 + i, labels=y) for i, (_, y) in enumerate(splits)]
    gan = drawn(G, config['z_dim'])
    ways = {'Griffin–Lim': to_sound, 'vocoder': packaged_vocoder()}
    made = {f'GAN, {way}': [in_parts(f, x) for x in gan] for way, f in ways.items()}
    made |= {f'recordings, {way}': [in_parts(f, x) for x, _ in splits] for way, f in ways.items()}
    made['Gaussian, Griffin–Lim'] = [in_parts(to_sound, gaussians(*splits[0], y, seed=i)) for i, (_, y) in enumerate(splits)]
    if wavegan:
        G, config = load_generator(find_run(wavegan), device='cpu')
        made['GAN of waves'] = drawn(G, config['z_dim'])
    return made


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--wavegan'); p.add_argument('--seeds', type=int, nargs='+', default=[0, 1])
    a = p.parse_args()
    train, test = (sound_data('spoken_digits', split=s, device='cpu') for s in ('train', 'test'))
    made, rows = made_by(train, test, a.wavegan), []
    for name, (fakes, _) in tqdm(made.items()):
        found = {other: [] for other in made}
        for seed in a.seeds:
            seems = detector(train.sounds, fakes, seed)
            real = seems(test.sounds)
            for other, (_, new) in made.items():
                area = roc_auc_score([0]*len(real) + [1]*len(new), torch.cat([real, seems(new)]))
                found[other].append(float(area))
        rows.append(dict(trained_on=name, auroc={k: [statistics.mean(v), statistics.pstdev(v)] for k, v in found.items()}))
        print(rows[-1], flush=True)
    save('fakes', seeds=a.seeds, rows=rows)
