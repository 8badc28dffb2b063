"The commands know no kind of data and no architecture by name: the example of CONTRIBUTING.md, run as it stands, is all a new one needs."
import json, re, signal
from pathlib import Path

import numpy as np
import pytest

root = Path(__file__).resolve().parent.parent
example = re.search(r'```python\n(import numpy.*?)```', (root/'CONTRIBUTING.md').read_text(), re.S)[1]


@pytest.fixture
def points(tmp_path):
    "A file of points on a ring, with the kind and the recipe of the example registered for the time of a test."
    from gan_course import core, kinds, recipes
    kept = [(d, dict(d)) for d in (core.builders, kinds.kinds, recipes.recipes)]
    exec(compile(example, 'CONTRIBUTING.md', 'exec'), {'__name__': 'example'})
    np.savetxt(tmp_path/'ring.csv', core.ring(1000).numpy(), delimiter=',')
    yield 'ring.csv'
    for d, before in kept: d.clear(); d.update(before)


def weights(run):
    from gan_course.core import load_tensors
    return {k: v.tolist() for k, v in load_tensors(run/'generator.safetensors')[0].items()}


def test_the_three_commands_work_on_a_new_kind(call, points, tmp_path):
    code, out, lines = call('train', points, '--steps', 60, '--out', 'run', '--device', 'cpu')
    assert code == 0 and '900 samples 2' in out and 'mlp, non_saturating' in out, (out, lines)
    assert 'gan_sample run --n 100 --out more.csv' in out, (out, lines)
    assert 'verdict    60 steps are few' in out
    assert call('sample', 'run', '--n', 7)[0] == 0
    assert np.loadtxt('samples.csv', delimiter=',').shape == (7, 2)
    code, out, _ = call('eval', 'run', '--n', 200, '--json', '--device', 'cpu')
    assert code == 0 and json.loads(out)['distance'] > 0
    assert 'distance' in call('eval', 'run', '--n', 200, '--device', 'cpu')[1]


def test_it_resumes_exactly(call, points, tmp_path, monkeypatch):
    import gan_course.train as train
    from gan_course.callbacks import Callback
    class Interrupt(Callback):
        def after_step(self, t):
            if t.step == 37: signal.raise_signal(signal.SIGINT)
    assert call('train', points, '--steps', 60, '--out', 'whole', '--device', 'cpu')[0] == 0
    real = train._callbacks
    with monkeypatch.context() as m:
        m.setattr(train, '_callbacks', lambda *args: [*real(*args), Interrupt()])
        assert call('train', points, '--steps', 60, '--out', 'part', '--device', 'cpu')[0] == 130
    assert weights(tmp_path/'whole') != weights(tmp_path/'part')
    assert call('train', '--resume', '--out', 'part', '--device', 'cpu')[0] == 0
    assert weights(tmp_path/'whole') == weights(tmp_path/'part')
    code, _, lines = call('train', '--resume', '--out', 'part', '--steps', 90, '--arch', 'dcgan')
    assert code == 1 and 'trained with --arch mlp' in lines[-1]


def test_what_belongs_to_another_kind_is_refused(call, points):
    for argv, part in [(['--size', '28'], '--size is for images'),
                       (['--arch', 'dcgan'], '--arch dcgan is for images, and this data is points'),
                       (['--augment', 'all'], '--augment is for dcgan'), (['--conditional'], '--conditional needs classes')]:
        code, _, lines = call('train', points, '--steps', 3, '--out', 'run', *argv)
        assert code == 1 and part in lines[-1], lines
    assert not Path('run').exists()
    assert call('sample', 'digits')[0] == 1


def test_changed_data_is_noticed(call, points):
    assert call('train', points, '--steps', 3, '--out', 'run', '--device', 'cpu')[0] == 0
    with open(points, 'a') as f: f.write('0,0\n'*20)
    code, _, lines = call('train', '--resume', '--out', 'run', '--steps', 5, '--device', 'cpu')
    assert code == 0 and any('900 points then, 918 now' in l for l in lines), lines
    np.savetxt(points, np.zeros((100, 3)), delimiter=',')
    code, _, lines = call('train', '--resume', '--out', 'run', '--steps', 9, '--device', 'cpu')
    assert code == 1 and 'then 2, now 3' in lines[-1]


def test_no_command_knows_a_name():
    "Neither an architecture, nor a kind, nor a data set, nor an option that only one of them has, stands in a command."
    import gan_course.all
    from gan_course.core import builders
    from gan_course.kinds import data_sets, kinds
    own = [o for k in kinds.values() for o in (*k.train_options, *k.eval_options)]
    names = {*builders, *kinds, *data_sets(), *(k.what for k in kinds.values()), *own, 'augment', 'image', 'picture', 'SampleGrid'}
    for module in ('commands', 'train', 'sample', 'evaluate'):
        code = (root/'gan_course'/f'{module}.py').read_text().split('\n', 1)[1]      # the first line is the promise of the page
        # Two are called as variables may be, too: they count where they are quoted
        found = [n for n in names if re.search(rf"'{n}'" if n in ('names', 'lines') else rf'(?<![\w-]){n}(?![\w])', code)]
        assert not found, (module, found)
