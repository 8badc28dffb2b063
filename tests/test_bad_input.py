"Every mistake a user can make is one clear line, an exit code that is not 0, and nothing lost or half written."
import os, stat, subprocess, sys, time

import numpy as np
import pytest
import torch
from PIL import Image


def files(folder): return {p.relative_to(folder): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def fails(result, *parts):
    code, out, lines = result
    errors = [l for l in lines if ': note: ' not in l]
    assert code not in (0, None), (code, out, lines)
    assert len(errors) == 1, lines
    for part in parts: assert part in errors[0], errors
    assert 'Traceback' not in ' '.join(lines)


@pytest.mark.parametrize('argv, parts', [
    (['digitz'], ['digits', 'mnist', 'fashion_mnist', 'cifar10', "Did you mean 'digits'"]),
    (['--loss', 'wassserstein'], ['minimax', 'hinge', 'relativistic', "Did you mean 'wasserstein'"]),
    (['--arch', 'dcgn'], ["Did you mean 'dcgan'"]),
    (['--penalty', 'r11'], ['gp', "Did you mean 'r1'"]),
    (['--device', 'cuba'], ['cpu', 'mps', "Did you mean 'cuda'"]),
    (['--precision', 'fp23'], ["Did you mean 'fp32'"]),
    (['./nowhere/at_all'], ['no folder']),
    (['--size', '48'], ['power of two from 16 to 256', '--size']),
    (['--no_such_flag'], ['unrecognized', '--help']),
    (['digits', 'mnist'], ['unrecognized']),
    (['--steps', '5', '--minutes', '1'], ['not both']),
    *[([flag, value], [flag, 'must be']) for flag, values in {
        '--steps': ['0', '-3', 'nan', '1e30', '2.5', 'many'], '--minutes': ['0', '-1', 'nan', 'inf'],
        '--batch_size': ['0', '-64', 'nan', '1e9', '3.5'], '--lr': ['0', '-0.1', 'nan', '1e9', 'fast'],
        '--gamma': ['-1', 'nan', '1e30'], '--seed': ['-1', '1e12', 'x'], '--limit': ['0', '-5', 'nan'],
        '--size': ['0', '-28', 'nan', '1e9']}.items() for value in values],
    (['--batch_size', '5000'], ['1437 images', '--batch_size 1437']),
    (['--limit', '10', '--batch_size', '64'], ['10 images', '--batch_size']),
    (['--augment', 'color'], ['translation', 'cutout', "Did you mean 'colour'"]),
], ids=lambda v: ' '.join(v) if isinstance(v, list) else None)
def test_train_arguments(call, tmp_path, argv, parts):
    fails(call('train', *argv, *(['--steps', '3'] if not {'--steps', '--minutes'} & set(argv) else []), '--out', tmp_path/'out'), *parts)
    assert not (tmp_path/'out').exists()


def test_cuda_that_is_not_there(call, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    fails(call('train', '--device', 'cuda'), 'not available', '--device cpu')


def picture(path, size=(40, 30), mode='RGB', seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def test_folder_without_images(call, tmp_path):
    (tmp_path/'empty').mkdir(); (tmp_path/'empty'/'notes.txt').write_text('hello')
    fails(call('train', tmp_path/'empty', '--steps', 3), 'no PNG or JPEG')


@pytest.mark.parametrize('suffix', ['png', 'jpg'])
def test_truncated_image(call, tmp_path, suffix):
    for i in range(8): picture(tmp_path/'pics'/f'{i}.{suffix}', seed=i)
    victim = tmp_path/'pics'/f'5.{suffix}'
    victim.write_bytes(victim.read_bytes()[:-400])
    fails(call('train', tmp_path/'pics', '--steps', 3, '--batch_size', 4), f'5.{suffix}', 'damaged')


def test_text_that_is_called_png(call, tmp_path):
    picture(tmp_path/'pics'/'a.png'); (tmp_path/'pics'/'b.png').write_text('not a picture')
    fails(call('train', tmp_path/'pics', '--steps', 3, '--batch_size', 1), 'b.png', 'damaged')


def test_mixed_folder_is_converted_and_said_once(call, tmp_path):
    for i in range(12): picture(tmp_path/'pics'/f'{i}.png', size=(30 + i, 50), mode=['RGB', 'L', 'RGBA', 'P', '1', 'LA'][i % 6], seed=i)
    code, out, lines = call('train', tmp_path/'pics', '--steps', 2, '--batch_size', 4, '--device', 'cpu')
    assert code == 0 and '3×32×32' in out
    notes = [l for l in lines if ': note: ' in l]
    assert len(notes) == 1 and '6 grey and 6 colour' in notes[0] and '12 sizes' in notes[0]


def test_grey_folder_has_one_channel(call, tmp_path):
    for i in range(6): picture(tmp_path/'pics'/f'{i}.png', size=(28, 28), mode='L', seed=i)
    code, out, lines = call('train', tmp_path/'pics', '--steps', 2, '--batch_size', 4, '--device', 'cpu')
    assert code == 0 and '1×28×28' in out and len(lines) == 1 and '1 of 6 held out for gan_eval' in lines[0]


def test_data_is_a_file(call, tmp_path):
    picture(tmp_path/'one.png')
    fails(call('train', tmp_path/'one.png', '--steps', 3), 'is a file')


def test_existing_run_is_not_overwritten(call, run):
    before = files(run)
    fails(call('train', 'digits', '--steps', 4, '--out', run), '--resume', f'{run}-2')
    assert files(run) == before


def test_finished_run_needs_a_larger_total(call, run):
    before = files(run)
    fails(call('train', 'digits', '--out', run, '--resume'), 'finished', '--steps 8')
    fails(call('train', 'digits', '--out', run, '--resume', '--steps', 4), 'finished')
    assert files(run) == before
    assert call('train', '--out', run, '--resume', '--steps', 6)[0] == 0
    assert [r.split(',')[0] for r in (run/'history.csv').read_text().split()] == ['step', '4', '6']


def test_resume_on_nothing(call, tmp_path):
    fails(call('train', '--out', tmp_path/'none', '--resume'), 'nothing to resume')
    assert not (tmp_path/'none').exists()
    (tmp_path/'empty').mkdir()
    fails(call('train', '--out', tmp_path/'empty', '--resume'), 'nothing to resume')


def test_resume_with_other_settings(call, run):
    before = files(run)
    fails(call('train', '--out', run, '--resume', '--steps', 9, '--loss', 'hinge'), '--loss non_saturating')
    fails(call('train', 'mnist', '--out', run, '--resume', '--steps', 9), 'trained on digits')
    assert files(run) == before


def test_out_is_something_else(call, tmp_path):
    (tmp_path/'file').write_text('mine'); (tmp_path/'full').mkdir(); (tmp_path/'full'/'thesis.tex').write_text('mine')
    fails(call('train', '--steps', 3, '--out', tmp_path/'file'), 'is a file')
    fails(call('train', '--steps', 3, '--out', tmp_path/'full'), 'not empty')
    fails(call('train', '--steps', 3, '--out', tmp_path/'file'/'below'), 'cannot write')
    assert (tmp_path/'file').read_text() == (tmp_path/'full'/'thesis.tex').read_text() == 'mine'


def test_unwritable_folder(tmp_path):
    locked = tmp_path/'locked'; locked.mkdir(); locked.chmod(0o555)
    if os.access(locked, os.W_OK):   # root writes anywhere: a read-only folder of the system has the same effect
        locked = next((p for p in ('/proc', '/sys') if os.path.isdir(p)), None)
        if locked is None: pytest.fail('no folder here that refuses to be written')
    for argv in (['train', '--steps', '2', '--out', f'{locked}/run'],):
        r = subprocess.run([sys.executable, '-m', f'gan_course.{argv[0]}', *argv[1:]], capture_output=True, text=True, cwd=tmp_path)
        assert r.returncode not in (0, -9) and 'cannot write' in r.stderr and 'Traceback' not in r.stderr, r.stderr


@pytest.mark.parametrize('name', ['config.json', 'generator.safetensors'])
def test_missing_file(call, run, name):
    (run/name).unlink()
    fails(call('sample', run), 'config.json' if name == 'config.json' else f'{name} is missing')


def test_missing_checkpoint(call, run):
    (run/'state'/'checkpoint.safetensors').unlink()
    fails(call('train', '--out', run, '--resume', '--steps', 9), 'no checkpoint')
    assert call('sample', run)[0] == 0       # samples need no training state


@pytest.mark.parametrize('name', ['generator.safetensors', 'state/checkpoint.safetensors'])
@pytest.mark.parametrize('how', ['truncated', 'flipped', 'empty', 'text', 'other'])
def test_damaged_weights(call, run, name, how):
    whole = (run/name).read_bytes()
    from gan_course.core import save_tensors
    if how == 'other': save_tensors(run/name, {'w': torch.zeros(3)}, step=1, seconds=0, groups={}, data=None)
    else:
        flipped = whole[:-7] + bytes([whole[-7] ^ 16]) + whole[-6:]
        (run/name).write_bytes({'truncated': whole[:len(whole)//2], 'flipped': flipped, 'empty': b'', 'text': b'hello'}[how])
    damaged = files(run)
    command = ('sample', run) if name.startswith('gen') else ('train', '--out', run, '--resume', '--steps', 9)
    fails(call(*command), run.joinpath(name).name)
    assert files(run) == damaged


class Bomb:
    def __reduce__(self): return os.mkdir, ('it_ran',)


@pytest.mark.parametrize('name', ['generator.safetensors', 'state/checkpoint.safetensors'])
def test_pickle_is_not_run(call, run, tmp_path, name):
    torch.save(Bomb(), run/name)
    how = ('sample', run) if name.startswith('gen') else ('train', '--out', run, '--resume', '--steps', 9)
    fails(call(*how), 'pickles are never loaded')
    assert not (tmp_path/'it_ran').exists()
    (tmp_path/'same.pt').write_bytes((run/name).read_bytes())
    torch.load(tmp_path/'same.pt', weights_only=False)      # the trap is real: this is what would have happened
    assert (tmp_path/'it_ran').exists()


@pytest.mark.parametrize('text', ['{"networks": ', '[]', '{}',
                                  '{"networks": {"arch": "os.system", "shape": [1, 28, 28]}, "z_dim": 64, "trainer": {}}',
                                  '{"networks": {"arch": "dcgan"}, "z_dim": 64, "trainer": {}}',
                                  '{"networks": null, "z_dim": 64, "trainer": {}}',
                                  '{"format": 1, "networks": {"arch": "dcgan", "shape": [1, 28]}, "z_dim": 64, "trainer": {}}',
                                  '{"format": 1, "networks": {"arch": "dcgan", "shape": [1, 28, 28]}, "z_dim": "many", "trainer": {}}',
                                  '{"format": 7, "networks": {"arch": "dcgan", "shape": [1, 28, 28]}, "z_dim": 64, "trainer": {}}',
                                  '{"format": 1, "networks": {"arch": "dcgan", "shape": [1, 28, 28], "width": 16}, "z_dim": 64, '
                                  '"trainer": {}}',
                                  '{"networks": 3, "z_dim": 64, "trainer": {}}',
                                  '{"networks": {"arch": "dcgan", "shape": [1, 28, 28], "width": "wide"}, "z_dim": 64, "trainer": {}}'])
def test_damaged_config(call, run, text):
    (run/'config.json').write_text(text)
    fails(call('sample', run))
    fails(call('train', '--out', run, '--resume', '--steps', 9))


def test_damaged_history(call, run):
    (run/'history.csv').write_text('step,seconds\nhello')
    fails(call('train', '--out', run, '--resume', '--steps', 9), 'history.csv')


def test_sample_and_eval_arguments(call, run, tmp_path):
    for n in ('0', '-1', 'nan', '1e12', 'few'):
        fails(call('sample', run, '--n', n, '--out', tmp_path/'s.png'), '--n')
        fails(call('eval', run, '--n', n), '--n')
    fails(call('sample', tmp_path/'nothing'), 'no run folder')
    fails(call('eval', tmp_path/'nothing'), 'no run folder')
    fails(call('sample', tmp_path), 'no config.json')
    fails(call('sample', run, '--out', tmp_path/'s.jpeg2'), 'output suffix', '.png', '.npz')
    fails(call('sample', run, '--out', tmp_path/'s.txt'), 'output suffix')
    fails(call('sample', run, '--seed', '-4'), '--seed')
    fails(call('eval', run, '--data', 'digitz'), "Did you mean 'digits'")
    assert not (tmp_path/'s.png').exists()
    (tmp_path/'file').write_text('x')
    fails(call('sample', run, '--out', tmp_path/'file'/'s.png'), 'cannot write')


def test_eval_of_another_shape(call, run, tmp_path):
    for i in range(30): picture(tmp_path/'pics'/f'{i}.png', seed=i)
    fails(call('eval', run, '--data', tmp_path/'pics', '--n', 50), 'compare equal sizes and channels')


def test_no_network_and_no_data(tmp_path):
    nowhere = 'http://127.0.0.1:9'
    env = {**os.environ, 'GAN_COURSE_DATA': str(tmp_path/'none'), 'HOME': str(tmp_path), 'https_proxy': nowhere, 'http_proxy': nowhere}
    for name in ('mnist', 'fashion_mnist', 'cifar10'):
        r = subprocess.run([sys.executable, '-m', 'gan_course.train', name, '--steps', '2'],
                           capture_output=True, text=True, cwd=tmp_path, env=env)
        lines = [l for l in r.stderr.splitlines() if l.startswith('gan_train')]
        assert r.returncode == 1 and len(lines) == 1 and 'Traceback' not in r.stderr, r.stderr
        assert str(tmp_path/'none') in lines[0] and 'the download' in lines[0] and 'digits' in lines[0]
    assert not (tmp_path/'runs').exists()


def test_diverging_run_keeps_the_last_good_checkpoint(call, run):
    from gan_course.all import GANTrainer, Callback, Checkpoint, EMA, TrainingDiverged, UserError
    before = files(run)
    good, broken = torch.zeros(8, 1, 28, 28), torch.full((8, 1, 28, 28), float('nan'))
    def again(*cbs, seconds=0.):
        return GANTrainer.load(run, cbs=[EMA(.9), *cbs, Checkpoint(run, seconds=seconds)], device='cpu')
    with pytest.raises(UserError, match='the data has NaN'): again().fit([broken], steps=2)                # seen before the first step
    # By the guard
    with pytest.raises(TrainingDiverged, match='last good checkpoint'): again(seconds=1e9).fit([good, broken], steps=60)

    class Poison(Callback):
        def after_step(self, t): t.d_stats = t.d_stats._replace(loss=broken.mean())
    with pytest.raises(TrainingDiverged, match='last good checkpoint'): again(Poison()).fit([good], steps=2)     # when saving

    class Overflow(Callback):
        def after_step(self, t): next(t.G.parameters()).data.fill_(float('inf'))
    # Finite losses, broken weights
    with pytest.raises(TrainingDiverged, match='weights'): again(Overflow()).fit([good], steps=2)
    assert files(run) == before


def test_generator_without_its_state_is_not_overwritten(call, run):
    import shutil
    shutil.rmtree(run/'state')
    before = files(run)
    fails(call('train', 'digits', '--steps', 4, '--out', run), 'without its training state')
    assert files(run) == before


def test_killed_before_the_first_checkpoint_may_start_again(call, run):
    (run/'generator.safetensors').unlink(); (run/'state'/'checkpoint.safetensors').rename(run/'state'/'.checkpoint.safetensors.x.tmp')
    fails(call('train', '--out', run, '--resume'), 'no checkpoint', 'leave --resume away')
    assert call('train', 'digits', '--steps', 4, '--out', run, '--device', 'cpu')[0] == 0


def test_stray_picture_above_class_folders_is_said(call, tmp_path):
    for i in range(24): picture(tmp_path/'pics'/('cat' if i % 2 else 'dog')/f'{i}.png', size=(32, 32), seed=i)
    for i in range(4): picture(tmp_path/'pics'/f'stray{i}.png', size=(32, 32), seed=i)
    code, out, lines = call('train', tmp_path/'pics', '--steps', 2, '--batch_size', 2, '--device', 'cpu')
    assert code == 0 and '4 pictures at the top, beside classes' in lines[0]
