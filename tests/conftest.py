import warnings

import pytest
import torch

from gan_course.all import EMA, GANTrainer, dcgan


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    "Each test in a folder of its own."
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path):
    "A finished run folder of digits: what `gan_train digits --steps 4` leaves."
    from gan_course.train import main
    out = tmp_path/'runs'/'digits'
    assert main(['digits', '--steps', '4', '--out', str(out), '--device', 'cpu']) == 0
    return out


@pytest.fixture
def call(capsys):
    "Call a command in this process: `call('train', 'digits', …)` gives (exit code, stdout, message on stderr without progress bars)."
    import gan_course.evaluate, gan_course.sample, gan_course.train
    mains = {'train': gan_course.train.main, 'sample': gan_course.sample.main, 'eval': gan_course.evaluate.main}
    def f(name, *argv):
        capsys.readouterr()
        try: code = mains[name]([str(a) for a in argv])
        except SystemExit as e: code = e.code
        out, err = capsys.readouterr()
        lines = [l.split('\r')[-1] for l in err.splitlines()]
        return code, out, [l for l in lines if l.startswith('gan_')]
    return f
