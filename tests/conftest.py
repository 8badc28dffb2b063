import re

import pytest


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    "Each test in a folder of its own."
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path):
    "A finished run folder of digits: what `gan_train digits --unconditional --steps 4` leaves."
    from gan_course.train import main
    out = tmp_path/'runs'/'digits'
    assert main(['digits', '--unconditional', '--steps', '4', '--out', str(out), '--device', 'cpu']) == 0
    return out


@pytest.fixture
def call(capsys):
    "Call a command in this process: `call('train', 'digits', …)` gives (exit code, stdout, lines on stderr that are no progress bar)."
    import gan_course.evaluate, gan_course.sample, gan_course.train
    mains = {'train': gan_course.train.main, 'sample': gan_course.sample.main, 'eval': gan_course.evaluate.main}
    def f(name, *argv):
        capsys.readouterr()
        try: code = mains[name]([str(a) for a in argv])
        except SystemExit as e: code = e.code
        out, err = capsys.readouterr()
        bar = re.compile(r'\d+%\||it/s|step/s|s/it')       # progress; everything else that was said counts
        return code, out, [l for part in err.splitlines() for l in part.split('\r') if l.strip() and not bar.search(l)]
    return f


def pytest_terminal_summary(terminalreporter):
    "A line for each reason why tests were skipped: a check that silently does not happen would look like one that passes."
    reasons = [str(r.longrepr[2]) for r in terminalreporter.stats.get('skipped', []) if isinstance(r.longrepr, tuple)]
    for reason in sorted(set(reasons)): terminalreporter.write_line(f'{reasons.count(reason)} skipped: {reason}')
