"Few labels from the shell: labels are hidden, folders with `unlabelled`, exact resume, mistakes in one line."
import json, shutil, signal

import numpy as np
import pytest
import torch
from PIL import Image


def weights(run):
    from gan_course.core import load_tensors
    return load_tensors(run/'state'/'checkpoint.safetensors')[0]


def test_labels_are_hidden_and_errors_counted(call, tmp_path):
    code, out, lines = call('train', 'digits', '--arch', 'sgan', '--labels', 50, '--steps', 120, '--out', 'few', '--device', 'cpu')
    assert code == 0, lines
    assert json.loads((tmp_path/'few'/'config.json').read_text())['own']['labels'] == 50
    code, out, _ = call('eval', 'few', '--n', 300, '--json', '--device', 'cpu')
    result = json.loads(out)
    assert code == 0 and result['of'] == 360 and result['error'] == result['errors']/360 < .8
    assert result['error_interval'][0] < result['error'] < result['error_interval'][1]
    code, out, _ = call('eval', 'few', '--n', 300, '--device', 'cpu')
    assert out.startswith('error ') and 'of 360 held-out pictures, learned from 50 labels' in out, out
    assert call('sample', 'few', '--n', 4)[0] == 0

    from gan_course.recognition import classify
    from gan_course.data import image_data
    test = image_data('digits', split='test', device='cpu')
    guesses, p = classify(tmp_path/'few', test.images)
    assert int((guesses != test.labels).sum()) == result['errors']
    assert torch.allclose(p.sum(1), torch.ones(len(p)), atol=1e-5)
    shutil.rmtree(tmp_path/'few'/'state')
    with pytest.raises(Exception, match='no training state'): classify(tmp_path/'few', test.images)


def test_it_does_not_read_the_other_labels(tmp_path):
    from gan_course.core import set_seed
    from gan_course.data import image_data
    from gan_course.recipes import recipes
    recipe, seen = recipes['sgan'], []
    for lie in (False, True):
        data = image_data('digits', device='cpu')
        asked = dict(labels='50', steps=5)
        settled = recipe.settle(asked, data)
        truth = data.labels.clone()
        recipe.prepare(data, settled)
        assert (data.labels == -1).all() and len(settled['labelled'][1]) == 50
        assert settled['labelled'][1].bincount().tolist() == [5]*10
        if lie: data.labels = (truth + 3) % 10         # what a leak would find is wrong
        data.batch_size = settled['batch_size']
        t = recipe.make(data, settled, torch.device('cpu'))
        t.fit(data, steps=5)
        seen.append([p.clone() for p in t.D.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*seen))


def test_it_resumes_exactly(call, tmp_path, monkeypatch):
    import gan_course.train as train
    from gan_course.callbacks import Callback
    class Interrupt(Callback):
        def after_step(self, t):
            if t.step == 13: signal.raise_signal(signal.SIGINT)
    options = ['digits', '--arch', 'sgan', '--steps', 20, '--device', 'cpu']
    assert call('train', *options, '--out', 'whole')[0] == 0
    real = train._callbacks
    with monkeypatch.context() as m:
        m.setattr(train, '_callbacks', lambda *args: [*real(*args), Interrupt()])
        assert call('train', *options, '--out', 'part')[0] == 130
    assert call('train', '--resume', '--out', 'part', '--device', 'cpu')[0] == 0
    a, b = weights(tmp_path/'whole'), weights(tmp_path/'part')
    for k in a:
        if k.startswith(('G.', 'D.', 'opt')): assert torch.equal(a[k], b[k]), k


@pytest.fixture
def folder(tmp_path):
    "Two classes of twelve pictures, and thirty without a label."
    rng = np.random.default_rng(0)
    for name, n, level in (('dark', 12, 60), ('light', 12, 190), ('unlabelled', 30, None)):
        (tmp_path/'mine'/name).mkdir(parents=True)
        for i in range(n):
            base = level or (60, 190)[i % 2]
            Image.fromarray((base + rng.integers(-40, 40, (32, 32))).astype(np.uint8)).save(tmp_path/'mine'/name/f'{i}.png')
    return 'mine'


def test_a_folder_with_unlabelled_pictures(call, folder, tmp_path):
    code, out, lines = call('train', folder, '--arch', 'sgan', '--steps', 60, '--out', 'run', '--device', 'cpu', '--batch_size', 10)
    assert code == 0, lines
    assert any('30 in the folder unlabelled' in line for line in lines), lines
    code, out, lines = call('eval', 'run', '--n', 50, '--json', '--device', 'cpu')
    assert code == 0 and not any('has changed' in line for line in lines), lines
    assert json.loads(out)['errors'] == 0
    assert call('train', '--resume', '--out', 'run', '--steps', 70, '--device', 'cpu')[0] == 0
    (tmp_path/'mine'/'unlabelled'/'broken.png').write_bytes(b'\x89PNG\r\n\x1a\nno')
    code, _, lines = call('train', folder, '--arch', 'sgan', '--steps', 5, '--out', 'other', '--device', 'cpu')
    assert code == 1 and 'broken.png' in lines[-1], lines


@pytest.mark.parametrize('argv, part', [
    (['digits', '--labels', 5], '--labels must be'), (['digits', '--labels', 'many'], '--labels'),
    (['digits', '--labels', 10**6], '--labels must be'), (['digits', '--penalty', 'r1'], 'takes no penalty'),
    (['digits', '--conditional'], 'leave --conditional out')])
def test_mistakes_are_one_line(call, argv, part):
    code, _, lines = call('train', *argv, '--arch', 'sgan', '--steps', 5, '--out', 'x', '--device', 'cpu')
    assert code == 1 and part in lines[-1], lines


def test_labels_belong_to_this_recipe(call):
    code, _, lines = call('train', 'digits', '--labels', 50, '--steps', 5, '--out', 'x')
    assert code == 1 and '--labels is for sgan' in lines[-1], lines


def test_a_flat_folder_has_nothing_to_tell_apart(call, tmp_path):
    (tmp_path/'flat').mkdir()
    for i in range(9): Image.fromarray(np.full((32, 32), 20*i, np.uint8)).save(tmp_path/'flat'/f'{i}.png')
    code, _, lines = call('train', 'flat', '--arch', 'sgan', '--steps', 5, '--out', 'x', '--device', 'cpu')
    assert code == 1 and 'put labelled pictures of each class' in lines[-1], lines
