"Every page in a real browser, without a kernel, light and dark. What needs Chrome or Chromium is skipped where there is none."
import html, json, os, re, shutil, subprocess, time
from pathlib import Path

import pytest
import yaml
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from test_site import each_page, pages, site

root = Path(__file__).resolve().parent.parent
names = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')
browser = next((b for b in map(shutil.which, names) if b), None)

needs_browser = pytest.mark.skipif(not browser, reason='no Chrome or Chromium')
flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync']

# What a reader does: drag the slider to the first frame, then press the button; what is drawn is written into the page
SCRIPT = '''
const figures = [...document.querySelectorAll("div[role=group]")].map(f => {
  const slider = f.querySelector("input");
  const look = () => [...f.querySelectorAll("[id]")].map(e => e.getAttribute("d") || e.getAttribute("href")).join("|");
  const last = look();
  slider.value = 0; slider.dispatchEvent(new Event("input"));
  const first = look(), name = f.querySelector("output").textContent;
  slider.value = slider.max; slider.dispatchEvent(new Event("input"));
  const again = look();
  f.querySelector("button").click();
  return {frames: +slider.max + 1, moved: first != last, back: again == last, name: name,
          label: f.getAttribute("aria-label"), playing: f.querySelector("button").textContent, f: f};
});
setTimeout(() => {
  for (const o of figures) { o.played = +o.f.querySelector("input").value; delete o.f; }
  const out = document.createElement("pre"); out.id = "report"; out.textContent = JSON.stringify(figures); document.body.append(out);
}, 1500);
'''


def figures_of(page):
    "The HTML of the moving figures that are stored in a page."
    found = []
    for cell in json.loads(page.read_text())['cells']:
        for o in cell.get('outputs', []):
            text = ''.join(o.get('data', {}).get('text/html', ''))
            if 'role="group"' in text: found.append(text)
    return found


moving = [p for p in pages if figures_of(p)]


def test_there_are_figures_that_move(): assert {'animation', '01_background'} <= {p.stem for p in moving}


@needs_browser
@pytest.mark.parametrize('page', moving, ids=lambda p: p.stem)
def test_figures_play(page, tmp_path):
    stored, file = figures_of(page), tmp_path/'page.html'
    file.write_text('<!doctype html><meta charset="utf-8"><body>' + ''.join(stored) + f'<script>{SCRIPT}</script>', encoding='utf-8')
    out = subprocess.run([browser, *flags, f'--user-data-dir={tmp_path/"profile"}', '--virtual-time-budget=4000', '--dump-dom',
                          file.as_uri()], capture_output=True, text=True, timeout=120)
    report = re.search(r'<pre id="report">(.*?)</pre>', out.stdout, re.S)
    assert report, out.stderr[-2000:]
    figures = json.loads(report[1])
    assert len(figures) == len(stored)
    for f in figures:
        assert f['moved'] and f['back'] and f['label'] and f['name'], f
        assert 'Pause' in f['playing'] and 0 < f['played'] < f['frames'], f      # from the last frame Play starts over, and is under way


# Every cure in every order, from where the arrow keys and the pointer have brought the start
PLAY = '''
const root = document.querySelector(".widget"), $ = s => root.querySelector(s), found = [];
const set = (name, v) => { $(`[name=${name}]`).value = v; $(`[name=${name}]`).dispatchEvent(new Event("input")); };
for (const key of ["ArrowLeft", "ArrowUp", "ArrowUp"]) $(".start").dispatchEvent(new KeyboardEvent("keydown", {key}));
const moved = $(".start").getAttribute("transform");
set("eta", .3); set("strength", .6);
for (const cure of $("[name=cure]").options) for (const order of $("[name=order]").options) {
  set("cure", cure.value); set("order", order.value);
  found.push([cure.value, order.value, JSON.parse(root.dataset.end), $("output").textContent]);
}
const box = $("svg").getBoundingClientRect(), at = (x, y) => ({clientX: box.x + x*box.width, clientY: box.y + y*box.height});
const drag = (on, name, p) => on.dispatchEvent(new PointerEvent(name, p));
drag(window, "pointermove", at(.1, .1));                    // nothing is held
const still = $(".start").getAttribute("transform");
drag($(".start"), "pointerdown", at(.5, .5)); drag(window, "pointermove", at(.75, .25)); drag(window, "pointerup", at(.75, .25));
drag(window, "pointermove", at(.1, .1));
const out = document.createElement("pre"); out.id = "report";
out.textContent = JSON.stringify({found, moved, still, dragged: $(".start").getAttribute("transform")}); document.body.append(out);
'''


@needs_browser
def test_the_dirac_gan_in_the_page_is_that_of_the_lesson(tmp_path):
    from gan_course.stability import dirac_orbit
    from gan_course.widgets import dirac_widget
    file = tmp_path/'page.html'
    file.write_text(f'<!doctype html><meta charset="utf-8"><body>{dirac_widget(steps=40).data}<script>{PLAY}</script>', encoding='utf-8')
    out = subprocess.run([browser, *flags, f'--user-data-dir={tmp_path/"profile"}', '--dump-dom', file.as_uri()], capture_output=True,
                         text=True, timeout=120)
    report = re.search(r'<pre id="report">(.*?)</pre>', out.stdout, re.S)
    assert report, out.stdout[-2000:] + out.stderr[-2000:]
    r = json.loads(html.unescape(report[1]))
    assert len(r['found']) == 24 and r['moved'] == r['still'] == 'translate(1.1000 -0.2000)'
    for cure, order, end, text in r['found']:
        wanted = dirac_orbit((1.1, .2), 40, eta=.3, order=order, cure=cure, strength=.6)[-1]
        assert end == pytest.approx(wanted, abs=1e-9) and 'after 40 steps' in text, (cure, order)
    x, y = map(float, re.findall(r'-?[\d.]+', r['dragged']))
    assert (x, y) == pytest.approx((1.1, -1.1), abs=.02)        # three quarters to the right, a quarter down


# The game that trains in the page: its gradients for given weights, a step of Adam, what the buttons do, a drawing, the known settings
TRAIN = '''
const root = document.querySelector(".widget"), $ = s => root.querySelector(s), g = root.game, found = {};
const {G, D} = g.players, copy = a => Float64Array.from(a), press = name => $(`[name=${name}]`).click();
const set = (name, v) => { $(`[name=${name}]`).value = v; $(`[name=${name}]`).dispatchEvent(new Event("input")); };
G.p.set(GIVEN.G); D.p.set(GIVEN.D);
const real = copy(GIVEN.real), hz = g.forward(G, copy(GIVEN.z), 16);
for (const loss of [...$("[name=loss]").options].map(o => o.value)) {
  const d = g.dGradient(D, real, hz.at(-1), 16, loss, .7), o = g.gGradient(G, D, hz, real, 16, loss);
  found[loss] = {d: d.value, g: o.value, d_grad: [...d.grad], g_grad: [...o.grad]};
}
for (const lr of [.01, .02]) g.adam(D, g.dGradient(D, real, hz.at(-1), 16, "hinge", .7).grad, lr);
const adam = [...D.p];
const waiting = [];
for (const act of [() => set("game", "healthy"), () => set("game", "healthy"), () => press("play"), () => press("play"),
                   () => press("play")]) { act(); waiting.push(pending.size); }
const change = f => { const {G, D} = g.players, was = [copy(G.p), copy(D.p)]; f();
                      return [G, D].map((net, i) => net.p.some((v, k) => v != was[i][k])); };
const moves = [change(() => press("step_d")), change(() => press("step_g"))];
const games = {};
for (const game of ["healthy", "G much faster than D"]) {
  set("game", game); press("play");
  for (let k = 0; k < 1000; k++) g.both();
  g.look(); games[game] = JSON.parse(root.dataset.state);
}
const gamma = $(".value-gamma").textContent;
set("game", "healthy"); press("play");
const box = $(".plane").getBoundingClientRect();
const at = (x, y) => ({clientX: box.x + x*box.width, clientY: box.y + y*box.height, bubbles: true});
$(".plane").dispatchEvent(new PointerEvent("pointerdown", at(.25, .25)));
for (let x = .25; x < .75; x += .05) $(".plane").dispatchEvent(new PointerEvent("pointermove", at(x, .25)));
window.dispatchEvent(new PointerEvent("pointerup"));
for (let k = 0; k < 400; k++) g.both();
const drawn = g.forward(g.players.G, copy(GIVEN.z), 16).at(-1), data = $("[name=data]").value;
const out = document.createElement("pre"); out.id = "report";
out.textContent = JSON.stringify({found, adam, waiting, moves, games, drawn: [...drawn], data, said: $("output").textContent,
                                  gamma}); document.body.append(out);
'''


@needs_browser
def test_the_game_in_the_page_trains_as_pytorch_does(tmp_path):
    import torch
    from torch import nn
    from gan_course.objectives import losses, r1_penalty
    from gan_course.widgets import game_widget
    torch.manual_seed(0)
    mlp = lambda no: nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(.2), nn.Linear(32, 32), nn.LeakyReLU(.2), nn.Linear(32, no)).double()
    G, D, real, z = mlp(2), mlp(1), torch.randn(16, 2).double(), torch.randn(16, 2).double()
    row = lambda tensors: torch.cat([t.detach().flatten() for t in tensors]).tolist()
    given = json.dumps(dict(G=row(G.parameters()), D=row(D.parameters()), real=row([real]), z=row([z])))
    file = tmp_path/'page.html'
    script = f'<script>const GIVEN = {given};{TRAIN}</script>'
    frames = """<script>const pending = new Map(); let last = 0; window.cancelAnimationFrame = i => pending.delete(i);
window.requestAnimationFrame = f => { pending.set(++last, f); return last; };</script>"""
    file.write_text(f'<!doctype html><meta charset="utf-8"><body>{frames}{game_widget().data}{script}', encoding='utf-8')
    out = subprocess.run([browser, *flags, f'--user-data-dir={tmp_path/"profile"}', '--dump-dom', file.as_uri()], capture_output=True,
                         text=True, timeout=180)
    report = re.search(r'<pre id="report">(.*?)</pre>', out.stdout, re.S)
    assert report, out.stdout[-2000:] + out.stderr[-2000:]
    r = json.loads(html.unescape(report[1]))
    assert {*r['found']} == {*losses}
    for name, got in r['found'].items():
        fake = G(z)
        d_loss = losses[name].d(D(real), D(fake.detach())) + r1_penalty(D, real.clone().requires_grad_(), .7)
        g_loss = losses[name].g(D(fake), D(real).detach())
        assert (got['d'], got['g']) == pytest.approx((d_loss.item(), g_loss.item()), abs=1e-9), name
        assert got['d_grad'] == pytest.approx(row(torch.autograd.grad(d_loss, D.parameters())), abs=1e-9), name
        assert got['g_grad'] == pytest.approx(row(torch.autograd.grad(g_loss, G.parameters())), abs=1e-9), name
    opt = torch.optim.Adam(D.parameters(), betas=(0., .99))
    for lr in (.01, .02):
        opt.param_groups[0]['lr'] = lr
        opt.zero_grad()
        (losses['hinge'].d(D(real), D(G(z).detach())) + r1_penalty(D, real.clone().requires_grad_(), .7)).backward()
        opt.step()
    assert r['adam'] == pytest.approx(row(D.parameters()), abs=1e-9)
    assert r['waiting'] == [1, 1, 0, 1, 0]                         # it never runs twice at a time
    assert r['moves'] == [[False, True], [True, False]]            # a step of D moves D alone, one of G moves G alone
    assert r['games']['healthy']['found'] >= 7 and r['games']['healthy']['good'] > .4 and r['games']['G much faster than D']['found'] <= 3
    x, y = r['drawn'][0::2], r['drawn'][1::2]                      # the drawing is a line at y = 0.85, from -0.85 to 0.85
    assert r['data'] == 'drawing' and sum(abs(v - .85) < .25 for v in y) >= 12 and max(x) - min(x) > .8
    assert re.match(r'step \d+ · D answers', r['said']) and r['gamma'] == 'none'


def test_no_figure_asks_the_network():
    for page in (root/'nbs').rglob('*.ipynb'):
        if '.ipynb_checkpoints' in page.parts: continue
        for figure in figures_of(page): assert not re.search(r'(src|href)="(?!data:)', figure) and len(figure) < 2**20


# The whole page. Quarto is not needed: its frame and the colours that its themes give to secondary text stand here, and our
# rules come after them.
look = yaml.safe_load((root/'_quarto.yml').read_text())
our_css = look['format']['html']['include-in-header'][0]['text']
navbar = look['website']['navbar']
frame_css = '''<style>
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: #fff; color: #373a3c } body.dark { background: #222; color: #dee2e6 }
main { padding: 0 12px } img { max-width: 100% } a { color: #2761e3 } .dark a { color: #00bc8c } pre { background: none }
p, li, code { overflow-wrap: anywhere /* formulas are not drawn here */ } table { border-collapse: collapse }
.code, .highlight pre { overflow-wrap: anywhere; white-space: pre-wrap } main > pre, .highlight pre { overflow-x: auto }
figcaption, summary, .breadcrumb-item a, .page-navigation a { color: #6f7780 } figure { margin: 0 }
.navbar { background: NAVBAR; padding: 8px } .navbar .nav-link { color: #cbd; text-decoration: none }
</style>'''.replace('NAVBAR', navbar['background'])
links = '\n'.join(f'<a class="nav-link" href="{{up}}{o["href"]}">{o["text"]}</a>' for o in navbar['left'])
frame = f'''<header><nav class="navbar" aria-label="site">{links}</nav></header>
<nav class="quarto-page-breadcrumbs" aria-label="where"><span class="breadcrumb-item"><a href="{{up}}index.ipynb">Part</a></span></nav>
<main>{{body}}</main>
<nav class="page-navigation" aria-label="pages"><a href="{{up}}index.ipynb"><span class="nav-page-text">Next</span></a></nav>'''


def anchor(title):
    "The name that Quarto gives a heading."
    text = re.sub(r'<[^>]+>|[`*$\\\\]', '', html.unescape(title)).lower()
    return re.sub(r'^[^a-z]+', '', re.sub(r'[^\w\s.-]', '', text).strip().replace(' ', '-'))


def prose(text):
    "Markdown as HTML, with Quarto's text for pictures and without its other attributes."
    picture = r'!\[([^\]]*)\]\(([^)]*)\)\{fig-alt="([^"]*)"\}'
    text = re.sub(picture, r'<figure><img src="\2" alt="\3"><figcaption>\1</figcaption></figure>', text)
    text = markdown2html_mistune(re.sub(r'(\]\([^)]*\))\{[^}]*\}', r'\1', text))
    return re.sub(r'<h(\d)[^>]*>(.*?)(<a class="anchor-link".*?)?</h\1>', lambda m: f'<h{m[1]} id="{anchor(m[2])}">{m[2]}</h{m[1]}>', text)


def drawn(cell):
    "What a reader sees of a cell of code: the code, unless it is hidden or folded, and what came out."
    source, alt = ''.join(cell['source']), re.search(r'#\|\s*fig-alt: "?(.*?)"?$', ''.join(cell['source']), re.M)
    if re.search(r'#\|\s*include: false', source): return
    code = '<pre class="code"><code>' + html.escape(re.sub(r'^#\|.*\n?', '', source, flags=re.M)) + '</code></pre>'
    if re.search(r'#\|\s*code-fold: true', source): code = f'<details><summary>Code</summary>{code}</details>'
    if not re.search(r'#\|\s*echo: false', source): yield code
    for o in cell['outputs']:
        data = {k: ''.join(v) for k, v in o.get('data', {'text/plain': o.get('text', '')}).items()}
        if 'text/html' in data: out = data['text/html']
        elif 'text/markdown' in data: out = prose(data['text/markdown'])
        elif 'image/png' in data:
            out = f'<img src="data:image/png;base64,{data["image/png"].strip()}" alt="{html.escape(alt[1] if alt else "")}">'
        else: out = '<pre><code>' + html.escape(data.get('text/plain', '')) + '</code></pre>'
        yield f'<div class="cell-output">{out}</div>'


@pytest.fixture(scope='module')
def rendered(site, tmp_path_factory):
    "A folder with every page as HTML, with pictures and links in their places."
    folder = tmp_path_factory.mktemp('html')
    shutil.copytree(root/'nbs'/'images', folder/'images')
    for page in pages:
        cells, place = json.loads((site[0]/page.name).read_text())['cells'], page.relative_to(root/'nbs')
        parts = [[prose(''.join(c['source']))] if c['cell_type'] == 'markdown' else drawn(c) for c in cells if c['cell_type'] != 'raw']
        body = '\n'.join(text for part in parts for text in part)
        text = frame.replace('{up}', '../'*(len(place.parts) - 1)).replace('{body}', body)
        text = re.sub(r'(href="(?!https?:)[^"#]*)\.ipynb', r'\1.html', text)
        file = folder/place.with_suffix('.html'); file.parent.mkdir(exist_ok=True)
        file.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{page.stem}</title>'
                        f'<meta name="viewport" content="width=device-width">{frame_css}{our_css}<body>{text}', encoding='utf-8')
    return folder


class Browser:
    "One browser, driven through a pipe (`call`); what it says of its own accord is kept in `said`."
    def __init__(self, profile):
        (theirs, to), (back, mine) = os.pipe(), os.pipe()
        start = ['bash', '-c', f'exec "$@" 3<&{theirs} 4>&{mine}', 'bash', browser, *flags, '--remote-debugging-pipe',
                 '--allow-file-access-from-files', f'--user-data-dir={profile}']
        self.process = subprocess.Popen(start, pass_fds=(theirs, mine), stderr=subprocess.DEVNULL)
        os.close(theirs); os.close(mine)
        self.to, self.back, self.n, self.said, self.session = os.fdopen(to, 'wb', 0), os.fdopen(back, 'rb'), 0, [], None
        self.rest = b''
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self.session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for part in ('Page', 'Runtime', 'Log'): self.call(f'{part}.enable')

    def read(self):
        while b'\0' not in self.rest:
            more = os.read(self.back.fileno(), 1 << 20)
            assert more, 'the browser is gone'
            self.rest += more
        message, self.rest = self.rest.split(b'\0', 1)
        return json.loads(message)

    def call(self, method, **params):
        self.n += 1
        message = dict(id=self.n, method=method, params=params)
        if self.session: message['sessionId'] = self.session
        self.to.write(json.dumps(message).encode() + b'\0')
        while True:
            message = self.read()
            if message.get('id') == self.n:
                assert 'error' not in message, message
                return message['result']
            self.said.append(message)

    def open(self, file, width):
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.said.clear()
        self.call('Page.navigate', url=file.as_uri())
        while not any(m.get('method') == 'Page.loadEventFired' for m in self.said): self.said.append(self.read())

    def js(self, code):
        r = self.call('Runtime.evaluate', expression=code, awaitPromise=True, returnByValue=True)
        assert 'exceptionDetails' not in r, r['exceptionDetails']
        return r['result'].get('value')

    def complaints(self):
        "Errors of the console: what a script threw or printed as an error, and what could not be loaded."
        self.js('new Promise(done => setTimeout(done, 50))')
        said = [(m.get('method'), m['params']) for m in self.said if 'params' in m]
        return ([p['exceptionDetails'] for name, p in said if name == 'Runtime.exceptionThrown'] +
                [p['entry']['text'] for name, p in said if name == 'Log.entryAdded' and p['entry']['level'] == 'error'] +
                [p['args'] for name, p in said if name == 'Runtime.consoleAPICalled' and p['type'] == 'error'])


@pytest.fixture(scope='module')
def chrome(tmp_path_factory):
    b = Browser(tmp_path_factory.mktemp('profile'))
    yield b
    b.process.terminate(); b.process.wait(30)


missing = '[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src.slice(0, 100))'
# The elements that are too wide, but for what scrolls by itself, as tables and code do
wide = '''document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("main :not(table, table *, pre, pre *), .cell-output pre")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > innerWidth)
    .slice(0, 3).map(e => e.outerHTML.slice(0, 200)).concat(["width " + document.documentElement.scrollWidth])'''


@needs_browser
@each_page
def test_page_on_a_phone(page, rendered, chrome):
    "Nothing in the console, every picture is there, and the page does not scroll sideways."
    chrome.open((rendered/page.relative_to(root/'nbs')).with_suffix('.html'), 390)
    assert not chrome.complaints()
    assert chrome.js(missing) == []
    assert chrome.js(wide) == []


@each_page
def test_links_of_the_page_lead_somewhere(page, rendered):
    "To a page of the site, and to a heading on it."
    file = (rendered/page.relative_to(root/'nbs')).with_suffix('.html')
    for target, name in re.findall(r'href="(?!https?:|data:)([^"#]*)(?:#([^"]*))?"', file.read_text(encoding='utf-8')):
        other = (file.parent/target).resolve() if target else file
        assert other.is_file(), target
        assert not name or f'id="{name}"' in other.read_text(encoding='utf-8'), (target, name)


axe = next((p for p in (os.environ.get('AXE_JS'), root/'node_modules'/'axe-core'/'axe.min.js') if p and Path(p).is_file()), None)
ask = '''axe.run(document, {resultTypes: ["violations"], preload: false}).then(r => r.violations
    .filter(v => ["serious", "critical"].includes(v.impact))
    .map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary]))'''


@needs_browser
@pytest.mark.skipif(not axe, reason='no axe-core: npm install --no-save axe-core, or AXE_JS=…/axe.min.js')
@each_page
def test_page_is_accessible(page, rendered, chrome):
    "axe-core finds nothing serious, in the light look and in the dark."
    chrome.open((rendered/page.relative_to(root/'nbs')).with_suffix('.html'), 1280)
    chrome.js(Path(axe).read_text(encoding='utf-8') + ';0')
    assert chrome.js(ask) == []
    chrome.js('document.body.classList.add("dark")')
    assert chrome.js(ask) == []


@needs_browser
def test_a_broken_page_is_noticed(rendered, chrome):
    "Each check above, on a page that has every fault."
    file = rendered/'broken.html'
    file.write_text(f'''<!doctype html><html lang="en"><title>broken</title>{frame_css}{our_css}
        <main><img src="nowhere.png" alt="a picture"><div style="width:900px">wide</div><p style="color:#bbb">pale</p>
        <script>console.error("printed"); undefined_name</script></main>''')
    chrome.open(file, 390)
    complaints = json.dumps(chrome.complaints())
    for part in ('printed', 'undefined_name', 'ERR_FILE_NOT_FOUND'): assert part in complaints
    assert 'nowhere' in chrome.js(missing)[0] and '900px' in chrome.js(wide)[0]
    if not axe: return
    chrome.js(Path(axe).read_text(encoding='utf-8') + ';0')
    assert [v[0] for v in chrome.js(ask)] == ['color-contrast']
    # The themes' own pale grey, without our rules
    file.write_text(f'<!doctype html><html lang="en"><title>bare</title>{frame_css}<main><details><summary>Code</summary></details></main>')
    chrome.open(file, 1280)
    chrome.js(Path(axe).read_text(encoding='utf-8') + ';0; document.body.classList.add("dark")')
    assert [v[0] for v in chrome.js(ask)] == ['color-contrast']
