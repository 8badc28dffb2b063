"Situations that users of such tools reported, each with what is right. What belongs to folders, scores or kinds alone has its own file."
import os, pwd, re, shutil, signal, subprocess, sys, threading, time, warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gan_course.all import *

fixtures = Path(__file__).resolve().parent/'fixtures'


def pictures(folder, n=12, size=32, mode='RGB', first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + n):
        pixels = np.random.default_rng(i).integers(0, 255, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder/f'{i:03d}.png')


def shell(*argv, **kw):
    "A command in a process of its own; progress bars are left out of stderr."
    r = subprocess.run([sys.executable, '-m', *map(str, argv)], capture_output=True, text=True, errors='replace', **kw)
    r.notes = [l for part in r.stderr.splitlines() for l in part.split('\r') if l.strip() and not re.search(r'\d+%\||steps?/s', l)]
    return r


# ------------------------------------------------------------------ 1. runs from before

def test_a_run_of_version_0_1_still_loads(call, tmp_path):
    run = tmp_path/'old'
    shutil.copytree(fixtures/'run_0.1.0', run)
    assert call('sample', run, '--n', 20, '--out', 's.npz', '--device', 'cpu')[0] == 0
    was, now = [np.load(p)['images'].astype(int) for p in (fixtures/'run_0.1.0_samples.npz', 's.npz')]
    assert abs(was - now).max() <= 1                                    # another machine rounds differently
    code, out, lines = call('train', '--resume', '--out', run, '--steps', 9, '--device', 'cpu')
    assert code == 0 and 'from step 6 to step 9' in out, (out, lines)
    assert load_json(run/'config.json')['recipe'] == 'dcgan'
    assert call('train', '--resume', '--out', run, '--steps', 12, '--augment', 'all')[0] == 1
    assert call('train', '--resume', '--out', run, '--steps', 12, '--limit', 20)[0] == 1


# ------------------------------------------------------------------ 2. what is read again is compared

def test_classes_that_change(call, tmp_path):
    for name in ('cat', 'dog'): pictures(tmp_path/'q'/name)
    assert call('train', 'q', '--conditional', '--steps', 2, '--out', 'r', '--device', 'cpu')[0] == 0
    (tmp_path/'q'/'cat').rename(tmp_path/'q'/'zebra')
    for argv in (('train', '--out', 'r', '--resume', '--steps', 9), ('eval', 'r', '--n', 20)):
        code, _, lines = call(*argv)
        assert code == 1 and lines[-1].endswith('then cat, dog; now dog, zebra. Restore them, or train a new run'), lines
    (tmp_path/'q'/'zebra').rename(tmp_path/'q'/'cat')
    assert call('train', '--out', 'r', '--resume', '--steps', 4, '--device', 'cpu')[0] == 0


def test_pictures_that_are_added_leave_the_split_alone(call, tmp_path):
    pictures(tmp_path/'p', 30, mode='L')
    assert call('train', 'p', '--steps', 2, '--out', 'r', '--device', 'cpu')[0] == 0
    held = {p.numpy().tobytes() for p in image_data('p', 1, split='test', device='cpu').images}
    pictures(tmp_path/'p', 30, mode='L', first=30)
    code, _, lines = call('train', '--out', 'r', '--resume', '--steps', 4, '--device', 'cpu')
    assert code == 0 and any('the data has changed' in l for l in lines), lines
    record = load_json('r/config.json')['data']
    train = image_data('p', 1, device='cpu', held=record['exceptions'])
    assert not held & {p.numpy().tobytes() for p in train.images} and record['n'] == len(train.images)
    pictures(tmp_path/'p', 1, mode='RGB', first=99)
    code, _, lines = call('train', '--out', 'r', '--resume', '--steps', 6, '--device', 'cpu')
    assert code == 1 and 'then 1×32×32, now 3×32×32' in lines[-1]


def test_memorisation_is_measured_against_what_the_run_saw(call, tmp_path):
    assert call('train', 'digits', '--limit', 30, '--steps', 2, '--out', 'r', '--device', 'cpu')[0] == 0
    code, out, _ = call('eval', 'r', '--n', 40, '--json', '--device', 'cpu')
    import json
    assert code == 0 and json.loads(out)['protocol']['memorisation_against'] == 30


# ------------------------------------------------------------------ 3. what is clearly meant is taken, what is suspicious is said

def mlp(ni, no): return nn.Sequential(nn.Linear(ni, 16), nn.LeakyReLU(.2), nn.Linear(16, no))


def fit(G, D, data, steps=2, **kw):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        t = GANTrainer(G, D, device='cpu', **kw).fit(data, steps=steps)
    return t, ' '.join(str(w.message) for w in said)


X = torch.randn(32, 2)
P = torch.rand(8, 1, 28, 28)*2 - 1


@pytest.mark.parametrize('batch', [X, [X], (X, torch.zeros(32)), {'x': X}, {'points': X, 'label': torch.arange(32)},
                                   X.numpy(), X.double(), X.half(), X.bfloat16()], ids=range(9))
def test_batches_that_are_clearly_meant(batch):
    assert fit(mlp(3, 2), mlp(2, 1), [batch], z_dim=3)[0].step == 2


@pytest.mark.parametrize('data, say', [(X, 'one tensor'), (X.numpy(), 'one tensor'),
                                       (torch.utils.data.TensorDataset(X), 'DataLoader'), ([X[:0]], 'empty batch'),
                                       ([(255*X).byte()], '127.5'), ([X[:, :1]], 'shape of the data'), (['a']*3, 'a str'),
                                       ([X, X[:0]], 'empty batch'), ([{'a': X, 'b': X}], "'a': 32×2"),
                                       ([X/0], 'NaN or infinite'), (7, 'iterated'), ([()], 'empty')])
def test_data_that_cannot_be_meant(data, say):
    with pytest.raises(UserError, match=re.escape(say)) as e: fit(mlp(3, 2), mlp(2, 1), data, z_dim=3, steps=3)
    assert '\n' not in str(e.value)


class Pair(nn.Module):
    def __init__(self): super().__init__(); self.n = mlp(3, 2)
    def forward(self, z): return self.n(z), z


@pytest.mark.parametrize('G, D, say', [(Pair(), mlp(2, 1), 'a tuple of 32×2'), (mlp(3, 2), mlp(2, 5), '32×5'),
                                       (mlp(3, 2), mlp(3, 1), 'D cannot take'), (mlp(4, 2), mlp(2, 1), 'G cannot take'),
                                       (mlp(3, 2).double(), mlp(2, 1), 'D cannot take')])
def test_networks_that_do_not_fit(G, D, say):
    with pytest.raises(UserError, match=re.escape(say)): fit(G, D, [X], z_dim=3)


def test_images_of_another_size_or_range():
    with pytest.raises(UserError, match='shape of the data'): fit(*dcgan((1, 28, 28)), [torch.rand(8, 1, 32, 32)*2 - 1])
    assert 'scale the data' in fit(*dcgan((1, 28, 28)), [(P + 1)*127.5])[1]
    assert 'from 0 to 1' in fit(*dcgan((1, 28, 28)), [(P + 1)/2])[1]
    assert 'sigmoid' in fit(mlp(3, 2), nn.Sequential(mlp(2, 1), nn.Sigmoid()), [X], z_dim=3)[1]
    assert fit(*dcgan((1, 28, 28)), [P])[1] == ''


@pytest.mark.parametrize('labels, say', [(torch.full((8,), 7), 'run from 7 to 7'), (torch.full((8,), -1), 'run from -1'),
                                         (torch.arange(4), 'for 8 samples'), (torch.rand(8), 'not whole'), (None, 'with labels')])
def test_labels_that_cannot_be_meant(labels, say):
    with pytest.raises(UserError, match=re.escape(say)): fit(*dcgan((1, 28, 28), classes=3), [P if labels is None else (P, labels)])


def test_labels_in_other_forms():
    y = torch.arange(8) % 3
    one_hot = nn.functional.one_hot(y)
    for labels in (y, y.int(), y.float(), y[:, None], one_hot, one_hot.float()): fit(*dcgan((1, 28, 28), classes=3), [(P, labels)])


def test_later_batches_are_named_when_they_are_bad():
    bad = torch.full((32, 2), float('nan'))
    with pytest.raises(TrainingDiverged, match='the data has NaN.*batch 3'): fit(mlp(3, 2), mlp(2, 1), [X, X, bad], z_dim=3, steps=60)


# ------------------------------------------------------------------ 4. the outside is not friendly

def test_tilde_is_the_home_folder(call, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path/'home')); (tmp_path/'home').mkdir()
    assert call('train', 'digits', '--steps', 2, '--out', '~/runs/a', '--device', 'cpu')[0] == 0
    assert call('sample', '~/runs/a', '--n', 4, '--out', '~/s.png')[0] == 0
    t = fit(mlp(3, 2), mlp(2, 1), [X], z_dim=3, cbs=[Checkpoint('~/c')])[0]
    t.save('~/mine'); load_generator('~/mine', mlp(3, 2))
    assert {p.name for p in (tmp_path/'home').iterdir()} >= {'runs', 's.png', 'c', 'mine'} and not Path('~').exists()


def test_a_second_process_is_kept_out(call, run, tmp_path):
    code = f'from gan_course.core import FolderLock; lock = FolderLock({str(run)!r}).acquire(); print("held", flush=True); input()'
    hold = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert hold.stdout.readline() == 'held\n'
    before = {p: p.read_bytes() for p in run.rglob('*') if p.is_file()}
    for argv in (['digits', '--steps', 3], ['--resume', '--steps', 9]):
        code, _, lines = call('train', *argv, '--out', run)
        assert code == 1 and f'in use by process {hold.pid}' in lines[-1], lines
    assert {p: p.read_bytes() for p in run.rglob('*') if p.is_file()} == before
    assert call('sample', run)[0] == 0                                                # reading does no harm
    hold.kill(); hold.wait()                                                          # a killed process leaves its file, but not its lock
    assert (run/'.lock').read_text() == str(hold.pid)
    assert call('train', '--resume', '--steps', 6, '--out', run, '--device', 'cpu')[0] == 0
    assert not (run/'.lock').exists()


def with_bars(): return {k: v for k, v in os.environ.items() if k != 'TQDM_DISABLE'}

def wait_for_steps(process):
    "Read its progress bar until there are steps in it; a process that has ended has no more to say."
    said = b''
    while b'step ' not in said:
        more = os.read(process.stderr.fileno(), 256)
        assert more, said.decode(errors='replace')
        said += more


def test_a_pause_is_no_training(tmp_path):
    p = subprocess.Popen([sys.executable, '-m', 'gan_course.train', 'digits', '--minutes', '.1',
                          '--out', 'r', '--device', 'cpu', '--batch_size', '16'], stderr=subprocess.PIPE, env=with_bars())
    wait_for_steps(p)
    p.send_signal(signal.SIGSTOP); time.sleep(7); p.send_signal(signal.SIGCONT)       # longer than the whole run
    before = time.time()
    p.communicate(timeout=60)
    assert p.returncode == 0 and time.time() - before > 3                             # it had most of its six seconds still to go
    assert float(Path('r/history.csv').read_text().splitlines()[-1].split(',')[1]) < 8


@pytest.mark.parametrize('number', [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_is_saved(tmp_path, number):
    p = subprocess.Popen([sys.executable, '-m', 'gan_course.train', 'digits', '--steps', '100000', '--out', 'r', '--device', 'cpu'],
                         stderr=subprocess.PIPE, env=with_bars())
    wait_for_steps(p)
    p.send_signal(number)
    assert b'and saved' in p.communicate(timeout=60)[1] and p.returncode == 128 + number
    assert load_tensors('r/state/checkpoint.safetensors')[1]['step'] > 0


def test_main_in_a_thread(tmp_path):
    from gan_course.train import main
    codes = []
    t = threading.Thread(target=lambda: codes.append(main(['digits', '--steps', '2', '--out', 'r', '--device', 'cpu'])))
    t.start(); t.join()
    assert codes == [0]


@pytest.mark.parametrize('change', [dict(PYTHONWARNINGS='error'), dict(PYTHONIOENCODING='ascii'),
                                    dict(LC_ALL='C', PYTHONUTF8='0', PYTHONCOERCECLOCALE='0'), dict(HOME=None), dict(HOME='/nowhere')],
                         ids=['warnings', 'ascii', 'C', 'no home', 'missing home'])
def test_odd_surroundings(tmp_path, change):
    pictures(tmp_path/'naïve ☃')
    env = {k: v for k, v in {**os.environ, **change}.items() if v is not None}
    r = shell('gan_course.train', 'naïve ☃', '--steps', 2, '--out', 'r', '--device', 'cpu', env=env)
    assert r.returncode == 0 and all('note: ' in l for l in r.notes if l.startswith('gan_')) and 'Traceback' not in r.stderr, r.stderr
    r = shell('gan_course.evaluate', 'r', '--n', 20, '--device', 'cpu', env=env)
    assert r.returncode == 0 and 'Traceback' not in r.stderr, r.stderr


def test_suggested_commands_can_be_pasted(tmp_path):
    pictures(tmp_path/'my pics')
    r = shell('gan_course.train', 'my pics', '--steps', 2, '--device', 'cpu')
    bin = str(Path(sys.executable).parent)
    for suggested in re.findall(r'(gan_\w+ .*)', r.stdout.split('try next')[1]):
        suggested = suggested if 'gan_sample' in suggested else suggested + ' --device cpu'
        line = suggested + (' --n 20' if 'gan_eval' in suggested else '')
        env = {**os.environ, 'PATH': bin + ':' + os.environ['PATH']}
        done = subprocess.run(line, shell=True, capture_output=True, text=True, env=env)
        assert done.returncode == 0, (suggested, done.stderr)
    assert (Path('more.png').exists() and 'step 4' in Path('runs/my pics/history.csv').read_text()
            or load_tensors('runs/my pics/state/checkpoint.safetensors')[1]['step'] == 4)


def test_samples_never_become_training_data(call, tmp_path, monkeypatch):
    pictures(tmp_path/'pics')
    monkeypatch.chdir(tmp_path/'pics')
    assert call('train', '.', '--steps', 2, '--device', 'cpu')[0] == 0
    for out in ('samples.png', 'single'): assert call('sample', 'runs/pics', '--n', 4, '--out', out)[0] == 0
    code, out, lines = call('train', '.', '--out', '../again', '--steps', 2, '--device', 'cpu')
    assert code == 0 and load_json('../again/config.json')['data']['n'] == load_json('runs/pics/config.json')['data']['n'], lines
    assert any('made by gan_course' in l for l in lines)


def test_small_ones(call, tmp_path):
    (tmp_path/'d').mkdir(); os.chdir(tmp_path/'d')
    assert call('train', 'digits', '--steps', 2, '--out', '.', '--device', 'cpu')[0] == 0
    code, _, lines = call('train', 'digits', '--steps', 2, '--out', '.')
    assert code == 1 and 'd-2' in lines[-1]
    with pytest.raises(UserError, match='no option batch_size'): GANTrainer.load('.', batch_size=5)
    code, _, lines = call('train', '--resume', '--out', '.', '--steps', 4, '--lr', '.001', '--device', 'cpu')
    assert code == 0 and any('the learning rate was' in l for l in lines)
    for name in ('train', 'sample', 'eval'): assert 'gan_course 0' in call(name, '--version')[1]


# ------------------------------------------------------------------ 5. state is more than floating parameters of 4-D images

@pytest.mark.parametrize('conv, shape', [(nn.Conv1d, (1, 16)), (nn.Conv2d, (1, 8, 8)), (nn.Conv3d, (1, 4, 4, 4))])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_networks_of_any_dimension(conv, shape, dtype, tmp_path):
    def nets():
        n = int(np.prod(shape))
        G = nn.Sequential(nn.Linear(3, n), nn.Unflatten(1, shape), conv(1, 1, 3, padding=1))
        return G.to(dtype), nn.Sequential(conv(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2*n, 1)).to(dtype)
    t = GANTrainer(*nets(), z_dim=3, device='cpu', penalty='r1', cbs=[EMA(.9)]).fit([torch.randn(8, *shape)], steps=3)
    t.save('r'); again = GANTrainer.load('r', *nets(), device='cpu')
    assert torch.equal(again.sample(5), t.sample(5)) and t.sample(5).dtype == dtype
    assert torch.equal(sample_from(load_generator('r', nets()[0], 'cpu')[0], 3, 5), t.sample(5))


def test_a_callback_that_fails_costs_nothing_else(tmp_path):
    class Fails(Callback):
        def after_fit(self, t): raise RuntimeError('full')
    with pytest.raises(RuntimeError, match='full'): fit(mlp(3, 2), mlp(2, 1), [X], z_dim=3, cbs=[Fails(), Checkpoint('r')])
    with pytest.raises(UserError, match='SampleGrid draws images'):
        fit(mlp(3, 2), mlp(2, 1), [X], z_dim=3, cbs=[SampleGrid(), Checkpoint('s')], steps=20)
    for run in 'rs': assert load_tensors(f'{run}/state/checkpoint.safetensors')[1]['step'] > 0
    with pytest.raises(UserError, match='holds another run'): fit(mlp(3, 2), mlp(2, 1), [X], z_dim=3, cbs=[Checkpoint('r')])


def test_from_another_run(call, run, tmp_path):
    assert call('train', '--from', run, '--steps', 3, '--out', 'new', '--device', 'cpu')[0] == 0
    assert load_json('new/config.json')['from'] == str(run)
    code, _, lines = call('train', '--from', run, '--size', 64, '--steps', 3, '--out', 'other', '--device', 'cpu')
    assert code == 1 and 'has other networks: shape [1, 28, 28] there and [1, 64, 64] here' in lines[-1] and not Path('other').exists()
    code, _, lines = call('train', '--from', run, '--conditional', '--steps', 3, '--out', 'other')
    assert code == 1 and 'classes 0 there and 10 here' in lines[-1]


def test_tensorboard(tmp_path):
    pytest.importorskip('tensorboard')
    fit(*dcgan((1, 28, 28), width=4, d_width=4), [P], steps=4, cbs=[History(2), SampleGrid(), TensorBoard('tb')])
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    seen = EventAccumulator('tb').Reload().Tags()
    assert {'d_loss', 'g_loss'} <= set(seen['scalars']) and seen['images'] == ['samples']


def test_a_busy_machine_is_shared(call, monkeypatch):
    import gan_course.train
    assert 0 <= gan_course.train._busy_cores(.1) <= os.cpu_count()
    before = torch.get_num_threads()
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr(os, 'cpu_count', lambda: 4); monkeypatch.setattr(gan_course.train, '_busy_cores', lambda: 2.9)
    try:
        torch.set_num_threads(2)
        code, _, lines = call('train', 'digits', '--minutes', '.01', '--out', 'a', '--device', 'cpu')
        assert code == 0 and torch.get_num_threads() == 1 and any('1 of 2 threads' in l for l in lines), lines
        torch.set_num_threads(2)
        assert call('train', 'digits', '--steps', 2, '--out', 'b', '--device', 'cpu')[0] == 0
        assert torch.get_num_threads() == 2                       # a run that can be repeated does not depend on the neighbours
    finally: torch.set_num_threads(before)
