"""The standard Inception FID of what gan_train makes of each set by its defaults, for a machine that has Inception's weights
(pip install 'gan_course[inception]').

10,000 samples of each run against its test split, labels drawn as in the data, by `gan_eval --inception`. Runs that are not in runs/fid yet
are trained first, seed 0, some twenty minutes on two cores. Where the weights cannot be had, the command says so and nothing is written.

usage: python benchmarks/fid.py [RUN …] [--n 10000] [--minutes 2]      RUN: run folders to score instead
"""
import argparse, json, subprocess, sys
from pathlib import Path

from common import save
from gan_course.recipes import ImageRecipe


def run(module, *args):
    "What a command printed; the last line of its complaint ends this one."
    done = subprocess.run([sys.executable, '-m', f'gan_course.{module}', *map(str, args)], capture_output=True, text=True)
    if done.returncode: sys.exit(f'{args[0]}: {done.stderr.strip().splitlines()[-1]}')
    return done.stdout


def published(minutes):
    "The run folder of each set, trained where it is not there yet."
    for name in ImageRecipe.minutes:
        folder = Path('runs/fid')/name
        if not (folder/'done').exists():
            print(f'training {name}', flush=True)
            how = ['--resume'] if folder.exists() else ['--minutes', minutes] if minutes else []
            run('train', name, '--out', folder, *how)
            (folder/'done').touch()
        yield str(folder)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('runs', nargs='*', metavar='RUN')
    p.add_argument('--n', type=int, default=10_000)
    p.add_argument('--minutes', type=float, help='of training of each (default: those of gan_train)')
    a = p.parse_args()
    rows = []
    for folder in a.runs or published(a.minutes):
        scores = json.loads(run('evaluate', folder, '--inception', '--json', '--n', a.n))
        fid = scores.get('inception_fid')
        if not isinstance(fid, (int, float)): sys.exit(f'{folder}: {fid or "no FID came out"}')
        rows.append(dict(run=Path(folder).name, inception_fid=fid, frechet_distance=scores['frechet_distance'], samples=a.n))
        print(rows[-1], flush=True)
    save('fid', rows=rows)
