"Folders of pictures as people have them: nothing is passed over in silence, and the split stays when a folder grows."
import os, warnings

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from gan_course.core import UserError, save_png
from gan_course.folders import _Picture, _share, _sides, picture_suffixes, unlabelled_files
from gan_course.data import Batches, cache_dir, data_dirs, image_data, to_float


def picture(path, seed=0, size=(32, 32), mode='RGB', **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def load(folder, split='train', batch_size=1, **options):
    "The batches, and the warnings that were given."
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        data = image_data(folder, batch_size, split=split, device='cpu', **options)
    return data, [str(w.message) for w in caught]


def rows(data): return sorted(bytes(image.flatten().tolist()) for image in data.images)


def all_of(folder, **options):
    "Number of pictures by class, over both splits, and the one note."
    (train, notes), (test, more) = load(folder, **options), load(folder, 'test', **options)
    assert len(notes) == 1 and not more and not set(rows(train)) & set(rows(test))
    labels = torch.cat([train.labels, test.labels]).tolist()
    return {c: labels.count(i) for i, c in enumerate(train.classes)}, notes[0]


# What is read

FORMATS = {'png': {}, 'PNG': {}, 'jpg': {}, 'JPeG': {}, 'jfif': dict(format='JPEG'), 'jpe': {}, 'webp': {}, 'bmp': {}, 'tif': {},
           'TIFF': {}, 'gif': {}, 'ppm': {}, 'tga': {}, 'ico': {}, 'pcx': {}, 'apng': dict(format='PNG'), 'dib': {}, 'sgi': {}}
FORMATS |= {s: {} for s in ('avif', 'jp2', 'qoi') if '.' + s in picture_suffixes() and Image.registered_extensions()['.' + s] in Image.SAVE}


@pytest.mark.parametrize('folders', [[''], ['cat', 'dog'], ['cat/a', 'dog'], ['cat/a/b/c', 'dog/a/b']])
def test_every_format_at_every_depth(tmp_path, folders):
    for k, folder in enumerate(folders):
        for i, (suffix, options) in enumerate(FORMATS.items()): picture(tmp_path/folder/f'{i}.{suffix}', 100*k + i, **options)
    counts, note = all_of(tmp_path)
    assert counts == {folder.split('/')[0] or tmp_path.name: len(FORMATS) for folder in folders}, note
    assert 'left out' not in note


@pytest.mark.parametrize('mode, channels', [('1', 1), ('L', 1), ('LA', 1), ('I;16', 1),
                                            ('P', 3), ('RGBA', 3), ('CMYK', 3), ('YCbCr', 3), ('F', 1)])
def test_modes(tmp_path, mode, channels):
    for i in range(4):
        image = Image.fromarray(np.full((32, 32), 51*i, np.uint8))
        if mode == 'I;16': image = Image.fromarray(np.full((32, 32), 51*257*i, np.uint16))
        elif mode == 'F': image = Image.fromarray(np.full((32, 32), .2*i, np.float32))
        else: image = image.convert(mode)
        image.save(tmp_path/f'{i}.{"png" if mode in ("1", "L", "LA", "I;16", "P", "RGBA") else "tif"}')
    (train, _), (test, _) = load(tmp_path), load(tmp_path, 'test')
    assert train.shape == (channels, 32, 32) and train.found_channels == channels
    grey = sorted(torch.cat([train.images, test.images]).float().mean((1, 2, 3)).round().int().tolist())
    assert mode == '1' or grey == [0, 51, 102, 153]                  # 1 bit is dithered


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new('RGB', (32, 32), c) for c in ('red', 'blue')]
    for name in ('a.gif', 'b.webp', 'c.png'): frames[0].save(tmp_path/name, save_all=True, append_images=frames[1:])
    data, notes = load(tmp_path, limit=9)
    assert '3 animated: the first frame' in notes[0]
    assert all(image[0].min() > 230 and image[2].max() < 30 for image in data.images)


def test_links(tmp_path):
    pics, away = tmp_path/'pics', tmp_path/'away'
    for i in range(3): picture(pics/'cat'/f'{i}.png', i); picture(away/f'{i}.png', 10 + i)
    (pics/'dog').symlink_to(away)                                    # a class that lies elsewhere
    (pics/'cat'/'linked.png').symlink_to(away/'0.png')
    (pics/'cat'/'gone.png').symlink_to('nowhere.png')
    (pics/'cat'/'round.png').symlink_to('round.png')                 # a link to itself
    (pics/'cat'/'text.png').write_text('../nowhere.png\n')           # as git writes a link where there are none
    (pics/'cat'/'up').symlink_to('..'); (pics/'cat'/'here').symlink_to('.'); (pics/'cat'/'far').symlink_to(tmp_path)
    (pics/'cat'/'more').symlink_to(pics/'dog'); (pics/'all').symlink_to('.')
    (pics/'cat'/'lfs.png').write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n')
    counts, note = all_of(pics)
    assert counts == {'cat': 7, 'dog': 3}
    for part in ('3 dead links', '4 links to folders already read', '1 picture for git lfs pull', 'all'): assert part in note, note


def test_links_between_many_folders_do_not_hang(tmp_path):
    names = [f'd{i}' for i in range(12)]
    for i, a in enumerate(names):
        picture(tmp_path/'cat'/a/'0.png', i)
        for b in names: a != b and (tmp_path/'cat'/a/b).symlink_to(tmp_path/'cat'/b)
    assert all_of(tmp_path)[0] == {'cat': 12}


def test_what_is_left_out_is_counted(tmp_path):
    for i in range(4): picture(tmp_path/'cat'/f'{i}.png', i); picture(tmp_path/'dog'/'young'/f'{i}.bmp', 4 + i)
    for name in ('cat/list.csv', 'cat/a.txt', 'dog/b.TXT', 'dog/LICENSE', 'readme.pdf'): (tmp_path/name).write_text('x')
    (tmp_path/'dog'/'phone.heic').write_text('x'); (tmp_path/'empty'/'deeper').mkdir(parents=True); (tmp_path/'notes').mkdir()
    (tmp_path/'notes'/'x.txt').write_text('x'); os.mkfifo(tmp_path/'cat'/'pipe.png')
    picture(tmp_path/'stray.png', 50)
    for hidden in ('.ipynb_checkpoints/0.png', '__MACOSX/1.png', '.git/2.png', 'cat/.hidden.png', 'cat/._0.png'):
        picture(tmp_path/hidden, 99)
    (tmp_path/'cat'/'Thumbs.db').write_bytes(b'x')
    counts, note = all_of(tmp_path)
    assert counts == {'cat': 4, 'dog': 4}
    for part in ('7 files that are no pictures (.csv, .pdf, .png, .txt, no suffix)', '1 picture that PIL cannot read (.heic)',
                 'folders without a picture: empty, notes', '1 picture at the top, beside classes', 'of 8 held out'):
        assert part in note, note
    assert 'hidden' not in note and 'MACOSX' not in note and 'git' not in note and '\n' not in note


def test_hidden_things_alone_give_no_note_of_what_is_left_out(tmp_path):
    for i in range(3): picture(tmp_path/f'{i}.png', i)
    picture(tmp_path/'.ipynb_checkpoints'/'0.png', 7)
    assert all_of(tmp_path) == ({tmp_path.name: 3}, f'{tmp_path}: 1 of 3 held out for gan_eval')


def test_top_and_folders(tmp_path):
    for i in range(5): picture(tmp_path/f'{i}.png', i); picture(tmp_path/'old'/f'{i}.png', 10 + i)
    counts, note = all_of(tmp_path)
    assert counts == {tmp_path.name: 5} and '5 pictures at the top, so the 5 in folders below are left out' in note
    for i in range(5): picture(tmp_path/'new'/f'{i}.png', 20 + i)
    counts, note = all_of(tmp_path)                                  # two folders with more pictures than the top
    assert counts == {'new': 5, 'old': 5} and '5 pictures at the top' in note


def test_folders_that_are_no_classes(tmp_path):
    for i in range(3):
        for name in ('train', 'test'): picture(tmp_path/'splits'/name/f'{i}.png', i + 9*(name == 'test'))
        for name in ('cat', 'dog', 'unlabelled'): picture(tmp_path/'waiting'/name/f'{i}.png', 7*i + len(name) + ord(name[0]))
    counts, note = all_of(tmp_path/'splits')
    assert list(counts) == ['test', 'train'] and 'taken for classes' in note and 'splits/t' in note
    counts, note = all_of(tmp_path/'waiting')
    assert counts == {'cat': 3, 'dog': 3} and '3 pictures in unlabelled (no class)' in note and 'taken for' not in note
    assert [p.name for p in unlabelled_files(tmp_path/'waiting')] == ['0.png', '1.png', '2.png']


def test_damaged_pictures_stop_the_loading(tmp_path):
    for i in range(6): picture(tmp_path/'cat'/f'{i}.png', i)
    whole = (tmp_path/'cat'/'3.png').read_bytes()
    for data in (whole[:-900], whole[:40], b'', b'hello there', b'\xff\xd8\xff\xe0' + bytes(90)):
        (tmp_path/'cat'/'3.png').write_bytes(data)
        with pytest.raises(UserError, match='3.png is damaged or not a picture .*repair or remove it'): load(tmp_path)
    (tmp_path/'cat'/'3.png').write_bytes(whole)
    held = next(i for i in range(10_000) if _share(f'{i}.jpg') < .1)       # also one that is held out
    picture(tmp_path/'cat'/f'{held}.jpg', 5); (tmp_path/'cat'/f'{held}.jpg').write_bytes((tmp_path/'cat'/f'{held}.jpg').read_bytes()[:-300])
    with pytest.raises(UserError, match=f'{held}.jpg is damaged'): load(tmp_path)


def test_files_that_may_not_be_read(tmp_path, monkeypatch):
    for i in range(3): picture(tmp_path/'cat'/f'{i}.png', i)
    real = Image.open
    def refuse(path, *args):
        if str(path).endswith('1.png'): raise PermissionError(13, 'Permission denied', str(path))
        return real(path, *args)
    monkeypatch.setattr(Image, 'open', refuse)
    with pytest.raises(UserError, match='cannot read .*1.png: Permission denied'): load(tmp_path)
    monkeypatch.setattr(Image, 'open', real)
    listdir = os.listdir
    def listed(path):
        if str(path).endswith('cat'): raise PermissionError(13, 'Permission denied')
        return listdir(path)
    monkeypatch.setattr(os, 'listdir', listed)
    with pytest.raises(UserError, match='cannot read the folder .*cat: Permission denied'): load(tmp_path)


def test_big_pictures(tmp_path, monkeypatch):
    for i in range(3): picture(tmp_path/f'{i}.png', i, size=(64, 64))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 3000)             # PIL warns above it, and refuses above twice that
    assert len(load(tmp_path)[1]) == 1
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    with pytest.raises(UserError, match='more pixels than PIL opens'): load(tmp_path)


def test_odd_names(tmp_path):
    folder = tmp_path/'my péché mignon\n'
    for i, name in enumerate(('a b.png', 'é.png', '日本.png', "it's.png", '#?%.png', '-x.png', 'new\nline.png')):
        picture(folder/'c d'/name, i)
    broken = os.fsdecode(b'caf\xe9')
    for i in range(3): picture(folder/broken/f'{broken}{i}.png', 20 + i)
    (folder/os.fsdecode(b'\xfe')).mkdir()                             # without a picture: named in the note
    counts, note = all_of(folder)
    assert sorted(counts.values()) == [3, 7] and '\n' not in note
    note.encode(); repr(load(folder)[0]).encode()                    # can be printed


# What this package made

def test_own_pictures_are_never_training_data(tmp_path):
    for i in range(5): picture(tmp_path/f'{i}.png', i)
    save_png(tmp_path/'samples.png', np.zeros((99, 99), np.uint8))
    for run in ('pics', 'again'):
        for k in range(9): picture(tmp_path/'runs'/run/'samples'/f'step_{k}.png', 90 + k)
        (tmp_path/'runs'/run/'config.json').write_text('{}')
    counts, note = all_of(tmp_path)
    assert counts == {tmp_path.name: 5} and '1 picture made by gan_course, 2 run folders of gan_course' in note and 'below' not in note


def test_own_pictures_beside_classes(tmp_path):
    for i in range(2): picture(tmp_path/'cat'/f'{i}.png', i); picture(tmp_path/'dog'/f'{i}.png', 10 + i)
    for i in range(20):
        save_png(tmp_path/f'grid_{i}.png', np.full((9, 9), i, np.uint8))
        save_png(tmp_path/'samples'/f'{i}.png', np.full((9, 9), i, np.uint8))
    exif = Image.Exif(); exif[305] = 'gan_course'
    picture(tmp_path/'cat'/'film.webp', 3, exif=exif); picture(tmp_path/'cat'/'film.jpg', 3, exif=exif)
    picture(tmp_path/'cat'/'f.gif', 3, comment=b'gan_course')
    other = PngImagePlugin.PngInfo(); other.add_text('Software', 'Gimp')
    picture(tmp_path/'dog'/'2.png', 30, pnginfo=other)
    counts, note = all_of(tmp_path)
    assert counts == {'cat': 2, 'dog': 3} and '43 pictures made by gan_course' in note and 'without a picture' not in note


@pytest.mark.parametrize('what', ['pictures', 'runs', 'a run'])
def test_nothing_but_own_pictures(tmp_path, what):
    if what == 'pictures': save_png(tmp_path/'cat'/'a.png', np.zeros((9, 9), np.uint8))
    else:
        run = tmp_path/('x' if what == 'runs' else '')
        picture(run/'samples'/'step.png'); (run/'config.json').write_text('{}')
    with pytest.raises(UserError, match='made by gan_course'): load(tmp_path)


# The split

def test_split_is_stable_when_pictures_are_added(tmp_path):
    def add(first, n, kinds=('cat', 'dog', 'fox')):
        for k in kinds:
            for i in range(first, first + n): picture(tmp_path/k/f'{i}.png', 1000*ord(k[0]) + i, size=(8, 8))
    add(0, 6); add(0, 1, ['owl'])
    (a, _), (b, notes) = load(tmp_path), load(tmp_path, 'test')
    assert not notes and a.exceptions['owl/0.png'] == 'train' and {*b.labels.tolist()} == {0, 1, 2}
    add(6, 50); add(1, 2, ['owl']); add(0, 9, ['ape'])
    (c, _), (d, _) = load(tmp_path, held=a.exceptions), load(tmp_path, 'test', held=a.exceptions)
    assert set(rows(a)) <= set(rows(c)) and set(rows(b)) <= set(rows(d))
    assert a.exceptions.items() <= c.exceptions.items()
    assert {*d.labels.tolist()} == {*c.labels.tolist()} == set(range(5))


def test_a_class_may_be_renamed(tmp_path):
    for k in ('cat', 'dog'):
        for i in range(20): picture(tmp_path/k/f'{i}.png', 100*len(k) + ord(k[0]) + i, size=(8, 8))
    before = rows(load(tmp_path, 'test')[0])
    (tmp_path/'cat').rename(tmp_path/'zebra')
    assert rows(load(tmp_path, 'test')[0]) == before


def sides(names, held=()): return _sides({'x': [_Picture(None, n) for n in names]}, True, dict(held))


def test_exceptions():
    names = [f'{i}.png' for i in range(2000)]
    low, high = [n for n in names if _share(n) < .1], [n for n in names if _share(n) >= .1]
    for some, side, chosen in ((high[:5], 'test', min), (low[:5], 'train', max)):
        one = chosen(some, key=_share)
        got, exceptions = sides(some)
        assert exceptions == {one: side} and [n for n in some if got[n] == side] == [one]
    assert sides(high[:1])[1] == {high[0]: 'train'} and sides(low[:1])[1] == {low[0]: 'train'}
    got, exceptions = sides(names)
    assert exceptions == {} and {n for n in names if got[n] == 'test'} == set(low)
    assert sides(high[:5], {high[3]: 'test', 'elsewhere.png': 'test'})[1] == {high[3]: 'test'}      # what was recorded wins
    got, exceptions = sides(high[:2], {high[0]: 'train'})      # the single picture that trained goes on training
    assert got == {high[0]: 'train', high[1]: 'test'}
    assert _share('\u00e9.png') == _share('e\u0301.png')             # both ways to write é, as on Linux and on a Mac


def test_split_is_the_same_on_every_machine():
    assert [round(_share(n), 6) for n in ('0.png', 'cat/1.jpg', '\u00e9.webp')] == [0.873702, 0.869926, 0.526269]


def test_single_pictures(tmp_path):
    for k in ('a', 'b'): picture(tmp_path/k/'0.png', ord(k))
    (train, notes), (test, more) = load(tmp_path), load(tmp_path, 'test')
    assert rows(train) == rows(test) and 'none held out' in notes[0] and 'the test split is the training pictures' in more[0]
    for i in range(4): picture(tmp_path/'c'/f'{i}.png', i)
    (train, notes), (test, more) = load(tmp_path), load(tmp_path, 'test')
    assert 'none of a, b (one picture)' in notes[0] and not more and set(train.labels.tolist()) == {0, 1, 2}


def test_limit_goes_by_name(tmp_path):
    for i in range(40): picture(tmp_path/f'{i}.png', i, size=(8, 8))
    a = load(tmp_path, limit=20)[0]
    assert len(a.images) == 20
    for i in range(40, 44): picture(tmp_path/f'{i}.png', i, size=(8, 8))
    b = load(tmp_path, limit=20)[0]
    assert len(set(rows(a)) & set(rows(b))) >= 16


# Shape and notes

@pytest.mark.parametrize('short, size, hint', [(16, 32, None), (31, 32, None), (32, 32, None), (63, 32, None),
                                               (64, 64, None), (127, 64, None), (128, 64, 128), (300, 64, 128)])
def test_default_size(tmp_path, short, size, hint):
    for i in range(10): picture(tmp_path/f'{i}.png', i, size=(short + 10, short))
    picture(tmp_path/'tiny.png', size=(20, 20))
    data, notes = load(tmp_path)
    assert data.shape[-1] == size and (f'give --size {hint} ' in notes[0] if hint else '--size' not in notes[0])
    assert '--size' not in load(tmp_path, size=32)[1][0] and load(tmp_path, size=40)[0].shape[-1] == 40


def test_channels_and_crop(tmp_path):
    for i in range(4): picture(tmp_path/f'{i}.png', i, mode='RGB' if i else 'L')
    data, notes = load(tmp_path)
    assert data.shape[0] == 3 and '1 grey and 3 colour pictures: all as colour' in notes[0]
    data, notes = load(tmp_path, channels=1)
    assert data.shape[0] == 1 and data.found_channels == 3 and 'all as grey' in notes[0]
    picture(tmp_path/'wide.png', size=(300, 1))
    for crop, word in (('centre', 'cropped'), ('none', 'padded')): assert word in load(tmp_path, crop=crop)[1][0]
    with pytest.raises(UserError, match='crop'): load(tmp_path, crop='stretch')
    with pytest.raises(UserError, match='channels'): load(tmp_path, channels=2)
    with pytest.raises(UserError, match='held'): load(tmp_path, held={'0.png': 'tset'})


def test_transparency_and_rotation(tmp_path):
    Image.new('RGBA', (32, 32), (255, 0, 0, 0)).save(tmp_path/'a.png'); Image.new('RGBA', (32, 32), (255, 0, 0, 255)).save(tmp_path/'b.png')
    exif = Image.Exif(); exif[274] = 6                               # lies on its side
    sideways = Image.new('RGB', (32, 32)); sideways.paste('white', (0, 0, 16, 32)); sideways.save(tmp_path/'c.jpg', exif=exif, quality=95)
    (train, notes), (test, _) = load(tmp_path), load(tmp_path, 'test')
    images = {tuple(i[:, 2, 30].tolist()): i for i in torch.cat([train.images, test.images])}
    assert '1 with transparency: laid on white' in notes[0] and (255, 255, 255) in images and (255, 0, 0) in images
    assert any(i[:, :12].min() > 200 and i[:, -12:].max() < 50 for i in images.values())


# Batches, named sets, places

@pytest.mark.parametrize('samples', [torch.randn(10, 2), torch.randn(10, 1, 16, 20), np.arange(10.), torch.arange(10)],
                         ids=['points', 'spectrograms', 'numpy', 'numbers'])
def test_batches_of_anything(samples):
    data = Batches(samples, name='it', batch_size=4, device='cpu')
    x, y = next(iter(data))
    assert x.shape == (4, *samples.shape[1:]) and y.tolist() == [0]*4 and 'it: 10 samples' in repr(data)
    again = Batches(samples, batch_size=4, device='cpu'); again.load_state_dict(data.state_dict())
    assert torch.equal(next(iter(again))[0], next(iter(data))[0])


def test_to_float():
    for ok in (torch.zeros(2, 3, dtype=torch.int16), torch.tensor([-1.04, 1.04]), torch.tensor([.5]).half(),
               np.zeros(3, np.uint8), torch.zeros(0)):
        to_float(ok)
    x = torch.tensor([-1., 1.]); y = to_float(x)
    assert y is not x and y.data_ptr() == x.data_ptr()
    for wrong in (torch.tensor([0., 255.]), torch.tensor([-2., 0.]), torch.tensor([256]), torch.tensor([-1]),
                  torch.tensor([float('nan')]), torch.tensor([True]), torch.tensor([1j]), torch.tensor([float('inf')])):
        before = wrong.clone()
        with pytest.raises(UserError): to_float(wrong)
        assert str(before) == str(wrong)


@pytest.mark.parametrize('how', ['zeros', 'truncated', 'folder', 'empty'])
def test_damaged_named_sets(tmp_path, monkeypatch, how):
    raw = tmp_path/'MNIST'/'raw'; raw.mkdir(parents=True)
    proxy = 'http://127.0.0.1:9'
    for k, v in (('GAN_COURSE_DATA', tmp_path), ('HOME', tmp_path/'no'), ('https_proxy', proxy), ('http_proxy', proxy)):
        monkeypatch.setenv(k, str(v))
    for s in ('train', 't10k'):
        for name, shape in (('images-idx3', (5, 28, 28)), ('labels-idx1', (5,))):
            sizes = [int(n if how != 'empty' else n*(i > 0)) for i, n in enumerate(shape)]
            header = bytes([0, 0, 8, len(shape)]) + b''.join(n.to_bytes(4, 'big') for n in sizes)
            data = header + bytes(int(np.prod(shape)) if how != 'empty' else 0)
            path = raw/f'{s}-{name}-ubyte'
            if how == 'folder': path.mkdir()
            else: path.write_bytes(bytes(100) if how == 'zeros' else data[:-3] if how == 'truncated' and 'images' in name else data)
    with pytest.raises(UserError, match='MNIST is .*damaged') as e: image_data('mnist', device='cpu')
    assert '\n' not in str(e.value)


def test_home(tmp_path, monkeypatch):
    for i in range(3): picture(tmp_path/'pics'/f'{i}.png', i)
    monkeypatch.setenv('HOME', str(tmp_path)); monkeypatch.setenv('GAN_COURSE_DATA', '~/sets')
    assert data_dirs() == [tmp_path/'sets', tmp_path/'.cache'/'gan_course'] and load('~/pics')[0].classes == ['pics']
    def nobody(): raise RuntimeError('Could not determine home directory.')
    monkeypatch.setattr('pathlib.Path.home', nobody)
    assert 'gan_course' in cache_dir().name
    (tmp_path/'link').symlink_to('nowhere')
    with pytest.raises(UserError, match='link to nothing'): load(str(tmp_path/'link'))
    with pytest.raises(UserError, match='is a file'): load(str(tmp_path/'pics'/'0.png'))


def test_warnings_as_errors(tmp_path):
    "PIL's own warnings must not stop the loading; the note, which can be silenced by name, is ours."
    for i in range(3): picture(tmp_path/f'{i}.png', i)
    Image.new('P', (32, 32)).save(tmp_path/'p.png', transparency=bytes(range(3)))
    with warnings.catch_warnings():
        warnings.simplefilter('error'); warnings.filterwarnings('ignore', message='.*held out')
        assert image_data(tmp_path, 1, device='cpu').shape == (3, 32, 32)
