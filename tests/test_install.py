"The wheel and the source archive build, and the commands run from the wheel in another environment, with fastcore 2."
import json, os, site, subprocess, sys, tarfile, zipfile
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent


def sh(*argv, **kw):
    r = subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kw)
    assert r.returncode == 0, f'{argv}\n{r.stdout[-2000:]}\n{r.stderr[-3000:]}'
    return r.stdout


@pytest.fixture(scope='module')
def dist(tmp_path_factory):
    d = tmp_path_factory.mktemp('dist')
    # From a copy of the files that git knows: what happens to lie around in the working tree must not make a build succeed
    files = subprocess.run(['git', 'ls-files', '-z'], cwd=root, capture_output=True, text=True).stdout.split('\0')
    for f in filter(None, files):
        if not (root/f).is_file(): continue
        (d/'src'/f).parent.mkdir(parents=True, exist_ok=True); (d/'src'/f).write_bytes((root/f).read_bytes())
    sh(sys.executable, '-m', 'build', '--outdir', d/'out', d/'src')
    return d/'out'


def test_archives_hold_what_they_should(dist):
    wheel, sdist = next(dist.glob('*.whl')), next(dist.glob('*.tar.gz'))
    names = zipfile.ZipFile(wheel).namelist()
    for module in ('core', 'objectives', 'training', 'data', 'networks', 'evaluation', 'commands', 'train', 'sample', 'evaluate', 'all',
                   '_modidx'):
        assert f'gan_course/{module}.py' in names
    assert any(n.startswith('gan_course/results/') and n.endswith('.json') for n in names)
    assert not any(n.startswith(('tests', 'nbs', 'benchmarks')) for n in names)
    inside = tarfile.open(sdist).getnames()
    assert any(n.endswith('/settings.ini') for n in inside) and any(n.endswith('/LICENSE') for n in inside)


@pytest.fixture(scope='module')
def env(dist, tmp_path_factory):
    "The folder of an environment with the wheel and fastcore 2, and the variables to call it with."
    env = tmp_path_factory.mktemp('clean')/'env'
    sh(sys.executable, '-m', 'venv', env)
    python = env/'bin'/'python'
    sh(python, '-m', 'pip', 'install', '-q', '--no-deps', next(dist.glob('*.whl')), 'fastcore>=2,<3')
    # torch is 5 GB: it and the other libraries are borrowed from this environment, behind the new one's own packages
    here = next(p for p in site.getsitepackages() if (Path(p)/'torch').is_dir())
    own = Path(sh(python, '-c', 'import site; print(site.getsitepackages()[0])').strip())
    (own/'borrowed.pth').write_text(here + '\n')
    return env, {k: v for k, v in os.environ.items() if not k.startswith(('PYTHON', 'VIRTUAL_ENV'))}


def test_wheel_in_a_clean_environment_with_fastcore_2(env, tmp_path):
    env, clean = env
    python = env/'bin'/'python'
    say = 'import fastcore, gan_course; print(fastcore.__version__, gan_course.__file__)'
    where = sh(python, '-c', say, cwd=tmp_path, env=clean).split()
    assert where[0].startswith('2.') and str(env) in where[1], where
    bin = env/'bin'
    sh(bin/'gan_train', 'digits', '--steps', '30', '--device', 'cpu', cwd=tmp_path, env=clean)
    assert (tmp_path/'runs'/'digits'/'samples'/'step_000030.png').exists()
    sh(bin/'gan_sample', 'runs/digits', '--n', '16', cwd=tmp_path, env=clean)
    assert (tmp_path/'samples.png').exists()
    assert '"frechet_distance"' in sh(bin/'gan_eval', 'runs/digits', '--n', '100', '--json', '--device', 'cpu', cwd=tmp_path, env=clean)
    assert '4 2' in sh(bin/'gan_say', '4 2', '--seed', '3', '--device', 'cpu', cwd=tmp_path, env=clean)
    assert (tmp_path/'out.wav').read_bytes()[:4] == b'RIFF'
    for name, module in (('gan_train', 'train'), ('gan_sample', 'sample'), ('gan_eval', 'evaluate'), ('gan_say', 'say')):
        text = sh(bin/name, '--help', cwd=tmp_path, env=clean)
        assert text == sh(python, '-m', f'gan_course.{module}', '--help', cwd=tmp_path, env=clean)
    r = subprocess.run([bin/'gan_train', 'digitz'], capture_output=True, text=True, cwd=tmp_path, env=clean)
    expected = "gan_train: unknown data set 'digitz'; known: digits, mnist, fashion_mnist, cifar10, names, captions, syllables, " \
               "spoken_digits, tones. Did you mean 'digits'?\n"
    assert (r.returncode, r.stderr) == (1, expected)


# Three of the quick ones: a page that trains would take longer than all others here together. EVERY_PAGE=1 runs all of them
pages = ['2_practice/04_data', 'api/core', 'api/animation']
if os.environ.get('EVERY_PAGE'):
    pages = sorted(str(f.relative_to(root/'nbs').with_suffix('')) for f in (root/'nbs').rglob('*.ipynb') if 'checkpoint' not in f.name)


@pytest.mark.parametrize('page', pages)
def test_a_single_page_runs_with_the_wheel(page, env, tmp_path):
    "A page that was downloaded alone, in an empty folder: it leans on nothing that lies beside it in the repository."
    env, clean = env
    name = page.split('/')[-1]
    (tmp_path/f'{name}.ipynb').write_bytes((root/'nbs'/f'{page}.ipynb').read_bytes())
    say = [{'cell_type': 'code', 'execution_count': None, 'id': 'where', 'metadata': {}, 'outputs': [],
            'source': 'import gan_course; print(gan_course.__file__)'}]
    nb = json.loads((tmp_path/f'{name}.ipynb').read_text()); nb['cells'] += say
    (tmp_path/f'{name}.ipynb').write_text(json.dumps(nb))
    sh(env/'bin'/'python', '-m', 'nbconvert', '--to', 'notebook', '--execute', '--inplace', f'{name}.ipynb', cwd=tmp_path, env=clean)
    cells = json.loads((tmp_path/f'{name}.ipynb').read_text())['cells']
    assert str(env) in ''.join(cells[-1]['outputs'][0]['text'])


def test_every_dependency_is_declared():
    "What the package imports is in requirements, so that a clean install has it."
    import ast
    from configparser import ConfigParser
    c = ConfigParser(delimiters=['=']); c.read(root/'settings.ini')
    def listed(key): return {r.split('>')[0].split('<')[0].split('=')[0] for r in c['DEFAULT'][key].split()}
    declared, extra = listed('requirements'), listed('speech_requirements')
    names = {'PIL': 'pillow', 'sklearn': 'scikit-learn', 'IPython': 'ipython'}
    used = set()
    for f in (root/'gan_course').glob('*.py'):
        if f.name == '_modidx.py': continue
        tree = ast.parse(f.read_text())
        guarded = {n for t in ast.walk(tree) if isinstance(t, ast.Try) for n in ast.walk(t)}       # an error there says what to install
        for node in ast.walk(tree):
            if isinstance(node, ast.Import) and node in guarded and {a.name for a in node.names} <= extra: continue
            if isinstance(node, ast.Import): used |= {a.name.split('.')[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level: used.add(node.module.split('.')[0])
    missing = {names.get(u, u) for u in used} - declared - set(sys.stdlib_module_names) - {'gan_course'}
    assert not missing, missing
