"Sounds by the commands: folders of all formats, damage, suffixes, exact resume, mistakes in one line; and a machine that says numbers."
import json, shutil, signal

import numpy as np
import pytest
import soundfile
import torch

formats = [('wav', 8000, 'PCM_16'), ('wav', 44100, 'PCM_24'), ('wav', 16000, 'FLOAT'), ('flac', 22050, 'PCM_16')]
few = ('--steps', 4, '--batch_size', 8, '--device', 'cpu')


def hum(seconds=.4, hz=300., native=8000, channels=1):
    t = np.arange(int(seconds*native))/native
    x = .4*np.sin(2*np.pi*hz*t)*np.hanning(len(t))
    return np.stack([x]*channels, 1) if channels > 1 else x


@pytest.fixture
def folder(tmp_path):
    "Two classes of 24 sounds in several formats and rates."
    for k in ('yes', 'no'):
        (tmp_path/'mine'/k).mkdir(parents=True)
        for i in range(24):
            suffix, native, subtype = formats[i % 4]
            x = hum(hz=200 + 40*i + 20*(k == 'no'), native=native, channels=1 + i % 2)
            soundfile.write(tmp_path/'mine'/k/f'{i}.{suffix}', x, native, subtype)
    return tmp_path/'mine'


def test_a_folder_of_sounds_is_trained_sampled_and_scored(call, folder, tmp_path):
    code, out, lines = call('train', folder, '--out', 'run', *few)
    assert code == 0, lines
    assert len(lines) == 1 and 'converted to 8000 samples a second from 16000, 22050, 44100' in lines[0], lines
    record = json.loads((tmp_path/'run'/'config.json').read_text())
    assert record['data']['kind'] == 'sounds' and record['data']['classes'] == ['no', 'yes']
    assert {p.suffix for p in (tmp_path/'run'/'samples').iterdir()} == {'.png', '.wav'}
    for out, n in (('a.wav', 1), ('a.npz', 3), ('a.png', 3), ('many', 3)):
        assert call('sample', 'run', '--label', 'no', '--n', n, '--out', out)[0] == 0
    x, native = soundfile.read('a.wav')
    assert (len(x), native) == (8192, 8000)
    with np.load('a.npz') as f: assert (f['sounds'].shape, f['sounds'].dtype, int(f['rate'])) == ((3, 8192), np.int16, 8000)
    assert len([*(tmp_path/'many').glob('*.wav')]) == 3
    assert np.allclose(x*32767, np.load('a.npz')['sounds'][0], atol=1.5)         # the same seed, the same sound
    code, out, _ = call('eval', 'run', '--n', 20, '--json', '--device', 'cpu')
    result = json.loads(out)
    assert code == 0 and len(result['heard']) == 2 and set(result['stopped']) == {'silent', 'clipped', 'noise'}


def test_what_is_damaged_is_counted_once(call, folder):
    (folder/'no'/'damaged.wav').write_bytes(b'RIFF\x00\x00')
    (folder/'no'/'empty.wav').write_bytes(b'')
    soundfile.write(folder/'no'/'one.wav', [.5], 8000)
    soundfile.write(folder/'no'/'nan.wav', np.full(8000, np.nan, np.float32), 8000, 'FLOAT')
    soundfile.write(folder/'yes'/'silent.flac', np.zeros(8000), 8000)
    soundfile.write(folder/'yes'/'long.flac', np.tile(hum(1.), 3600), 8000)
    code, _, lines = call('train', folder, '--out', 'run', *few)
    assert code == 0 and len(lines) == 1, lines
    for words in ('5 files left out', 'damaged', 'silent', '1 longer than 0.99 s cut'): assert words in lines[0], lines


def test_a_folder_without_classes_and_one_without_sound(call, folder, tmp_path):
    flat = tmp_path/'flat'; flat.mkdir()
    for p in (folder/'yes').glob('*.wav'): shutil.copy(p, flat)
    code, _, lines = call('train', flat, '--out', 'run', *few)
    assert code == 0, lines
    assert not json.loads((tmp_path/'run'/'config.json').read_text())['networks']['classes']
    assert call('sample', 'run', '--out', 'x.wav')[0] == 0
    assert call('eval', 'run', '--n', 20, '--device', 'cpu')[0] == 0
    for p in flat.iterdir(): p.write_bytes(b'RIFF')
    code, _, lines = call('train', flat, '--out', 'other', *few)
    assert code == 1 and len(lines) == 1 and 'no usable sound' in lines[0]


@pytest.mark.parametrize('arch', ['specgan', 'wavegan'])
def test_it_resumes_exactly(call, tmp_path, monkeypatch, arch):
    import gan_course.train as train
    from gan_course.callbacks import Callback
    from gan_course.core import load_tensors
    def weights(run): return load_tensors(tmp_path/run/'state'/'checkpoint.safetensors')[0]
    game = ('tones', '--arch', arch, '--limit', 64, '--batch_size', 8, '--steps', 6, '--device', 'cpu')
    assert call('train', *game, '--out', 'whole')[0] == 0

    class Stopper(Callback):
        def after_step(self, t):
            if t.step == 3: signal.raise_signal(signal.SIGINT)
    plain = train._callbacks
    monkeypatch.setattr(train, '_callbacks', lambda *a, **k: [*plain(*a, **k), Stopper()])
    assert call('train', *game, '--out', 'parts')[0] == 130
    monkeypatch.setattr(train, '_callbacks', plain)
    assert call('train', '--out', 'parts', '--resume')[0] == 0
    one, other = weights('whole'), weights('parts')
    assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_words_in_voices(call, tmp_path):
    assert call('train', 'tones', '--limit', 300, '--out', 'run', *few)[0] == 0
    for label, n in (('7', 3), ('low', 10), ('7 low', 1), ('low 7', 1)):
        code, out, lines = call('sample', 'run', '--label', label, '--out', 'x.npz')
        assert code == 0 and out.startswith(f'{n} samples'), (label, out, lines)
        assert len(np.load('x.npz')['sounds']) == n
    code, out, lines = call('sample', 'run', '--label', 'eleven')
    assert code == 1 and len(lines) == 1
    assert "'.mp3'; known: .wav, .npz, .png." in call('sample', 'run', '--out', 'x.mp3')[2][0]


def test_options_of_pictures_are_refused(call):
    code, _, lines = call('train', 'tones', '--size', 32, *few)
    assert code == 1 and len(lines) == 1 and '--size' in lines[0]
    code, _, lines = call('train', 'tones', '--arch', 'dcgan', *few)
    assert code == 1 and len(lines) == 1 and 'specgan' in lines[0]


def test_saying_writes_nothing_when_it_cannot(tmp_path, capsys):
    from gan_course.say import main
    (tmp_path/'locked').mkdir(); (tmp_path/'locked').chmod(0o500)
    cases = [('4 2', '--out', 'locked/x.wav')] if not is_root() else []
    for argv in (*cases, ('4 2', '--out', 'file.wav/x.wav'), ('4 2', '--seed', '-1'), ('4 2', '--run', '.')):
        (tmp_path/'file.wav').write_bytes(b'')
        assert main([*argv]) == 1, argv
        assert capsys.readouterr().err.count('\n') == 1
    (tmp_path/'locked').chmod(0o700)
    assert not [*(tmp_path/'locked').iterdir()] and not (tmp_path/'out.wav').exists()


def test_a_generator_that_cannot_say_it(call, folder, tmp_path, capsys):
    from gan_course.say import main
    assert call('train', folder, '--out', 'run', *few)[0] == 0                  # yes and no are no digits
    assert call('train', 'tones', '--limit', 300, '--unconditional', '--out', 'untold', *few)[0] == 0
    assert call('train', 'digits', '--out', 'pictures', *few)[0] == 0
    for run, part in (('run', "unknown class '7'"), ('untold', 'not trained with labels'), ('pictures', 'makes no sounds')):
        capsys.readouterr()
        assert main(['7', '--run', run]) == 1
        err = capsys.readouterr().err
        assert err.count('\n') == 1 and part in err, err
    assert main(['7', '--run', 'run', '--speaker', 'theo']) == 1 and 'speaker' in capsys.readouterr().err
    assert not (tmp_path/'out.wav').exists()


def test_silence_is_refused():
    from gan_course.speech import joined
    with pytest.raises(Exception, match='silent'): joined([torch.zeros(8192)], [.1])


def is_root():
    import os
    return os.name == 'posix' and os.geteuid() == 0


def test_the_vocoder_in_the_package_is_small_and_near_and_repeats():
    from pathlib import Path
    import gan_course
    from gan_course.all import gates, log_mel, mel_error, packaged_vocoder, sound_data
    folder = Path(gan_course.__file__).parent/'generators'/'spoken_digits'
    assert sum(f.stat().st_size for f in folder.iterdir()) < 3e6
    real = sound_data('tones', split='test', device='cpu').sounds[:20]      # no voices, but harmonic
    with torch.no_grad(): made, again = [packaged_vocoder()(log_mel(real)) for _ in range(2)]
    assert made.shape == real.shape and torch.equal(made, again) and made.abs().max() < 1.5
    assert mel_error(made, real) < 4 and not any(g.any() for g in gates(made).values())


def test_a_vocoder_that_is_stopped_goes_on_as_if_nothing_had_been(tmp_path):
    "What benchmarks/vocoder.py keeps is all that counts."
    from gan_course.all import Listeners, set_seed, sound_data, Vocoder, VocoderTrainer
    sounds = sound_data('tones', device='cpu').sounds[:30]
    def new():
        set_seed(0)
        return VocoderTrainer(Vocoder(width=16, depth=1), Listeners(periods=(2,), scales=(2,), width=4), steps=8, alone=2)
    whole, part, later = new(), new(), new()
    for _ in range(8): whole.step(sounds)
    for _ in range(5): part.step(sounds)
    for net in 'VD': getattr(later, net).load_state_dict(getattr(part, net).state_dict())
    for mine, theirs in zip(later.opts, part.opts): mine.load_state_dict(theirs.state_dict())
    later.rng.set_state(part.rng.get_state()); later.done = part.done
    for _ in range(3): later.step(sounds)
    for a, b in zip(whole.V.parameters(), later.V.parameters()): assert torch.equal(a, b)
