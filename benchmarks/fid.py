"""The standard Inception FID of every run folder, for a machine that has Inception's weights (pip install 'gan_course[inception]').

10,000 samples of each run against its test split, labels drawn as in the data, by `gan_eval --inception`. Where the weights cannot be had,
the command says so and nothing is written.

usage: python benchmarks/fid.py [RUN …] [--n 10000]        no RUN: every run folder in runs/
"""
import argparse, json, subprocess, sys
from pathlib import Path

from common import save

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('runs', nargs='*', metavar='RUN')
    p.add_argument('--n', type=int, default=10_000)
    a = p.parse_args()
    runs = a.runs or sorted(str(c.parent) for c in Path('runs').glob('*/config.json'))
    if not runs: sys.exit('no run folder given, and none in runs/')
    rows = []
    for run in runs:
        done = subprocess.run([sys.executable, '-m', 'gan_course.evaluate', run, '--inception', '--json', '--n', str(a.n)],
                              capture_output=True, text=True)
        if done.returncode: sys.exit(f'{run}: {done.stderr.strip().splitlines()[-1]}')
        scores = json.loads(done.stdout)
        fid = scores.get('inception_fid')
        if not isinstance(fid, (int, float)): sys.exit(f'{run}: {fid or "no FID came out"}')
        rows.append(dict(run=Path(run).name, inception_fid=fid, frechet_distance=scores['frechet_distance'], samples=a.n))
        print(rows[-1], flush=True)
    save('fid', rows=rows)
