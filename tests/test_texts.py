"Text files as people have them, in any script; damage in one clear line; equal lines on one side; checked downloads."
import hashlib, io, unicodedata, urllib.error, warnings
from collections import Counter

import pytest
import torch

from gan_course.core import UserError
from gan_course.texts import TextBatches, characters, named_texts, read_lines, text_data

names = [f'{a}{b}' for a in ('mira', 'tolo', 'be', 'shan', 'ilu') for b in ('n', 'ra', 'lo', 'ki', 'sha', 'do', 'ven', 'ta')]
sentences = [f'a {a} {b} near the {c}' for a in ('small', 'red') for b in ('dog', 'train', 'cat', 'bus', 'girl')
             for c in ('sea', 'tree', 'house')]
family, scot, thumb = '👩‍👩‍👧‍👦', '\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F', '👍🏿'


@pytest.fixture
def put(tmp_path):
    "Write a file, given as bytes, as text or as lines."
    def f(content, name='mine.txt'):
        if isinstance(content, list): content = '\n'.join(content) + '\n'
        (tmp_path/name).write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path/name
    return f


def load(*args, **options):
    "What `text_data` gives, and what it said."
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        data = text_data(*args, **{'batch_size': 2, 'device': 'cpu', **options})
    assert len(said) == bool(data.notes)
    return data, ' '.join(str(w.message) for w in said)


def both(path, **options): return [load(path, split=s, **options)[0] for s in ('train', 'test')]


def held_out(line): return hashlib.sha1(line.encode()).digest()[0] < 26


def said_by(path):
    with pytest.raises(UserError) as e: read_lines(path)
    assert len(str(e.value).splitlines()) == 1
    return str(e.value)


@pytest.mark.parametrize('breaks', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('mark', ['', '\ufeff'])
@pytest.mark.parametrize('end', [0, 1, 4])
def test_one_text_in_many_files(put, breaks, mark, end):
    assert read_lines(put(mark + breaks.join(names) + end*breaks)) == (names, [])


def test_blanks_accents_and_control_characters(put):
    lines, notes = read_lines(put(['', ' zoe\u0308\t ', 'a\u00a0\u3000 b', ' \t', 'x\x07\x1b[0m\x85', *names]))
    assert lines == ['zoë', 'a b', 'x[0m', *names]
    assert notes == ['2 empty lines left out', '3 control characters removed']
    assert not read_lines(put(['a\tb', *names, '', '']))[1]


def test_joined_files_have_their_marks_removed(put):
    assert read_lines(put('\ufeff' + '\n'.join(names) + '\n\ufeffanna\n'))[0][-1] == 'anna'


@pytest.mark.parametrize('content, words', [
    (b'', 'is empty'), (b'\xef\xbb\xbf', 'only blank lines'), (b'\n \n\t\r\n', 'only blank lines'), (b'\x07\n', 'only blank lines'),
    (b'anna\n', 'needs at least 20 lines, found 1'), (b'a\nb\nc', 'needs at least 20 lines, found 3'),
    (b'\x89PNG\r\n\x1a\n\0\0\0', 'no text file: byte 9 is NUL'), (b'abc\n'*20 + b'\0', 'byte 81 is NUL'),
    ('José\n'.encode('latin-1')*30, 'byte 4 is 0xE9; save it as UTF-8'), ('\ufeffJosé'.encode()[:-1], 'not UTF-8: byte 7 is 0xC3'),
    ('\n'.join(names).encode('utf-16'), 'is UTF-16: save it as UTF-8'), (b'\xfe\xff' + 'ab'.encode('utf-16-be'), 'is UTF-16'),
    ('\n'.join(names).encode('utf-32'), 'is UTF-32'), ('\n'.join(names).encode('utf-16-le'), 'is NUL')])
def test_what_is_no_list_of_lines(put, content, words): assert words in said_by(put(content))


def test_one_line_of_10_mb(put):
    said = said_by(put('ab c '*(2*1024*1024)))
    assert 'one item a line: found a single line of 10,485,759 characters; split it' in said     # the last blank does not count
    long = next(w for i in range(1000) if not held_out(w := 'x'*(10*1024*1024) + str(i)))
    data, said = load(put([long, *names]))
    assert data.shape[0] <= max(map(len, names)) and 'x' not in data.vocabulary
    assert '1 line longer than 64 characters left out' in said


def test_what_is_too_large(tmp_path):
    with open(tmp_path/'large.txt', 'wb') as f: f.truncate(2*10**8)
    assert 'larger than 100 MB' in said_by(tmp_path/'large.txt')


def test_no_such_file(tmp_path, put):
    assert 'a folder' in said_by(tmp_path)
    for path in (tmp_path/'none.txt', 'none.txt', 'a\nb.txt', 'n'*5000, tmp_path/'mine.txt'/'x'): assert 'no file' in said_by(path)
    for name, words in (('nmes', "Did you mean 'names'"), ('none.txt', 'no file'), (tmp_path, 'a folder'), (tmp_path/'nmes', 'no file')):
        with pytest.raises(UserError, match=words): text_data(name)


def test_a_file_that_may_not_be_read(put, monkeypatch):
    def closed(*_): raise PermissionError(13, 'Permission denied')        # chmod would not keep out the superuser
    monkeypatch.setattr('gan_course.texts.open', closed, raising=False)
    assert 'cannot read' in (said := said_by(put(names))) and 'Permission denied' in said


def test_emoji_stay_whole(put):
    lines = [*names, f'{family}{thumb}', f'x{scot}', '❤️‍🔥', '🇫🇷🇯🇵', '1️⃣']
    assert characters(''.join(lines[-5:])) == [family, thumb, 'x', scot, '❤️‍🔥', '🇫🇷', '🇯🇵', '1️⃣']
    data = load(put([l for l in lines if not held_out(l)]*3))[0]
    assert {family, thumb} <= set(data.vocabulary) and '\u200d' not in data.vocabulary
    everything = TextBatches([[0]*9]*2, ['', *sorted(set(characters(''.join(lines))))], batch_size=2, device='cpu')
    assert everything.lines(everything.encode(lines)) == lines
    assert (everything.encode([family*9]) > 0).all()            # nine characters of seven code points have room


@pytest.mark.parametrize('lines', [
    ['مُحَمَّد', 'فاطمة', 'علي', 'لیلا می‌رود', 'زينب'], ['שָׁלוֹם', 'רחל', 'דָּוִד', 'שרה', 'משה'],
    ['हिन्दी', 'नमस्ते', 'क्षेत्र', 'माला', 'गीता'], ['สวัสดี', 'น้ำ', 'กิน', 'ไป', 'มา'],
    ['한국어', '서울', '부산', '바다', '하늘'], ['猫が好き', '犬', '鳥', '魚', '𠮷野']])
def test_any_script_goes_there_and_back(put, lines):
    lines = [unicodedata.normalize('NFC', a + b + c) for a in lines for b in lines for c in lines]
    train, test = both(put(lines), batch_size=1)
    assert train.unit == 'characters'
    assert train.lines(train.samples) == [l for l in lines if not held_out(l)]
    assert torch.equal(train.encode(train.lines(train.samples)), train.samples)
    assert test.lines(test.samples) == [l for l in lines if held_out(l) and len(characters(l)) <= train.shape[0]]


def test_equal_lines_are_on_one_side(put):
    train, test = both(put(names*5))
    left, right = [Counter(o.lines(o.samples)) for o in (train, test)]
    assert not left.keys() & right.keys() and set(left + right) == set(names) and right
    assert set((left + right).values()) == {5}
    more = load(put(names + [n + 'x' for n in names]))[0]       # what else is in the file moves no line
    assert set(left) <= set(more.lines(more.samples))


def test_none_held_out(put):
    train, test = both(put(['anna']*30))
    assert torch.equal(train.samples, test.samples)
    for o in (train, test): assert 'none held out: both splits are the same' in o.notes and '1 line occurs more than once' in o.notes


def test_notes(put):
    data, said = load(put([*names, *names[:3], '', 'x'*70, 'y'*64]))
    assert '1 empty line left out' in said and 'held out for gan_eval' in said
    assert 'characters, not words: most lines have fewer than 4 words' in said
    assert data.notes == [n for n in said.split(': ', 1)[1].split('; ')]
    data, said = load(put(sentences))
    assert data.unit == 'words' and 'words, not characters: most lines have at least 4 words' in said
    assert data.vocabulary[:2] == ['', 'a'] and data.shape == (6,) and set(data.lines(data.samples)) < set(sentences)
    assert 'words' not in load(put(sentences), unit='characters')[1]


def test_rare_units_are_left_out(put):
    plain = load(put(names))[0]
    data, said = load(put(names), most=10)
    counts = Counter(''.join(plain.lines(plain.samples)))
    assert plain.vocabulary[1:] == sorted(counts, key=lambda c: (-counts[c], c)) and len(set(counts.values())) < len(counts)
    assert data.vocabulary == plain.vocabulary[:11] and len(data.samples) < len(plain.samples)
    assert f'{len(plain.samples) - len(data.samples)} lines with characters outside the vocabulary of 10 left out' in said
    with pytest.raises(UserError, match='no usable line'): load(put(sentences), most=1)
    with pytest.raises(UserError, match='no usable line in .* lines longer than 64 characters'):
        load(put(['z'*70 + str(i) for i in range(30)]))


def test_the_test_lines_have_no_say(put):
    train, test = both(put(names))
    held = test.lines(test.samples)
    lines = [l for l in names if l not in held]
    assert load(put(lines + held))[0].vocabulary == train.vocabulary
    strange = next(w for i in range(1000) if held_out(w := f'日{i}'))
    long = next(w for i in range(1000) if held_out(w := names[0]*9 + 'i'*i))
    train, test = both(put([*names, strange, long]))
    assert '日' not in train.vocabulary and train.shape == (max(map(len, lines)),) == test.shape
    assert test.lines(test.samples) == [l for l in names if l in held]
    assert f'1 line longer than {train.shape[0]} characters left out' in test.notes
    assert any('1 line with characters outside' in n for n in test.notes)


def test_an_earlier_run_is_matched(put):
    first = load(put(names))[0]
    stray = next(w for i in range(99) if not held_out(w := f'ω{i}'))
    long = next(w for i in range(99) if not held_out(w := 'be'*9 + 'n'*i))
    again, said = load(put([*names, stray, long]), vocabulary=first.vocabulary, length=first.shape[0], unit=first.unit)
    assert again.vocabulary == first.vocabulary and again.shape == first.shape and torch.equal(again.samples, first.samples)
    assert '1 line with characters outside' in said and '1 line longer than' in said and 'not words' not in said
    words = load(put(names), unit='words')[0]
    assert words.shape == (1,) and set(words.vocabulary[1:]) < set(names)


def test_the_same_at_each_call(put):
    path = put(names)
    one, other = load(path, limit=9)[0], load(path, limit=9, seed=5)[0]
    assert torch.equal(one.samples, other.samples) and len(one.samples) == 9
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(one, load(path, limit=9)[0]))
    assert not all(torch.equal(a, b) for (a, _), (b, _) in zip(load(path)[0], load(path, seed=5)[0]))


def test_mistakes_in_the_call(put):
    path = put(names)
    for options in (dict(split='val'), dict(unit='letters'), dict(limit=0), dict(length=0), dict(most=0), dict(batch_size=1000),
                    dict(vocabulary=['a', 'b']), dict(vocabulary=[]), dict(device='gpu')):
        with pytest.raises(UserError): load(path, **options)
    data = load(path)[0]
    with pytest.raises(UserError, match="unknown character '日'"): data.encode(['mira', '日本'])
    with pytest.raises(UserError, match='a line of 20 characters'): data.encode(['a'*20])
    assert data.lines(data.encode(['', ' mira '])) == ['', 'mira']
    assert data.lines([[1, 0, 2, 3], [0, 1, 1, 1]]) == [data.vocabulary[1], '']          # nothing after the end counts


def test_syllables_are_the_same_everywhere():
    made = [named_texts['syllables'](s) for s in ('train', 'test')]
    assert [len(o) for o in made] == [2000, 400]
    digest = hashlib.sha256('\n'.join(made[0] + made[1]).encode()).hexdigest()
    assert digest == '928c05578613c3857f7edd6699618949939310220f75c077f4a93ad8af5f3dcb'
    assert not load('syllables')[1]


@pytest.fixture
def offline(tmp_path, monkeypatch):
    "No sets on this machine, and a network on which only what the test puts there is found."
    web = {}
    def urlopen(url, timeout=None):
        if url not in web: raise urllib.error.URLError('no network')
        return io.BytesIO(web[url])
    monkeypatch.setattr('urllib.request.urlopen', urlopen)
    monkeypatch.setenv('GAN_COURSE_DATA', str(tmp_path/'data'))
    for module in ('data', 'texts'): monkeypatch.setattr(f'gan_course.{module}.cache_dir', lambda: tmp_path/'cache')
    return web


@pytest.mark.parametrize('name', ['names', 'captions'])
def test_nothing_to_be_had(name, offline, tmp_path):
    with pytest.raises(UserError) as e: text_data(name)
    said = str(e.value)
    assert '\n' not in said and said.startswith(f'no {name} here: tried ') and said.endswith('use the embedded set: syllables')
    for part in (str(tmp_path/'data'), str(tmp_path/'cache'), 'https://raw.githubusercontent.com/', 'no network'): assert part in said


def test_a_damaged_download_is_refused(offline, tmp_path, monkeypatch):
    from gan_course import texts
    content, url = '\n'.join(names).encode(), texts._sources['names.txt'][0]
    offline[url] = content
    with pytest.raises(UserError, match='its checksum does not match'): text_data('names')
    assert not (tmp_path/'cache').exists()
    monkeypatch.setitem(texts._sources, 'names.txt', (url, hashlib.sha256(content).hexdigest()))
    data = load('names')[0]
    offline.clear()                                     # from now on it is there
    assert torch.equal(load('names')[0].samples, data.samples) and (tmp_path/'cache'/'names.txt').read_bytes() == content
    assert not data.notes and set(data.lines(data.samples)) < set(names)


def test_published_splits(offline, put, tmp_path):
    (tmp_path/'data'/'coco').mkdir(parents=True)
    put(sentences, 'data/coco/train.txt'); put([*sentences[:25], 'a dog on a skateboard'], 'data/coco/test.txt')
    train, said = load('captions')
    assert train.lines(train.samples) == sentences and not said
    test, said = load('captions', split='test')
    assert test.lines(test.samples) == sentences[:25] and '1 line with words outside the vocabulary of' in said
