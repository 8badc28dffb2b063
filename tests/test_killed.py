"A run that is killed, at any moment and without warning, can be resumed; a polite stop is saved at once."
import os, signal, subprocess, sys, time

import pytest
import torch

from gan_course.core import load_tensors
from gan_course.runs import load_generator
import gan_course.networks

# Checkpoints every few hundredths of a second, so that a kill often falls into the middle of writing one
slow = ('import gan_course.train as t, gan_course.callbacks as c, sys; '
        't.Checkpoint = lambda out, **kw: c.Checkpoint(out, seconds=.02, **kw); sys.exit(t.main(sys.argv[1:]))')


def start(*argv): return subprocess.Popen([sys.executable, '-c', slow, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for_step(out, process, step, seconds=90):
    "Wait until a checkpoint of more than `step` steps is there."
    end, path = time.time() + seconds, out/'state'/'checkpoint.safetensors'
    while not (path.exists() and load_tensors(path)[1]['step'] > step):
        assert process.poll() is None and time.time() < end, process.stderr.read() if process.poll() is not None else 'too slow'
        time.sleep(.02)


def test_killed_and_resumed(tmp_path):
    out = tmp_path/'run'
    steps = 0
    for attempt in range(3):
        p = start('digits', '--out', str(out), '--device', 'cpu', *(['--resume'] if attempt else ['--steps', '100000']))
        wait_for_step(out, p, steps + 5)
        time.sleep([.31, .47, .73][attempt])
        p.send_signal(signal.SIGKILL); p.wait()
        assert p.returncode == -signal.SIGKILL
        tensors, meta = load_tensors(out/'state'/'checkpoint.safetensors')       # whole: its checksum fits
        load_generator(out, device='cpu')
        assert meta['step'] > steps + 5                                          # the resumed process did train
        steps = meta['step']
    from gan_course.train import main
    assert main(['--out', str(out), '--resume', '--steps', str(steps + 5), '--device', 'cpu']) == 0
    rows = [int(r.split(',')[0]) for r in (out/'history.csv').read_text().split()[1:]]
    assert rows == sorted(set(rows)) and rows[-1] == steps + 5                   # no step twice, none from after the checkpoint


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_polite_stop_is_saved(tmp_path, number):
    out = tmp_path/'run'
    p = start('digits', '--out', str(out), '--steps', '100000', '--device', 'cpu')
    wait_for_step(out, p, 0)
    p.send_signal(number)
    _, err = p.communicate(timeout=60)
    assert p.returncode == 128 + number
    assert 'and saved' in err and '--resume' in err and 'Traceback' not in err
    assert load_tensors(out/'state'/'checkpoint.safetensors')[1]['step'] > 0
