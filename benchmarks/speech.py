"""What two judges hear: 1,000 sounds of each generator of spoken digits, against the 300 test recordings.

  recordings      training recordings as they are, and there and back: as a picture, and to sound by Griffin–Lim
  without a GAN   the average picture of each class with noise; a Gaussian for each class in principal components
  GANs            the generator in the package, and any run folder that is named

Of each: how often each judge hears what was asked for, what the gates stop, Fréchet distance, precision and coverage by the first judge's
features, and memorisation in pictures. The classes are drawn as often as the data has them, seed 0.

usage: python benchmarks/speech.py [RUN …] [--n 1000]
"""
import argparse

import soundfile, torch
from common import results, save
from gan_course.all import *
from gan_course.commands import find_run

shipped = ('specgan',)     # the package has the generator itself
keys = ('heard', 'stopped', 'frechet_distance', 'floor', 'standard_error', 'precision', 'coverage', 'classifier_score', 'memorisation')


def rows(runs, n):
    train, test = [sound_data('spoken_digits', split=s, device='cpu') for s in ('train', 'test')]
    kind, pictures = kinds['sounds'], log_mel(train.sounds)
    pick = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(0))[:n]
    labels = train.labels[torch.randint(len(train.labels), (n,), generator=torch.Generator().manual_seed(0))]
    sets = {'training recordings': lambda: (train.sounds[pick], train.labels[pick]),
            'there and back': lambda: (to_sound(pictures[pick]), train.labels[pick]),
            'average and noise': lambda: (to_sound(averages(pictures, train.labels, labels)), labels),
            'Gaussian': lambda: (to_sound(gaussians(pictures, train.labels, labels)), labels)}
    for run in runs:
        G, config = load_generator(find_run(run), device='cpu')
        sets[config['recipe']] = lambda G=G, config=config: (kind.draw(G, config, n, 0, labels), labels)
        if config['recipe'] not in shipped:      # a taste of it for the page: the first three classes, seed 1
            taste = kind.draw(G, config, 3, 1, torch.arange(3)).flatten()
            soundfile.write(results/f"{config['recipe']}.flac", taste.numpy(), rate, format='FLAC')
    for name, make in sets.items():
        sounds, asked = make()
        result = kind.score(sounds, train, test, train, 'cpu', labels=asked)
        yield dict(generator=name, **{k: result[k] for k in keys}, real={k: result['real'][k] for k in ('heard', 'precision', 'coverage')},
                   protocol=result['protocol'])
        print(name, kind.report(result), sep='\n', flush=True)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('runs', nargs='*', metavar='RUN', default=['spoken_digits'])
    p.add_argument('--n', type=int, default=1000)
    a = p.parse_args()
    save('speech', n=a.n, seed=0, rows=list(rows(a.runs, a.n)))
